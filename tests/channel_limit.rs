//! A plan's most channels hold for pages too, which link accounts of their own, whatever happens at the same time.

use std::time::Duration;

use entity::{channel, credits::Credits, sandbox_session};
use futures_util::future::join_all;
use quartermaster::{
    caller::Origin,
    plan::{self, SetPlan},
};
use reqwest::Method;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::{Value, json};

use crate::support::{
    Answer, TestApp,
    channels::{Shop, word},
    page::Page,
    sender::unlimited,
};

/// Has the starter plan allow so many channels.
async fn allow(app: &TestApp, most: i32) {
    let plan = SetPlan { max_channels: Some(most), credits_per_seat: Some(Credits(10)), ..unlimited() };
    plan::set(&app.app, &Origin::operator(), &plan).await.expect("a plan");
}

/// A workspace that may have so many channels.
async fn shop(app: &TestApp, most: i32) -> Shop<'_> {
    let shop = Shop::of(app, app.partner("acme").await, "Bakery", 8).await;
    allow(app, most).await;
    shop
}

impl Shop<'_> {
    async fn ask_for_link(&self, user: i64) -> Answer {
        self.partner.post(&format!("/workspaces/{}/users/{user}/qr", self.workspace), json!({})).await
    }

    async fn set_seats(&self, count: i64) {
        let path = format!("/workspaces/{}", self.workspace);
        self.partner.patch(&path, json!({ "seats_purchased": count })).await.expect(200);
    }

    async fn page(&self, user: i64) -> Page {
        self.partner.page(&self.workspace, user).await
    }

    /// The numbers of the accounts that are connected.
    async fn connected(&self) -> Vec<Value> {
        let overview = self.partner.overview(&self.workspace).await;
        let accounts = overview["whatsapp_accounts"].as_array().expect("accounts").clone();
        let connected = accounts.into_iter().filter(|account| account["connected"] == true);
        connected.map(|account| account["phone_number_e164"].clone()).collect()
    }
}

/// What a page says of an attempt that found no place.
async fn found_no_place(page: &Page) {
    let shown = page.now().await;
    assert_eq!(
        (shown.state(), &shown.0["error"]["code"]),
        ("failed", &json!("channel_limit_reached")),
        "{:?}",
        shown.0
    );
    let message = shown.0["error"]["message"].as_str().expect("a sentence");
    assert!(message.contains("No more numbers can be connected here"), "{message}");
}

#[tokio::test]
async fn a_link_is_refused_where_there_is_no_place() {
    let app = TestApp::start().await;
    let shop = shop(&app, 1).await;
    let users = shop.partner.users(&shop.workspace, 2).await;
    shop.partner.connect(&shop.workspace, users[0], "+15550001111").await;
    let refused = shop.ask_for_link(users[1]).await;
    refused.expect_error(403, "channel_limit_reached");
    assert!(refused.text.contains("can have 1 channels"), "{}", refused.text);
    let sms = json!({ "provider": "twilio", "accountSid": "AC1", "authToken": "t", "phoneNumber": "+15551234567" });
    let body = json!({ "name": "x", "type": "sms", "config": sms });
    assert_eq!(word(&shop.post("/channels", body.clone()).await, 403), "CHANNEL_LIMIT_REACHED");
    assert_eq!(shop.connected().await, ["+15550001111"], "nothing was changed");
    // Whoever has an account may take another in its place.
    let again = shop.ask_for_link(users[0]).await.expect(200);
    assert_eq!(again["whatsapp_disconnected"], true);
    shop.partner.connect(&shop.workspace, users[0], "+15550002222").await;
    assert_eq!(shop.connected().await, ["+15550002222"]);
    allow(&app, 2).await;
    shop.partner.connect(&shop.workspace, users[1], "+15550003333").await;
    assert_eq!(word(&shop.post("/channels", body.clone()).await, 403), "CHANNEL_LIMIT_REACHED");
    allow(&app, 3).await;
    shop.post("/channels", body).await.expect(201);
}

