//! Text templates: texts that are written once and sent often.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    id::{GroupId, TemplateId, UserId, WorkspaceId},
    timestamp::Timestamp,
};

/// Who may see and change a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, strum::Display)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "kebab-case")]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Visibility {
    /// Whoever sees it may change it.
    Public,
    /// Only its author sees it.
    Private,
    /// Its author and those in charge may change it.
    ReadOnly,
}

/// One template.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "text_templates")]
pub struct Model {
    /// Number on the wire.
    #[sea_orm(primary_key)]
    pub id: TemplateId,
    /// Where it belongs.
    pub workspace_id: WorkspaceId,
    /// Name for people.
    pub name: String,
    /// The text.
    pub text: String,
    /// Who may see and change it.
    pub visibility: Visibility,
    /// The group that it is for; absent for all.
    pub group_id: Option<GroupId>,
    /// Its author.
    pub created_by: UserId,
    /// When it was written.
    pub created_at: Timestamp,
    /// Who changed it last.
    pub updated_by: UserId,
    /// When that was.
    pub updated_at: Timestamp,
    /// How often it was used.
    pub uses: i64,
    /// When it was used last.
    pub last_used_at: Option<Timestamp>,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
