//! One batch: its messages are accepted or refused each by itself, and are stored once it is committed.
//!
//! Most batches need nothing but what is remembered from the last one, and go to the database once ([`direct`]). For
//! the others the periods' rows are held in a transaction, and what is to be known is read.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use entity::{
    id::{ChatId, MessageId, WorkspaceId},
    message::Direction,
    timestamp::Timestamp,
};
use sea_orm::DatabaseTransaction;

use crate::{
    app::App,
    db,
    error::{Error, Kind, Result},
    idempotency::{self, Earlier},
    message::{
        send::{Author, Sending},
        writer::{
            RETRY_AFTER,
            brought::Brought,
            charge::{Accounts, Charged},
            direct,
            memory::{Address, Memory, Place},
            resolve::{Chat, Places, Route},
            store::{self, Held, NewMessage},
        },
    },
    quota::Period,
    webhook::tell::{self, Written},
};

/// What came of a batch.
#[derive(Default)]
pub(super) struct Committed {
    /// For each message, in order.
    pub(super) outcomes: Vec<Result<MessageId>>,
    /// What is left of each workspace's credits.
    pub(super) ledger: Vec<Charged>,
    /// Whether a worker has something to do.
    pub(super) is_work: bool,
}

/// A message that is accepted, if the transaction commits.
pub(super) struct Accepted<'a> {
    pub(super) sending: &'a Sending,
    pub(super) id: MessageId,
    pub(super) route: Route,
}

/// Commits a batch. Messages whose commit was not answered have the outcome [`Error::OutcomeUnknown`].
pub(super) async fn commit(app: &App, memory: &Memory, sendings: &[Sending]) -> Committed {
    // Made once, so that a repeated transaction writes the same messages.
    let ids: Vec<MessageId> = sendings.iter().map(|_| MessageId(app.clock.uuid())).collect();
    let direct = match direct::commit(app, memory, sendings, &ids).await {
        Ok(direct) => direct,
        Err(error @ (Error::Busy { .. } | Error::OutcomeUnknown { .. })) => return failed(&ids, &error),
        // It has taken itself back, and what is wrong shows below.
        Err(error) => {
            tracing::info!(%error, "a batch of messages did not go the short way");
            sendings.iter().for_each(|one| memory.distrust(one.caller.workspace.id));
            direct::Done::default()
        }
    };
    let (mut committed, done) = (direct.committed, direct.done);
    let rest: Vec<usize> = (0..sendings.len()).filter(|index| !done.contains(index)).collect();
    let outcomes = commit_rest(app, memory, sendings, &ids, &rest, &mut committed).await;
    let mut outcomes = outcomes.into_iter();
    let outcome = |(index, id): (usize, &MessageId)| match done.contains(&index) {
        true => Ok(*id),
        false => outcomes.next().unwrap_or_else(|| Err(Error::Internal("a message has no outcome".to_owned()))),
    };
    committed.outcomes = ids.iter().enumerate().map(outcome).collect();
    committed
}

/// Commits those messages that need a look into the database. Those whose period was closed meanwhile are decided once
/// more, in the period that it is by then.
async fn commit_rest(
    app: &App,
    memory: &Memory,
    sendings: &[Sending],
    ids: &[MessageId],
    rest: &[usize],
    committed: &mut Committed,
) -> Vec<Result<MessageId>> {
    let mut outcomes = commit_some(app, memory, sendings, ids, rest, committed).await;
    let is_late = |(_, outcome): &(usize, &Result<MessageId>)| matches!(outcome, Err(Error::Contention));
    let late: Vec<usize> = outcomes.iter().enumerate().filter(is_late).map(|(position, _)| position).collect();
    let again: Vec<usize> = late.iter().map(|position| rest[*position]).collect();
    for (position, outcome) in late.into_iter().zip(commit_some(app, memory, sendings, ids, &again, committed).await) {
        outcomes[position] = outcome;
    }
    outcomes
}

