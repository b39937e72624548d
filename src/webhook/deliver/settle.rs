//! Writing down what came of tries, many in one transaction. What is not this turn's any more is passed over: it has
//! been written down before, by a commit that was not answered, or somebody else tries it again.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use entity::{
    delivery::State,
    delivery_attempt,
    id::{DeliveryId, LeaseId, PartnerId, SubscriptionId},
    timestamp::Timestamp,
};
use sea_orm::{DatabaseTransaction, Set};

use crate::{
    app::App,
    audit,
    caller::{Actor, Origin},
    db,
    error::Result,
    webhook::{
        Owner,
        deliver::{
            lanes::Ticket,
            send::{Place, Target, Tried},
            store,
        },
        retry::{self, Answer, Step},
        subscription::warning,
    },
};

const GONE: &str = "the endpoint answered 410 Gone";
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(500);

/// What came of a leased delivery.
pub(super) struct Outcome {
    pub(super) delivery_id: DeliveryId,
    /// How many tries there were before.
    pub(super) tries: i32,
    pub(super) target: Arc<Target>,
    /// Its try and what follows; absent if it was not tried.
    pub(super) tried: Option<(Tried, Step)>,
    /// Whether the endpoint failed the last time.
    pub(super) had_failed: bool,
    /// Freed with the outcome, after it has been written down.
    pub(super) _ticket: Ticket,
}

