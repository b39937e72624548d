//! How much goes through a channel: counted later, shown at once.

use entity::message::{self, Direction};
use quartermaster::{
    channel::traffic,
    message::status::{self, Receipt, ReceiptEvent, Received},
};
use sea_orm::{ActiveModelTrait, ColumnTrait, QueryFilter, Set, Unchanged};

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
    assert_eq!((series.len(), &series[24]), (25, &last));
    assert_eq!(series[0]["timestamp"], "2026-09-09T08:00:00Z");
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
async fn what_is_sent_counts_when_it_goes_out() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let id = shop.active("whatsapp", json!({ "phoneNumberId": "123456789", "accessToken": "t" })).await;
    hear(&shop, "+15557770000").await;
    let sent = async || {
        let read = shop.attributes(&id).await;
        let stats = shop.get(&format!("/channels/{id}/stats?period=1h&granularity=minute")).await.expect(200);
        let (figures, data) = (&read["stats"], &stats["data"]);
        let count = data["summary"]["messagesSent"].as_i64().expect("a count");
        assert_eq!((&figures["messagesSent24h"], &figures["messagesSentTotal"]), (&json!(count), &json!(count)));
        let points = data["timeSeries"].as_array().expect("pieces");
        let minutes: Vec<String> = points
            .iter()
            .filter(|point| point["messagesSent"] != 0)
            .map(|point| point["timestamp"].as_str().expect("a time").to_owned())
            .collect();
        (count, minutes, read["health"]["lastMessageSent"].clone(), data["summary"]["avgResponseTime"].clone())
    };
    let nothing = || (0, vec![], json!(null), json!(null));
    shop.token.send("+15557770000", "Good morning").await.expect(200);
    shop.token.send("+15557770000", "Again").await.expect(200);
    assert_eq!(sent().await, nothing(), "they wait");
    app.clock.advance(std::time::Duration::from_secs(300));
    traffic::roll_up(&app.app).await.expect("counted");
    assert_eq!(sent().await, nothing(), "however long");
    app.run_jobs().await;
    let first = (1, vec!["2026-09-10T08:05:00Z".to_owned()], json!("2026-09-10T08:05:00Z"), json!(300));
    assert_eq!(sent().await, first, "the other one keeps the plan's pause");
    app.advance(300).await;
    let minutes = vec!["2026-09-10T08:05:00Z".to_owned(), "2026-09-10T08:10:00Z".to_owned()];
    let both = (2, minutes, json!("2026-09-10T08:10:00Z"), json!(300));
    assert_eq!(sent().await, both);
    app.clock.advance(std::time::Duration::from_secs(300));
    traffic::roll_up(&app.app).await.expect("counted");
    assert_eq!(sent().await, both, "counted or not, it is the same");
    shop.token.send("+15557770000", "Off").await.expect(200);
    shop.linktor(Method::DELETE, &format!("/channels/{id}?force=true"), json!(null)).await;
    app.run_jobs().await;
    app.clock.advance(std::time::Duration::from_secs(300));
    traffic::roll_up(&app.app).await.expect("counted");
    let total = entity::channel_total::Entity::find().one(app.app.db.reader()).await.expect("a look").expect("a total");
    assert_eq!((total.received, total.sent), (1, 2), "what fails before it goes out is not sent");
}

/// Of a message that went out before that was noted, a receipt is not when it did.
#[tokio::test]
async fn what_has_gone_out_is_counted_once() {
    let app = Setup::default().configured(|config| config.sandbox_receipt_ms = 0).start().await;
    let shop = Shop::open(&app).await;
    let id = conversations(&shop).await;
    app.clock.advance(std::time::Duration::from_secs(300));
    traffic::roll_up(&app.app).await.expect("counted");
    let before = shop.attributes(&id).await["stats"].clone();
    assert_eq!((&before["messagesSent24h"], &before["messagesSentTotal"]), (&json!(1), &json!(1)));
    let sent = message::Entity::find().filter(message::Column::Direction.eq(Direction::Sent));
    let sent = sent.one(app.app.db.reader()).await.expect("a look").expect("a message");
    assert_eq!(sent.status, message::Status::Sent);
    let not_noted = message::ActiveModel { id: Unchanged(sent.id), sent_at: Set(None), ..Default::default() };
    not_noted.update(app.app.db.reader()).await.expect("a message");
    let event = ReceiptEvent::Delivered;
    let receipt = Receipt { account_id: sent.account_id, message_id: Some(sent.id), provider_ref: None, event };
    let received = status::received(&app.app, &receipt).await.expect("a receipt");
    assert_eq!(received, Received::Changed(message::Status::Delivered));
    assert_eq!(shop.attributes(&id).await["stats"], before);
    app.clock.advance(std::time::Duration::from_secs(300));
    traffic::roll_up(&app.app).await.expect("counted");
    assert_eq!(shop.attributes(&id).await["stats"], before);
}

