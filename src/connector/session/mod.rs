//! What we keep of a session at a real provider: with which credentials it was started, the code that it shows, how
//! its repair stands, and the callbacks that came. What the provider knows is asked there.

use entity::{
    channel::ConnectorKind,
    connector_session::Model,
    id::{AttemptId, CredentialId, PartnerId},
    timestamp::Timestamp,
};
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    app::App,
    connector::{
        SIGN_IN_SECONDS,
        bridge::Made,
        callback,
        checkpoint::Checkpoint,
        registry::{self, Access},
    },
    db,
    error::Result,
    queue::{self, Work},
    secret,
    signal::Signal,
};

mod store;

pub(super) use store::{
    Noted, Taken, credentials, end, forget_callbacks, is_overtaken, mend, note_code, show_code, take_callback,
    take_repair,
};

/// How long a session is believed to work without being asked, in seconds.
pub const PROBE_SECONDS: i64 = 300;
/// How many sessions are asked for at once.
const PROBED_AT_ONCE: u64 = 200;
/// How often that is done in one go; what is left is asked for with the next.
const MOST_ROUNDS: usize = 20;
/// How long a callback that comes again is known, in seconds: longer than any provider repeats itself.
const CALLBACKS_SECONDS: i64 = 2 * 24 * 3600;

/// A session with what opens its provider.
pub(super) struct Session {
    pub(super) row: Model,
    pub(super) access: Access,
    /// What its callbacks are signed with.
    pub(super) secret: SecretString,
}

impl Session {
    pub(super) const fn id(&self) -> AttemptId {
        self.row.id
    }

    /// Whether an account has been linked to it.
    pub(super) const fn is_linked(&self) -> bool {
        self.row.linked_at.is_some()
    }

    /// Whether its provider has not been seen to have it.
    pub(super) const fn is_unseen(&self) -> bool {
        self.row.checked_at.is_none() && self.row.external_id.is_none()
    }

    /// Whether it is somebody's turn to make it or to answer for it.
    pub(super) fn is_taken(&self, app: &App) -> bool {
        !self.is_linked() && self.row.repair_at.is_some_and(|at| at > app.clock.now())
    }

    /// Where the provider tells us of it.
    pub(super) fn callback_url(&self, app: &App) -> String {
        callback::session_address(app, self.row.connector, self.row.id)
    }
}

/// A session that has not ended.
pub(super) async fn find(app: &App, connector: ConnectorKind, id: AttemptId) -> Result<Option<Session>> {
    let found = store::find(app.db.reader(), id).await?;
    let Some(row) = found.filter(|row| row.connector == connector && row.ended_at.is_none()) else { return Ok(None) };
    opened(app, row).await.map(Some)
}

/// A session, ended or not.
pub(super) async fn find_any(app: &App, connector: ConnectorKind, id: AttemptId) -> Result<Option<Session>> {
    let found = store::find(app.db.reader(), id).await?;
    let Some(row) = found.filter(|row| row.connector == connector) else { return Ok(None) };
    opened(app, row).await.map(Some)
}

/// A session, written if there is none, and whether it is the caller's turn to make it; `None` if nothing opens the
/// connector for this partner.
pub(super) async fn begin(
    app: &App,
    connector: ConnectorKind,
    id: AttemptId,
    partner_id: &PartnerId,
) -> Result<Option<(Session, bool)>> {
    if let Some(row) = store::find(app.db.reader(), id).await? {
        let session = opened(app, row).await?;
        let is_ours = session.is_unseen() && take_turn(app, &session).await?.is_some();
        return Ok(Some((session, is_ours)));
    }
    let Some(access) = registry::access_of(app, connector, partner_id).await? else { return Ok(None) };
    let proof = secret::generate(&app.clock, "");
    let sealed = app.vault.seal(&purpose(id), proof.expose_secret().as_bytes())?;
    let made_until = in_seconds(app, SIGN_IN_SECONDS);
    let new =
        store::NewSession { id, connector, credential_id: access.credential_id, callback_secret: sealed, made_until };
    // Somebody else may be faster.
    let is_ours = db::write(&app.db, "connector.begin", async |tx| store::insert(app, tx, new).await).await?;
    match store::find(app.db.reader(), id).await? {
        Some(row) => Ok(Some((opened(app, row).await?, is_ours))),
        None => Ok(None),
    }
}

