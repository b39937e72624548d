//! How much goes through channels.
//!
//! Messages are counted after the fact, minute by minute ([`roll_up`]), into minutes, hours and days of UTC, so that
//! accepting one writes nothing more. What is not counted yet, the last few minutes, is read from the messages
//! themselves whenever somebody asks. What is sent counts when it goes out. Conversations that are closed are counted
//! when that happens.

use std::collections::HashMap;

use entity::{
    channel_traffic::{Model, Span},
    id::AccountId,
    timestamp::Timestamp,
};
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use serde::{Deserialize, Serialize};

use crate::{app::App, db, error::Result};

mod series;
mod store;

pub use series::{Granularity, Period, Point, Stats, Summary, stats};

const MINUTE: i64 = 60;
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// How long after its end a minute is counted, in seconds: longer than any request takes.
const LAG_SECONDS: i64 = 120;
/// Most minutes with messages that are counted in one go.
const AT_ONCE: usize = 500;
/// How long minutes and hours are kept, in seconds: a little longer than the longest period shown by them.
const KEEP_MINUTES_SECONDS: i64 = 26 * HOUR;
const KEEP_HOURS_SECONDS: i64 = 32 * DAY;

/// What goes through a channel, as its description shows it. The last 24 hours begin with a minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say what each is")]
pub struct Figures {
    pub received_24h: i64,
    pub sent_24h: i64,
    pub received_total: i64,
    pub sent_total: i64,
    pub last_received_at: Option<Timestamp>,
    pub last_sent_at: Option<Timestamp>,
}

/// What is counted of a stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    received: i64,
    sent: i64,
    started: i64,
    closed: i64,
    responses: i64,
    response_seconds: i64,
    resolution_seconds: i64,
    last_received_at: Option<Timestamp>,
    last_sent_at: Option<Timestamp>,
}

/// The beginning of the stretch that an instant lies in.
const fn start_of(span: Span, at: Timestamp) -> Timestamp {
    let length = seconds_of(span) * Timestamp::SECOND;
    Timestamp(at.0 - at.0.rem_euclid(length))
}

const fn seconds_of(span: Span) -> i64 {
    match span {
        Span::Minute => MINUTE,
        Span::Hour => HOUR,
        Span::Day => DAY,
    }
}

/// What has gone through these channels; those through which nothing has are absent.
///
/// # Errors
/// What the database says.
pub(crate) async fn figures(
    app: &App,
    db: &impl ConnectionTrait,
    ids: &[AccountId],
) -> Result<HashMap<AccountId, Figures>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let now = app.clock.now();
    let until = store::progress(db).await?;
    let mut all: HashMap<AccountId, Figures> = HashMap::new();
    for total in store::totals(db, ids).await? {
        let figures = all.entry(total.account_id).or_default();
        (figures.received_total, figures.sent_total) = (total.received, total.sent);
        (figures.last_received_at, figures.last_sent_at) = (total.last_received_at, total.last_sent_at);
    }
    let since = start_of(Span::Minute, now.plus_seconds(-DAY));
    for piece in counted_since(db, ids, Span::Hour, Span::Minute, since).await? {
        let figures = all.entry(piece.account_id).or_default();
        figures.received_24h += piece.received;
        figures.sent_24h += piece.sent;
    }
    let uncounted = store::uncounted(db, ids, until).await?;
    // Counting is a few minutes behind; only where nobody counts is what it has left older than a day.
    let recent = if until < since { store::uncounted(db, ids, since).await? } else { uncounted.clone() };
    for (id, counts) in uncounted {
        let figures = all.entry(id).or_default();
        figures.received_total += counts.received;
        figures.sent_total += counts.sent;
        figures.last_received_at = counts.last_received_at.or(figures.last_received_at);
        figures.last_sent_at = counts.last_sent_at.or(figures.last_sent_at);
    }
    for (id, counts) in recent {
        let figures = all.entry(id).or_default();
        figures.received_24h += counts.received;
        figures.sent_24h += counts.sent;
    }
    Ok(all)
}

/// What is counted in pieces of `span` from `start` on; of the piece that this lies in only what comes after it, grain by
/// grain.
async fn counted_since(
    db: &impl ConnectionTrait,
    ids: &[AccountId],
    span: Span,
    grain: Span,
    start: Timestamp,
) -> Result<Vec<Model>> {
    let begun = start_of(span, start);
    let whole = if begun == start { start } else { begun.plus_seconds(seconds_of(span)) };
    let mut rows = store::between(db, ids, grain, start, whole).await?;
    rows.extend(store::since(db, ids, span, whole).await?);
    Ok(rows)
}

/// Counts conversations that were closed just now.
///
/// # Errors
/// What the database says.
pub(crate) async fn count_closed(
    app: &App,
    tx: &DatabaseTransaction,
    id: AccountId,
    closed: i64,
    resolution_seconds: i64,
) -> Result<()> {
    if closed == 0 {
        return Ok(());
    }
    let counts = Counts { closed, resolution_seconds, ..Counts::default() };
    store::add(tx, spread(id, app.clock.now(), &counts).to_vec()).await
}

/// Counts the minutes that have ended long enough ago; returns how many there was something in.
///
/// # Errors
/// What the database says.
pub async fn roll_up(app: &App) -> Result<u64> {
    let mut counted = 0;
    while counted < AT_ONCE && count_next(app).await? {
        counted += 1;
    }
    Ok(u64::try_from(counted).unwrap_or(u64::MAX))
}

/// Forgets minutes and hours that nobody is shown any more.
///
/// # Errors
/// What the database says.
pub async fn forget_old(app: &App) -> Result<u64> {
    let now = app.clock.now();
    db::write(&app.db, "traffic.forget_old", async |tx| {
        let minutes = store::delete_before(tx, Span::Minute, now.plus_seconds(-KEEP_MINUTES_SECONDS)).await?;
        let hours = store::delete_before(tx, Span::Hour, now.plus_seconds(-KEEP_HOURS_SECONDS)).await?;
        Ok(minutes + hours)
    })
    .await
}

/// Counts the next minute in which something happened; tells whether there was one.
async fn count_next(app: &App) -> Result<bool> {
    let db = app.db.reader();
    let ripe = start_of(Span::Minute, app.clock.now().plus_seconds(-LAG_SECONDS));
    let done = store::progress(db).await?;
    if done >= ripe {
        return Ok(false);
    }
    let next = store::next_after(db, done).await?.map(|at| start_of(Span::Minute, at)).filter(|next| *next < ripe);
    db::write(&app.db, "traffic.roll_up", async |tx| {
        let until = next.map_or(ripe, |next| next.plus_seconds(MINUTE));
        // Whoever moves the mark counts; another that saw the same mark finds it moved.
        if !store::set_progress(tx, done, until).await? {
            return Ok(true);
        }
        let Some(start) = next else { return Ok(false) };
        let counts = store::count(tx, start, until).await?;
        let rows = counts.iter().flat_map(|(id, counts)| spread(*id, start, counts));
        store::add(tx, rows.collect()).await?;
        store::add_totals(tx, &counts).await?;
        Ok(true)
    })
    .await
}

/// The rows that a minute is added to.
fn spread(id: AccountId, at: Timestamp, counts: &Counts) -> [Model; 3] {
    [Span::Minute, Span::Hour, Span::Day].map(|span| Model {
        account_id: id,
        span,
        start: start_of(span, at),
        received: counts.received,
        sent: counts.sent,
        started: counts.started,
        closed: counts.closed,
        responses: counts.responses,
        response_seconds: counts.response_seconds,
        resolution_seconds: counts.resolution_seconds,
    })
}
