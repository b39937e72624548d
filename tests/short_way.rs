//! A plain message takes a short way around routes and extractors: whatever is answered there is answered the same as
//! on the long way.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Setup, TestApp, TokenClient, sender::Sender, upload::png};

/// Sends a body on the short way, or without a declared length, which takes the long one.
async fn send(token: &TokenClient, body: &str, is_short: bool) -> Answer {
    let request = token.request(Method::POST, "/messages").header("Content-Type", "application/json");
    let whole = futures_util::stream::iter([Ok::<_, std::io::Error>(body.to_owned())]);
    Answer::of(match is_short {
        true => request.body(body.to_owned()),
        false => request.body(reqwest::Body::wrap_stream(whole)),
    })
    .await
}

/// What has to be the same: everything but ids and what is left.
fn shown(answer: &Answer) -> (u16, Vec<String>, Value) {
    let mut body: Value = serde_json::from_str(&answer.text).expect("JSON");
    if let Some(uid) = body.pointer_mut("/data/message_uid") {
        assert!(uid.as_str().is_some_and(|uid| uid.len() == 36), "{uid}");
        *uid = Value::Null;
    }
    let mut names: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
    names.sort_unstable();
    (answer.status.as_u16(), names, body)
}

#[tokio::test]
async fn both_ways_answer_the_same() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 2).await;
    let unknown = app.token("qm_unknown");
    let nobody = app.token("");
    let text = |text: &str| json!({ "phone": "+15550002222", "text": text }).to_string();
    let long = text(&"x".repeat(2001));
    let fine = text("hello");
    let file = sender.token.picture("a.png", &png(100, 1)).await;
    app.resize_files(200 * 1024 * 1024).await;
    let large = json!({ "phone": "+15550002222", "file_uid": file }).to_string();
    for (token, body, status) in [
        (&sender.token, large.as_str(), 400),
        (&sender.token, &fine, 200),
        (&sender.token, &fine, 403),
        (&sender.token, "{", 400),
        (&sender.token, "[]", 400),
        (&sender.token, r#"{"phone": 7, "text": "x"}"#, 400),
        (&sender.token, r#"{"phone": "+15550002222"}"#, 400),
        (&sender.token, r#"{"phone": "12", "text": "x"}"#, 400),
        (&sender.token, r#"{"phone": "+15550002222", "text": "x", "file_uid": "none"}"#, 404),
        (&sender.token, &long, 400),
        (&unknown, &fine, 401),
        (&nobody, &fine, 401),
    ] {
        let (short, routed) = (send(token, body, true).await, send(token, body, false).await);
        assert_eq!(short.status.as_u16(), status, "{body}: {}", short.text);
        assert_eq!(shown(&short), shown(&routed), "{body}");
    }
    assert_eq!(sender.token.credits().await, (2, 2));
}

#[tokio::test]
async fn both_ways_are_metered_and_have_ids() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let used = async || {
        sender.token.get("/workspace").await.expect(200)["data"]["api_calls_quota"]["used"].as_i64().expect("calls")
    };
    let before = used().await;
    for is_short in [true, false] {
        for body in [r#"{"phone": "+15550002222", "text": "x"}"#, "{"] {
            let answer = send(&sender.token, body, is_short).await;
            assert!(answer.headers.contains_key("x-request-id"), "{body}");
            assert!(answer.headers.contains_key("ratelimit"), "{body}");
        }
    }
    assert_eq!(used().await, before + 5, "each is a call, and so is the question");
}

#[tokio::test]
async fn the_short_way_knows_the_limits_of_a_body() {
    let app = Setup::default().configured(|config| config.body_limit_bytes = 2048).start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let body = json!({ "phone": "+15550002222", "text": "x".repeat(3000) }).to_string();
    for is_short in [true, false] {
        let answer = send(&sender.token, &body, is_short).await;
        assert_eq!(answer.expect(413)["error_code"], "validation_error");
    }
}
