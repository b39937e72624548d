//! The floor of an accepted message in embedded mode: one transaction on SQLite for all messages that wait.

use std::{str::FromStr, sync::Arc};

use poem::{EndpointExt, Result, Route, handler, post, web::Data, web::Json};
use sea_orm::sqlx::{
    ConnectOptions, SqliteConnection, query, raw_sql,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use crate::floors::{
    PATH,
    batch::{Answer, Batch, Desk, Request, Waiting},
    listen,
};

const SCHEMA: &str = include_str!("embedded.sql");
/// All in one, because each statement by itself is a walk to the connection's thread and back.
const COMMIT: &str = "BEGIN IMMEDIATE;
    INSERT INTO messages (id, workspace_id, phone, text, status, created_at)
        SELECT unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, 'queued', value ->> 4 FROM json_each(?1);
    INSERT INTO entries (workspace_id, message_id, amount, created_at)
        SELECT value ->> 1, unhex(value ->> 0), -1, value ->> 4 FROM json_each(?1);
    UPDATE balances SET used = used + json_array_length(?1) WHERE workspace_id = 1;
    COMMIT";

pub(super) async fn serve(address: &str, database: &str) {
    let options = SqliteConnectOptions::from_str(database).expect("a URL").create_if_missing(true);
    let options = options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
    let mut connection = options.connect().await.expect("SQLite");
    raw_sql(SCHEMA).execute(&mut connection).await.expect("the schema");
    let (desk, queue) = Desk::open();
    tokio::spawn(commit_all(Batch::new(queue), connection));
    listen(address, Route::new().at(PATH, post(accept)).data(Arc::new(desk))).await;
}

#[handler]
async fn accept(desk: Data<&Arc<Desk>>, request: Json<Request>) -> Result<Json<Answer>> {
    desk.accept(request.0).await
}

/// A commit that fails ends the writer, and with it every answer.
async fn commit_all(mut batch: Batch, mut connection: SqliteConnection) {
    while batch.fill().await {
        let rows: Vec<_> = batch.messages.iter().map(row).collect();
        let rows = serde_json::to_string(&rows).expect("JSON");
        query(COMMIT).bind(rows).execute(&mut connection).await.expect("a commit");
        batch.answer();
    }
}

fn row(message: &Waiting) -> (String, i64, &str, &str, i64) {
    (message.id.simple().to_string(), message.workspace, &message.phone, &message.text, message.at.0)
}
