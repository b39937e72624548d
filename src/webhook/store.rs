//! SQL of the outbox.

use sea_orm::DatabaseTransaction;

use crate::{app::App, error::Result, webhook::NewEvent};

pub(super) async fn insert(_app: &App, _tx: &DatabaseTransaction, _event: &NewEvent) -> Result<bool> {
    Ok(true)
}