/// Holds a session for this transaction, before the row of its channel, so that no other takes its account over; tells
/// whether it has not ended. What keeps no sessions has nothing to hold.
///
/// # Errors
/// What the database says.
pub(crate) async fn hold(app: &App, tx: &DatabaseTransaction, connector: ConnectorKind, id: AttemptId) -> Result<bool> {
    if !app.connectors.keeps_sessions(connector) {
        return Ok(true);
    }
    Ok(store::lock(tx, id).await?.is_some_and(|row| row.ended_at.is_none()))
}

/// Whether there is such a session, and it has not ended.
///
/// # Errors
/// What the database says.
pub(crate) async fn is_open(db: &impl ConnectionTrait, id: AttemptId) -> Result<bool> {
    Ok(store::find(db, id).await?.is_some_and(|row| row.ended_at.is_none()))
}

/// Whether a session with these credentials has not ended.
pub(super) async fn is_key_used(app: &App, key: CredentialId) -> Result<bool> {
    store::has_open(app.db.reader(), key).await
}

/// What a session would be that has not begun, to ask its provider for it; `None` if nothing opens the connector for this
/// partner.
pub(super) async fn imagined(
    app: &App,
    connector: ConnectorKind,
    id: AttemptId,
    partner_id: &PartnerId,
) -> Result<Option<Session>> {
    let Some(access) = registry::access_of(app, connector, partner_id).await? else { return Ok(None) };
    let row = Model {
        id,
        connector,
        credential_id: access.credential_id,
        external_id: None,
        callback_secret: Vec::new(),
        qr_payload: None,
        qr_seq: 0,
        qr_expires_at: None,
        checkpoint: None,
        linked_at: None,
        repairs: 0,
        repair_at: None,
        refused_at: None,
        checked_at: None,
        created_at: app.clock.now(),
        ended_at: None,
    };
    Ok(Some(Session { row, access, secret: secret::generate(&app.clock, "") }))
}

async fn opened(app: &App, row: Model) -> Result<Session> {
    let access = registry::access(app, row.credential_id).await?;
    let secret = app.vault.open_text(&purpose(row.id), &row.callback_secret)?;
    Ok(Session { row, access, secret })
}

fn purpose(id: AttemptId) -> String {
    format!("connector_sessions:{id}:callback_secret")
}

/// Notes what came of making a session, or of answering what the network asked. What was made of a session that has
/// ended meanwhile is removed.
pub(super) async fn made(app: &App, connector: ConnectorKind, id: AttemptId, made: &Made) -> Result<Noted> {
    let checkpoint = made.checkpoint.as_ref().map(Checkpoint::stored).transpose()?;
    let note = || async {
        db::write(&app.db, "connector.made", async |tx| {
            let noted = store::set_made(app, tx, id, made, checkpoint.as_deref()).await?;
            if noted == Noted::Ended {
                queue::enqueue(app, tx, &Work::EndSession { connector, session: id }).await?;
            }
            Ok(noted)
        })
        .await
    };
    let noted = db::retried(note).await?;
    if noted == Noted::Ended {
        tracing::info!(session.id = %id, "a session was ended while it was made, and is removed");
        app.signals.publish(Signal::Work);
    }
    Ok(noted)
}

/// Whether a session of which nothing is kept may be about to begin: its id has just been chosen.
pub(super) fn is_to_begin(app: &App, id: AttemptId) -> bool {
    let chosen = id.0.get_timestamp().and_then(|at| i64::try_from(at.to_unix().0).ok());
    chosen.is_some_and(|seconds| seconds.saturating_add(SIGN_IN_SECONDS) > app.clock.now().0.div_euclid(1_000_000))
}

/// Takes the turn to make a session or to answer for it, until the moment that is returned, or until it is noted what came
/// of it; `None` if it is somebody else's.
pub(super) async fn take_turn(app: &App, session: &Session) -> Result<Option<Timestamp>> {
    if session.is_taken(app) {
        return Ok(None);
    }
    let until = in_seconds(app, SIGN_IN_SECONDS);
    let taken = db::write(&app.db, "connector.take_turn", async |tx| {
        take_repair(tx, &session.row, session.row.repairs, until).await
    });
    Ok(taken.await?.then_some(until))
}

/// Ends a turn of which nothing was noted.
pub(super) async fn end_turn(app: &App, session: &Session, until: Timestamp) -> Result<()> {
    db::write(&app.db, "connector.end_turn", async |tx| store::end_turn(tx, session.id(), until).await).await
}

/// The session that has this id at the provider of these credentials, ended or not.
pub(super) async fn find_external(
    app: &App,
    connector: ConnectorKind,
    credential_id: CredentialId,
    external_id: &str,
) -> Result<Option<Session>> {
    let found = store::find_external(app.db.reader(), credential_id, external_id).await?;
    let Some(row) = found.filter(|row| row.connector == connector) else { return Ok(None) };
    opened(app, row).await.map(Some)
}

