//! For machines: is the process alive, can it serve.

use std::sync::Arc;

use poem::{
    IntoResponse, Response, handler,
    http::StatusCode,
    web::{Data, Json},
};
use serde_json::json;

use crate::app::App;

/// Alive: the process answers.
#[handler]
pub(super) fn healthz() -> Response {
    Json(json!({ "status": "ok" })).into_response()
}

/// Ready: the database answers and has every schema step, and Redis answers if it is configured.
#[handler]
pub(super) async fn readyz(app: Data<&Arc<App>>) -> Response {
    let database = app.db.missing_migrations().await;
    let is_migrated = matches!(database, Ok(0));
    let is_signalling = app.signals.is_healthy().await;
    let word = |is_good: bool| if is_good { "ok" } else { "failed" };
    let body = json!({
        "status": word(is_migrated && is_signalling),
        "database": word(database.is_ok()),
        "migrations": match database {
            Ok(0) => "ok".to_owned(),
            Ok(missing) => format!("{missing} missing: run quartermaster migrate"),
            Err(_) => "unknown".to_owned(),
        },
        "redis": if app.config.redis_url.is_some() { word(is_signalling) } else { "not configured" },
    });
    let status = if is_migrated && is_signalling { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Json(body).with_status(status).into_response()
}
