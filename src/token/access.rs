//! Remembering whom tokens let in, and forgetting it the moment that changes.
//!
//! Checked tokens are kept by their SHA-256; of many who ask for the same unknown one at once, one asks the database.
//! What is kept carries the epochs of its workspace and its partner from before it was read; a change of access raises
//! an epoch, so nothing read before it counts any more. Epochs are striped: a change makes the replica read a few
//! others again as well, and the table never grows.
//!
//! A change is stored with what caused it ([`record`]), published after the commit ([`Access::forget`]), and looked
//! for every second by everybody ([`watch`]): replicas hear at once, and within seconds if Redis is gone.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use entity::{
    access_change,
    id::{AccessChangeId, PartnerId, WorkspaceId},
};
use moka::{Expiry, future::Cache};
use sea_orm::DatabaseTransaction;
use sha2::{Digest, Sha256};
use tokio::sync::broadcast::error::RecvError;

use crate::{
    app::App,
    caller::WorkspaceCaller,
    error::{Error, Kind, Result},
    signal::Signal,
    token::{check, store},
};

const MOST_TOKENS: u64 = 50_000;
const KEEP: Duration = Duration::from_secs(60);
const KEEP_REFUSED: Duration = Duration::from_secs(5);
const STRIPES: usize = 4096;
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Longer than any transaction lives, so that one that commits late is seen.
const LOOK_BACK_SECONDS: i64 = 60;
/// How long changes are kept, in seconds.
const RETENTION_SECONDS: i64 = 24 * 3600;
const MOST_RELOADS: usize = 8;

type TokenDigest = [u8; 32];

/// What this process remembers of tokens.
pub struct Access {
    tokens: Cache<TokenDigest, Arc<Known>>,
    epochs: Box<[AtomicU64]>,
}

/// What is known of a token, and as of when.
struct Known {
    verdict: Verdict,
    /// Stripes with the epochs that they had before the database was read.
    epochs: Vec<(usize, u64)>,
}

pub(super) enum Verdict {
    Admitted(Arc<WorkspaceCaller>),
    Refused(Refusal),
}

/// Why a token lets nobody in.
#[derive(Clone, Copy)]
pub(super) enum Refusal {
    Unknown,
    Suspended,
    NoSeat,
}

struct KeepFor;

impl Expiry<TokenDigest, Arc<Known>> for KeepFor {
    fn expire_after_create(&self, _: &TokenDigest, known: &Arc<Known>, _: Instant) -> Option<Duration> {
        Some(match known.verdict {
            Verdict::Admitted(_) => KEEP,
            Verdict::Refused(_) => KEEP_REFUSED,
        })
    }
}

impl Default for Access {
    fn default() -> Self {
        let tokens = Cache::builder().max_capacity(MOST_TOKENS).expire_after(KeepFor).build();
        Self { tokens, epochs: (0..STRIPES).map(|_| AtomicU64::new(0)).collect() }
    }
}

/// What changed for whom, as a number that fits into a signal. The same on every replica.
fn stripe(name: &str) -> usize {
    let digest = Sha256::digest(name);
    usize::from(u16::from_be_bytes([digest[0], digest[1]])) % STRIPES
}

pub(super) fn stripe_of_workspace(id: WorkspaceId) -> usize {
    stripe(&format!("workspace:{id}"))
}

pub(super) fn stripe_of_partner(id: &PartnerId) -> usize {
    stripe(&format!("partner:{id}"))
}

impl Access {
    /// The epoch of a stripe, to be read before what it guards is.
    pub(super) fn epoch(&self, stripe: usize) -> u64 {
        self.epochs[stripe].load(Ordering::SeqCst)
    }