/// Notes that the provider has answered for a session, and that it works if it does; of one that was restarted, once the
/// pause after that is over.
pub(super) async fn note(app: &App, session: &Session, is_working: bool) -> Result<()> {
    let row = &session.row;
    let was_restarted = session.is_linked() && row.repairs > 0;
    let is_working = is_working && !(was_restarted && row.repair_at.is_some_and(|at| at > app.clock.now()));
    let is_as_it_was = !is_working || (session.is_linked() && row.repairs == 0 && row.repair_at.is_none());
    let is_known = session.row.checked_at.is_some_and(|at| at.plus_seconds(1) > app.clock.now());
    if is_as_it_was && is_known {
        return Ok(());
    }
    db::write(&app.db, "connector.note", async |tx| {
        if is_working {
            mend(app, tx, session.id()).await?;
        }
        // Whoever had the turn to make it is done.
        if let Some(until) = session.row.repair_at.filter(|_| session.is_unseen()) {
            store::end_turn(tx, session.id(), until).await?;
        }
        store::set_checked(tx, &[session.id()], app.clock.now()).await
    })
    .await
}

/// Has sessions looked at that have not been for a while: what a provider tells may get lost. Returns how many. One of
/// which a look is stored already, as of a provider that does not answer, gets no other.
///
/// # Errors
/// What the database says.
pub async fn probe(app: &App) -> Result<u64> {
    let before = app.clock.now().plus_seconds(-PROBE_SECONDS);
    if !store::has_unchecked_since(app.db.reader(), before).await? {
        return Ok(0);
    }
    let mut looked_at = 0;
    for _ in 0..MOST_ROUNDS {
        let count = probe_some(app, before).await?;
        looked_at += count;
        if count < PROBED_AT_ONCE {
            break;
        }
    }
    Ok(looked_at)
}

async fn probe_some(app: &App, before: Timestamp) -> Result<u64> {
    let count = db::write(&app.db, "connector.probe", async |tx| {
        let stale = store::take_unchecked_since(tx, before, PROBED_AT_ONCE).await?;
        let ids: Vec<AttemptId> = stale.iter().map(|row| row.id).collect();
        store::set_checked(tx, &ids, app.clock.now()).await?;
        let look = |row: &Model| Work::SessionChanged { connector: row.connector, session: row.id };
        queue::enqueue_unless_stored(app, tx, &stale.iter().map(look).collect::<Vec<_>>()).await?;
        Ok(stale.len())
    })
    .await?;
    app.signals.publish(Signal::Work);
    Ok(u64::try_from(count).unwrap_or(u64::MAX))
}

/// Forgets callbacks that no provider repeats any more.
///
/// # Errors
/// What the database says.
pub async fn forget_old_callbacks(app: &App) -> Result<u64> {
    let before = app.clock.now().plus_seconds(-CALLBACKS_SECONDS);
    db::write(&app.db, "connector.forget_callbacks", async |tx| forget_callbacks(tx, before).await).await
}

/// Has a session looked at, once the transaction is over.
pub(super) async fn changed(
    app: &App,
    tx: &DatabaseTransaction,
    connector: ConnectorKind,
    session: AttemptId,
) -> Result<()> {
    queue::enqueue(app, tx, &Work::SessionChanged { connector, session }).await
}

/// Notes that a session has refused a message because it is not ready, or has taken one, and has it looked at.
pub(super) async fn note_sending(app: &App, session: &Session, refused_at: Option<Timestamp>) -> Result<()> {
    db::write(&app.db, "connector.note_sending", async |tx| {
        store::set_refused(tx, session.id(), refused_at).await?;
        changed(app, tx, session.row.connector, session.id()).await
    })
    .await?;
    app.signals.publish(Signal::Work);
    Ok(())
}

/// Forgets that a session has refused a message: it is in a state in which it does.
pub(super) async fn explain_refusal(app: &App, session: &Session) -> Result<()> {
    db::write(&app.db, "connector.explain", async |tx| store::set_refused(tx, session.id(), None).await).await
}

/// [`changed`], with a transaction of its own.
pub(super) async fn look_soon(app: &App, connector: ConnectorKind, session: AttemptId) -> Result<()> {
    db::write(&app.db, "connector.look_soon", async |tx| changed(app, tx, connector, session).await).await?;
    app.signals.publish(Signal::Work);
    Ok(())
}

/// An instant so many seconds from now.
pub(super) fn in_seconds(app: &App, seconds: i64) -> Timestamp {
    app.clock.now().plus_seconds(seconds)
}
