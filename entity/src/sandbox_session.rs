//! Sessions of the simulated provider.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    channel::Network,
    id::{AttemptId, PartnerId},
    timestamp::Timestamp,
};

/// Where a simulated session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, strum::Display)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum State {
    /// It shows codes.
    Waiting,
    /// A phone has linked it.
    Linked,
    /// The network banned the phone that tried.
    Banned,
    /// The network wanted to be paid by the phone that tried.
    PaymentRequired,
    /// The phone removed it.
    LoggedOut,
    /// We ended it.
    Closed,
}

/// A linked-device session at the simulated provider.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sandbox_sessions")]
pub struct Model {
    /// Named by the attempt that started it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AttemptId,
    /// Whose simulation it is in.
    pub partner_id: PartnerId,
    /// The network that it is on.
    pub network: Network,
    /// Where it stands.
    pub state: State,
    /// The phone that linked it.
    pub phone: Option<String>,
    /// The account that signed in, where that is not a phone: its id on the network.
    pub account: Option<String>,
    /// What the simulated network asks of who signs in, as JSON.
    pub checkpoint: Option<String>,
    /// A pairing code that was asked for.
    pub pairing_code: Option<String>,
    /// The phone that the pairing code was made for.
    pub pairing_phone: Option<String>,
    /// When the pairing code stops working.
    pub pairing_expires_at: Option<Timestamp>,
    /// When it was started.
    pub created_at: Timestamp,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
