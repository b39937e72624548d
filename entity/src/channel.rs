//! Channels: accounts on messaging networks.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    id::{AccountId, AttemptId, ChannelId, UserId, WorkspaceId},
    timestamp::Timestamp,
};

/// A messaging network.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, strum::Display,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Network {
    /// WhatsApp, linked as a companion device.
    Whatsapp,
}

/// The code that speaks to one provider.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, strum::Display,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ConnectorKind {
    /// Simulated phones.
    Sandbox,
    /// WhatsApp through a WAHA server.
    Waha,
    /// WhatsApp through an Evolution API server.
    Evolution,
}

/// The state of the connection to the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, strum::Display)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum State {
    /// The session works.
    Connected,
    /// The session has ended.
    Disconnected,
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, strum::Display)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum DisconnectReason {
    /// The partner asked for it.
    Requested,
    /// A new onboarding link was asked for the same user.
    NewLink,
    /// The phone's owner removed the linked device.
    LoggedOut,
}

/// One account on a network, connected for a user.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "channels")]
pub struct Model {
    /// Number on the wire of the Partner API.
    #[sea_orm(primary_key)]
    pub account_id: AccountId,
    /// Id on every other surface.
    #[sea_orm(unique)]
    pub id: ChannelId,
    /// Where it belongs.
    pub workspace_id: WorkspaceId,
    /// Whose it is.
    pub user_id: UserId,
    /// The network it is on.
    pub network: Network,
    /// Who speaks to the provider for it.
    pub connector: ConnectorKind,
    /// Name of its session at the connector: the attempt that made it.
    pub session: AttemptId,
    /// Whether the session works.
    pub state: State,
    /// Switched off because its user lost the seat.
    pub suspended: bool,
    /// The account's id on the network, `<digits>@s.whatsapp.net` for WhatsApp.
    pub external_id: String,
    /// Its number, `+` and 7 to 15 digits.
    pub phone: String,
    /// The name the account shows to others, possibly empty.
    pub account_name: String,
    /// When the session began.
    pub connected_at: Timestamp,
    /// When it ended.
    pub disconnected_at: Option<Timestamp>,
    /// Why it ended.
    pub disconnect_reason: Option<DisconnectReason>,
    /// When it was first connected.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
