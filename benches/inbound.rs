//! Messages that come from outside, at the rate that is promised, for a minute, through a simulated phone: on both
//! databases, stored once each. A worker runs too.

use std::time::Duration;

use entity::{
    channel,
    id::{AccountId, PartnerId},
    sandbox_session,
};
use quartermaster::app::App;
use sea_orm::{ColumnTrait, ConnectionTrait, Database, EntityTrait, IntoActiveModel, QueryFilter, Statement};
use serde_json::{Value, json};

use crate::{
    floors, open_loop,
    place::Place,
    process::Target as Requests,
    report::{Report, Target},
    seed::{self, FIRST_ID},
    series::{LENGTH, Series},
    wrk,
};

const PATH: &str = "/sandbox/inbound";
const PER_SECOND: f64 = 500.0;
const MINUTE: Duration = Duration::from_secs(60);
const PEOPLE: usize = 1000;
const CONNECTIONS: u32 = 16;
const TARGET: Target = Target { per_second: 0.99 * PER_SECOND, ..Target::NONE };

pub(crate) async fn measure(report: &mut Report) {
    let floor = floors::start("constant", &[]);
    let constant = Requests::anonymous(&floor, floors::PATH);
    let run = open_loop::run(&constant, PER_SECOND, LENGTH).run;
    report.throughput(&Series { name: "floor: a constant at 500/s".to_owned(), runs: vec![run] }, Target::NONE);
    on(report, &Place::embedded(), "SQLite").await;
    on(report, &Place::clustered("bench_inbound").await, "PostgreSQL").await;
}

async fn on(report: &mut Report, place: &Place, database: &str) {
    let app = place.app().await;
    seed::customers(&app, 1).await;
    let phone = link(&app).await;
    app.db.clone().close().await;
    let product = place.both();
    let body = |person: usize| json!({ "phone": phone, "from": format!("+4915{person:08}"), "text": "Is it ready?" });
    let requests: Vec<(Option<&str>, Value)> = (0..PEOPLE).map(|person| (None, body(person))).collect();
    let target = Requests::post(&product, PATH, &requests);
    let most = wrk::run(&target, CONNECTIONS, LENGTH);
    let name = format!("{database}, the most from {CONNECTIONS} connections");
    report.throughput(&Series { name, runs: vec![most] }, Target::NONE);
    let before = product.resident_mib();
    let minute = open_loop::run(&target, PER_SECOND, MINUTE).run;
    let after = product.resident_mib();
    report.throughput(&Series { name: format!("{database}, 500/s for a minute"), runs: vec![minute] }, TARGET);
    report
        .note(&format!("{database}, memory before and after the minute"), &format!("{before:.1} MiB, {after:.1} MiB"));
    check(report, place, database, target.answered()).await;
}

/// Links a phone to the channel of the workspace; its number.
async fn link(app: &App) -> String {
    let channel = channel::Entity::find()
        .filter(channel::Column::AccountId.eq(AccountId(FIRST_ID)))
        .one(app.db.reader())
        .await
        .expect("the channel")
        .expect("a channel");
    let session = sandbox_session::Model {
        id: channel.session,
        partner_id: PartnerId::parse(seed::PARTNER).expect("an id"),
        network: channel.network,
        state: sandbox_session::State::Linked,
        phone: Some(channel.phone.clone()),
        account: None,
        checkpoint: None,
        pairing_code: None,
        pairing_phone: None,
        pairing_expires_at: None,
        created_at: app.clock.now(),
    };
    let written = quartermaster::db::write(&app.db, "seed", async |tx| {
        sandbox_session::Entity::insert(session.into_active_model()).exec_without_returning(tx).await?;
        Ok(())
    });
    written.await.expect("a session");
    channel.phone
}

/// Panics unless every message that was answered is stored, none twice, and each chat is there once.
async fn check(report: &mut Report, place: &Place, database: &str, answered: u64) {
    let connection = Database::connect(place.database_url()).await.expect("the database");
    let sql = "SELECT count(*) AS stored, count(DISTINCT provider_ref) AS kept, count(DISTINCT chat_id) AS chats \
               FROM messages";
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let row = connection.query_one_raw(statement).await.expect("counts").expect("counts");
    let count = |name| row.try_get::<i64>("", name).expect("a count");
    let (stored, kept) = (count("stored"), count("kept"));
    assert_eq!(stored, kept, "a message is stored twice");
    assert!(u64::try_from(stored).is_ok_and(|stored| stored >= answered), "{answered} were answered, {stored} stored");
    assert_eq!(count("chats"), i64::try_from(PEOPLE).expect("a number"), "one chat for each person");
    report.note(&format!("{database}, answered, of those stored once"), &format!("{answered} of {stored}"));
}
