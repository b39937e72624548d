//! The floor of an accepted message in clustered mode: one script call on Redis, then one statement on PostgreSQL for
//! all messages that wait, which is a transaction: their rows, their ledger entries, and what each workspace has used.

use std::sync::Arc;

use poem::{EndpointExt, Error, Result, Route, handler, http::StatusCode, post, web::Data, web::Json};
use sea_orm::sqlx::{Connection, PgConnection, query, raw_sql};
use uuid::Uuid;

use crate::floors::{
    PATH,
    batch::{Answer, Batch, Desk, Request},
    listen,
    metered::Meter,
};

const SCHEMA: &str = include_str!("accepted.sql");
const COMMIT: &str = "WITH stored AS (
        INSERT INTO messages (id, workspace_id, phone, text, status, created_at)
        SELECT id, workspace_id, phone, text, 'queued', at
        FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::bigint[])
            AS message (id, workspace_id, phone, text, at)
    ), charged AS (
        INSERT INTO entries (workspace_id, message_id, amount, created_at)
        SELECT workspace_id, id, -1, at FROM unnest($1::uuid[], $2::bigint[], $5::bigint[])
            AS entry (id, workspace_id, at)
    )
    UPDATE balances SET used = used + spent.credits
    FROM (SELECT workspace_id, count(*) AS credits FROM unnest($2::bigint[]) AS spent (workspace_id) GROUP BY 1) spent
    WHERE balances.workspace_id = spent.workspace_id";

pub(super) async fn serve(address: &str, database: &str, redis: &str) {
    let mut connection = PgConnection::connect(database).await.expect("PostgreSQL");
    raw_sql(SCHEMA).execute(&mut connection).await.expect("the schema");
    let (desk, queue) = Desk::open();
    tokio::spawn(commit_all(Batch::new(queue), connection));
    let state = Arc::new((Meter::open(redis).await, desk));
    listen(address, Route::new().at(PATH, post(accept)).data(state)).await;
}

#[handler]
async fn accept(state: Data<&Arc<(Meter, Desk)>>, request: Json<Request>) -> Result<Json<Answer>> {
    let (meter, desk) = &***state;
    if !meter.admits(request.workspace, 1).await {
        return Err(Error::from_status(StatusCode::TOO_MANY_REQUESTS));
    }
    desk.accept(request.0).await
}

/// A commit that fails ends the writer, and with it every answer.
async fn commit_all(mut batch: Batch, mut connection: PgConnection) {
    while batch.fill().await {
        let messages = || batch.messages.iter();
        let ids: Vec<Uuid> = messages().map(|message| message.id).collect();
        let workspaces: Vec<i64> = messages().map(|message| message.workspace).collect();
        let phones: Vec<&str> = messages().map(|message| message.phone.as_str()).collect();
        let texts: Vec<&str> = messages().map(|message| message.text.as_str()).collect();
        let times: Vec<i64> = messages().map(|message| message.at.0).collect();
        let statement = query(COMMIT).bind(ids).bind(workspaces).bind(phones).bind(texts).bind(times);
        statement.execute(&mut connection).await.expect("a commit");
        batch.answer();
    }
}