#[tokio::test]
async fn a_page_whose_place_was_taken_says_so_and_asks_no_provider() {
    let app = TestApp::start().await;
    let shop = shop(&app, 1).await;
    let user = shop.partner.users(&shop.workspace, 1).await[0];
    let page = shop.page(user).await;
    let sms = json!({ "provider": "twilio", "accountSid": "AC1", "authToken": "t", "phoneNumber": "+15551234567" });
    let id = shop.channel("sms", sms).await;
    let shown = page.start().await;
    assert_eq!(shown.state(), "failed", "{:?}", shown.0);
    found_no_place(&page).await;
    let sessions = sandbox_session::Entity::find().count(app.app.db.reader()).await.expect("a count");
    assert_eq!(sessions, 0, "no phone is asked for");
    // With the channel gone, the same link works.
    let path = format!("/channels/{id}");
    assert_eq!(shop.linktor(Method::DELETE, &path, json!(null)).await.status.as_u16(), 204);
    let code = page.start().await.code();
    shop.partner.scan(&code, "+15550001111").await.expect(200);
    assert_eq!(page.now().await.state(), "connected");
}

#[tokio::test]
async fn a_phone_that_scans_when_the_place_is_taken_is_logged_out() {
    let app = TestApp::start().await;
    let shop = shop(&app, 1).await;
    let users = shop.partner.users(&shop.workspace, 2).await;
    let (first, second) = (shop.page(users[0]).await, shop.page(users[1]).await);
    let (one, other) = (first.start().await.code(), second.start().await.code());
    shop.partner.scan(&one, "+15550001111").await.expect(200);
    shop.partner.scan(&other, "+15550002222").await.expect(200);
    assert_eq!(first.now().await.state(), "connected");
    found_no_place(&second).await;
    app.run_jobs().await;
    let written = json!({ "phone": "+15550002222", "from": "+15557770000", "text": "Hello" });
    shop.partner.post("/sandbox/inbound", written).await.expect_error(409, "phone_not_linked");
    assert_eq!(shop.connected().await, ["+15550001111"]);
    assert_eq!(channel::Entity::find().count(app.app.db.reader()).await.expect("a count"), 1);
}

#[tokio::test]
async fn a_deleted_account_needs_a_place_to_come_back() {
    let app = TestApp::start().await;
    let shop = shop(&app, 1).await;
    let users = shop.partner.users(&shop.workspace, 2).await;
    shop.partner.connect(&shop.workspace, users[0], "+15550001111").await;
    let listed = shop.get("/channels").await.expect(200);
    let path = format!("/channels/{}", listed["data"][0]["id"].as_str().expect("an id"));
    assert_eq!(shop.linktor(Method::DELETE, &path, json!(null)).await.status.as_u16(), 204);
    app.run_jobs().await;
    let (first, second) = (shop.page(users[0]).await, shop.page(users[1]).await);
    let (one, other) = (first.start().await.code(), second.start().await.code());
    shop.partner.scan(&other, "+15550002222").await.expect(200);
    shop.partner.scan(&one, "+15550001111").await.expect(200);
    assert_eq!(second.now().await.state(), "connected");
    found_no_place(&first).await;
    app.run_jobs().await;
    assert_eq!(shop.connected().await, ["+15550002222"]);
    allow(&app, 2).await;
    let code = first.start().await.code();
    shop.partner.scan(&code, "+15550001111").await.expect(200);
    assert_eq!(shop.connected().await, ["+15550001111", "+15550002222"]);
}

