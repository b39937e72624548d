//! API tokens of workspaces.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    id::{TokenId, UserId, WorkspaceId},
    timestamp::Timestamp,
};

/// Where a token came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, strum::Display)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Kind {
    /// The one token that the Partner API reads and rotates; sealed, so that it can be read again.
    PartnerApi,
    /// Made by a command; shown once.
    Issued,
}

/// A credential of a workspace.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tokens")]
pub struct Model {
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TokenId,
    /// Where it opens the door.
    pub workspace_id: WorkspaceId,
    /// As whom it acts.
    pub user_id: UserId,
    /// Where it came from.
    pub kind: Kind,
    /// What it is for, in the words of its maker.
    pub name: String,
    /// What it may do: scopes separated by spaces.
    pub scopes: String,
    /// SHA-256 of the token.
    pub digest: Vec<u8>,
    /// The token under the master key, only for the kind that can be read again.
    pub sealed: Option<Vec<u8>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stopped working.
    pub revoked_at: Option<Timestamp>,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
