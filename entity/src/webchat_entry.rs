//! What visitors of web chats get to see, in the order in which it came to them.

use sea_orm::entity::prelude::*;

use crate::id::{MessageId, VisitorId};

/// One message in a visitor's window.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webchat_entries")]
pub struct Model {
    /// Whose window.
    #[sea_orm(primary_key, auto_increment = false)]
    pub visitor_id: VisitorId,
    /// Its place there, from 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    /// The message.
    pub message_id: MessageId,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
