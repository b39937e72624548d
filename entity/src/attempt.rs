//! Attempts to link a channel.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    channel::ConnectorKind,
    id::{AccountId, AttemptId, LinkId, WorkspaceId},
    timestamp::Timestamp,
};

/// Where an attempt stands.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, strum::Display,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum State {
    /// The connector has been asked for a session.
    Connecting,
    /// A QR code (and perhaps a pairing code) waits for a phone, or a question of the network's for an answer.
    AwaitingScan,
    /// An account is connected.
    Connected,
    /// Nobody scanned in time.
    Expired,
    /// The connector or the network refused; `error_code` says why.
    Failed,
    /// The link was revoked while it ran.
    Cancelled,
}

/// Why an attempt did not connect. Stable words on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, strum::Display)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Failure {
    /// Nobody scanned before the last code ran out.
    QrExpired,
    /// The provider had no code to show.
    QrUnavailable,
    /// No connector serves this network for this partner.
    NoConnector,
    /// The network has banned the account.
    Banned,
    /// The network wants to be paid first.
    PaymentRequired,
    /// The account is already connected in this workspace.
    DuplicateAccount,
    /// The workspace has as many channels as it can have.
    ChannelLimitReached,
    /// The provider did not answer or answered nonsense.
    ProviderUnavailable,
    /// The workspace or the user was suspended, or the partner disabled, while it ran.
    NotActive,
    /// The phone's owner removed the linked device while it connected.
    LoggedOut,
    /// The provider does not accept the credentials that it is spoken to with.
    AuthInvalid,
    /// The network asks for a passkey, which can be given in its own pages only.
    PasskeyRequired,
    /// The network does not accept the user name and the password.
    LoginRefused,
    /// Nobody answered what the network asked before it stopped waiting.
    ChallengeExpired,
    /// The network asks something that can be answered in its own app only, such as a picture to be read.
    ChallengeUnsupported,
    /// What the network asked was answered wrongly too often.
    TooManyAnswers,
}

/// One try to link a channel.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "attempts")]
pub struct Model {
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AttemptId,
    /// The link it was started on.
    pub link_id: LinkId,
    /// Where it belongs.
    pub workspace_id: WorkspaceId,
    /// Who speaks to the provider for it; absent where none was found.
    pub connector: Option<ConnectorKind>,
    /// Where it stands.
    pub state: State,
    /// What the QR code says now.
    pub qr_payload: Option<String>,
    /// How many QR codes there have been.
    pub qr_seq: i32,
    /// When the QR code is replaced.
    pub qr_expires_at: Option<Timestamp>,
    /// The pairing code, as the provider gave it.
    pub pairing_code: Option<String>,
    /// When the pairing code stops working.
    pub pairing_expires_at: Option<Timestamp>,
    /// What the network asks before it lets the account in, while it does, as the connector wrote it.
    pub checkpoint: Option<String>,
    /// When the network stops waiting for the answer.
    pub checkpoint_expires_at: Option<Timestamp>,
    /// How many questions there have been.
    pub question_seq: i32,
    /// How many answers were wrong.
    pub wrong_answers: i32,
    /// Until when an answer that is on its way keeps others from being given.
    pub answering_until: Option<Timestamp>,
    /// When the attempt ends by itself at the latest.
    pub expires_at: Timestamp,
    /// When a worker looks at it next; absent once it has ended.
    pub due_at: Option<Timestamp>,
    /// Why it did not connect.
    pub error_code: Option<Failure>,
    /// What it connected.
    pub account_id: Option<AccountId>,
    /// When it was started.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts its changes.
    pub revision: i64,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
