//! Asks on their way to Redis: all that arrive while the calls before them are under way go in one call per partner.
//!
//! A call costs Redis and us far more than an ask, so under load this is most of what the meter can do.

use std::{collections::HashMap, sync::Arc};

use entity::id::{PartnerId, TokenId, WorkspaceId};
use rmp::encode;
use tokio::sync::{Mutex, Semaphore, mpsc, oneshot};
use uuid::fmt::Simple;

use crate::meter::{
    Ask, Settlement, Subject, Verdict,
    rule::{HOLD_MICROS, SKEW_MICROS},
    shared::Shared,
};

const WAITING_AT_MOST: usize = 8192;
const AT_ONCE: usize = 256;
/// Calls that are under way at once; what arrives meanwhile is gathered for the next.
const UNDER_WAY: usize = 2;

/// One ask with whoever waits for its verdict.
struct Waiting {
    partner_id: PartnerId,
    workspace_id: WorkspaceId,
    token_id: TokenId,
    ask: Ask,
    answer: oneshot::Sender<Option<Verdict>>,
}

/// Where asks are gathered.
pub(super) struct Gathering {
    sender: mpsc::Sender<Waiting>,
    receiver: Mutex<mpsc::Receiver<Waiting>>,
    under_way: Arc<Semaphore>,
}

impl Default for Gathering {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(WAITING_AT_MOST);
        Self { sender, receiver: Mutex::new(receiver), under_way: Arc::new(Semaphore::new(UNDER_WAY)) }
    }
}

impl Gathering {
    /// Asks; `None` if Redis does not answer, or too much waits for it already.
    pub(super) async fn ask(&self, subject: Subject<'_>, ask: &Ask) -> Option<Verdict> {
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting {
            partner_id: subject.partner_id.clone(),
            workspace_id: subject.workspace_id,
            token_id: subject.token_id,
            ask: *ask,
            answer,
        };
        self.sender.try_send(waiting).ok()?;
        answered.await.ok().flatten()
    }

    /// Carries asks to Redis for as long as the meter lives.
    pub(super) async fn carry(&self, shared: &Arc<Shared>) {
        let mut receiver = self.receiver.lock().await;
        let mut waiting = Vec::with_capacity(AT_ONCE);
        loop {
            let Ok(permit) = Arc::clone(&self.under_way).acquire_owned().await else { return };
            if receiver.recv_many(&mut waiting, AT_ONCE).await == 0 {
                return;
            }
            let (shared, asks) = (Arc::clone(shared), std::mem::take(&mut waiting));
            tokio::spawn(async move {
                let _permit = permit;
                answer(&shared, asks).await;
            });
        }
    }
}

async fn answer(shared: &Shared, asks: Vec<Waiting>) {
    let mut partners: HashMap<PartnerId, Vec<Waiting>> = HashMap::new();
    for one in asks {
        match partners.get_mut(&one.partner_id) {
            Some(others) => others.push(one),
            None => drop(partners.insert(one.partner_id.clone(), vec![one])),
        }
    }
    let calls = partners.into_iter().map(|(partner_id, asks)| async move {
        let verdicts = shared.admit_all(&Call::new(shared, &partner_id, &asks)).await;
        for (number, one) in asks.into_iter().enumerate() {
            let verdict = verdicts.as_ref().and_then(|verdicts| verdicts.get(number).copied());
            // Whoever has stopped waiting has been answered otherwise.
            let _ = one.answer.send(verdict);
        }
    });
    futures_util::future::join_all(calls).await;
}

/// One call of the script: its keys, and the asks as it reads them.
pub(super) struct Call {
    pub(super) keys: Vec<String>,
    /// MessagePack.
    pub(super) asks: Vec<u8>,
}

impl Call {
    fn new(shared: &Shared, partner_id: &PartnerId, asks: &[Waiting]) -> Self {
        let mut keys = vec![shared.partner_key(partner_id)];
        let mut workspaces = HashMap::new();
        let mut bytes = Vec::with_capacity(asks.len() * BYTES_PER_ASK);
        write_length(&mut bytes, asks.len());
        for one in asks {
            let workspace = *workspaces.entry(one.workspace_id).or_insert_with(|| {
                keys.push(shared.workspace_key(partner_id, one.workspace_id));
                keys.len()
            });
            write(&mut bytes, workspace, one);
        }
        Self { keys, asks: bytes }
    }

    /// What the script is told besides.
    pub(super) const fn constants() -> [i64; 2] {
        [HOLD_MICROS, SKEW_MICROS]
    }
}

/// About what one ask takes.
const BYTES_PER_ASK: usize = 96;
/// What an ask consists of besides its workspace and what the ledger knows.
const PARTS: usize = 12;

/// What settlements are, as the script reads them: MessagePack.
pub(super) fn write_settlements<'a>(settlements: impl ExactSizeIterator<Item = &'a Settlement>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(settlements.len() * BYTES_PER_ASK);
    write_length(&mut bytes, settlements.len());
    for one in settlements {
        let calls = one.snapshot.map_or(one.calls, |known| known.calls.max(one.calls));
        let told = [one.now.0, one.period.start.0, one.generation, one.held.0, one.held_before.0, calls];
        let known = one.snapshot.map(|known| [known.revision, known.left.0]);
        write_length(&mut bytes, told.len() + known.map_or(0, |known| known.len()));
        told.into_iter().chain(known.into_iter().flatten()).for_each(|value| write_number(&mut bytes, value));
    }
    bytes
}

/// Writing to memory cannot fail, so that what rmp returns says nothing.
fn write_length(bytes: &mut Vec<u8>, length: usize) {
    let _ = encode::write_array_len(bytes, u32::try_from(length).unwrap_or(u32::MAX));
}

fn write(bytes: &mut Vec<u8>, workspace: usize, one: &Waiting) {
    let ask = &one.ask;
    let [a, b, c] = ask.windows;
    // Tokens' windows are of no period, and may need as long again to empty.
    let lifetime_ms = ((ask.period.end.0 - ask.now.0).max(0) + a.depth_micros()) / 1000 + 1;
    let snapshot = ask.snapshot.map(|known| [known.revision, known.left.0, known.calls]);
    write_length(bytes, 1 + PARTS + snapshot.map_or(0, |known| known.len()));
    write_number(bytes, i64::try_from(workspace).unwrap_or(i64::MAX));
    let _ = encode::write_str(bytes, one.token_id.0.simple().encode_lower(&mut [0; Simple::LENGTH]));
    let numbers: [i64; PARTS - 2] = [
        ask.now.0,
        ask.period.start.0,
        ask.calls_limit.unwrap_or(-1),
        ask.credits.0,
        a.interval_micros,
        a.capacity,
        b.interval_micros,
        b.capacity,
        c.interval_micros,
        c.capacity,
    ];
    numbers.into_iter().for_each(|value| write_number(bytes, value));
    // As a text, because Redis takes nothing else and is slow to make one of a number.
    let _ = encode::write_str(bytes, &lifetime_ms.to_string());
    snapshot.into_iter().flatten().for_each(|value| write_number(bytes, value));
}

fn write_number(bytes: &mut Vec<u8>, value: i64) {
    let _ = encode::write_sint(bytes, value);
}
