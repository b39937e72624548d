//! Sessions at real providers.

use sea_orm::entity::prelude::*;

use crate::{
    channel::ConnectorKind,
    id::{AttemptId, CredentialId},
    timestamp::Timestamp,
};

/// What is known of one session, beside what its provider says when it is asked.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "connector_sessions")]
pub struct Model {
    /// Its name: the attempt that started it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AttemptId,
    /// Who speaks to the provider.
    pub connector: ConnectorKind,
    /// With which credentials, for as long as it lives.
    pub credential_id: CredentialId,
    /// The provider's own id of it, where the provider chooses one.
    pub external_id: Option<String>,
    /// What the provider proves its callbacks about it with; sealed.
    pub callback_secret: Vec<u8>,
    /// The QR code that was shown last.
    pub qr_payload: Option<String>,
    /// How many QR codes there have been.
    pub qr_seq: i32,
    /// When the last one is replaced.
    pub qr_expires_at: Option<Timestamp>,
    /// What the network asks before it lets the account in, as JSON.
    pub checkpoint: Option<String>,
    /// When an account was linked to it.
    pub linked_at: Option<Timestamp>,
    /// How often it has been restarted since it last worked.
    pub repairs: i32,
    /// When it may be restarted next.
    pub repair_at: Option<Timestamp>,
    /// When its provider last refused a message because the session is not ready; absent once one was taken.
    pub refused_at: Option<Timestamp>,
    /// When its provider was last asked and answered.
    pub checked_at: Option<Timestamp>,
    /// When it was started.
    pub created_at: Timestamp,
    /// When it was removed from the provider.
    pub ended_at: Option<Timestamp>,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
