//! The index of words on PostgreSQL: a workspace's documents are numbered as they come, 4096 numbers are a part, and for
//! each part and word there is a row that says which of its documents have the word.
//!
//! A question walks the parts from the newest on, a few at first, until it has enough. So a word that is everywhere
//! costs a few rows, a rare one a look into each part, and nobody's words cost anybody else. Documents come nearly in
//! the order of their messages; those of a transaction that was open for long come behind it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    ops::RangeInclusive,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use entity::id::{ChatId, MessageId, WorkspaceId};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, FromQueryResult, Statement, Value};
use serde_json::json;

use crate::{
    error::Result,
    search::{
        Word,
        index::Document,
        numbers::{Numbers, SIZE},
        store::hits,
    },
};

/// Parts that are looked into first.
const FIRST_PARTS: i64 = 4;
/// How many times as many are looked into next.
const GROWTH: i64 = 8;
/// Most parts that one statement looks into: a million documents.
const MAX_PARTS: i64 = 256;
/// Comes after every letter and digit.
const LAST_CHAR: char = char::MAX;

#[derive(FromQueryResult)]
struct NumberRow {
    number: Option<i64>,
}

#[derive(FromQueryResult)]
struct PartRow {
    part: i64,
    numbers: Vec<u8>,
}

#[derive(FromQueryResult)]
struct WordRow {
    workspace_id: WorkspaceId,
    part: i64,
    word: String,
    numbers: Vec<u8>,
}

#[derive(FromQueryResult)]
struct NewRow {
    message_id: MessageId,
}

#[derive(FromQueryResult)]
struct LastRow {
    workspace_id: WorkspaceId,
    number: i64,
}

/// A workspace's part and a word in it.
type Place = (WorkspaceId, i64, String);

fn statement(sql: &str, values: impl IntoIterator<Item = Value>) -> Statement {
    Statement::from_sql_and_values(DbBackend::Postgres, sql, values)
}

/// The newest messages with all of these words, newest first.
pub(super) async fn messages(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    words: &[Word],
    most: u64,
) -> Result<Vec<(MessageId, ChatId)>> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let newest =
        statement("SELECT max(number) AS number FROM search_documents WHERE workspace_id = $1", [workspace_id.into()]);
    let newest = NumberRow::find_by_statement(newest).one(db).await?.and_then(|row| row.number);
    let mut until = newest.map_or(-1, |number| number / SIZE);
    let (mut count, mut numbers) = (FIRST_PARTS, Vec::new());
    while until >= 0 && numbers.len() < most {
        let from = (until - count + 1).max(0);
        for (part, found) in with_all(db, workspace_id, words, from..=until).await?.into_iter().rev() {
            numbers.extend(found.descending().map(|number| part * SIZE + number));
        }
        until = from - 1;
        count = (count * GROWTH).min(MAX_PARTS);
    }
    numbers.truncate(most);
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT message_id, chat_id FROM search_documents WHERE workspace_id = $1 \
               AND number = ANY (ARRAY(SELECT value::bigint FROM json_array_elements_text($2::json))) \
               ORDER BY message_id DESC";
    hits(db, statement(sql, [workspace_id.into(), json!(numbers).to_string().into()])).await
}

/// Which documents of these parts have all of the words; parts without any are left out.
async fn with_all(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    words: &[Word],
    parts: RangeInclusive<i64>,
) -> Result<BTreeMap<i64, Numbers>> {
    let mut common: Option<BTreeMap<i64, Numbers>> = None;
    let mut parts = parts;
    for word in words {
        let found = with_one(db, workspace_id, word, &parts).await?;
        let kept = match common {
            None => found,
            Some(mut common) => {
                common.retain(|part, numbers| {
                    found.get(part).is_some_and(|others| {
                        numbers.keep(others);
                        !numbers.is_empty()
                    })
                });
                common
            }
        };
        let ends = kept.keys().next().zip(kept.keys().next_back());
        let Some((first, last)) = ends else { return Ok(kept) };
        parts = *first..=*last;
        common = Some(kept);
    }
    Ok(common.unwrap_or_default())
}

/// Which documents of these parts have a word, or one that begins so.
async fn with_one(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    word: &Word,
    parts: &RangeInclusive<i64>,
) -> Result<BTreeMap<i64, Numbers>> {
    // An array and not a range: each part is then looked into by itself, at its word, and not read through.
    let whole = "SELECT part, numbers FROM search_words WHERE workspace_id = $1 \
                 AND part = ANY (ARRAY(SELECT generate_series($2::bigint, $3::bigint))) AND word = $4";
    let begun = "SELECT part, numbers FROM search_words WHERE workspace_id = $1 \
                 AND part = ANY (ARRAY(SELECT generate_series($2::bigint, $3::bigint))) AND word >= $4 AND word < $5";
    let mut values: Vec<Value> =
        vec![workspace_id.into(), (*parts.start()).into(), (*parts.end()).into(), word.text.as_str().into()];
    let sql = if word.is_prefix {
        values.push(format!("{}{LAST_CHAR}", word.text).into());
        begun
    } else {
        whole
    };
    let mut found: BTreeMap<i64, Numbers> = BTreeMap::new();
    for row in PartRow::find_by_statement(statement(sql, values)).all(db).await? {
        found.entry(row.part).or_insert_with(Numbers::none).add(&Numbers::of_bytes(&row.numbers));
    }
    Ok(found)
}

