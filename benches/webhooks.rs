//! Webhooks to partners' endpoints and to many workspaces' own, which answer at once: how many are delivered, signed and
//! logged, and how long one takes from the commit of its event, or from the message that reaches a threshold, until it
//! arrives. Those of workspaces are to arrive in order, which is looked at too.
//!
//! Events are written straight into the tables, as the product writes them. The endpoints are one handler in this
//! process, at a path for each.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use entity::{
    credits::Credits,
    delivery, event,
    id::{DeliveryId, EventId, PartnerId},
    send_queue,
    timestamp::Timestamp,
};
use futures_util::future::join_all;
use poem::{EndpointExt, Route, Server, handler, http::StatusCode, listener::TcpListener, post, web::Data};
use quartermaster::{app::App, clock::Clock, db, signal::Signal, webhook::Owner};
use reqwest::Client;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, sea_query::Expr};
use serde_json::json;
use tokio::sync::Notify;

use crate::{
    load,
    message::PATH,
    place::Place,
    process::free_address,
    report::{Report, Target},
    seed,
    series::{LENGTH, RUNS, Run, Series, at},
    webhooks::recipients::{PARTNERS, SUBSCRIPTIONS},
};

mod recipients;

const BACKLOG: usize = 30_000;
const IN_FLIGHT: usize = 64;
const PER_SECOND: u64 = 1000;
/// Those that store events at [`PER_SECOND`] in all.
const SOURCES: u64 = 20;
const CROSSINGS: i64 = 300;
/// A workspace's credits: the ninth message is 90 %.
const CREDITS: i64 = 10;
const BEFORE_CROSSING: usize = 8;
const PATIENCE: Duration = Duration::from_secs(60);
const ROWS: usize = 1000;
const BODY_BYTES: usize = 400;

/// What has arrived.
#[derive(Default)]
struct Arrivals {
    seen: Mutex<Seen>,
    one: Notify,
}

#[derive(Default)]
struct Seen {
    /// When each webhook arrived, by its id.
    times: HashMap<String, Timestamp>,
    /// The one that arrived last at each path.
    last: HashMap<String, String>,
    /// How many arrived after one of the same path that had happened later.
    late: u64,
}

impl Arrivals {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self) -> usize {
        self.seen().times.len()
    }

    /// Waits until there are so many; takes them.
    async fn take(&self, count: usize) -> HashMap<String, Timestamp> {
        let all = async {
            while self.count() < count {
                let next = self.one.notified();
                if self.count() < count {
                    next.await;
                }
            }
        };
        let waited = tokio::time::timeout(PATIENCE, all).await;
        assert!(waited.is_ok(), "{} of {count} webhooks arrived", self.count());
        std::mem::take(&mut self.seen().times)
    }
}

#[handler]
fn receive(request: &poem::Request, arrivals: Data<&Arc<Arrivals>>) -> StatusCode {
    let id = request.header("webhook-id").unwrap_or_default().to_owned();
    let path = request.uri().path().to_owned();
    let now = Clock::system().now();
    let mut seen = arrivals.seen();
    // Ids are in the order of time.
    let before = seen.last.insert(path, id.clone());
    seen.late += u64::from(before.is_some_and(|before| before > id));
    seen.times.entry(id).or_insert(now);
    drop(seen);
    arrivals.one.notify_one();
    StatusCode::NO_CONTENT
}