    fn raise(&self, stripe: usize) {
        if let Some(epoch) = self.epochs.get(stripe) {
            epoch.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn raise_all(&self) {
        (0..STRIPES).for_each(|stripe| self.raise(stripe));
    }

    fn is_current(&self, known: &Known) -> bool {
        known.epochs.iter().all(|(stripe, epoch)| self.epoch(*stripe) == *epoch)
    }

    /// Whom a token lets in, as of now.
    ///
    /// # Errors
    /// As [`check::check`].
    pub(super) async fn of(&self, app: &App, token: &str) -> Result<Arc<WorkspaceCaller>> {
        let digest: TokenDigest = Sha256::digest(token.as_bytes()).into();
        for _ in 0..MOST_RELOADS {
            let known = match self.tokens.get(&digest).await {
                Some(known) => known,
                // On the heap, because a call that is remembered shall not carry the size of one that is not.
                None => Box::pin(self.load(app, digest)).await?,
            };
            if !self.is_current(&known) {
                self.tokens.invalidate(&digest).await;
                continue;
            }
            return match &known.verdict {
                Verdict::Admitted(caller) => Ok(Arc::clone(caller)),
                Verdict::Refused(Refusal::Unknown) => Err(Error::InvalidToken),
                Verdict::Refused(Refusal::Suspended) => Err(Error::WorkspaceSuspended),
                Verdict::Refused(Refusal::NoSeat) => Err(Error::MemberNotFound),
            };
        }
        Err(Error::Busy { retry_after: Duration::from_secs(1) })
    }

    /// Reads what is to be known of a token; of many who ask at once one reads.
    async fn load(&self, app: &App, digest: TokenDigest) -> Result<Arc<Known>> {
        let load = async {
            let (verdict, epochs) = check::read(app, self, &digest).await?;
            Ok(Arc::new(Known { verdict, epochs }))
        };
        self.tokens.try_get_with(digest, load).await.map_err(|error| shared(&error))
    }

    /// After the commit of a change: this replica forgets at once, the others as soon as they hear of it.
    pub fn forget(app: &App, changed: &Changed) {
        let stripe = changed.stripe();
        app.access.raise(stripe);
        if let Changed::Workspace(_, id) = changed {
            app.figures.forget(*id);
        }
        app.signals.publish(Signal::Access(stripe));
    }
}

/// An error that several callers wait for, for each of them.
fn shared(error: &Arc<Error>) -> Error {
    match error.code().kind() {
        Kind::Unavailable => Error::Busy { retry_after: Duration::from_secs(1) },
        _ => Error::Internal(error.to_string()),
    }
}

/// Whose access changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// A workspace's tokens, users, or itself.
    Workspace(PartnerId, WorkspaceId),
    /// A partner with all its workspaces.
    Partner(PartnerId),
}

impl Changed {
    fn stripe(&self) -> usize {
        match self {
            Self::Workspace(_, id) => stripe_of_workspace(*id),
            Self::Partner(id) => stripe_of_partner(id),
        }
    }
}

impl From<&entity::workspace::Model> for Changed {
    fn from(workspace: &entity::workspace::Model) -> Self {
        Self::Workspace(workspace.partner_id.clone(), workspace.id)
    }
}

/// Stores a change in the transaction that makes it. After the commit, [`Access::forget`].
///
/// # Errors
/// What the database says.
pub async fn record(app: &App, tx: &DatabaseTransaction, changed: &Changed) -> Result<()> {
    let (partner_id, workspace_id) = match changed {
        Changed::Workspace(partner_id, id) => (partner_id, Some(*id)),
        Changed::Partner(partner_id) => (partner_id, None),
    };
    let row = access_change::Model {
        id: AccessChangeId(app.clock.uuid()),
        partner_id: partner_id.clone(),
        workspace_id,
        changed_at: app.clock.now(),
    };
    store::insert_change(tx, row).await
}

/// Forgets what others changed: as told by signals, and by looking at the database every second.
pub async fn watch(app: Arc<App>) {
    let mut stop = app.stop.subscribe();
    let mut signals = app.signals.subscribe();
    let mut seen = HashSet::new();
    let mut looking = tokio::time::interval(LOOK_EVERY);
    looking.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while !*stop.borrow() {
        tokio::select! {
            _ = looking.tick() => look(&app, &mut seen).await,
            heard = signals.recv() => match heard {
                Ok(Signal::Access(stripe)) => app.access.raise(stripe),
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => app.access.raise_all(),
                Err(RecvError::Closed) => return,
            },
            _ = stop.changed() => {}
        }
    }
}

async fn look(app: &App, seen: &mut HashSet<AccessChangeId>) {
    let since = app.clock.now().plus_seconds(-LOOK_BACK_SECONDS);
    match store::changes_since(app.db.reader(), since).await {
        Ok(changes) => {
            let recent: HashSet<AccessChangeId> = changes.iter().map(|change| change.id).collect();
            for change in changes.iter().filter(|change| !seen.contains(&change.id)) {
                app.access.raise(
                    change.workspace_id.map_or_else(|| stripe_of_partner(&change.partner_id), stripe_of_workspace),
                );
            }
            *seen = recent;
        }
        Err(error) => {
            // What cannot be looked up cannot be trusted either.
            tracing::warn!(%error, "changes of access could not be read; all tokens are checked again");
            app.access.raise_all();
        }
    }
}

/// Drops changes that everybody has seen.
///
/// # Errors
/// What the database says.
pub async fn forget_old(app: &App) -> Result<u64> {
    let before = app.clock.now().plus_seconds(-RETENTION_SECONDS);
    crate::db::write(&app.db, "access.forget_old", async |tx| store::delete_changes(tx, before).await).await
}
