//! Linking, and what becomes of sessions.

mod first_code;
mod meanwhile;
mod prefixed;

use std::time::Duration;

use entity::{attempt, channel};
use reqwest::Method;
use sea_orm::{EntityTrait, QueryOrder};
use serde_json::{Value, json};

use crate::{
    conformance::{OURS, Provider, Remote, RemoteState, Scene, THEIRS},
    support::{Answer, provider::Trouble},
};

async fn newest_attempt<P: Provider>(scene: &Scene<P>) -> attempt::Model {
    let newest = attempt::Entity::find().order_by_desc(attempt::Column::Id);
    newest.one(scene.app.app.db.reader()).await.expect("a look").expect("an attempt")
}

pub(crate) async fn codes_are_replaced_and_run_out<P: Provider>() {
    let scene = Scene::<P>::new().await;
    let page = scene.page().await;
    page.start().await;
    let mut codes = Vec::new();
    for seq in 1..=P::CODES {
        codes.push(scene.provider.show_code(&scene.app, &page).await);
        let shown = page.now().await;
        assert_eq!((shown.state(), &shown.0["qr"]["seq"]), ("awaiting_scan", &seq.into()));
        assert!(shown.0["qr"]["expires_in_ms"].as_i64().is_some_and(|left| left > 0), "{}", shown.0);
    }
    codes.dedup();
    assert_eq!(codes.len(), usize::try_from(P::CODES).expect("a count"));
    scene.provider.run_out(&scene.app).await;
    let shown = page.now().await;
    assert_eq!((shown.state(), &shown.0["error"]["code"]), ("expired", &"qr_expired".into()));
    scene.app.run_jobs().await;
    let attempt = newest_attempt(&scene).await;
    assert!(scene.provider.is_gone(&scene.app, attempt.id).await, "nothing is left at the provider");
    // One call begins anew.
    page.start().await;
    let code = scene.provider.show_code(&scene.app, &page).await;
    assert!(!codes.contains(&code));
}

pub(crate) async fn an_abandoned_attempt_leaves_nothing<P: Provider>() {
    let scene = Scene::<P>::new().await;
    let page = scene.page().await;
    page.start().await;
    scene.provider.show_code(&scene.app, &page).await;
    let attempt = newest_attempt(&scene).await;
    scene.acme.delete(&format!("/workspaces/{}/users/{}/qr", scene.workspace, scene.user)).await.expect(200);
    scene.app.run_jobs().await;
    assert!(scene.provider.is_gone(&scene.app, attempt.id).await);
    assert_eq!(channel::Entity::find().one(scene.app.app.db.reader()).await.expect("a look"), None);
}

pub(crate) async fn a_phone_that_logs_out_is_told<P: Provider>() {
    let scene = Scene::<P>::linked().await;
    assert_eq!(scene.account().await["connected"], true);
    scene.provider.log_out(&scene.app).await;
    scene.app.run_jobs().await;
    assert_eq!(scene.account().await["connected"], false);
    let channel = scene.channel().await;
    assert_eq!(channel.disconnect_reason, Some(channel::DisconnectReason::LoggedOut));
    assert_eq!(scene.provider.is_gone(&scene.app, channel.session).await, !P::KEEPS_ACCOUNTS);
    let sent = scene.token().await.send(THEIRS, "Hello").await;
    assert!(sent.status.is_client_error(), "{sent:?}");
    // The same number comes back to the same account.
    let again = scene.link().await;
    assert_eq!((again.account_id, again.id), (channel.account_id, channel.id));
    assert_ne!(again.session, channel.session);
    scene.app.run_jobs().await;
    assert!(scene.provider.is_gone(&scene.app, channel.session).await, "another has taken its place");
}

pub(crate) async fn wrong_credentials_are_told_and_cost_no_account<P: Remote>() {
    let scene = Scene::<P>::new().await;
    scene.provider.refuse_key(true);
    let page = scene.page().await;
    let shown = page.start().await;
    assert_eq!((shown.state(), &shown.0["error"]["code"]), ("failed", &"auth_invalid".into()));
    scene.provider.refuse_key(false);
    let session = scene.link().await.session;
    scene.provider.refuse_key(true);
    scene.provider.change(RemoteState::Down, false).await;
    scene.app.run_jobs().await;
    assert_eq!(scene.account().await["connected"], true, "our mistake is not the customer's");
    scene.provider.refuse_key(false);
    scene.provider.change(RemoteState::Working, true).await;
    scene.app.advance(2).await;
    assert_eq!(scene.channel().await.session, session);
    assert_eq!(scene.account().await["connected"], true);
}

