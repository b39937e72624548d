//! What the simulated provider was given to send.

use sea_orm::entity::prelude::*;

use crate::{
    id::{AttemptId, MessageId},
    timestamp::Timestamp,
};

/// One message at the provider.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sandbox_messages")]
pub struct Model {
    /// The message.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: MessageId,
    /// The session that it came through.
    pub session_id: AttemptId,
    /// The number it is for.
    pub recipient: String,
    /// Its text.
    pub text: Option<String>,
    /// The file that came with it, as the simulated provider read it: a JSON object.
    pub attachment: Option<String>,
    /// The provider's own id of the message that it answers.
    pub answered: Option<String>,
    /// How often it was given.
    pub tries: i32,
    /// How often it reached the network.
    pub arrivals: i32,
    /// When it was first given.
    pub created_at: Timestamp,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