/// Numbers the documents that have no number yet and writes down their words. Whoever calls holds the row that says how
/// far the index is, so nobody else does the same.
pub(super) async fn insert(tx: &DatabaseTransaction, documents: &[Document]) -> Result<()> {
    let mut last = last_numbers(tx, documents).await?;
    let mut numbers: HashMap<MessageId, i64> = HashMap::new();
    for document in documents {
        let number = last.entry(document.workspace_id).and_modify(|number| *number += 1).or_insert(0);
        numbers.insert(document.message_id, *number);
    }
    let row = |one: &Document| {
        let number = numbers.get(&one.message_id);
        json!({ "m": one.message_id, "w": one.workspace_id, "c": one.chat_id, "n": number })
    };
    let rows = serde_json::Value::Array(documents.iter().map(row).collect()).to_string();
    // A number that is not needed after all is left out; nothing depends on there being no gaps.
    let sql = "INSERT INTO search_documents (workspace_id, number, message_id, chat_id) \
               SELECT x.w, x.n, x.m, x.c FROM json_to_recordset($1::json) AS x(m uuid, w bigint, c bigint, n bigint) \
               ON CONFLICT (message_id) DO NOTHING RETURNING message_id";
    let new = NewRow::find_by_statement(statement(sql, [rows.into()])).all(tx).await?;
    let new: HashSet<MessageId> = new.into_iter().map(|row| row.message_id).collect();
    let mut words: BTreeMap<Place, Numbers> = BTreeMap::new();
    for document in documents.iter().filter(|document| new.contains(&document.message_id)) {
        let Some(number) = numbers.get(&document.message_id) else { continue };
        for word in document.words.split(' ') {
            let place = (document.workspace_id, number / SIZE, word.to_owned());
            words.entry(place).or_insert_with(Numbers::none).insert(number % SIZE);
        }
    }
    write_down(tx, words).await
}

/// The last numbers of the workspaces of these documents that have any.
async fn last_numbers(tx: &DatabaseTransaction, documents: &[Document]) -> Result<HashMap<WorkspaceId, i64>> {
    let workspaces: BTreeSet<i64> = documents.iter().map(|document| document.workspace_id.0).collect();
    let sql = "SELECT x.value::bigint AS workspace_id, d.number FROM json_array_elements_text($1::json) x \
               CROSS JOIN LATERAL (SELECT s.number FROM search_documents s WHERE s.workspace_id = x.value::bigint \
               ORDER BY s.number DESC LIMIT 1) d";
    let rows = LastRow::find_by_statement(statement(sql, [json!(workspaces).to_string().into()])).all(tx).await?;
    Ok(rows.into_iter().map(|row| (row.workspace_id, row.number)).collect())
}

/// Adds to what is written about these words.
async fn write_down(tx: &DatabaseTransaction, mut words: BTreeMap<Place, Numbers>) -> Result<()> {
    if words.is_empty() {
        return Ok(());
    }
    let row = |(workspace, part, word): &Place| json!({ "w": workspace, "p": part, "t": word });
    let rows = serde_json::Value::Array(words.keys().map(row).collect()).to_string();
    // One look into the index for each, which no estimate of the planner's turns into reading the table.
    let sql = "SELECT s.workspace_id, s.part, s.word, s.numbers \
               FROM json_to_recordset($1::json) AS x(w bigint, p bigint, t text) \
               CROSS JOIN LATERAL (SELECT * FROM search_words k \
               WHERE k.workspace_id = x.w AND k.part = x.p AND k.word = x.t OFFSET 0) s";
    for known in WordRow::find_by_statement(statement(sql, [rows.into()])).all(tx).await? {
        if let Some(numbers) = words.get_mut(&(known.workspace_id, known.part, known.word)) {
            numbers.add(&Numbers::of_bytes(&known.numbers));
        }
    }
    let row = |((workspace, part, word), numbers): (&Place, &Numbers)| json!({ "w": workspace, "p": part, "t": word, "n": BASE64_STANDARD.encode(numbers.to_bytes()) });
    let rows = serde_json::Value::Array(words.iter().map(row).collect()).to_string();
    let sql = "INSERT INTO search_words (workspace_id, part, word, numbers) \
               SELECT x.w, x.p, x.t, decode(x.n, 'base64') \
               FROM json_to_recordset($1::json) AS x(w bigint, p bigint, t text, n text) \
               ON CONFLICT (workspace_id, part, word) DO UPDATE SET numbers = EXCLUDED.numbers";
    tx.execute_raw(statement(sql, [rows.into()])).await?;
    Ok(())
}
