//! One batch: all its messages in one transaction, each accepted or refused by itself.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use entity::{
    id::{ChatId, MessageId, WorkspaceId},
    message::Direction,
};
use sea_orm::DatabaseTransaction;

use crate::{
    app::App,
    db,
    error::{Error, Result},
    idempotency::{self, Earlier},
    message::{
        Destination, Jid,
        send::Sending,
        writer::{
            brought::Brought,
            charge::{Accounts, Charged},
            resolve::{Address, Chat, KnownChats, Places, Route},
            store::{self, NewMessage},
        },
    },
    quota::Period,
    webhook::tell::{self, Written},
};

/// What came of a batch.
pub(super) struct Committed {
    /// For each message, in order.
    pub(super) outcomes: Vec<Result<MessageId>>,
    /// What is left of each workspace's credits.
    pub(super) ledger: Vec<Charged>,
    /// Whether a worker has something to do.
    pub(super) is_work: bool,
}

/// A message that is accepted, if the transaction commits.
struct Accepted {
    index: usize,
    id: MessageId,
    route: Route,
}

/// Commits a batch. If the answer to the commit is lost, it is looked up whether it was done.
///
/// # Errors
/// What the database says; nothing of the batch is stored then.
pub(super) async fn commit(app: &App, chats: &KnownChats, sendings: &[Sending]) -> Result<Committed> {
    // Made once, so that a repeated transaction writes the same messages.
    let ids: Vec<MessageId> = sendings.iter().map(|_| MessageId(app.clock.uuid())).collect();
    match db::retried(|| commit_once(app, chats, sendings, &ids)).await {
        Ok((committed, seen)) => {
            chats.learn(seen);
            Ok(committed)
        }
        Err(error @ Error::Busy { .. }) => {
            let is_stored = |committed: &Committed| !committed.outcomes.is_empty();
            recover(app, sendings, &ids).await.filter(is_stored).ok_or(error)
        }
        Err(error) => Err(error),
    }
}

/// After a lost connection: what the database has of the batch, if it answers and has any.
async fn recover(app: &App, sendings: &[Sending], ids: &[MessageId]) -> Option<Committed> {
    let stored: BTreeSet<MessageId> = store::stored(app.db.reader(), ids).await.ok()?.into_iter().collect();
    if stored.is_empty() {
        return None;
    }
    let outcome = |id: &MessageId| {
        if stored.contains(id) { Ok(*id) } else { Err(Error::Busy { retry_after: super::RETRY_AFTER }) }
    };
    debug_assert_eq!(sendings.len(), ids.len());
    Some(Committed { outcomes: ids.iter().map(outcome).collect(), ledger: Vec::new(), is_work: true })
}

/// Chats with their ids.
type Seen = Vec<(Address, ChatId)>;

async fn commit_once(
    app: &App,
    known: &KnownChats,
    sendings: &[Sending],
    ids: &[MessageId],
) -> Result<(Committed, Seen)> {
    let workspaces: BTreeSet<WorkspaceId> = sendings.iter().map(|one| one.caller.workspace.id).collect();
    let workspaces: Vec<WorkspaceId> = workspaces.into_iter().collect();
    db::write(&app.db, "message.accept", async |tx| {
        let period = Period::containing(app.clock.now())?;
        Brought::lock(tx, sendings).await?;
        let mut accounts = Accounts::take(app, tx, &workspaces, period).await?;
        let requests: Vec<_> = sendings.iter().map(|one| &one.request).collect();
        let earlier = idempotency::earlier::<MessageId>(app, tx, &requests).await?;
        let places = Places::read(tx, known, accounts.held(), sendings).await?;
        let mut brought = Brought::read(tx, &places, sendings).await?;
        let mut outcomes = Vec::with_capacity(sendings.len());
        let mut accepted: Vec<Accepted> = Vec::new();
        for (index, sending) in sendings.iter().enumerate() {
            let outcome = match answered(&earlier[index], sendings, &outcomes, index) {
                Some(outcome) => outcome,
                None => accept(&places, &mut brought, &mut accounts, sending, ids[index]).map(|route| {
                    accepted.push(Accepted { index, id: ids[index], route });
                    ids[index]
                }),
            };
            outcomes.push(outcome);
        }
        let mut is_news = false;
        let mut seen = Vec::new();
        if !accepted.is_empty() {
            seen = write(app, tx, sendings, &accepted, &accounts, period).await?;
            let callers: HashMap<WorkspaceId, _> =
                sendings.iter().map(|one| (one.caller.workspace.id, &one.caller)).collect();
            is_news = accounts.tell(app, tx, period, |id| callers.get(&id).map(|caller| Arc::clone(caller))).await?;
        }
        let is_work = is_news || !accepted.is_empty();
        Ok((Committed { outcomes, ledger: accounts.left(period)?, is_work }, seen))
    })
    .await
}

