//! What fails is said once, in a note and an event, and is not tried again; loops end.

use quartermaster::bot::turn::LEASE_SECONDS;

use super::*;

/// What goes wrong: how the endpoint answers, and the word for it.
fn failures() -> Vec<(Reply, &'static str)> {
    vec![
        (Reply::Status(500), "bad_status"),
        (Reply::With(302, "location", "http://127.0.0.1/".to_owned()), "bad_status"),
        (Reply::Body("hello".to_owned()), "bad_answer"),
        (Reply::Body(json!({ "reply": 1 }).to_string()), "bad_answer"),
        (Reply::Body("x".repeat(64 * 1024 + 1)), "answer_too_large"),
        (reply(&"x".repeat(2001)), "reply_too_long"),
        (Reply::Hold, "timed_out"),
    ]
}

#[tokio::test]
async fn failures_leave_a_note_and_an_event_and_are_not_repeated() {
    let app = start().await;
    let stage = Stage::with_credits(&app, 10).await;
    let bot = stage.http_bot().await;
    let chat_id = stage.open_chat().await;
    let receiver = Receiver::start().await;
    stage.subscribe(&receiver, "bot:failed").await;
    for (count, (answer, word)) in (1..).zip(failures()) {
        stage.endpoint.forget();
        stage.endpoint.next([answer]);
        let asked = stage.hear("Hello?").await;
        app.advance(3).await;
        app.advance(u64::try_from(LEASE_SECONDS).expect("a number") + 1).await;
        assert_eq!(stage.endpoint.received().len(), 1, "{word}: it is asked once");
        let (sent, notes) = stage.said().await;
        assert_eq!((sent.len(), notes.len()), (0, count), "{word}");
        assert!(notes[count - 1].contains("Support"), "{notes:?}");
        let events = receiver.received();
        assert_eq!(events.len(), count, "{word}");
        let event = events[count - 1].json();
        crate::subscriptions::schemas::check(&event);
        assert_eq!((&event["bot"]["reason"], &event["bot"]["agent_id"]), (&json!(word), &bot["id"]));
        assert_eq!(event["bot"]["message_uid"], asked.to_string());
    }
    let history = stage.sender.token.get(&format!("/chats/{chat_id}/messages")).await.expect(200);
    assert_eq!(history["data"]["messages"][0]["message_type"], "note");
    assert_eq!(stage.sender.token.credits().await.0, 0);
    // An empty answer is no failure.
    stage.endpoint.usually(Reply::Status(204));
    stage.hear("Hello?").await;
    app.advance(3).await;
    assert_eq!(stage.said().await.1.len(), failures().len());
}

#[tokio::test]
async fn addresses_that_lead_inside_are_not_asked() {
    let app = TestApp::start().await;
    let stage = Stage::with_credits(&app, 10).await;
    let literal = json!({ "name": "Inside", "kind": "http", "endpoint": stage.endpoint.url() });
    let refused = stage.call(Method::POST, "/agents", literal).await.expect(400);
    assert_eq!(refused["error"]["code"], "VALIDATION_ERROR");
    assert!(refused["error"]["message"].as_str().is_some_and(|text| text.contains("endpoint")), "{refused}");
    stage.bot(json!({ "name": "Named", "kind": "http", "endpoint": stage.endpoint.url_by_name() })).await;
    stage.open_chat().await;
    stage.hear("Hello?").await;
    app.advance(3).await;
    assert!(stage.endpoint.received().is_empty());
    let (sent, notes) = stage.said().await;
    assert!(sent.is_empty() && notes.len() == 1 && notes[0].contains("not public"), "{notes:?}");
}

#[tokio::test]
async fn a_reply_without_credits_is_not_sent() {
    let app = start().await;
    let stage = Stage::with_credits(&app, 1).await;
    stage.http_bot().await;
    stage.open_chat().await;
    let receiver = Receiver::start().await;
    stage.subscribe(&receiver, "bot:failed").await;
    stage.endpoint.usually(reply("Yes."));
    for _ in 0..2 {
        stage.hear("Hello?").await;
        app.advance(5).await;
    }
    let (sent, notes) = stage.said().await;
    assert_eq!((sent.len(), notes.len()), (1, 1));
    assert_eq!(receiver.only().json()["bot"]["reason"], "quota_exceeded");
    assert_eq!(stage.sender.token.credits().await, (1, 1));
}

#[tokio::test]
async fn two_bots_that_talk_to_each_other_stop() {
    let app = start().await;
    let stage = Stage::with_credits(&app, 500).await;
    let other_phone = "+15550002222";
    let other = Sender::of(&app, stage.sender.partner.clone(), "Butcher", other_phone).await;
    let other_endpoint = Receiver::start().await;
    let channel = channel_id(&app, other.account_id).await;
    let bot = json!({ "name": "Butcher", "kind": "http", "endpoint": other_endpoint.url() });
    let token = other.token.token();
    let made = call(&app, token, Method::POST, "/agents", bot).await.expect(201);
    let path = format!("/channels/{channel}/agent");
    call(&app, token, Method::PUT, &path, json!({ "agent_id": made["id"] })).await.expect(200);
    stage.http_bot().await;
    stage.endpoint.usually(reply("And you?"));
    other_endpoint.usually(reply("And you?"));
    let receiver = Receiver::start().await;
    stage.subscribe(&receiver, "bot:stopped").await;
    // What one sends the other gets.
    let phones = [crate::support::sender::PHONE, other_phone];
    let carry = async |from: &str, to: &str| {
        let written = json!({ "phone": to, "from": from, "text": "And you?" });
        stage.sender.partner.post("/sandbox/inbound", written).await.expect(200);
    };
    for (from, to) in [(phones[0], phones[1]), (phones[1], phones[0])] {
        carry(from, to).await;
    }
    let chats = chat::Entity::find().all(app.app.db.reader()).await.expect("chats");
    for chat in &chats {
        let on = json!({ "chatgpt_autoresponse_enabled": true });
        let of = if chat.account_id.0 == other.account_id { &other.token } else { &stage.sender.token };
        of.patch(&format!("/chats/{}", chat.id), on).await.expect(200);
    }
    let mut counts = [0, 0];
    carry(phones[1], phones[0]).await;
    for round in 0.. {
        assert!(round < 200, "they talk for ever: {counts:?}");
        app.advance(2).await;
        let now = [stage.endpoint.received().len(), other_endpoint.received().len()];
        if now == counts {
            break;
        }
        if now[0] > counts[0] {
            carry(phones[0], phones[1]).await;
        }
        if now[1] > counts[1] {
            carry(phones[1], phones[0]).await;
        }
        counts = now;
    }
    let most = usize::try_from(MOST_REPLIES).expect("a number");
    assert!(counts.contains(&most) && counts.iter().all(|count| *count <= most), "{counts:?}");
    let mine =
        chat::Entity::find_by_id(chats.iter().find(|chat| chat.account_id.0 != other.account_id).expect("mine").id);
    let mine = mine.one(app.app.db.reader()).await.expect("a look").expect("a chat");
    assert!(mine.autoresponse && mine.autoresponse_locked);
    assert_eq!(receiver.only().json()["bot"]["reason"], "loop");
    assert!(stage.said().await.1.iter().any(|note| note.contains("too often")));
    // Switched on again it begins anew.
    stage.switch_on(mine.id).await;
    carry(phones[1], phones[0]).await;
    app.advance(2).await;
    assert_eq!(stage.endpoint.received().len(), counts[0] + 1);
}
