//! Deliveries: one series of tries to tell an endpoint of an event.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    id::{DeliveryId, EventId, LeaseId, PartnerId, SubscriptionId},
    timestamp::Timestamp,
};

/// How far it has come.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, strum::Display,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum State {
    /// It is tried, or tried again.
    Pending,
    /// The endpoint has it.
    Delivered,
    /// It was given up.
    Dead,
}

/// One delivery.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "deliveries")]
pub struct Model {
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DeliveryId,
    /// The event.
    pub event_id: EventId,
    /// The partner whose endpoint it goes to, unless it goes to a subscription's.
    pub partner_id: Option<PartnerId>,
    /// The subscription whose address it goes to, unless it goes to a partner's.
    pub subscription_id: Option<SubscriptionId>,
    /// Its number among the events of its subscription, where they are numbered.
    pub sequence: Option<i64>,
    /// How far it has come.
    pub state: State,
    /// How often it was tried.
    pub tries: i32,
    /// When it is tried next, or when the lease on it ends.
    pub due_at: Option<Timestamp>,
    /// Whose turn it is.
    pub lease: Option<LeaseId>,
    /// When it was stored.
    pub created_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// Relations are followed by the stores, not by the ORM.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