#[tokio::test]
async fn a_day_ends_now() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let id = shop.active("whatsapp", json!({ "phoneNumberId": "123456789", "accessToken": "t" })).await;
    let wait = |minutes: u64| app.clock.advance(std::time::Duration::from_secs(minutes * 60));
    wait(30);
    hear(&shop, "+15557770000").await;
    shop.token.send("+15557770000", "Good morning").await.expect(200);
    app.run_jobs().await;
    let figures = async || {
        traffic::roll_up(&app.app).await.expect("counted");
        let stats = shop.attributes(&id).await["stats"].clone();
        (stats["messagesReceived24h"].clone(), stats["messagesSent24h"].clone())
    };
    wait(23 * 60 + 35);
    assert_eq!(figures().await, (json!(1), json!(1)), "it is 08:05, and 08:30 was less than a day ago");
    wait(26);
    assert_eq!(figures().await, (json!(0), json!(0)), "it is 08:31");
}

#[tokio::test]
async fn a_period_ends_now_whatever_its_pieces_are() {
    let app = TestApp::start().await;
    let shop = Shop::open(&app).await;
    let id = shop.active("whatsapp", json!({ "phoneNumberId": "123456789", "accessToken": "t" })).await;
    let wait = |seconds| app.clock.advance(std::time::Duration::from_secs(seconds));
    hear(&shop, "+15557770000").await;
    wait(50 * 60);
    hear(&shop, "+15557770001").await;
    wait(10 * 60 + 35);
    hear(&shop, "+15557770002").await;
    wait(60);
    // It is 09:01:35: the first message is older than an hour, and lies in the same hour and day as one that is not.
    let stats = async |period: &str, granularity: &str| {
        let path = format!("/channels/{id}/stats?period={period}&granularity={granularity}");
        let stats = shop.get(&path).await.expect(200)["data"].clone();
        let points = stats["timeSeries"].as_array().expect("pieces").clone();
        let sum: i64 = points.iter().map(|one| one["messagesReceived"].as_i64().expect("a number")).sum();
        assert_eq!(stats["summary"]["messagesReceived"], sum, "{stats}");
        assert_eq!(stats["summary"]["conversationsStarted"], sum, "{stats}");
        (sum, points.len(), points[0]["timestamp"].clone())
    };
    let look = async || {
        let mut seen = Vec::new();
        for granularity in ["minute", "hour", "day"] {
            seen.push(stats("1h", granularity).await);
            seen.push(stats("24h", granularity).await);
        }
        seen.push(stats("7d", "hour").await);
        seen.push(stats("30d", "day").await);
        seen
    };
    let expected = [
        (2, 61, json!("2026-09-10T08:01:00Z")),
        (3, 1441, json!("2026-09-09T09:01:00Z")),
        (2, 2, json!("2026-09-10T08:00:00Z")),
        (3, 25, json!("2026-09-09T09:00:00Z")),
        (2, 1, json!("2026-09-10T00:00:00Z")),
        (3, 2, json!("2026-09-09T00:00:00Z")),
        (3, 169, json!("2026-09-03T09:00:00Z")),
        (3, 31, json!("2026-08-11T00:00:00Z")),
    ];
    assert_eq!(look().await, expected);
    wait(120);
    traffic::roll_up(&app.app).await.expect("counted");
    assert_eq!(stats("1h", "hour").await, (2, 2, json!("2026-09-10T08:00:00Z")), "counted or not");
    assert_eq!(stats("24h", "day").await, (3, 2, json!("2026-09-09T00:00:00Z")));
    wait(7 * 24 * 3600);
    assert_eq!(stats("7d", "day").await.0, 1, "a week ago it was nine");
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
    assert_eq!(received, [(56, 2), (60, 1)], "{minutes}");
    let days = stats("?period=7d&granularity=day").await.expect(200)["data"].clone();
    assert_eq!(
        (days["timeSeries"].as_array().map(Vec::len), &days["summary"]["messagesReceived"]),
        (Some(8), &json!(3))
    );
    assert_eq!(days["timeSeries"][7]["timestamp"], "2026-09-10T00:00:00Z");
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