async fn commit_some(
    app: &App,
    memory: &Memory,
    sendings: &[Sending],
    ids: &[MessageId],
    rest: &[usize],
    committed: &mut Committed,
) -> Vec<Result<MessageId>> {
    if rest.is_empty() {
        return Vec::new();
    }
    let sendings: Vec<&Sending> = rest.iter().map(|index| &sendings[*index]).collect();
    let ids: Vec<MessageId> = rest.iter().map(|index| ids[*index]).collect();
    let done = match db::retried(|| commit_once(app, memory, &sendings, &ids)).await {
        Ok((done, learnt)) => {
            learnt.keep(memory);
            done
        }
        Err(error) => failed(&ids, &error),
    };
    committed.ledger.extend(done.ledger);
    committed.is_work |= done.is_work;
    done.outcomes
}

/// The error of a whole batch, for each of its messages.
fn failed(ids: &[MessageId], error: &Error) -> Committed {
    let kind = error.code().kind();
    if kind != Kind::Unavailable {
        tracing::error!(%error, "a batch of messages was not accepted");
    }
    let of_message = |id: &MessageId| match (error, kind) {
        (Error::OutcomeUnknown { .. }, _) => Error::OutcomeUnknown { message: Some(*id) },
        (_, Kind::Unavailable) => Error::Busy { retry_after: RETRY_AFTER },
        _ => Error::Internal(format!("writer: {error}")),
    };
    Committed { outcomes: ids.iter().map(|id| Err(of_message(id))).collect(), ..Default::default() }
}

/// What a commit has shown.
pub(super) struct Learnt {
    period: Period,
    addresses: Vec<(Address, ChatId)>,
    places: Vec<(ChatId, Place)>,
    workspaces: Vec<Held>,
}

impl Learnt {
    /// What these accounts are after their charges, and where these messages went.
    pub(super) fn of(
        accounts: &Accounts,
        places: &Places,
        accepted: &[Accepted<'_>],
        messages: &[NewMessage],
        period: Period,
    ) -> Result<Self> {
        let asked_for = places.asked_for().iter();
        let (mut addresses, mut known): (Vec<_>, Vec<_>) =
            asked_for.map(|chat| ((chat.address(), chat.id), (chat.id, chat.place()))).unzip();
        for (one, message) in accepted.iter().zip(messages) {
            if let Chat::New(account_id, jid) = &one.route.chat {
                let place = Place { workspace_id: message.workspace_id, account_id: *account_id };
                addresses.push(((*account_id, jid.as_str().to_owned()), message.chat_id));
                known.push((message.chat_id, place));
            }
        }
        Ok(Self { period, addresses, places: known, workspaces: accounts.after()? })
    }

    /// Remembers it.
    pub(super) fn keep(self, memory: &Memory) {
        memory.learn_addresses(self.addresses);
        memory.learn_places(self.places);
        memory.learn_workspaces(self.period.start, self.workspaces);
    }
}

async fn commit_once(
    app: &App,
    memory: &Memory,
    sendings: &[&Sending],
    ids: &[MessageId],
) -> Result<(Committed, Learnt)> {
    let workspaces: BTreeSet<WorkspaceId> = sendings.iter().map(|one| one.caller.workspace.id).collect();
    let workspaces: Vec<WorkspaceId> = workspaces.into_iter().collect();
    db::write_batch(&app.db, "message.accept", async |tx| {
        let now = app.clock.now();
        let period = Period::containing(now)?;
        Brought::lock(tx, sendings).await?;
        let mut accounts = Accounts::take(app, tx, &workspaces, period).await?;
        let requests: Vec<_> = sendings.iter().map(|one| &one.request).collect();
        let earlier = idempotency::earlier::<MessageId>(app, tx, &requests).await?;
        let places = Places::read(tx, memory, accounts.held(), sendings).await?;
        let mut brought = Brought::read(tx, &places, sendings).await?;
        let mut outcomes = Vec::with_capacity(sendings.len());
        let mut accepted: Vec<Accepted<'_>> = Vec::new();
        for (index, sending) in sendings.iter().enumerate() {
            let outcome = match answered(&earlier[index], sendings, &outcomes, index) {
                Some(outcome) => outcome,
                None => accept(&places, &mut brought, &mut accounts, sending, ids[index]).map(|one| {
                    accepted.push(one);
                    ids[index]
                }),
            };
            outcomes.push(outcome);
        }
        let (mut is_news, mut messages) = (false, Vec::new());
        if !accepted.is_empty() {
            messages = write(app, tx, &accepted, &accounts, (period, now)).await?;
            let callers: HashMap<WorkspaceId, _> =
                sendings.iter().map(|one| (one.caller.workspace.id, &one.caller)).collect();
            is_news = accounts.tell(app, tx, period, |id| callers.get(&id).map(|caller| Arc::clone(caller))).await?;
        }
        let is_work = is_news || !accepted.is_empty();
        let learnt = Learnt::of(&accounts, &places, &accepted, &messages, period)?;
        Ok((Committed { outcomes, ledger: accounts.left(period)?, is_work }, learnt))
    })
    .await
}

/// The answer to a request that has come before, in an earlier batch or in this one.
fn answered(
    earlier: &Earlier<MessageId>,
    sendings: &[&Sending],
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

/// Finds out where a message goes, and charges it.
pub(super) fn accept<'a>(
    places: &Places,
    brought: &mut Brought,
    accounts: &mut Accounts,
    sending: &'a Sending,
    id: MessageId,
) -> Result<Accepted<'a>> {
    let route = places.route(sending)?;
    brought.check(sending, &route.chat)?;
    accounts.charge(sending.caller.workspace.id, id, sending.command.cost())?;
    brought.note(sending, &route.chat);
    Ok(Accepted { sending, id, route })
}