#[tokio::test]
async fn of_many_phones_at_once_only_as_many_connect_as_there_are_places() {
    let app = TestApp::start().await;
    let shop = shop(&app, 2).await;
    let users = shop.partner.users(&shop.workspace, 6).await;
    let (mut pages, mut codes) = (Vec::new(), Vec::new());
    for user in users {
        let page = shop.page(user).await;
        codes.push(page.start().await.code());
        pages.push(page);
    }
    let phones: Vec<String> = (0..codes.len()).map(|n| format!("+1555000111{n}")).collect();
    let scans = codes.iter().zip(&phones).map(|(code, phone)| shop.partner.scan(code, phone));
    let sms = json!({ "provider": "twilio", "accountSid": "AC1", "authToken": "t", "phoneNumber": "+15551234567" });
    let made = shop.post("/channels", json!({ "name": "x", "type": "sms", "config": sms }));
    let (scanned, made) = tokio::join!(join_all(scans), made);
    for answer in scanned {
        answer.expect(200);
    }
    app.run_jobs().await;
    let mut connected = 0;
    for page in &pages {
        if page.now().await.state() == "connected" {
            connected += 1;
        } else {
            found_no_place(page).await;
        }
    }
    let is_made = usize::from(made.status.as_u16() == 201);
    assert_eq!(connected + is_made, 2, "{}", made.text);
    assert_eq!(shop.connected().await.len(), connected);
}

#[tokio::test]
async fn without_a_figure_of_the_plan_seats_are_places() {
    let app = TestApp::start().await;
    plan::set(&app.app, &Origin::operator(), &unlimited()).await.expect("a plan");
    let shop = Shop::of(&app, app.partner("acme").await, "Bakery", 2).await;
    let owner = shop.partner.owner(&shop.workspace).await;
    let user = shop.partner.users(&shop.workspace, 1).await[0];
    for (user, phone) in [(owner, "+15550001111"), (user, "+15550002222"), (user, "+15550003333")] {
        shop.partner.connect(&shop.workspace, user, phone).await;
    }
    let sms = json!({ "provider": "twilio", "accountSid": "AC1", "authToken": "t", "phoneNumber": "+15551234567" });
    let body = json!({ "name": "x", "type": "sms", "config": sms });
    assert_eq!(word(&shop.post("/channels", body.clone()).await, 403), "CHANNEL_LIMIT_REACHED");
    // A user who loses the seat loses the place, and whoever takes the seat has it.
    let path = format!("/workspaces/{}", shop.workspace);
    shop.partner.patch(&path, json!({ "seats_purchased": 1 })).await.expect(200);
    assert_eq!(word(&shop.post("/channels", body.clone()).await, 403), "CHANNEL_LIMIT_REACHED");
    shop.partner.connect(&shop.workspace, owner, "+15550004444").await;
    shop.partner.patch(&path, json!({ "seats_purchased": 3 })).await.expect(200);
    shop.post("/channels", body).await.expect(201);
}

#[tokio::test]
async fn who_is_restored_gets_no_place_that_somebody_else_has() {
    let app = TestApp::start().await;
    let shop = shop(&app, 2).await;
    let users = shop.partner.users(&shop.workspace, 2).await;
    shop.partner.connect(&shop.workspace, users[0], "+15550001111").await;
    shop.partner.connect(&shop.workspace, users[1], "+15550002222").await;
    let path = format!("/workspaces/{}", shop.workspace);
    let seats = async |count: i64| shop.partner.patch(&path, json!({ "seats_purchased": count })).await.expect(200);
    let lowered = seats(2).await;
    let suspended = lowered["suspended_members"][0]["user_id"].as_i64().expect("somebody with an account");
    let sms = json!({ "provider": "twilio", "accountSid": "AC1", "authToken": "t", "phoneNumber": "+15551234567" });
    let id = shop.channel("sms", sms).await;
    let standing = async || {
        let overview = shop.partner.overview(&shop.workspace).await;
        let of = |list: &str, field: &str| {
            let rows = overview[list].as_array().expect("rows").iter();
            let of_user = rows.filter(|row| row["user_id"] == suspended).map(|row| row[field].clone());
            of_user.collect::<Vec<_>>()
        };
        (of("users", "status")[0].clone(), of("whatsapp_accounts", "connection_status")[0].clone())
    };
    assert_eq!(standing().await, (json!("suspended"), json!("suspended")));
    for _ in 0..2 {
        seats(8).await;
        assert_eq!(standing().await, (json!("activated"), json!("suspended")), "there are two channels already");
        shop.ask_for_link(suspended).await.expect_error(403, "channel_limit_reached");
    }
    let path = format!("/channels/{id}");
    assert_eq!(shop.linktor(Method::DELETE, &path, json!(null)).await.status.as_u16(), 204);
    seats(8).await;
    assert_eq!(standing().await, (json!("activated"), json!("connected")));
    let sms = json!({ "provider": "twilio", "accountSid": "AC1", "authToken": "t", "phoneNumber": "+15551234567" });
    let body = json!({ "name": "x", "type": "sms", "config": sms });
    assert_eq!(word(&shop.post("/channels", body).await, 403), "CHANNEL_LIMIT_REACHED", "it has its place again");
}

