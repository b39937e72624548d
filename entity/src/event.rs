//! Events: what happened, as it is told.

use sea_orm::entity::prelude::*;

use crate::{
    id::{EventId, PartnerId, WorkspaceId},
    timestamp::Timestamp,
};

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "events")]
pub struct Model {
    /// Its id in the headers of a webhook.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: EventId,
    /// Whom it concerns.
    pub partner_id: PartnerId,
    /// The workspace that it is about.
    pub workspace_id: Option<WorkspaceId>,
    /// Its type on the wire.
    pub kind: String,
    /// The body of the webhook, byte by byte.
    pub body: String,
    /// What may happen once only.
    pub unique_key: Option<String>,
    /// When it happened.
    pub created_at: Timestamp,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