/// The answer to a request that has come before, in an earlier batch or in this one.
fn answered(
    earlier: &Earlier<MessageId>,
    sendings: &[Sending],
    outcomes: &[Result<MessageId>],
    index: usize,
) -> Option<Result<MessageId>> {
    match earlier {
        Earlier::Answered(id) => return Some(Ok(*id)),
        Earlier::Another => return Some(Err(Error::IdempotencyKeyReused)),
        Earlier::None => {}
    }
    let request = &sendings[index].request;
    let same_key = sendings[..index].iter().zip(outcomes).find_map(|(one, outcome)| {
        let id = *outcome.as_ref().ok()?;
        one.request.has_key_of(request).then_some((one, id))
    });
    let (first, id) = same_key?;
    Some(if first.request.is_same(request) { Ok(id) } else { Err(Error::IdempotencyKeyReused) })
}

fn accept(
    places: &Places,
    brought: &mut Brought,
    accounts: &mut Accounts,
    sending: &Sending,
    id: MessageId,
) -> Result<Route> {
    let route = places.route(sending)?;
    brought.check(sending, &route.chat)?;
    accounts.charge(sending.caller.workspace.id, id, sending.command.cost())?;
    brought.note(sending, &route.chat);
    Ok(route)
}

/// Writes down everything that was accepted.
async fn write(
    app: &App,
    tx: &DatabaseTransaction,
    sendings: &[Sending],
    accepted: &[Accepted],
    accounts: &Accounts,
    period: Period,
) -> Result<Seen> {
    let now = app.clock.now();
    let chats = chats(tx, sendings, accepted, now).await?;
    let message = |one: &Accepted| -> Result<NewMessage> {
        let sending = &sendings[one.index];
        let chat_id = chats.get(&one.route.chat).copied();
        Ok(NewMessage {
            id: one.id,
            workspace_id: sending.caller.workspace.id,
            account_id: one.route.account_id,
            chat_id: chat_id.ok_or_else(|| Error::Internal("a chat was not made".to_owned()))?,
            text: sending.command.text.as_ref().map(|text| text.as_str().to_owned()),
            file_id: sending.command.file,
            user_id: sending.caller.user.id,
            reply_to: sending.command.reply_to,
            label: sending.command.label.clone(),
            chat_name: sending.command.chat_name.clone(),
        })
    };
    let messages: Vec<NewMessage> = accepted.iter().map(message).collect::<Result<_>>()?;
    store::write(tx, &messages, &accounts.entries, &accounts.taken(), period.start, now).await?;
    told(app, tx, accounts, accepted, &messages).await?;
    let answers: Vec<_> = accepted.iter().map(|one| (&sendings[one.index].request, one.id)).collect();
    idempotency::keep(app, tx, &answers).await?;
    let addressed = |one: &Accepted| {
        let jid = match &sendings[one.index].command.destination {
            Destination::Phone { phone, .. } => Jid::of(phone),
            Destination::Jid { jid, .. } => jid.clone(),
            Destination::Chat(_) => return None,
        };
        let id = chats.get(&one.route.chat)?;
        Some(((one.route.account_id, jid.as_str().to_owned()), *id))
    };
    Ok(accepted.iter().filter_map(addressed).collect())
}

/// Tells those of the workspaces that have webhooks; the others cost nothing.
async fn told(
    app: &App,
    tx: &DatabaseTransaction,
    accounts: &Accounts,
    accepted: &[Accepted],
    messages: &[NewMessage],
) -> Result<()> {
    let is_subscribed = accounts.held().filter(|held| held.is_subscribed);
    let workspaces: BTreeSet<WorkspaceId> = is_subscribed.map(|held| held.workspace_id).collect();
    if workspaces.is_empty() {
        return Ok(());
    }
    let (mut new_chats, mut ids) = (BTreeSet::new(), Vec::new());
    for (one, message) in accepted.iter().zip(messages) {
        if workspaces.contains(&message.workspace_id) {
            ids.push(message.id);
            if matches!(one.route.chat, Chat::New(..)) {
                new_chats.insert(message.chat_id);
            }
        }
    }
    let written = Written {
        workspaces: workspaces.into_iter().collect(),
        direction: Direction::Sent,
        new_chats: new_chats.into_iter().collect(),
        messages: ids,
    };
    tell::written(app, tx, &written).await
}

/// The ids of all chats, after making those that were not there.
async fn chats(
    tx: &DatabaseTransaction,
    sendings: &[Sending],
    accepted: &[Accepted],
    now: entity::timestamp::Timestamp,
) -> Result<HashMap<Chat, ChatId>> {
    let mut found = HashMap::new();
    let mut new = HashMap::new();
    for one in accepted {
        match &one.route.chat {
            Chat::Known(id) => {
                found.insert(one.route.chat.clone(), *id);
            }
            Chat::New(account_id, jid) => {
                let workspace_id = sendings[one.index].caller.workspace.id;
                new.insert((*account_id, jid.clone()), workspace_id);
            }
        }
    }
    for (account_id, jid, id) in store::make_chats(tx, &new, now).await? {
        found.insert(Chat::New(account_id, jid), id);
    }
    Ok(found)
}