/// A workspace with one place, which a channel has taken while the user with an account held no seat.
async fn kept_off(app: &TestApp) -> Shop<'_> {
    let shop = shop(app, 1).await;
    let user = shop.partner.users(&shop.workspace, 1).await[0];
    shop.partner.connect(&shop.workspace, user, "+15550001111").await;
    shop.set_seats(1).await;
    let sms = json!({ "provider": "twilio", "accountSid": "AC1", "authToken": "t", "phoneNumber": "+15551234567" });
    shop.channel("sms", sms).await;
    shop
}

#[tokio::test]
async fn an_account_that_is_kept_off_says_what_it_lacks() {
    let app = TestApp::start().await;
    let shop = kept_off(&app).await;
    let connect = async || {
        let request = app.http.post(format!("{}/api/v1/channels/whatsapp/connect", app.base));
        let taken = Answer::of(request.header("X-Api-Key", shop.token.token())).await.expect(409);
        assert_eq!(taken["code"], "already_connected");
        taken["message"].as_str().expect("a message").to_owned()
    };
    let without_seat = connect().await;
    assert!(without_seat.contains("holds no seat") && !without_seat.contains("disconnect"), "{without_seat}");
    shop.set_seats(8).await;
    let without_place = connect().await;
    assert!(without_place.contains("as many channels as it can"), "{without_place}");
    assert!(!without_place.contains("disconnect") && !without_place.contains("no seat"), "{without_place}");
}

#[tokio::test]
async fn an_account_that_is_kept_off_is_left_as_it_is() {
    let app = TestApp::start().await;
    let shop = kept_off(&app).await;
    let account = async || {
        let found = channel::Entity::find().filter(channel::Column::Standalone.eq(false));
        found.one(app.app.db.reader()).await.expect("a look").expect("an account")
    };
    let before = account().await;
    assert!(before.suspended);
    for seats in [8, 9, 8, 1, 8] {
        app.clock.advance(Duration::from_secs(60));
        shop.set_seats(seats).await;
        assert_eq!(account().await, before, "{seats}");
    }
}

#[tokio::test]
async fn an_account_that_was_lost_meanwhile_needs_a_place_too() {
    let app = TestApp::start().await;
    let shop = shop(&app, 1).await;
    let user = shop.partner.users(&shop.workspace, 1).await[0];
    shop.partner.connect(&shop.workspace, user, "+15550001111").await;
    shop.partner.post("/sandbox/logout", json!({ "phone": "+15550001111" })).await.expect(200);
    app.run_jobs().await;
    let path = format!("/workspaces/{}", shop.workspace);
    let lowered = shop.partner.patch(&path, json!({ "seats_purchased": 1 })).await.expect(200);
    assert_eq!(lowered["suspended_members"][0]["user_id"], user);
    let sms = json!({ "provider": "twilio", "accountSid": "AC1", "authToken": "t", "phoneNumber": "+15551234567" });
    let id = shop.channel("sms", sms).await;
    shop.partner.patch(&path, json!({ "seats_purchased": 2 })).await.expect(200);
    shop.ask_for_link(user).await.expect_error(403, "channel_limit_reached");
    let path = format!("/channels/{id}");
    assert_eq!(shop.linktor(Method::DELETE, &path, json!(null)).await.status.as_u16(), 204);
    shop.partner.connect(&shop.workspace, user, "+15550001111").await;
    assert_eq!(shop.connected().await, ["+15550001111"]);
}
