//! What a batch changes on SQLite, row by row on the connection for batches.

use std::collections::{BTreeMap, HashSet};

use entity::id::{AccountId, ChatId, WorkspaceId};
use rusqlite::{Connection, Error, Result, Statement, params};
use sea_orm::ActiveEnum;

use crate::{
    chat,
    message::writer::{
        charge::Charge,
        store::changes::{Changes, NewMessage},
    },
};

/// Changes nothing unless the rows are as they are remembered.
const CHARGE: &str = "UPDATE quota_periods SET recurring_used = recurring_used + ?3, \
    non_recurring_used = non_recurring_used + ?4, revision = revision + 1 \
    WHERE workspace_id = ?1 AND period_start = ?2 AND revision = ?5 \
    AND ?6 = (SELECT w.balance FROM wallets w WHERE w.workspace_id = ?1) \
    AND ?7 = COALESCE((SELECT r.revision FROM workspace_routes r WHERE r.workspace_id = ?1), 0)";
const WALLET: &str = "UPDATE wallets SET balance = balance - ?2 WHERE workspace_id = ?1";
const MESSAGE: &str = "INSERT INTO messages (id, workspace_id, account_id, chat_id, direction, status, text, origin, \
    user_id, reply_to, file_id, tries, created_at, updated_at) \
    VALUES (?1, ?2, ?3, ?4, 'sent', 'queued', ?5, CASE WHEN ?6 IS NULL THEN 'Bot' ELSE 'Public API' END, \
    ?6, ?7, ?8, 0, ?9, ?9)";
const ENTRY: &str = "INSERT INTO credit_entries (workspace_id, period_start, bucket, kind, amount, message_id, created_at) \
    VALUES (?1, ?2, ?3, 'charge', ?4, ?5, ?6)";
/// What has come since a message got its id stays newer.
const CHAT: &str = "UPDATE chats SET last_message_id = CASE WHEN last_message_id > ?2 THEN last_message_id ELSE ?2 END, \
    last_message_at = CASE WHEN last_message_id > ?2 THEN last_message_at ELSE ?3 END, updated_at = ?3 WHERE id = ?1";
/// What is in the index that lists are read from. Most chats are so already and are not touched.
const LISTED: &str = "UPDATE chats SET active_hour = ?2, read = read OR ?3, \
    unread = CASE ?3 WHEN 1 THEN 0 ELSE unread END, \
    autoresponse_locked = CASE ?3 WHEN 1 THEN autoresponse ELSE autoresponse_locked END \
    WHERE id = ?1 AND (active_hour <> ?2 OR ?3 AND (NOT read OR autoresponse_locked <> autoresponse))";
const QUEUE: &str = "UPDATE send_queues SET queued = queued + ?2, due_at = COALESCE(due_at, MAX(?3, rest_until)) \
    WHERE account_id = ?1";

/// Writes for each workspace everything if its rows are still as they are remembered, else nothing. Returns those that
/// it was done for.
pub(super) fn write_if_unchanged(connection: &Connection, changes: &Changes) -> Result<Vec<WorkspaceId>> {
    let mut charged = HashSet::new();
    for one in &changes.charges {
        if charge(connection, one, changes)? {
            charged.insert(one.taken.workspace_id);
        }
    }
    let messages: Vec<&NewMessage> =
        changes.messages.iter().filter(|message| charged.contains(&message.workspace_id)).collect();
    write_messages(connection, &messages, changes)?;
    write_entries(connection, &charged, changes)?;
    write_chats(connection, &messages, changes)?;
    write_queues(connection, &messages, changes)?;
    Ok(charged.into_iter().collect())
}

fn charge(connection: &Connection, charge: &Charge, changes: &Changes) -> Result<bool> {
    let taken = charge.taken;
    let changed = connection.prepare_cached(CHARGE)?.execute(params![
        taken.workspace_id.0,
        changes.period_start.0,
        taken.recurring.0,
        taken.non_recurring.0,
        charge.revision,
        charge.balance.0,
        charge.routes_revision,
    ])?;
    if changed > 0 && taken.non_recurring.0 > 0 {
        let mut wallet = connection.prepare_cached(WALLET)?;
        change_one(&mut wallet, params![taken.workspace_id.0, taken.non_recurring.0])?;
    }
    Ok(changed > 0)
}

fn write_messages(connection: &Connection, messages: &[&NewMessage], changes: &Changes) -> Result<()> {
    let mut statement = connection.prepare_cached(MESSAGE)?;
    for message in messages {
        statement.execute(params![
            message.id.0.as_bytes(),
            message.workspace_id.0,
            message.account_id.0,
            message.chat_id.0,
            message.text.as_deref().filter(|text| !text.is_empty()),
            message.user_id.map(|id| id.0),
            message.reply_to.map(|id| id.0.into_bytes()),
            message.file_id.map(|id| id.0.into_bytes()),
            changes.now.0,
        ])?;
    }
    Ok(())
}

fn write_entries(connection: &Connection, charged: &HashSet<WorkspaceId>, changes: &Changes) -> Result<()> {
    let mut statement = connection.prepare_cached(ENTRY)?;
    for entry in changes.entries.iter().filter(|entry| charged.contains(&entry.workspace_id)) {
        statement.execute(params![
            entry.workspace_id.0,
            changes.period_start.0,
            entry.bucket.to_value(),
            entry.amount.0,
            entry.message_id.0.as_bytes(),
            changes.now.0,
        ])?;
    }
    Ok(())
}

/// Makes the messages the newest of their chats. Somebody's own message leaves a chat read and stops its bot.
fn write_chats(connection: &Connection, messages: &[&NewMessage], changes: &Changes) -> Result<()> {
    let mut newest: BTreeMap<ChatId, (&NewMessage, bool)> = BTreeMap::new();
    for message in messages {
        let chat = newest.entry(message.chat_id).or_insert((message, false));
        *chat = (message, chat.1 || message.user_id.is_some());
    }
    let mut chat = connection.prepare_cached(CHAT)?;
    let mut listed = connection.prepare_cached(LISTED)?;
    let hour = chat::hour_of(changes.now);
    for (id, (message, is_own)) in newest {
        change_one(&mut chat, params![id.0, message.id.0.as_bytes(), changes.now.0])?;
        listed.execute(params![id.0, hour, is_own])?;
    }
    Ok(())
}

fn write_queues(connection: &Connection, messages: &[&NewMessage], changes: &Changes) -> Result<()> {
    let mut counts: BTreeMap<AccountId, i64> = BTreeMap::new();
    for message in messages {
        *counts.entry(message.account_id).or_default() += 1;
    }
    let mut statement = connection.prepare_cached(QUEUE)?;
    for (account_id, count) in counts {
        change_one(&mut statement, params![account_id.0, count, changes.now.0])?;
    }
    Ok(())
}

fn change_one(statement: &mut Statement<'_>, values: impl rusqlite::Params) -> Result<()> {
    match statement.execute(values)? {
        1 => Ok(()),
        rows => Err(Error::StatementChangedRows(rows)),
    }
}
