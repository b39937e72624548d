//! Which connector serves a network where nothing else is said.

use sea_orm::entity::prelude::*;

use crate::{
    channel::{ConnectorKind, Network},
    id::{DefaultId, PartnerId},
    timestamp::Timestamp,
};

/// The platform's choice for a network, or one partner's.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "connector_defaults")]
pub struct Model {
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DefaultId,
    /// Whose choice it is; the whole platform's where absent.
    pub partner_id: Option<PartnerId>,
    /// The network.
    pub network: Network,
    /// Who serves it.
    pub connector: ConnectorKind,
    /// When it was last set.
    pub updated_at: Timestamp,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