pub(crate) async fn a_provider_in_trouble_fails_no_attempt_at_once<P: Remote>() {
    let scene = Scene::<P>::new().await;
    let page = scene.page().await;
    for trouble in [Trouble::Unavailable, Trouble::Limited(Some(7)), Trouble::AnswerLost, Trouble::CutOff] {
        scene.provider.trouble_asking(trouble);
    }
    assert_eq!(page.start().await.state(), "connecting");
    for _ in 0..3 {
        scene.app.advance(10).await;
        assert_eq!(page.now().await.state(), "connecting");
    }
    scene.app.advance(10).await;
    assert_eq!(page.now().await.state(), if P::CODES == 1 { "awaiting_scan" } else { "connecting" });
    let code = scene.provider.show_code(&scene.app, &page).await;
    scene.provider.link(&scene.app, &code).await;
    scene.app.run_jobs().await;
    assert_eq!(scene.account().await["connected"], true);
}

pub(crate) async fn states_that_nobody_knows_change_nothing<P: Remote>() {
    let scene = Scene::<P>::new().await;
    let page = scene.page().await;
    page.start().await;
    scene.provider.change(RemoteState::Unheard, false).await;
    scene.app.advance(5).await;
    assert_eq!(page.now().await.state(), if P::CODES == 1 { "awaiting_scan" } else { "connecting" });
    let code = scene.provider.show_code(&scene.app, &page).await;
    scene.provider.change(RemoteState::Unheard, false).await;
    scene.app.advance(5).await;
    assert_eq!(page.now().await.code(), code);
    scene.provider.link(&scene.app, &code).await;
    scene.app.run_jobs().await;
    scene.provider.change(RemoteState::Unheard, false).await;
    scene.app.advance(5).await;
    assert_eq!(scene.account().await["connected"], true);
}

pub(crate) async fn a_session_that_is_down_is_repaired_or_given_up<P: Remote>() {
    let scene = Scene::<P>::linked().await;
    scene.provider.change(RemoteState::Down, false).await;
    scene.app.run_jobs().await;
    assert_eq!(scene.provider.restarts(), 1);
    scene.provider.change(RemoteState::Down, false).await;
    scene.app.run_jobs().await;
    assert_eq!(scene.provider.restarts(), 1, "it is given time");
    scene.provider.change(RemoteState::Working, false).await;
    scene.app.advance(31).await;
    assert_eq!((scene.provider.restarts(), scene.account().await["connected"].clone()), (1, true.into()));
    // The next time it stays down.
    scene.provider.change(RemoteState::Down, false).await;
    scene.app.run_jobs().await;
    for (seconds, restarts) in [(30, 3), (60, 4), (119, 4)] {
        assert_eq!(scene.account().await["connected"], true);
        scene.app.advance(seconds).await;
        assert_eq!(scene.provider.restarts(), restarts);
    }
    scene.app.advance(1).await;
    assert_eq!(scene.account().await["connected"], false);
    scene.app.advance(600).await;
    let channel = scene.channel().await;
    assert_eq!(channel.disconnect_reason, Some(channel::DisconnectReason::Stopped));
    assert_eq!(scene.provider.restarts(), 4);
    assert!(!scene.provider.is_gone(&scene.app, channel.session).await, "it may come back");
    let path = format!("/workspaces/{}/users/{}/whatsapp/disconnect", scene.workspace, scene.user);
    scene.acme.post(&path, json!(null)).await.expect(200);
    scene.app.run_jobs().await;
    assert!(scene.provider.is_gone(&scene.app, channel.session).await, "nothing is left at the provider");
}

