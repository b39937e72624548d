//! The floor of provisioning: a handler that reads JSON and writes the same seven rows in one transaction.

use std::sync::atomic::{AtomicI64, Ordering};

use poem::{EndpointExt, Route, handler, listener::TcpListener, post, web::Data, web::Json};
use quartermaster::db::{self, Database};
use sea_orm::{ConnectionTrait, DatabaseTransaction, Statement, Value};

use crate::free_address;

static NUMBER: AtomicI64 = AtomicI64::new(1_000_000_000);

/// Serves the floor on this database; its address.
pub(crate) async fn serve(db: Database) -> String {
    let address = free_address();
    let app = Route::new().at("/workspaces", post(create)).data(db);
    tokio::spawn(poem::Server::new(TcpListener::bind(address)).run(app));
    let url = format!("http://{address}/workspaces");
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    while client.get(&url).send().await.is_err() {
        tokio::task::yield_now().await;
    }
    url
}

#[handler]
async fn create(db: Data<&Database>, body: Json<serde_json::Value>) -> Json<serde_json::Value> {
    let name = body["display_name"].as_str().unwrap_or_default().to_owned();
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    db::write(&db, "floor", async |tx| {
        write_rows(tx, number, &name).await.expect("rows");
        Ok(())
    })
    .await
    .expect("a transaction");
    Json(serde_json::json!({ "workspace_id": name, "owner_user_id": number }))
}

async fn write_rows(tx: &DatabaseTransaction, number: i64, name: &str) -> Result<(), sea_orm::DbErr> {
    let slug: Value = format!("floor-{number}").into();
    let (id, name): (Value, Value) = (number.into(), name.to_owned().into());
    run(
        tx,
        "INSERT INTO workspaces (id, partner_id, slug, display_name, display_name_folded, plan_id, status, seats_total,
         seats_used, time_zone, created_at, updated_at) VALUES ($1, 'acme', $2, $3, $3, 1, 'active', 3, 1, 'UTC', 0, 0)",
        [id.clone(), slug, name],
    )
    .await?;
    run(tx, "INSERT INTO groups (id, workspace_id, name) VALUES ($1, $1, 'Default')", [id.clone()]).await?;
    run(
        tx,
        "INSERT INTO users (id, workspace_id, group_id, role, display_name, email, status, created_at, updated_at)
         VALUES ($1, $1, $1, 'owner', 'Owner', 'owner', 'activated', 0, 0)",
        [id.clone()],
    )
    .await?;
    run(tx, "UPDATE users SET display_name = 'Owner 1' WHERE id = $1", [id.clone()]).await?;
    run(tx, "UPDATE workspaces SET owner_user_id = $1, group_id = $1 WHERE id = $1", [id.clone()]).await?;
    run(tx, "INSERT INTO quota_periods (workspace_id, period_start, seats_granted) VALUES ($1, 0, 3)", [id.clone()])
        .await?;
    let audit: Value = quartermaster::clock::Clock::system().uuid().into();
    run(
        tx,
        "INSERT INTO audit_entries (id, at, actor, action, workspace_id, target) VALUES ($1, 0, 'x', 'y', $2, 'z')",
        [audit, id],
    )
    .await
}

async fn run<const N: usize>(tx: &DatabaseTransaction, sql: &str, values: [Value; N]) -> Result<(), sea_orm::DbErr> {
    tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values)).await?;
    Ok(())
}
