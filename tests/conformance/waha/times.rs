//! Two times of a message: when it was written, as its network says, and when it came.

use quartermaster::zone::local_time;
use serde_json::json;

use crate::{
    conformance::{OURS, Scene, THEIRS},
    support::{Setup, receiver::Receiver, waha::Waha},
};

/// The time of the network is told beside ours, unless it cannot be true.
#[tokio::test]
async fn messages_say_when_they_were_written() {
    let app = Setup::default().configured(|config| config.allow_private_targets = true).start().await;
    let scene = Scene::<Waha>::at(app).await;
    scene.link().await;
    let (token, receiver) = (scene.token().await, Receiver::start().await);
    for event_type in ["message:received:new", "message:sent:new"] {
        token.post("/webhooks", json!({ "event_type": event_type, "url": receiver.url() })).await.expect(200);
    }
    let [ours, theirs] = [OURS, THEIRS].map(|phone| format!("{}@c.us", phone.trim_start_matches('+')));
    for (number, (is_own, seconds, is_true)) in [
        (false, Some(-3600), true),
        (true, Some(-60), true),
        (false, Some(3600), false),
        (false, Some(-31 * 86_400), false),
        (false, None, false),
    ]
    .into_iter()
    .enumerate()
    {
        receiver.forget();
        let now = scene.app.clock.now();
        let received = local_time(now, "UTC");
        let at = seconds.map(|seconds| now.plus_seconds(seconds));
        let (from, to) = if is_own { (ours.clone(), theirs.clone()) } else { (theirs.clone(), ours.clone()) };
        let payload = json!({
            "id": format!("{is_own}_{theirs}_T{number}"), "timestamp": at.map(|at| at.0 / 1_000_000), "from": from,
            "to": to, "fromMe": is_own, "source": "app", "body": format!("Hello {number}"), "hasMedia": false,
        });
        scene.provider.tell(&scene.provider.newest(), "message.any", payload).await.expect(200);
        scene.app.run_jobs().await;
        // What the account wrote itself is told a moment later.
        scene.app.advance(1).await;
        let events = receiver.received();
        assert_eq!(events.len(), 1, "{seconds:?}");
        let told = events[0].json()["message"].clone();
        let path = format!("/messages/{}", told["message_uid"].as_str().expect("a uid"));
        let shown = token.get(&path).await.expect(200)["data"].clone();
        let written = at.filter(|_| is_true).map_or_else(|| received.clone(), |at| local_time(at, "UTC"));
        for message in [&told, &shown] {
            let times = (&message["timestamp"], &message["received_timestamp"]);
            assert_eq!(times, (&json!(written), &json!(received)), "{seconds:?}");
        }
    }
}
