//! The short way of a batch: one walk to the database and back, which is a transaction by itself.
//!
//! What the last commit left of a workspace is remembered, so where a message goes and what is left to charge it to is
//! worked out without asking; a workspace's messages are written only if everything is still as remembered.
//! It is for messages that need no other look into the database, and for commits that nobody is to be told of. All
//! others go the long way, the same workspace's in the same batch among them, so that their order is kept.

use std::collections::{BTreeMap, HashSet};

use entity::id::{MessageId, WorkspaceId};

use crate::{
    app::App,
    error::{Error, Result},
    message::{
        send::{Author, Sending},
        writer::{
            batch::{self, Accepted, Committed, Learnt},
            brought::Brought,
            charge::{Accounts, Charge},
            memory::Memory,
            resolve::{Chat, Places},
            store::{self, Changes, NewMessage},
        },
    },
    quota::Period,
};

/// What went the short way.
#[derive(Default)]
pub(super) struct Done {
    /// What came of it, without outcomes.
    pub(super) committed: Committed,
    /// Which of the batch's messages are committed.
    pub(super) done: HashSet<usize>,
}

/// Commits those messages of a batch that can go the short way.
///
/// # Errors
/// What the database says; nothing of it is stored then, unless the answer was lost.
pub(super) async fn commit(app: &App, memory: &Memory, sendings: &[Sending], ids: &[MessageId]) -> Result<Done> {
    let now = app.clock.now();
    let period = Period::containing(now)?;
    let mut accounts = Accounts::of(remembered(memory, sendings, period));
    let (places, accepted) = accept(memory, &mut accounts, sendings, ids, period)?;
    if accepted.is_empty() {
        return Ok(Done::default());
    }
    let charges = accounts.taken().into_iter().map(Charge::of).collect();
    let messages = accepted.iter().filter_map(|(_, one)| message(one)).collect();
    let entries = std::mem::take(&mut accounts.entries);
    let changes = Changes { messages, entries, charges, period_start: period.start, now };
    let charged: HashSet<WorkspaceId> = store::write_if_unchanged(&app.db, &changes).await?.into_iter().collect();
    for id in changes.workspaces().filter(|id| !charged.contains(id)) {
        memory.distrust(id);
        accounts.leave_out(id);
    }
    let is_charged = |one: &Accepted<'_>| charged.contains(&one.sending.caller.workspace.id);
    let done: HashSet<usize> = accepted.iter().filter(|(_, one)| is_charged(one)).map(|(index, _)| *index).collect();
    // Their chats are known, so the messages teach nothing.
    Learnt::of(&accounts, &places, &[], &[], period)?.keep(memory);
    let is_work = !done.is_empty();
    Ok(Done { committed: Committed { outcomes: Vec::new(), ledger: accounts.left(period)?, is_work }, done })
}

fn message(one: &Accepted<'_>) -> Option<NewMessage> {
    let Chat::Known(id) = one.route.chat else { return None };
    Some(one.message(id))
}

/// What is known of those workspaces all of whose messages are plain and that have no webhook.
fn remembered(memory: &Memory, sendings: &[Sending], period: Period) -> Vec<store::Held> {
    let mut workspaces: BTreeMap<WorkspaceId, bool> = BTreeMap::new();
    for sending in sendings {
        *workspaces.entry(sending.caller.workspace.id).or_insert(true) &= is_plain(sending);
    }
    let plain = workspaces.into_iter().filter(|(_, is_plain)| *is_plain);
    let held = plain.filter_map(|(id, _)| memory.held(id, period.start));
    held.filter(|held| !held.is_subscribed).collect()
}

/// Whether a message needs nothing to be looked up but its chat and its account, and changes nothing else.
const fn is_plain(sending: &Sending) -> bool {
    let command = &sending.command;
    let refers = command.file.is_some() || command.reply_to.is_some();
    let changes = command.label.is_some() || command.chat_name.is_some();
    let is_own = matches!(sending.author, Author::Caller);
    !refers && !changes && is_own && !sending.request.is_keyed()
}

/// Accepts and charges the messages of these workspaces. A workspace is left out as a whole if one of its messages
/// makes a chat or would be refused, which only the database may say, or if its partner is to be told of a threshold.
fn accept<'a>(
    memory: &Memory,
    accounts: &mut Accounts,
    sendings: &'a [Sending],
    ids: &[MessageId],
    period: Period,
) -> Result<(Places, Vec<(usize, Accepted<'a>)>)> {
    let mut workspaces: HashSet<WorkspaceId> = accounts.held().map(|held| held.workspace_id).collect();
    let all: Vec<&Sending> = sendings.iter().collect();
    let places = Places::recall(memory, accounts.held(), &all);
    let mut accepted: Vec<(usize, Accepted<'a>)> = Vec::new();
    for (index, sending) in sendings.iter().enumerate() {
        let workspace_id = sending.caller.workspace.id;
        if !workspaces.contains(&workspace_id) {
            continue;
        }
        match batch::accept(&places, &mut Brought::default(), accounts, sending, ids[index]) {
            Ok(one) if matches!(one.route.chat, Chat::Known(_)) => accepted.push((index, one)),
            Err(error @ Error::Internal(_)) => return Err(error),
            Ok(_) | Err(_) => {
                workspaces.remove(&workspace_id);
                accounts.leave_out(workspace_id);
            }
        }
    }
    for sending in sendings {
        if accounts.reaches_threshold(&sending.caller, period)? {
            workspaces.remove(&sending.caller.workspace.id);
            accounts.leave_out(sending.caller.workspace.id);
        }
    }
    accepted.retain(|(_, one)| workspaces.contains(&one.sending.caller.workspace.id));
    Ok((places, accepted))
}
