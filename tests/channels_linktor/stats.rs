//! How much goes through a channel: counted later, shown at once.

use quartermaster::channel::traffic;

use super::*;

const PHONE: &str = "+15553456789";

async fn hear(shop: &Shop<'_>, from: &str) {
    let written = json!({ "phone": PHONE, "from": from, "text": "Hello" });
    shop.partner.post("/sandbox/inbound", written).await.expect(200);
}

/// A channel on which Ann was answered after 30 s, and Bob was not.
async fn conversations(shop: &Shop<'_>) -> String {
    let id = shop.active("whatsapp", json!({ "phoneNumberId": "123456789", "accessToken": "t" })).await;
    hear(shop, "+15557770000").await;
    shop.app.advance(30).await;
    shop.token.send("+15557770000", "Good morning").await.expect(200);
    hear(shop, "+15557770001").await;
    shop.app.run_jobs().await;
    id
}

async fn close_all(shop: &Shop<'_>) {
    for chat in chat::Entity::find().all(shop.app.app.db.reader()).await.expect("chats") {
        shop.token.patch(&format!("/chats/{}", chat.id), json!({ "closed": true })).await.expect(200);
    }
}

#[tokio::test]
async fn what_is_not_counted_yet_is_shown_too() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let id = conversations(&shop).await;
    close_all(&shop).await;
    let path = format!("/channels/{id}/stats");
    let before = shop.get(&path).await.expect(200)["data"].clone();
    assert_eq!((&before["channelId"], &before["period"]), (&json!(id), &json!("24h")));
    let summary = json!({
        "messagesReceived": 2, "messagesSent": 1, "conversationsStarted": 2, "conversationsClosed": 2,
        "avgResponseTime": 30, "avgResolutionTime": 15,
    });
    assert_eq!(before["summary"], summary);
    let series = before["timeSeries"].as_array().expect("pieces");
    let last = json!({
        "timestamp": "2026-09-10T08:00:00Z", "messagesReceived": 2, "messagesSent": 1, "conversationsStarted": 2,
    });
    assert_eq!((series.len(), &series[23]), (24, &last));
    assert_eq!(series[0]["timestamp"], "2026-09-09T09:00:00Z");
    let figures = json!({
        "messagesReceived24h": 2, "messagesSent24h": 1, "messagesReceivedTotal": 2, "messagesSentTotal": 1,
        "activeConversations": 0, "totalConversations": 2,
    });
    assert_eq!(shop.attributes(&id).await["stats"], figures);
    app.clock.advance(std::time::Duration::from_secs(300));
    assert_eq!(traffic::roll_up(&app.app).await.expect("counted"), 1);
    assert_eq!(traffic::roll_up(&app.app).await.expect("counted"), 0, "nothing is counted twice");
    assert_eq!(shop.get(&path).await.expect(200)["data"], before, "counted or not, it is the same");
    let read = shop.attributes(&id).await;
    assert_eq!(read["stats"], figures);
    assert_eq!(read["health"]["lastMessageSent"], "2026-09-10T08:00:30Z");
    assert_eq!(read["health"]["lastMessageReceived"], "2026-09-10T08:00:30Z");
}

#[tokio::test]
async fn pieces_are_minutes_hours_or_days() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let id = conversations(&shop).await;
    app.clock.advance(std::time::Duration::from_secs(240));
    traffic::roll_up(&app.app).await.expect("counted");
    hear(&shop, "+15557770000").await;
    let stats = async |query: &str| shop.get(&format!("/channels/{id}/stats{query}")).await;
    let minutes = stats("?period=1h&granularity=minute").await.expect(200)["data"].clone();
    let received: Vec<(usize, i64)> = minutes["timeSeries"]
        .as_array()
        .expect("pieces")
        .iter()
        .map(|piece| piece["messagesReceived"].as_i64().expect("a number"))
        .enumerate()
        .filter(|(_, count)| *count > 0)
        .collect();
    assert_eq!(received, [(55, 2), (59, 1)], "{minutes}");
    let days = stats("?period=7d&granularity=day").await.expect(200)["data"].clone();
    assert_eq!(
        (days["timeSeries"].as_array().map(Vec::len), &days["summary"]["messagesReceived"]),
        (Some(7), &json!(3))
    );
    assert_eq!(days["timeSeries"][6]["timestamp"], "2026-09-10T00:00:00Z");
    for (query, field) in [
        ("?period=30d&granularity=minute", "granularity"),
        ("?period=1y", "period"),
        ("?granularity=second", "granularity"),
    ] {
        let refused = stats(query).await;
        assert_eq!(word(&refused, 400), "VALIDATION_ERROR");
        assert_eq!(refused.json()["error"]["details"][0]["field"], field, "{query}");
    }
    app.clock.advance(std::time::Duration::from_secs(33 * 24 * 3600));
    assert!(traffic::forget_old(&app.app).await.expect("forgotten") >= 2);
    let read = shop.attributes(&id).await;
    assert_eq!(
        (&read["stats"]["messagesReceivedTotal"], &read["stats"]["messagesReceived24h"]),
        (&json!(3), &json!(0))
    );
}
