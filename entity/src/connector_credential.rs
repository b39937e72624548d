//! What a connector needs to speak to its provider: where it is, and what opens it.

use sea_orm::entity::prelude::*;

use crate::{
    channel::ConnectorKind,
    id::{CredentialId, PartnerId},
    timestamp::Timestamp,
};

/// One account of the platform's, or of one partner's, at a provider.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "connector_credentials")]
pub struct Model {
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CredentialId,
    /// Which connector it is for.
    pub connector: ConnectorKind,
    /// Whose it is; the whole platform's where absent.
    pub partner_id: Option<PartnerId>,
    /// Where the provider is, `http(s)://…` without a slash at its end.
    pub base_url: String,
    /// How long it may take to answer, in milliseconds; absent for the usual time.
    pub timeout_ms: Option<i64>,
    /// What opens it; sealed.
    pub api_key: Vec<u8>,
    /// What the provider proves its callbacks with, where it has one secret for all of them; sealed.
    pub callback_secret: Vec<u8>,
    /// When it was first set.
    pub created_at: Timestamp,
    /// When it was last set.
    pub updated_at: Timestamp,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
