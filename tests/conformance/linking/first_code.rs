//! The first code of a session that takes its time to start, and what is told where none comes.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    conformance::{OURS, Provider, Remote, Scene},
    support::{Answer, channels::word, evolution::Evolution, provider::Trouble, waha::Waha},
};

const CONNECT: &str = "/api/v1/channels/whatsapp/connect";
/// Longer than anything takes here.
const PATIENT: Duration = Duration::from_secs(30);

/// A server that starts sessions while it is asked for them.
trait Slow: Remote {
    /// The pairing code that it gives.
    const PAIRING: &str;

    /// Sessions that are made from now on show a code after so many looks.
    fn start_slowly(&self, looks: u32);
}

impl Slow for Waha {
    const PAIRING: &str = "ABCDEFGH";

    fn start_slowly(&self, looks: u32) {
        Waha::start_slowly(self, looks, "SCAN_QR_CODE");
    }
}

impl Slow for Evolution {
    const PAIRING: &str = "WZYEH1YY";

    fn start_slowly(&self, looks: u32) {
        Evolution::start_slowly(self, looks);
    }
}

async fn patient<P: Provider>() -> Scene<P> {
    let scene = Scene::<P>::new().await;
    scene.app.app.connectors.limit_to(PATIENT);
    scene
}

async fn call<P: Provider>(scene: &Scene<P>, method: Method, path: &str, body: Value) -> Answer {
    let request = scene.app.http.request(method, format!("{}{path}", scene.app.base));
    let request = request.header("x-api-key", scene.token().await.token());
    Answer::of(if body.is_null() { request } else { request.json(&body) }).await
}

/// Makes a WhatsApp channel over the Channels API; its path.
async fn channel<P: Provider>(scene: &Scene<P>) -> String {
    let made = call(scene, Method::POST, "/v1/channels", json!({ "name": "Support", "type": "whatsapp" })).await;
    format!("/v1/channels/{}", made.expect(201)["id"].as_str().expect("an id"))
}

/// Whoever connects gets it with the answer, and so does whoever asks for the code.
async fn the_first_code_is_waited_for<P: Slow>() {
    let scene = patient::<P>().await;
    scene.provider.start_slowly(3);
    let begun = call(&scene, Method::POST, CONNECT, json!({})).await.expect(200)["data"].clone();
    let code = format!("2@code-1-of-{},a,b,c", scene.channel().await.session);
    assert_eq!((&begun["qr_code"], &begun["qr_seq"]), (&json!(code), &json!(1)));
    let pairing = json!({ "pairing_phone_number": OURS });
    let paired = call(&scene, Method::POST, CONNECT, pairing).await.expect(200)["data"].clone();
    assert_eq!((&paired["pairing_code"], &paired["previous_attempt_revoked"]), (&json!(P::PAIRING), &json!(false)));
    assert_eq!(paired["qr_code"], begun["qr_code"]);
    let path = channel(&scene).await;
    call(&scene, Method::POST, &format!("{path}/connect"), json!({})).await.expect(200);
    let code = format!("2@code-1-of-{},a,b,c", scene.channel().await.session);
    let shown = call(&scene, Method::GET, &format!("{path}/qr-code"), json!(null)).await.expect(200);
    assert_eq!(shown["qr"], code);
}

/// It is told that there is none yet, and asked for again.
async fn a_first_code_that_is_late_is_asked_for_again<P: Slow>() {
    let scene = patient::<P>().await;
    scene.provider.start_slowly(3);
    scene.app.app.connectors.wait_for_codes(Duration::ZERO);
    let pairing = call(&scene, Method::POST, CONNECT, json!({ "pairing_phone_number": OURS })).await;
    assert_eq!(pairing.expect(409)["code"], "qr_code_not_available");
    let begun = call(&scene, Method::POST, CONNECT, json!({})).await.expect(200);
    assert!(begun["data"].get("qr_code").is_none(), "{begun}");
    assert!(begun["message"].as_str().is_some_and(|text| text.contains("ask for the status")), "{begun}");
    let path = channel(&scene).await;
    call(&scene, Method::POST, &format!("{path}/connect"), json!({})).await.expect(200);
    let shown = call(&scene, Method::GET, &format!("{path}/qr-code"), json!(null)).await;
    assert_eq!(word(&shown, 409), "QR_CODE_NOT_AVAILABLE");
    scene.app.app.connectors.wait_for_codes(PATIENT);
    let refreshed = call(&scene, Method::POST, "/api/v1/channels/whatsapp/refresh", json!(null)).await.expect(200);
    assert_eq!((&refreshed["data"]["qr_seq"], &refreshed["data"]["in_progress"]), (&json!(1), &json!(true)));
}