/// Writes outcomes down. If the database does not take them, the leases end and the deliveries are made again.
pub(super) async fn settle(app: &App, lease: LeaseId, outcomes: &[Outcome]) {
    for attempt in 1..=TRIES {
        match db::retried(|| settle_once(app, lease, outcomes)).await {
            Ok(news) => return news.iter().for_each(log),
            Err(error) if attempt == TRIES => {
                tracing::error!(%error, count = outcomes.len(), "deliveries were made and not written down");
            }
            Err(error) => {
                tracing::warn!(%error, count = outcomes.len(), "deliveries are written down later");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// What changed about an endpoint.
enum News {
    Fails(Owner),
    Works(Owner),
    Gone(Owner),
}

fn log(news: &News) {
    match news {
        News::Fails(owner) => tracing::warn!(webhook.owner = %owner, "a webhook endpoint fails"),
        News::Works(owner) => tracing::info!(webhook.owner = %owner, "a webhook endpoint works again"),
        News::Gone(owner) => tracing::warn!(webhook.owner = %owner, "a webhook endpoint is gone and was disabled"),
    }
}

async fn settle_once(app: &App, lease: LeaseId, outcomes: &[Outcome]) -> Result<Vec<News>> {
    let now = app.clock.now();
    db::write(&app.db, "delivery.settle", async |tx| {
        let ids = outcomes.iter().map(|outcome| outcome.delivery_id).collect();
        let ours = store::still_leased(tx, lease, ids).await?;
        let outcomes: Vec<&Outcome> =
            outcomes.iter().filter(|one| ours.contains(&(one.delivery_id, one.tries))).collect();
        if outcomes.is_empty() {
            return Ok(Vec::new());
        }
        store::insert_attempts(tx, outcomes.iter().copied().filter_map(attempt).collect()).await?;
        let of = |wanted: fn(&Option<Step>) -> bool| -> Vec<DeliveryId> {
            let step = |outcome: &Outcome| outcome.tried.as_ref().map(|(_, step)| *step);
            outcomes.iter().filter(|outcome| wanted(&step(outcome))).map(|outcome| outcome.delivery_id).collect()
        };
        let delivered = of(|step| matches!(step, Some(Step::Delivered)));
        let dead = of(|step| matches!(step, Some(Step::Dead | Step::Gone)));
        store::finish(tx, lease, delivered, State::Delivered, now).await?;
        store::finish(tx, lease, dead, State::Dead, now).await?;
        store::give_back(tx, lease, of(Option::is_none), now).await?;
        for outcome in &outcomes {
            if let Some((_, Step::Again(due_at))) = outcome.tried {
                store::postpone(tx, lease, outcome.delivery_id, due_at).await?;
            }
        }
        let mut news = endpoints(app, tx, &outcomes, now).await?;
        news.extend(subscriptions(app, tx, &outcomes).await?);
        Ok(news)
    })
    .await
}

fn attempt(outcome: &Outcome) -> Option<delivery_attempt::ActiveModel> {
    let (tried, _) = outcome.tried.as_ref()?;
    let status = match tried.answer {
        Answer::Status { code, .. } => Some(i32::from(code)),
        _ => None,
    };
    Some(delivery_attempt::ActiveModel {
        delivery_id: Set(outcome.delivery_id),
        at: Set(tried.at),
        duration_ms: Set(tried.duration_ms),
        status: Set(status),
        error: Set(retry::complaint(outcome.target.policy, &tried.answer)),
        ..Default::default()
    })
}

/// Remembers how the partners' endpoints do: the last try of each counts. Partners come in the order of their ids, so that
/// workers never wait for each other in a circle.
async fn endpoints(app: &App, tx: &DatabaseTransaction, outcomes: &[&Outcome], now: Timestamp) -> Result<Vec<News>> {
    let mut last: BTreeMap<&PartnerId, (&Outcome, Step)> = BTreeMap::new();
    for &outcome in outcomes {
        if let (Some((_, step)), Owner::Partner(id)) = (&outcome.tried, &outcome.target.owner) {
            last.insert(id, (outcome, *step));
        }
    }
    let mut news = Vec::new();
    for (id, (outcome, step)) in last {
        let Place::Endpoint { url, is_failing, .. } = &outcome.target.place else { continue };
        let owner = || Owner::Partner(id.clone());
        match step {
            Step::Delivered => {
                if (*is_failing || outcome.had_failed) && store::set_working(tx, id).await? {
                    news.push(News::Works(owner()));
                }
            }
            Step::Gone => {
                if store::disable(tx, id, url, GONE, now).await? {
                    let origin = Origin { actor: Actor::Endpoint(id.clone()), request_id: None };
                    let entry = audit::Entry::of_partner("webhook.disable", id).after(GONE);
                    audit::record(app, tx, &origin, entry).await?;
                    news.push(News::Gone(owner()));
                }
            }
            Step::Again(_) | Step::Dead => {
                if store::set_failing(tx, id, url, now).await? {
                    news.push(News::Fails(owner()));
                }
            }
        }
    }
    Ok(news)
}

/// What tries of a subscription's address came to, in their order.
struct Count<'a> {
    url: &'a str,
    /// Failures since the last success, or since the last that was written down.
    errors: i64,
    has_succeeded: bool,
    /// Whether failures are written down already, as far as this worker knows.
    had_failed: bool,
}

/// Counts the failures of subscriptions since their last success. They come in the order of their ids, after the
/// partners.
async fn subscriptions(app: &App, tx: &DatabaseTransaction, outcomes: &[&Outcome]) -> Result<Vec<News>> {
    let mut counts: BTreeMap<SubscriptionId, Count<'_>> = BTreeMap::new();
    for outcome in outcomes {
        let (Some((tried, step)), Owner::Subscription(id)) = (&outcome.tried, &outcome.target.owner) else { continue };
        let Place::Endpoint { url, is_failing, .. } = &outcome.target.place else { continue };
        if matches!(tried.answer, Answer::Nobody(_)) {
            continue;
        }
        let nothing = Count { url, errors: 0, has_succeeded: false, had_failed: false };
        let count = counts.entry(*id).or_insert(nothing);
        count.had_failed |= *is_failing || outcome.had_failed;
        match step {
            Step::Delivered => (count.errors, count.has_succeeded) = (0, true),
            Step::Again(_) | Step::Dead | Step::Gone => count.errors += 1,
        }
    }
    let mut news = Vec::new();
    for (id, count) in counts {
        if count.errors == 0 && !count.had_failed {
            continue;
        }
        let counted = store::count_errors(tx, id, count.url, count.errors, count.has_succeeded).await?;
        if let Some(counted) = counted
            && warning::is_due(counted.errors_counter, count.errors)
        {
            warning::enqueue(app, tx, counted.workspace_id, id).await?;
        }
        match (count.errors > 0, count.had_failed) {
            (true, false) => news.push(News::Fails(Owner::Subscription(id))),
            (false, true) => news.push(News::Works(Owner::Subscription(id))),
            _ => {}
        }
    }
    Ok(news)
}
