//! SQL of search: FTS5 on SQLite, tables of words on PostgreSQL ([`postgres`]). Questions take the workspace first;
//! what fills the index follows the messages of all.
//!
//! On SQLite a document carries its workspace as a word, in a column of its own, so that the index itself keeps
//! workspaces apart.

use entity::{
    id::{ChatId, MessageId, WorkspaceId},
    message::{Column, Entity},
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait, FromQueryResult, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait, Statement, Value,
};
use serde_json::json;

use crate::{
    error::Result,
    search::{
        Word,
        index::{Document, Look},
    },
};

mod postgres;

/// A message that is to be put into the index.
#[derive(FromQueryResult)]
pub(super) struct Found {
    pub(super) id: MessageId,
    pub(super) workspace_id: WorkspaceId,
    pub(super) chat_id: ChatId,
    pub(super) text: Option<String>,
}

#[derive(FromQueryResult)]
struct HitRow {
    message_id: MessageId,
    chat_id: ChatId,
}

#[derive(FromQueryResult)]
struct IdRow {
    id: Option<MessageId>,
}

const fn column(look: Look) -> &'static str {
    match look {
        Look::First => "first_look",
        Look::Second => "second_look",
    }
}

/// The newest messages with all of these words, newest first.
///
/// # Errors
/// What the database says.
pub async fn messages(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    words: &[Word],
    most: u64,
) -> Result<Vec<(MessageId, ChatId)>> {
    let backend = db.get_database_backend();
    if backend == DbBackend::Postgres {
        return postgres::messages(db, workspace_id, words, most).await;
    }
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let sql = "SELECT d.message_id, d.chat_id FROM ( \
               SELECT rowid AS id FROM search_words WHERE search_words MATCH $1 ORDER BY rowid DESC LIMIT $2 \
               ) f JOIN search_documents d ON d.id = f.id WHERE d.workspace_id = $3 ORDER BY d.id DESC";
    let values: [Value; 3] = [fts5(workspace_id, words).into(), most.into(), workspace_id.into()];
    hits(db, Statement::from_sql_and_values(backend, sql, values)).await
}

async fn hits(db: &impl ConnectionTrait, statement: Statement) -> Result<Vec<(MessageId, ChatId)>> {
    let rows = HitRow::find_by_statement(statement).all(db).await?;
    Ok(rows.into_iter().map(|row| (row.message_id, row.chat_id)).collect())
}

/// Words are letters and digits only, so that quotes around them are enough.
fn fts5(workspace_id: WorkspaceId, words: &[Word]) -> String {
    let word = |word: &Word| format!(" AND words : \"{}\"{}", word.text, if word.is_prefix { " *" } else { "" });
    format!("scope : \"{workspace_id}\"{}", words.iter().map(word).collect::<String>())
}

/// The last message that was looked at.
pub(super) async fn seen(db: &impl ConnectionTrait, look: Look) -> Result<Option<MessageId>> {
    let sql = format!("SELECT {} AS id FROM search_progress WHERE id = $1", column(look));
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, [1.into()]);
    Ok(IdRow::find_by_statement(statement).one(db).await?.and_then(|row| row.id))
}

/// Messages after the one that was looked at last, before `until`, in the order of their ids.
pub(super) async fn messages_after(
    db: &impl ConnectionTrait,
    seen: Option<MessageId>,
    until: Option<MessageId>,
    most: u64,
) -> Result<Vec<Found>> {
    Ok(Entity::find()
        .select_only()
        .columns([Column::Id, Column::WorkspaceId, Column::ChatId, Column::Text])
        .apply_if(seen, |query, seen| query.filter(Column::Id.gt(seen)))
        .apply_if(until, |query, until| query.filter(Column::Id.lt(until)))
        .order_by_asc(Column::Id)
        .limit(most)
        .into_model::<Found>()
        .all(db)
        .await?)
}

/// Those of these messages that are in the index.
pub(super) async fn known(db: &impl ConnectionTrait, ids: Vec<MessageId>) -> Result<Vec<MessageId>> {
    let backend = db.get_database_backend();
    let ids: Vec<String> = ids.into_iter().map(|id| id.0.simple().to_string()).collect();
    let sql = match backend {
        DbBackend::Postgres => {
            "SELECT message_id AS id FROM search_documents \
             WHERE message_id IN (SELECT value::uuid FROM json_array_elements_text($1::json))"
        }
        _ => {
            "SELECT message_id AS id FROM search_documents \
             WHERE message_id IN (SELECT unhex(value) FROM json_each($1))"
        }
    };
    let statement = Statement::from_sql_and_values(backend, sql, [json!(ids).to_string().into()]);
    let rows = IdRow::find_by_statement(statement).all(db).await?;
    Ok(rows.into_iter().filter_map(|row| row.id).collect())
}

/// Moves a look on; tells whether it still stood where it was seen.
pub(super) async fn move_on(
    tx: &DatabaseTransaction,
    look: Look,
    seen: Option<MessageId>,
    last: MessageId,
) -> Result<bool> {
    let column = column(look);
    let sql = format!("UPDATE search_progress SET {column} = $1 WHERE id = 1 AND {column} IS NOT DISTINCT FROM $2");
    let values: [Value; 2] = [last.into(), seen.into()];
    let moved = tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values)).await?;
    Ok(moved.rows_affected() == 1)
}

/// Puts messages into the index; those that are in it stay.
pub(super) async fn insert(tx: &DatabaseTransaction, documents: &[Document]) -> Result<()> {
    let backend = tx.get_database_backend();
    if backend == DbBackend::Postgres {
        return postgres::insert(tx, documents).await;
    }
    let row = |one: &Document| {
        json!({
            "m": one.message_id.0.simple().to_string(), "w": one.workspace_id, "c": one.chat_id, "t": one.words,
        })
    };
    let rows = serde_json::Value::Array(documents.iter().map(row).collect()).to_string();
    let last = "SELECT COALESCE(MAX(id), 0) AS id FROM search_documents";
    let last = tx.query_one_raw(Statement::from_string(backend, last)).await?;
    let last: i64 = last.map(|row| row.try_get("", "id")).transpose()?.unwrap_or(0);
    let documents = "INSERT INTO search_documents (message_id, workspace_id, chat_id) \
                     SELECT unhex(value->>'m'), value->>'w', value->>'c' FROM json_each($1) WHERE TRUE \
                     ON CONFLICT (message_id) DO NOTHING";
    tx.execute_raw(Statement::from_sql_and_values(backend, documents, [rows.clone().into()])).await?;
    let words = "INSERT INTO search_words (rowid, scope, words) \
                 SELECT d.id, value->>'w', value->>'t' FROM json_each($1) \
                 JOIN search_documents d ON d.message_id = unhex(value->>'m') WHERE d.id > $2 ORDER BY d.id";
    tx.execute_raw(Statement::from_sql_and_values(backend, words, [rows.into(), last.into()])).await?;
    Ok(())
}