/// Writes down everything that was accepted.
async fn write(
    app: &App,
    tx: &DatabaseTransaction,
    accepted: &[Accepted<'_>],
    accounts: &Accounts,
    (period, now): (Period, Timestamp),
) -> Result<Vec<NewMessage>> {
    let chats = chats(tx, accepted, now).await?;
    let message = |one: &Accepted<'_>| {
        let chat_id = chats.get(&one.route.chat).copied();
        Ok(one.message(chat_id.ok_or_else(|| Error::Internal("a chat was not made".to_owned()))?))
    };
    let messages: Vec<NewMessage> = accepted.iter().map(message).collect::<Result<_>>()?;
    let taken: Vec<_> = accounts.taken().into_iter().map(|(_, taken)| taken).collect();
    store::write(tx, &messages, &accounts.entries, &taken, period.start, now).await?;
    told(app, tx, accounts, accepted, &messages).await?;
    let answers: Vec<_> = accepted.iter().map(|one| (&one.sending.request, one.id)).collect();
    idempotency::keep(app, tx, &answers).await?;
    Ok(messages)
}

impl Accepted<'_> {
    /// The message that is stored.
    pub(super) fn message(&self, chat_id: ChatId) -> NewMessage {
        let command = &self.sending.command;
        NewMessage {
            id: self.id,
            workspace_id: self.sending.caller.workspace.id,
            account_id: self.route.account_id,
            chat_id,
            text: command.text.as_ref().map(|text| text.as_str().to_owned()),
            file_id: command.file,
            user_id: (self.sending.author == Author::Caller).then_some(self.sending.caller.user.id),
            reply_to: command.reply_to,
            label: command.label.clone(),
            chat_name: command.chat_name.clone(),
        }
    }
}

/// Tells those of the workspaces that have webhooks; the others cost nothing.
async fn told(
    app: &App,
    tx: &DatabaseTransaction,
    accounts: &Accounts,
    accepted: &[Accepted<'_>],
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
async fn chats(tx: &DatabaseTransaction, accepted: &[Accepted<'_>], now: Timestamp) -> Result<HashMap<Chat, ChatId>> {
    let mut found = HashMap::new();
    let mut new = HashMap::new();
    for one in accepted {
        match &one.route.chat {
            Chat::Known(id) => {
                found.insert(one.route.chat.clone(), *id);
            }
            Chat::New(account_id, jid) => {
                let workspace_id = one.sending.caller.workspace.id;
                new.insert((*account_id, jid.clone()), workspace_id);
            }
        }
    }
    for (account_id, jid, id) in store::make_chats(tx, &new, now).await? {
        found.insert(Chat::New(account_id, jid), id);
    }
    Ok(found)
}