pub(crate) async fn measure(report: &mut Report) {
    let place = Place::clustered("bench_webhooks").await;
    let app = place.app().await;
    let (of_partners, of_workspaces) = (Arc::new(Arrivals::default()), Arc::new(Arrivals::default()));
    let address = free_address();
    let receiver = Route::new()
        .at("/partners/:name", post(receive).data(Arc::clone(&of_partners)))
        .at("/workspaces/:name", post(receive).data(Arc::clone(&of_workspaces)));
    tokio::spawn(Server::new(TcpListener::bind(address)).run(receiver));
    let tokens = seed::customers_with(&app, CROSSINGS, Credits(CREDITS)).await.tokens;
    let url = format!("http://{address}");
    let partners = recipients::partners(&app, &format!("{url}/partners")).await;
    let workspaces = recipients::subscriptions(&place, &tokens, &format!("{url}/workspaces")).await;
    let both = [
        (&of_partners, partners, format!("{PARTNERS} endpoints")),
        (&of_workspaces, workspaces, format!("{SUBSCRIPTIONS} webhooks of workspaces")),
    ];

    let (mut floor, mut products) = (Vec::new(), [Vec::new(), Vec::new()]);
    for _ in 0..RUNS {
        floor.push(posted(&of_partners, &format!("{url}/partners/floor")).await);
        for ((arrivals, owners, _), runs) in both.iter().zip(&mut products) {
            runs.push(delivered(&app, &place, arrivals, owners).await);
        }
    }
    let floor = Series { name: format!("floor: posted by {IN_FLIGHT} at a time, unsigned, unlogged"), runs: floor };
    report.throughput(&floor, Target::NONE);
    for ((_, _, to), runs) in both.iter().zip(products) {
        let product = Series { name: format!("delivered of {BACKLOG} that waited, {to}"), runs };
        report.throughput(&product, Target { per_second: 5000.0, ..Target::NONE });
        report.share(&product, &floor, None);
    }

    let _worker = place.both();
    for (arrivals, owners, to) in &both {
        let mut runs = Vec::new();
        for _ in 0..RUNS {
            runs.push(paced(&app, arrivals, owners).await);
        }
        let name = format!("stored → received at {PER_SECOND}/s, {to}");
        report.throughput(&Series { name, runs }, Target { p50_ms: 10.0, p99_ms: 100.0, ..Target::NONE });
    }
    let late = of_workspaces.seen().late;
    report.note("webhooks of workspaces, told after something that happened later", &late.to_string());
    hold_queues(&app).await;
    crossed(report, &place, &of_partners, &tokens).await;
    app.db.clone().close().await;
}

/// Posts as many bodies as [`delivered`] delivers, by as many at a time.
async fn posted(arrivals: &Arrivals, url: &str) -> Run {
    let (client, body) = (load::client(), body());
    let watch = Clock::system().stopwatch();
    let share = |first: usize| {
        let (client, url, body) = (client.clone(), url.to_owned(), body.clone());
        tokio::spawn(async move {
            for number in (first..BACKLOG).step_by(IN_FLIGHT) {
                let request = client.post(&url).header("webhook-id", number.to_string()).body(body.clone());
                request.send().await.expect("an answer");
            }
        })
    };
    join_all((0..IN_FLIGHT).map(share)).await;
    let elapsed = watch.elapsed();
    arrivals.take(BACKLOG).await;
    Run::of(vec![Duration::ZERO; BACKLOG], elapsed, 0)
}

/// Lets a worker deliver what waits, from its first arrival to its last.
async fn delivered(app: &App, place: &Place, arrivals: &Arrivals, owners: &[Owner]) -> Run {
    for first in (0..BACKLOG).step_by(ROWS) {
        let some: Vec<_> = (first..first + ROWS).map(|number| news(app, &owners[number % owners.len()])).collect();
        store(app, some).await;
    }
    let worker = place.both();
    let before = worker.processor_seconds();
    let mut times: Vec<i64> = arrivals.take(BACKLOG).await.into_values().map(|at| at.0).collect();
    let used = worker.processor_seconds() - before;
    written_down(app).await;
    times.sort_unstable();
    let elapsed = Duration::from_micros((times[BACKLOG - 1] - times[0]).unsigned_abs());
    let each = used * 1e6 / f64::from(u32::try_from(BACKLOG).expect("a count"));
    Run { server_us: Some(each), ..Run::of(vec![Duration::ZERO; BACKLOG], elapsed, 0) }
}