/// Whether its provider says so, or is asked.
pub(crate) async fn a_session_that_was_given_up_may_come_back<P: Remote>() {
    for is_silent in [false, true] {
        let scene = Scene::<P>::linked().await;
        let before = scene.channel().await;
        scene.provider.change(RemoteState::Down, false).await;
        for seconds in [0, 30, 60, 120] {
            scene.app.advance(seconds).await;
        }
        assert_eq!(scene.account().await["connected"], false);
        let id = scene.token().await.send(THEIRS, "Hello").await;
        assert!(id.status.is_client_error(), "{id:?}");
        scene.provider.change(RemoteState::Working, is_silent).await;
        if is_silent {
            scene.app.clock.advance(Duration::from_secs(301));
            quartermaster::connector::session::probe(&scene.app.app).await.expect("a probe");
        }
        scene.app.run_jobs().await;
        let after = scene.channel().await;
        assert_eq!(
            (after.state, after.session, after.disconnect_reason),
            (channel::State::Connected, before.session, None)
        );
        assert_eq!(scene.account().await["connected"], true);
        scene.send(THEIRS, "Hello").await;
        scene.app.advance(5).await;
        assert_eq!(scene.provider.taken(&scene.app, "Hello").await, 1);
        // The next time that it is down it is repaired as the first time.
        let restarts = scene.provider.restarts();
        scene.provider.change(RemoteState::Down, false).await;
        scene.app.run_jobs().await;
        assert_eq!(scene.provider.restarts(), restarts + 1);
    }
}

pub(crate) async fn a_lost_word_about_a_session_is_made_good<P: Remote>() {
    let scene = Scene::<P>::linked().await;
    scene.provider.change(RemoteState::AsksForCode, true).await;
    scene.app.clock.advance(Duration::from_secs(299));
    let probe = async || quartermaster::connector::session::probe(&scene.app.app).await.expect("a probe");
    assert_eq!(probe().await, 0);
    scene.app.clock.advance(Duration::from_secs(2));
    assert_eq!(probe().await, 1);
    assert_eq!(probe().await, 0);
    assert_eq!(scene.account().await["connected"], true);
    scene.app.run_jobs().await;
    assert_eq!(scene.account().await["connected"], false);
}

pub(crate) async fn channels_are_linked_over_the_channels_api<P: Remote>() {
    let scene = Scene::<P>::new().await;
    let token = scene.token().await;
    let call = async |method: Method, path: &str, body: Value| {
        let request = scene.app.http.request(method, format!("{}/v1/channels{path}", scene.app.base));
        Answer::of(request.header("x-api-key", token.token()).json(&body)).await
    };
    let made = call(Method::POST, "", json!({ "name": "Support", "type": "whatsapp" })).await.expect(201);
    let path = format!("/{}", made["id"].as_str().expect("an id"));
    let (connect, code_path) = (format!("{path}/connect"), format!("{path}/qr-code"));
    let mut kept = None;
    for round in 0..2 {
        let waiting = call(Method::POST, &connect, json!({})).await.expect(200);
        if let Some(kept) = kept.take() {
            scene.app.run_jobs().await;
            assert!(scene.provider.is_gone(&scene.app, kept).await, "another takes its place");
        }
        assert_ne!(waiting["status"], "connected");
        let code = scene.provider.next_code(&scene.app).await;
        let shown = call(Method::GET, &code_path, json!(null)).await.expect(200);
        assert_eq!(shown["qr"], code, "{round}");
        scene.provider.link(&scene.app, &code).await;
        scene.app.run_jobs().await;
        let connected = call(Method::GET, &path, json!(null)).await.expect(200);
        assert_eq!((&connected["status"], &connected["phone_number"]), (&json!("connected"), &json!(OURS)));
        let text = format!("Hello {round}");
        call(Method::POST, &format!("{path}/conversation"), json!({ "to": THEIRS, "message": text })).await.expect(201);
        scene.app.advance(10).await;
        assert_eq!(scene.provider.taken(&scene.app, &text).await, 1);
        let session = scene.channel().await.session;
        if round == 0 {
            scene.provider.log_out(&scene.app).await;
            assert_eq!(call(Method::GET, &path, json!(null)).await.expect(200)["status"], "error");
        } else {
            call(Method::POST, &format!("{path}/disconnect"), json!(null)).await.expect(200);
            assert_eq!(call(Method::GET, &path, json!(null)).await.expect(200)["status"], "disconnected");
        }
        scene.app.run_jobs().await;
        kept = Some(session).filter(|_| P::KEEPS_ACCOUNTS && round == 0);
        assert_eq!(
            scene.provider.is_gone(&scene.app, session).await,
            kept.is_none(),
            "nothing is left at the provider"
        );
    }
    // Nobody scans.
    call(Method::POST, &connect, json!({})).await.expect(200);
    scene.provider.next_code(&scene.app).await;
    let session = scene.channel().await.session;
    scene.app.advance(301).await;
    assert_eq!(call(Method::GET, &code_path, json!(null)).await.expect(409)["error"]["code"], "QR_CODE_NOT_AVAILABLE");
    assert!(scene.provider.is_gone(&scene.app, session).await, "nothing is left at the provider");
}
