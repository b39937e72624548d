//! A provider that takes its time holds up its own accounts and nobody else.

use std::{sync::Arc, time::Duration};

use entity::{channel::ConnectorKind, connector_session, id::AttemptId, message::Status};
use quartermaster::{
    db, job,
    queue::{self, Work},
    signal::Signal,
};
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, Set};
use serde_json::json;

use crate::{
    conformance::{Remote, RemoteState, Scene, uid},
    support::{PartnerClient, TestApp, TokenClient, provider::Trouble, waha::Waha},
};

/// Longer than any provider is waited for in this test.
const FOREVER: Duration = Duration::from_secs(3600);

async fn wait_for(what: &str, app: &TestApp, is_so: impl AsyncFn() -> bool) {
    let all = async {
        while !is_so().await {
            app.app.signals.publish(Signal::Work);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(10), all).await;
    assert!(waited.is_ok(), "{what}");
}

/// A workspace of another partner, which is linked to a simulated phone.
struct Florist<'a> {
    partner: PartnerClient,
    workspace: String,
    /// One whose account is linked, and one whose is not.
    users: Vec<i64>,
    token: TokenClient,
    app: &'a TestApp,
}

impl<'a> Florist<'a> {
    async fn open(app: &'a TestApp) -> Self {
        let partner = app.partner("other").await;
        let workspace = partner.workspace("Florist", 3).await;
        let users = partner.users(&workspace, 2).await;
        partner.connect(&workspace, users[0], "+15550002222").await;
        let token = partner.get(&format!("/workspaces/{workspace}/api-token")).await.expect(200);
        let token = app.token(token["token"].as_str().expect("a token"));
        app.run_jobs().await;
        Self { partner, workspace, users, token, app }
    }

    /// Sends a message, which its recipient reads.
    async fn is_heard(&self) {
        let sent = uid(&self.token.send("+15557770000", "Hello").await.expect(200));
        wait_for("it is sent", self.app, async || self.app.message(sent).await.status == Status::Sent).await;
        self.app.clock.advance(Duration::from_secs(2));
        wait_for("its receipts come", self.app, async || self.app.message(sent).await.status == Status::Read).await;
    }

    /// Logs its phone out, which is seen.
    async fn ends(&self) {
        self.partner.post("/sandbox/logout", json!({ "phone": "+15550002222" })).await.expect(200);
        let is_gone =
            async || self.partner.overview(&self.workspace).await["whatsapp_accounts"][0]["connected"] == false;
        wait_for("its session ends", self.app, is_gone).await;
    }
}

#[tokio::test]
async fn a_provider_that_hangs_holds_up_nobody_else() {
    let scene = Scene::<Waha>::linked().await;
    let app = &scene.app;
    let florist = Florist::open(app).await;

    // Whatever the server is asked from now on, it does not answer.
    app.app.connectors.limit_to(FOREVER);
    for _ in 0..100 {
        scene.provider.asking.add(Trouble::RequestLost);
        scene.provider.sending.add(Trouble::RequestLost);
    }
    let second = scene.acme.users(&scene.workspace, 1).await[0];
    let waiting = scene.acme.page(&scene.workspace, second).await;
    let waiting = tokio::spawn(async move { waiting.try_start().await });
    let stuck = uid(&scene.token().await.send("+15557770000", "Held up").await.expect(200));
    Remote::change(&scene.provider, RemoteState::Down, false).await;
    let left = scene.provider.asking.left();
    let worker = tokio::spawn(job::work(Arc::clone(&app.app), app.app.stop.subscribe()));
    wait_for("the worker asks the server", app, async || scene.provider.asking.left() < left).await;

    let page = florist.partner.page(&florist.workspace, florist.users[1]).await;
    let first = page.start().await.code();
    florist.is_heard().await;
    app.clock.advance(Duration::from_secs(20));
    wait_for("a code is replaced", app, async || page.now().await.code() != first).await;
    florist.ends().await;
    let held_up = app.message(stuck).await.status;
    assert!([Status::Queued, Status::Sending, Status::Unknown].contains(&held_up), "{held_up:?}");
    worker.abort();
    waiting.abort();
}

/// More sessions at a server than it is asked for at once.
const SESSIONS: usize = 150;
/// More looks at them, all due before anything else, than are looked through at once.
const LOOKS_AT_EACH: usize = 8;

#[tokio::test]
async fn what_waits_for_a_provider_hides_nothing_else() {
    let scene = Scene::<Waha>::linked().await;
    let app = &scene.app;
    let florist = Florist::open(app).await;

    app.app.connectors.limit_to(FOREVER);
    for _ in 0..SESSIONS {
        scene.provider.asking.add(Trouble::RequestLost);
    }
    let known = connector_session::Entity::find().one(app.app.db.reader()).await.expect("a look").expect("a session");
    let ids: Vec<AttemptId> = (0..SESSIONS).map(|_| AttemptId(app.app.clock.uuid())).collect();
    db::write(&app.app.db, "test", async |tx| {
        for id in &ids {
            let mut row = known.clone().into_active_model().reset_all();
            let purpose = format!("connector_sessions:{id}:callback_secret");
            row.callback_secret = Set(app.app.vault.seal(&purpose, b"secret")?);
            row.id = Set(*id);
            connector_session::Entity::insert(row).exec_without_returning(tx).await?;
        }
        for _ in 0..LOOKS_AT_EACH {
            for session in &ids {
                let look = Work::SessionChanged { connector: ConnectorKind::Waha, session: *session };
                queue::enqueue(&app.app, tx, &look).await?;
            }
        }
        Ok(())
    })
    .await
    .expect("looks");
    app.clock.advance(Duration::from_secs(1));
    let worker = tokio::spawn(job::work(Arc::clone(&app.app), app.app.stop.subscribe()));
    wait_for("the server is asked for as many as may be", app, async || scene.provider.asking.left() <= SESSIONS - 128)
        .await;

    florist.is_heard().await;
    florist.ends().await;
    assert_eq!(scene.provider.asking.left(), SESSIONS - 128, "no more of them wait at once");
    worker.abort();
}

/// More looks at one session than any look at the queue finds.
const LOOKS_AT_ONE: usize = 1200;

#[tokio::test]
async fn a_session_that_hangs_hides_nothing_else() {
    let scene = Scene::<Waha>::linked().await;
    let app = &scene.app;
    let session = scene.channel().await.session;
    let florist = Florist::open(app).await;

    app.app.connectors.limit_to(FOREVER);
    scene.provider.asking.add(Trouble::RequestLost);
    let look = Work::SessionChanged { connector: ConnectorKind::Waha, session };
    db::write(&app.app.db, "test", async |tx| {
        for _ in 0..LOOKS_AT_ONE {
            queue::enqueue(&app.app, tx, &look).await?;
        }
        Ok(())
    })
    .await
    .expect("looks");
    app.clock.advance(Duration::from_secs(1));
    let worker = tokio::spawn(job::work(Arc::clone(&app.app), app.app.stop.subscribe()));
    wait_for("the worker asks the server", app, async || scene.provider.asking.left() == 0).await;
    florist.ends().await;
    worker.abort();
}
