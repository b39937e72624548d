//! Bots: automations that answer what comes to a channel.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    id::{BotId, WorkspaceId},
    timestamp::Timestamp,
};

/// Who thinks of the answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, strum::Display)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Kind {
    /// An HTTP endpoint of the customer's.
    Http,
    /// A model behind an endpoint for chat completions, as OpenAI's.
    Openai,
}

/// One bot.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "bots")]
pub struct Model {
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: BotId,
    /// Whose it is.
    pub workspace_id: WorkspaceId,
    /// Its name for people.
    pub name: String,
    /// Who thinks of the answers.
    pub kind: Kind,
    /// The endpoint, or the base URL of the model's.
    pub url: String,
    /// The model's name, for those that have one.
    pub model: Option<String>,
    /// What the model is told before the conversation.
    pub system_prompt: Option<String>,
    /// How freely it answers, in hundredths.
    pub temperature_percent: Option<i32>,
    /// Most tokens of an answer.
    pub max_tokens: Option<i32>,
    /// How long an answer may take.
    pub timeout_ms: i64,
    /// How many messages of the conversation it is shown.
    pub history: i32,
    /// What signs requests to the endpoint, or opens the model's; sealed.
    pub secret: Option<Vec<u8>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
