//! Channels: accounts on messaging networks.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    id::{AccountId, AttemptId, ChannelId, UserId, WorkspaceId},
    timestamp::Timestamp,
};

/// A messaging network.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    EnumIter,
    DeriveActiveEnum,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Network {
    /// WhatsApp: linked as a companion device, or through Meta's cloud.
    Whatsapp,
    /// Telegram: a bot, or an account of a person.
    Telegram,
    /// Text messages of telephone networks.
    Sms,
    /// E-mail.
    Email,
    /// Telephone calls.
    Voice,
    /// A chat on the customer's own website.
    Webchat,
    /// Facebook Messenger.
    Facebook,
    /// Direct messages of Instagram.
    Instagram,
    /// Rich messages of telephone networks.
    Rcs,
}

impl Network {
    /// Whether its accounts are telephone numbers.
    #[must_use]
    pub const fn has_numbers(self) -> bool {
        matches!(self, Self::Whatsapp | Self::Sms | Self::Voice)
    }
}

/// The code that speaks to one provider.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    EnumIter,
    DeriveActiveEnum,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
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
    /// WhatsApp, Telegram and Instagram through Unipile.
    Unipile,
    /// The chat on customers' websites, which is ours.
    Webchat,
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
    /// The channel was deleted.
    Deleted,
    /// The network has banned the account.
    Banned,
    /// It is down, and its provider could not start it again.
    Stopped,
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
    /// Name of its session at the connector: the attempt that made it, or one that was made with the channel.
    pub session: AttemptId,
    /// Whether the session works.
    pub state: State,
    /// Its user lost the seat: nothing is sent, and what comes is kept as ever.
    pub suspended: bool,
    /// Switched off by the customer: nothing is sent, and what comes is not for us.
    pub deactivated: bool,
    /// Made over the Channels API: it stands beside the one account that a user links with a page.
    pub standalone: bool,
    /// The account's id on the network, `<digits>@s.whatsapp.net` for WhatsApp; the channel's own id before it is known.
    pub external_id: String,
    /// Its number, `+` and 7 to 15 digits; empty where it has none, or before it is known.
    pub phone: String,
    /// The name the account shows to others, possibly empty.
    pub account_name: String,
    /// When the session began; when the channel was made, before the first.
    pub connected_at: Timestamp,
    /// When it ended; absent while it works, and before the first.
    pub disconnected_at: Option<Timestamp>,
    /// Why it ended.
    pub disconnect_reason: Option<DisconnectReason>,
    /// When it was made: by its first connection, where it was linked with a page.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it was deleted; its row is kept for its conversations.
    pub deleted_at: Option<Timestamp>,
}

impl Model {
    /// Whether something can be sent. What comes is received without a seat too, while it is connected and not switched
    /// off.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state == State::Connected && !self.suspended && !self.deactivated
    }

    /// Whether it is a WhatsApp account whose number is known.
    #[must_use]
    pub fn is_whatsapp_account(&self) -> bool {
        self.network == Network::Whatsapp && !self.phone.is_empty()
    }

    /// Whether it has been connected, now or before.
    #[must_use]
    pub fn was_connected(&self) -> bool {
        self.state == State::Connected || self.disconnected_at.is_some()
    }
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
