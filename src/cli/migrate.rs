//! `quartermaster migrate`. Needs no master key: it touches no secrets.

use secrecy::ExposeSecret;
use serde_json::json;

use crate::{
    cli::{CommandError, logs, output},
    config::{Config, Flags},
    db::Database,
};

pub(super) async fn run(flags: &Flags, json: bool) -> Result<(), CommandError> {
    let config = Config::load(flags)?;
    logs::start(&config, logs::Level::Quiet)?;
    let db = Database::open(config.database_url.expose_secret(), config.database_pool_size).await?;
    let applied = db.missing_migrations().await?;
    db.migrate().await?;
    db.close().await;
    output::record(json, &json!({ "applied": applied }));
    Ok(())
}
