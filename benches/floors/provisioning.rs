//! The floor of provisioning: a handler that reads JSON and writes the same rows in one transaction.

use std::sync::atomic::{AtomicI64, Ordering};

use poem::{EndpointExt, Route, handler, listener::TcpListener, post, web::Data, web::Json};
use quartermaster::db::{self, Database};
use sea_orm::{ConnectionTrait, DatabaseTransaction, Statement, Value};

use crate::{load, process::free_address};

static NUMBER: AtomicI64 = AtomicI64::new(0);

/// Serves the floor on this database; its address.
pub(crate) async fn serve(db: Database) -> String {
    let address = free_address();
    let app = Route::new().at("/workspaces", post(create)).data(db);
    tokio::spawn(poem::Server::new(TcpListener::bind(address)).run(app));
    let url = format!("http://{address}/workspaces");
    let client = load::client();
    while client.get(&url).send().await.is_err() {
        tokio::task::yield_now().await;
    }
    url
}

#[handler]
async fn create(db: Data<&Database>, body: Json<serde_json::Value>) -> Json<serde_json::Value> {
    let name = body["display_name"].as_str().unwrap_or_default().to_owned();
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let owner = db::write(&db, "floor", async |tx| Ok(write_rows(tx, number, &name).await.expect("rows"))).await;
    Json(serde_json::json!({ "workspace_id": name, "owner_user_id": owner.expect("a transaction") }))
}

async fn write_rows(tx: &DatabaseTransaction, number: i64, name: &str) -> Result<i64, sea_orm::DbErr> {
    let slug: Value = format!("floor-{number}").into();
    let workspace = insert(
        tx,
        "INSERT INTO workspaces (partner_id, slug, display_name, display_name_folded, plan_id, status, seats_total,
         seats_used, time_zone, created_at, updated_at)
         VALUES ('acme', $1, $2, $2, 1, 'active', 3, 1, 'UTC', 0, 0) RETURNING id",
        [slug, name.into()],
    )
    .await?;
    let group =
        insert(tx, "INSERT INTO groups (workspace_id, name) VALUES ($1, 'Default') RETURNING id", [workspace.into()])
            .await?;
    let owner = insert(
        tx,
        "INSERT INTO users (workspace_id, group_id, role, display_name, email, status, created_at, updated_at)
         VALUES ($1, $2, 'owner', 'Owner', 'owner', 'activated', 0, 0) RETURNING id",
        [workspace.into(), group.into()],
    )
    .await?;
    run(tx, "UPDATE users SET display_name = 'Owner 1' WHERE id = $1", [owner.into()]).await?;
    let update = "UPDATE workspaces SET owner_user_id = $1, group_id = $2 WHERE id = $3";
    run(tx, update, [owner.into(), group.into(), workspace.into()]).await?;
    let wallet = "INSERT INTO wallets (workspace_id, balance) VALUES ($1, 0)";
    run(tx, wallet, [workspace.into()]).await?;
    let period = "INSERT INTO quota_periods (workspace_id, period_start, seats_granted, recurring_granted)
         VALUES ($1, 0, 3, 1500)";
    run(tx, period, [workspace.into()]).await?;
    let grant = "INSERT INTO credit_entries (workspace_id, period_start, bucket, kind, amount, note, created_at)
         VALUES ($1, 0, 'recurring', 'grant', 1500, 'seats', 0)";
    run(tx, grant, [workspace.into()]).await?;
    let audit: Value = quartermaster::clock::Clock::system().uuid().into();
    run(
        tx,
        "INSERT INTO audit_entries (id, at, actor, action, workspace_id, target) VALUES ($1, 0, 'x', 'y', $2, 'z')",
        [audit, workspace.into()],
    )
    .await?;
    Ok(owner)
}

async fn insert<const N: usize>(
    tx: &DatabaseTransaction,
    sql: &str,
    values: [Value; N],
) -> Result<i64, sea_orm::DbErr> {
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    let row = tx.query_one_raw(statement).await?.ok_or(sea_orm::DbErr::RecordNotInserted)?;
    row.try_get("", "id")
}

async fn run<const N: usize>(tx: &DatabaseTransaction, sql: &str, values: [Value; N]) -> Result<(), sea_orm::DbErr> {
    tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values)).await?;
    Ok(())
}