/// It comes from the session that has started meanwhile, unless its attempt is about to end.
async fn a_pairing_code_that_is_late_is_asked_for_again<P: Slow>() {
    let scene = patient::<P>().await;
    scene.provider.start_slowly(6);
    scene.app.app.connectors.wait_for_codes(Duration::ZERO);
    let pairing = async || call(&scene, Method::POST, CONNECT, json!({ "pairing_phone_number": OURS })).await;
    for _ in 0..2 {
        assert_eq!(pairing().await.expect(409)["code"], "qr_code_not_available");
    }
    let session = scene.channel().await.session;
    scene.app.app.connectors.wait_for_codes(PATIENT);
    for is_new in [false, true] {
        let paired = pairing().await.expect(200)["data"].clone();
        assert_eq!(
            (&paired["pairing_code"], &paired["previous_attempt_revoked"]),
            (&json!(P::PAIRING), &json!(is_new))
        );
        scene.app.run_jobs().await;
        assert_eq!(scene.channel().await.session != session, is_new);
        assert_eq!(scene.provider.is_gone(&scene.app, session).await, is_new);
        scene.app.clock.advance(Duration::from_secs(121));
    }
}

/// Nobody who waits for a code asks it again meanwhile.
async fn a_provider_that_limits_us_is_left_alone<P: Slow>() {
    let scene = patient::<P>().await;
    scene.provider.start_slowly(6);
    scene.app.app.connectors.wait_for_codes(Duration::ZERO);
    let path = channel(&scene).await;
    call(&scene, Method::POST, &format!("{path}/connect"), json!({})).await.expect(200);
    scene.app.app.connectors.wait_for_codes(PATIENT);
    let shown = async || call(&scene, Method::GET, &format!("{path}/qr-code"), json!(null)).await;
    scene.provider.trouble_asking(Trouble::Limited(Some(1)));
    assert_eq!(word(&shown().await, 409), "QR_CODE_NOT_AVAILABLE");
    assert!(shown().await.expect(200)["qr"].is_string());
}

/// A provider that takes no more requests is not one that does not answer.
async fn a_limit_of_the_provider_is_told<P: Slow>() {
    let scene = patient::<P>().await;
    scene.provider.start_slowly(0);
    let path = channel(&scene).await;
    let limited = async |path: &str, asked: Option<u64>| {
        scene.provider.trouble_asking(Trouble::Limited(asked));
        call(&scene, Method::POST, path, json!({})).await
    };
    let portal = limited(CONNECT, Some(7)).await;
    assert_eq!(portal.expect(429)["code"], "provider_limited");
    assert_eq!(portal.header("retry-after"), "7");
    let timely = limited(&format!("{path}/connect"), None).await;
    assert_eq!((word(&timely, 429).as_str(), timely.header("retry-after")), ("RATE_LIMIT_EXCEEDED", "5"));
    scene.provider.trouble_asking(Trouble::Limited(Some(9)));
    let request = scene.app.http.post(format!("{}{path}/activate", scene.app.base));
    let linktor = Answer::of(request.bearer_auth(scene.token().await.token())).await;
    assert_eq!((word(&linktor, 429).as_str(), linktor.header("retry-after")), ("RATE_LIMIT_EXCEEDED", "9"));
    assert_eq!(linktor.json()["error"]["retryAfter"], 9);
    let begun = call(&scene, Method::POST, CONNECT, json!({})).await.expect(200);
    assert_eq!(begun["data"]["qr_seq"], 1, "{begun}");
}

macro_rules! every_slow_server {
    ($($name:ident: $server:ty),*) => {$(
        mod $name {
            #[tokio::test]
            async fn the_first_code_is_waited_for() {
                super::the_first_code_is_waited_for::<$server>().await;
            }

            #[tokio::test]
            async fn a_first_code_that_is_late_is_asked_for_again() {
                super::a_first_code_that_is_late_is_asked_for_again::<$server>().await;
            }

            #[tokio::test]
            async fn a_pairing_code_that_is_late_is_asked_for_again() {
                super::a_pairing_code_that_is_late_is_asked_for_again::<$server>().await;
            }

            #[tokio::test]
            async fn a_provider_that_limits_us_is_left_alone() {
                super::a_provider_that_limits_us_is_left_alone::<$server>().await;
            }

            #[tokio::test]
            async fn a_limit_of_the_provider_is_told() {
                super::a_limit_of_the_provider_is_told::<$server>().await;
            }
        }
    )*};
}

every_slow_server!(waha: crate::support::waha::Waha, evolution: crate::support::evolution::Evolution);

/// Nobody waits for a code that does not come.
#[tokio::test]
async fn a_session_that_ends_before_its_first_code_is_told() {
    for (status, answer, code) in
        [("PASSKEY_REQUIRED", 409, "channel_refused"), ("FAILED", 503, "provider_unavailable")]
    {
        let scene = patient::<Waha>().await;
        scene.provider.start_slowly(2, status);
        for body in [json!({}), json!({ "pairing_phone_number": OURS })] {
            let refused = call(&scene, Method::POST, CONNECT, body).await;
            assert_eq!(refused.expect(answer)["code"], code, "{status}");
        }
    }
}