/// Waits until the worker has written down everything that arrived: what it had not would be delivered again.
async fn written_down(app: &App) {
    let waiting = async {
        let pending = || delivery::Entity::find().filter(delivery::Column::State.eq(delivery::State::Pending));
        while pending().count(app.db.reader()).await.expect("a count") > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("everything written down");
}

/// Stores events at a steady rate, one in a transaction, and sees how long each takes from then until it arrives.
async fn paced(app: &Arc<App>, arrivals: &Arrivals, owners: &[Owner]) -> Run {
    let count = PER_SECOND * LENGTH.as_secs();
    let beginning = tokio::time::Instant::now();
    let source = |first: u64| {
        let (app, owners) = (Arc::clone(app), owners.to_vec());
        tokio::spawn(async move {
            let mut stored = Vec::new();
            for number in (first..count).step_by(usize::try_from(SOURCES).expect("a step")) {
                tokio::time::sleep_until(beginning + Duration::from_micros(number * 1_000_000 / PER_SECOND)).await;
                let owner = &owners[usize::try_from(number).expect("a number") % owners.len()];
                let news = news(&app, owner);
                let id = news.0.id.to_string();
                store(&app, vec![news]).await;
                stored.push((id, app.clock.now()));
                app.signals.publish(Signal::Event);
            }
            stored
        })
    };
    let sources: Vec<_> = (0..SOURCES).map(source).collect();
    let mut stored = Vec::new();
    for source in sources {
        stored.extend(source.await.expect("events"));
    }
    let arrived = arrivals.take(stored.len()).await;
    let took = |(id, at): &(String, Timestamp)| {
        let arrived = arrived.get(id).expect("an arrival");
        // It can arrive before whoever stored it looks at the clock.
        Duration::from_micros(u64::try_from(arrived.0 - at.0).unwrap_or(0))
    };
    Run::of(stored.iter().map(took).collect(), LENGTH, 0)
}

/// Sends messages to the mark, one workspace after the other, and sees how long the webhook takes from the answer.
async fn crossed(report: &mut Report, place: &Place, arrivals: &Arrivals, tokens: &[String]) {
    let server = place.serve();
    let (client, url) = (load::client(), format!("http://{}{PATH}", server.address));
    let mut took = Vec::new();
    for token in tokens {
        for _ in 0..BEFORE_CROSSING {
            send(&client, &url, token).await;
        }
        assert_eq!(arrivals.count(), 0, "a threshold was told too early");
        send(&client, &url, token).await;
        let answered = Clock::system().now();
        let arrived = arrivals.take(1).await.into_values().next().expect("an arrival");
        took.push(Duration::from_micros(u64::try_from(arrived.0 - answered.0).unwrap_or(0)));
    }
    took.sort_unstable();
    report.time("threshold reached → first attempt, p50", at(&took, 500), None);
    let name = format!("threshold reached → first attempt, p99 of {CROSSINGS}");
    report.time(&name, at(&took, 990), Some(Duration::from_millis(250)));
}

/// Lets no channel send within the hour: what fails is refunded, and would move the mark.
async fn hold_queues(app: &App) {
    let later = Timestamp(app.clock.now().0 + 3_600_000_000);
    let held = db::write(&app.db, "queues", async |tx| {
        let update = send_queue::Entity::update_many()
            .col_expr(send_queue::Column::Queued, Expr::value(1))
            .col_expr(send_queue::Column::DueAt, Expr::value(later));
        Ok(update.exec(tx).await?)
    });
    held.await.expect("queues");
}

async fn send(client: &Client, url: &str, token: &str) {
    let body = json!({ "phone": "+15550001111", "text": "hello" }).to_string();
    let request = client.post(url).bearer_auth(token).header("content-type", "application/json").body(body);
    let answer = request.send().await.and_then(reqwest::Response::error_for_status).expect("an accepted message");
    answer.bytes().await.expect("a body");
}

fn news(app: &App, owner: &Owner) -> (event::Model, delivery::Model) {
    let now = app.clock.now();
    let (partner_id, subscription_id) = match owner {
        Owner::Partner(id) => (Some(id.clone()), None),
        Owner::Subscription(id) => (None, Some(*id)),
    };
    let of_workspaces = || PartnerId::parse(seed::PARTNER).expect("an id");
    let event = event::Model {
        id: EventId(app.clock.uuid()),
        partner_id: partner_id.clone().unwrap_or_else(of_workspaces),
        workspace_id: None,
        kind: "workspace:quota_near_full:messaging".to_owned(),
        body: body(),
        unique_key: None,
        created_at: now,
    };
    let delivery = delivery::Model {
        id: DeliveryId(app.clock.uuid()),
        event_id: event.id,
        partner_id,
        subscription_id,
        sequence: None,
        state: delivery::State::Pending,
        tries: 0,
        due_at: Some(now),
        lease: None,
        created_at: now,
        finished_at: None,
    };
    (event, delivery)
}

async fn store(app: &App, news: Vec<(event::Model, delivery::Model)>) {
    let written = db::write(&app.db, "news", async |tx| {
        let (events, deliveries): (Vec<_>, Vec<_>) = news
            .iter()
            .cloned()
            .map(|(event, delivery)| (event.into_active_model(), delivery.into_active_model()))
            .unzip();
        event::Entity::insert_many(events).exec_without_returning(tx).await?;
        Ok(delivery::Entity::insert_many(deliveries).exec_without_returning(tx).await?)
    });
    written.await.expect("events");
}

/// As long as the body of a quota's event.
fn body() -> String {
    json!({ "event_type": "workspace:quota_near_full:messaging", "data": "x".repeat(BODY_BYTES) }).to_string()
}
