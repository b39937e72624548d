//! Requests as systems written for this API make them, each with its address, headers and body as it is on the wire,
//! and what they rely on in the answers. The chats are such that every filter has some that fit and some that do not,
//! and every change changes something.

use entity::{chat, id::ChatId, timestamp::Timestamp, user};
use quartermaster::{caller::Origin, plan};
use reqwest::Method;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set};
use serde_json::{Value, json};

use crate::support::{
    Answer, START, TestApp,
    conversation::Conversations,
    sender::{Sender, unlimited},
    upload::{Form, png},
};

mod session;
mod workflows;

const BASE: &str = "/integrations/api";
const ACCOUNT: &str = "+15559876543";
const WID: &str = "15559876543@s.whatsapp.net";
const AGENT: &str = "agent@company.com";
const OTHER: &str = "other@company.com";
const JOHN: &str = "John Doe";

/// 2023-06-01T00:00:00Z.
const SUMMER: Timestamp = Timestamp(1_685_577_600_000_000);
/// 2024-01-01T00:00:00Z, which a filter of the table begins with.
const NEW_YEAR: Timestamp = Timestamp(1_704_067_200_000_000);

/// A chat as it is before the first request.
struct Talk {
    name: &'static str,
    labels: &'static [&'static str],
    responsible: Option<&'static str>,
    is_read: bool,
    is_group: bool,
    created_at: Timestamp,
}

const fn talk(name: &'static str, labels: &'static [&'static str], created_at: Timestamp) -> Talk {
    Talk { name, labels, responsible: None, is_read: false, is_group: false, created_at }
}

/// In the order of the list: who has written, then by name.
const TALKS: [Talk; 6] = [
    Talk { responsible: Some(AGENT), ..talk(JOHN, &["vip"], START) },
    Talk { responsible: Some(OTHER), ..talk("Acme Bakery Supplies", &["vip", "news"], SUMMER) },
    Talk { responsible: Some(AGENT), ..talk("ACME Corp", &["enterprise"], START) },
    Talk { responsible: Some(AGENT), is_read: true, is_group: true, ..talk("Staff", &["vip"], NEW_YEAR) },
    Talk { is_group: true, ..talk("Welcome", &[], START) },
    Talk { is_read: true, ..talk("Zoe", &["other"], Timestamp(NEW_YEAR.0 - 1)) },
];

/// Asks somebody into the workspace, who accepts.
pub(super) async fn teammate(app: &TestApp, bakery: &Conversations<'_>, email: &str) {
    let invited = bakery.token.post("/workspace/invitations", json!({ "email": email })).await.expect(200);
    let link = invited["data"]["invitation_link"].as_str().expect("a link");
    assert_eq!(Answer::of(app.http.post(link)).await.status.as_u16(), 200);
}

/// A workspace with seats to spare, and with rates that no test reaches.
pub(super) async fn workspace<'a>(app: &'a TestApp, phone: &str) -> Conversations<'a> {
    plan::set(&app.app, &Origin::operator(), &unlimited()).await.expect("a plan");
    let bakery = Conversations::start(app, "acme", phone).await;
    bakery.partner.patch("/workspaces/bakery", json!({ "seats_purchased": 9 })).await.expect(200);
    bakery
}

async fn scene(app: &TestApp) -> (Conversations<'_>, ChatId) {
    let bakery = workspace(app, ACCOUNT).await;
    for email in [AGENT, OTHER] {
        teammate(app, &bakery, email).await;
    }
    let mut john = None;
    for talk in &TALKS {
        let responsible = match talk.responsible {
            Some(email) => Some(user_of(app, &bakery, email).await),
            None => None,
        };
        let change = |row| chat::ActiveModel {
            read: Set(talk.is_read),
            responsible_user_id: Set(responsible),
            created_at: Set(talk.created_at),
            ..row
        };
        let id = match (talk.name, talk.is_group) {
            (JOHN, _) => {
                bakery
                    .chat(JOHN, |row| chat::ActiveModel { phone: Set(Some("+14155551234".to_owned())), ..change(row) })
                    .await
            }
            (name, false) => bakery.chat(name, change).await,
            (name, true) => bakery.group_with(name, change).await,
        };
        for label in talk.labels {
            bakery.label(id, label).await;
        }
        if talk.name == JOHN {
            // A while before the note, so that it is the older one whatever its uid ends in.
            bakery.message(id, START.plus_seconds(-60), |row| row).await;
            john = Some(id);
        }
    }
    (bakery, john.expect("a chat"))
}

async fn user_of(app: &TestApp, bakery: &Conversations<'_>, email: &str) -> entity::id::UserId {
    let found = user::Entity::find()
        .filter(user::Column::WorkspaceId.eq(bakery.workspace_id))
        .filter(user::Column::Email.eq(email))
        .one(app.app.db.reader());
    found.await.expect("a look").expect("a teammate").id
}

/// What an answer must be.
enum Expected {
    /// One page with exactly these chats.
    Chats(&'static [&'static str]),
    /// John's chat, as it was.
    Chat,
    /// John's chat with this field changed, and nothing else.
    Changed(&'static str, Value),
    /// John's labels.
    Labels(&'static [&'static str]),
    /// A note, which is in John's history and went nowhere.
    Note(&'static str),
}

/// A request, and what it must lead to. `{chat}` stands for John's.
struct Row {
    method: Method,
    path: &'static str,
    body: Option<&'static str>,
    expected: Expected,
}

fn get(path: &'static str, expected: Expected) -> Row {
    Row { method: Method::GET, path, body: None, expected }
}

fn patch(body: &'static str, field: &'static str, value: Value) -> Row {
    Row { method: Method::PATCH, path: "/chats/{chat}", body: Some(body), expected: Expected::Changed(field, value) }
}

fn post(method: Method, path: &'static str, body: &'static str, expected: Expected) -> Row {
    Row { method, path, body: Some(body), expected }
}

/// All requests of the guide on chats but the second page, in its order; those that change something come last, and
/// each finds what the one before it has left.
fn rows() -> Vec<Row> {
    use Expected::{Chat, Chats, Labels, Note};
    vec![
        get("/chats", Chats(&[JOHN, "Acme Bakery Supplies", "ACME Corp", "Staff", "Welcome", "Zoe"])),
        get("/chats?label=vip,enterprise", Chats(&[JOHN, "Acme Bakery Supplies", "ACME Corp", "Staff"])),
        get("/chats?responsible=agent@company.com", Chats(&[JOHN, "ACME Corp", "Staff"])),
        get("/chats?read=false", Chats(&[JOHN, "Acme Bakery Supplies", "ACME Corp", "Welcome"])),
        get("/chats?group=true", Chats(&["Staff", "Welcome"])),
        get("/chats?group=false", Chats(&[JOHN, "Acme Bakery Supplies", "ACME Corp", "Zoe"])),
        get("/chats?name=acme", Chats(&["Acme Bakery Supplies", "ACME Corp"])),
        get("/chats?created_after=2024-01-01T00:00:00Z", Chats(&[JOHN, "ACME Corp", "Staff", "Welcome"])),
        // Each of the others is left out by one of the three: supplies by who looks after it, the company by its label,
        // the staff because it has been read.
        get("/chats?read=false&label=vip&responsible=agent@company.com", Chats(&[JOHN])),
        get("/chats/{chat}", Chat),
        patch(r#"{ "responsible": "" }"#, "responsible", Value::Null),
        patch(r#"{ "responsible": "agent@company.com" }"#, "responsible", json!(AGENT)),
        patch(r#"{ "closed": true }"#, "closed", json!(true)),
        patch(r#"{ "closed": false }"#, "closed", json!(false)),
        patch(r#"{ "read": true }"#, "read", json!(true)),
        patch(r#"{ "name": "John Doe - VIP Customer" }"#, "name", json!("John Doe - VIP Customer")),
        patch(r#"{ "chatgpt_autoresponse_enabled": true }"#, "chatgpt_autoresponse_enabled", json!(true)),
        get("/chats/{chat}/labels", Labels(&["vip"])),
        post(
            Method::PUT,
            "/chats/{chat}/labels",
            r#"{ "labels": ["follow-up", "high-priority"] }"#,
            Labels(&["follow-up", "high-priority", "vip"]),
        ),
        post(
            Method::POST,
            "/chats/{chat}/labels",
            r#"{ "labels": ["vip", "enterprise"] }"#,
            Labels(&["enterprise", "vip"]),
        ),
        post(
            Method::POST,
            "/chats/{chat}/notes",
            r#"{ "text": "Customer prefers email for follow-ups. Next call scheduled for Monday." }"#,
            Note("Customer prefers email for follow-ups. Next call scheduled for Monday."),
        ),
    ]
}

/// Sends a request as it stands: the token in one header, the type of a body in another.
async fn ask(app: &TestApp, token: &str, method: Method, path: &str, body: Option<&str>) -> Value {
    let mut request = app.http.request(method, format!("{}{BASE}{path}", app.base));
    request = request.header("Authorization", format!("Bearer {token}"));
    if let Some(body) = body {
        request = request.header("Content-Type", "application/json").body(body.to_owned());
    }
    let answer = Answer::of(request).await;
    assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
    let body = answer.expect(200);
    assert_eq!(
        (&body["status"], body.as_object().map(serde_json::Map::len)),
        (&json!("ok"), Some(2)),
        "{path}: {body}"
    );
    body["data"].clone()
}

/// Whether a value is of a type.
type Fits<'a> = &'a dyn Fn(&Value) -> bool;

/// Every field that a chat has in answers, with its type.
#[track_caller]
fn check_chat(chat: &Value) {
    let is_text = Value::is_string;
    let is_text_or_nothing = |value: &Value| value.is_string() || value.is_null();
    let are_texts = |value: &Value| value.as_array().is_some_and(|texts| texts.iter().all(Value::is_string));
    let fields: [(&str, Fits<'_>); 20] = [
        ("id", &Value::is_i64),
        ("name", &is_text),
        ("phone", &is_text_or_nothing),
        ("jid", &is_text),
        ("is_group", &Value::is_boolean),
        ("closed", &Value::is_boolean),
        ("read", &Value::is_boolean),
        ("labels", &are_texts),
        ("chatgpt_autoresponse_enabled", &Value::is_boolean),
        ("responsible", &is_text_or_nothing),
        ("responsible_email", &is_text_or_nothing),
        ("responsible_name", &is_text_or_nothing),
        ("whatsapp_account_id", &is_text),
        ("chat_url", &is_text),
        ("created_timestamp", &is_text),
        ("last_message_uid", &is_text_or_nothing),
        ("last_message_timestamp", &is_text_or_nothing),
        ("unattended", &Value::is_boolean),
        ("photo", &is_text),
        ("is_allowed_to_message", &Value::is_boolean),
    ];
    for (field, fits) in fields {
        assert!(chat.get(field).is_some_and(fits), "{field}: {chat}");
    }
    assert_eq!(chat["responsible"], chat["responsible_email"], "two names of one thing");
    assert_eq!(chat["whatsapp_account_id"], WID);
    assert_eq!(chat["phone"].is_null(), chat["is_group"] == true, "{chat}");
}

#[track_caller]
fn names(page: &Value) -> Vec<&str> {
    let chats = page["chats"].as_array().expect("chats");
    chats.iter().map(|chat| chat["name"].as_str().expect("a name")).collect()
}

#[tokio::test]
async fn the_guides_requests_are_answered() {
    let app = TestApp::start().await;
    let (bakery, john) = scene(&app).await;
    let token = bakery.token.token();
    for row in rows() {
        let path = row.path.replace("{chat}", &john.to_string());
        let chat = format!("/chats/{john}");
        let before = ask(&app, token, Method::GET, &chat, None).await;
        let answer = ask(&app, token, row.method.clone(), &path, row.body).await;
        let after = ask(&app, token, Method::GET, &chat, None).await;
        let place = format!("{} {path}", row.method);
        match row.expected {
            Expected::Chats(expected) => {
                assert_eq!(names(&answer), expected, "{place}");
                assert_eq!(answer["has_more_pages"], false, "{place}");
                answer["chats"].as_array().expect("chats").iter().for_each(check_chat);
            }
            Expected::Chat => {
                check_chat(&answer);
                assert_eq!((&answer, &answer["phone"]), (&before, &json!("+14155551234")), "{place}");
            }
            Expected::Changed(field, value) => {
                check_chat(&answer);
                assert_ne!(before[field], value, "{place}: the row before must leave something to change");
                let mut expected = before.clone();
                expected[field] = value;
                if field == "responsible" {
                    // Who was invited without a name is called by the address.
                    expected["responsible_email"] = expected[field].clone();
                    expected["responsible_name"] = expected[field].clone();
                }
                if field == "chatgpt_autoresponse_enabled" {
                    // Its newest message waits for an automatic answer from now on.
                    expected["unattended"] = expected[field].clone();
                }
                assert_eq!((&answer, &after), (&expected, &expected), "{place}");
            }
            Expected::Labels(expected) => {
                assert_eq!((&answer["labels"], &after["labels"]), (&json!(expected), &json!(expected)), "{place}");
            }
            Expected::Note(text) => {
                let history = ask(&app, token, Method::GET, &format!("{chat}/messages"), None).await;
                let newest = &history["messages"][0];
                assert_eq!((&newest["uid"], &newest["text"]), (&answer["message_uid"], &json!(text)), "{place}");
                assert_eq!(newest["message_type"], "note");
                assert_eq!(bakery.token.credits().await.0, 0, "notes are for the team");
            }
        }
    }
    let others = bakery.token.get("/chats?closed=false&name=acme,staff,welcome,zoe").await.expect(200)["data"].clone();
    assert_eq!(
        names(&others),
        ["Acme Bakery Supplies", "ACME Corp", "Staff", "Welcome", "Zoe"],
        "only one was changed"
    );
}

#[tokio::test]
async fn what_is_changed_to_what_it_was_is_changed_too() {
    let app = TestApp::start().await;
    let (bakery, john) = scene(&app).await;
    let path = format!("/chats/{john}");
    for (body, field, value) in [
        (r#"{ "read": true }"#, "read", json!(true)),
        (r#"{ "read": false }"#, "read", json!(false)),
        (r#"{ "chatgpt_autoresponse_enabled": true }"#, "chatgpt_autoresponse_enabled", json!(true)),
        (r#"{ "chatgpt_autoresponse_enabled": false }"#, "chatgpt_autoresponse_enabled", json!(false)),
    ] {
        let before = ask(&app, bakery.token.token(), Method::GET, &path, None).await;
        assert_ne!(before[field], value);
        assert_eq!(ask(&app, bakery.token.token(), Method::PATCH, &path, Some(body)).await[field], value);
    }
    let taken = bakery.token.patch(&path, json!({ "name": "zoe" })).await.expect(400);
    assert_eq!(taken["error_code"], "validation_error");
    assert!(taken["message"].as_str().is_some_and(|text| text.starts_with("Chat name \"zoe\" is taken")), "{taken}");
}

#[tokio::test]
async fn the_second_page_begins_where_the_first_ends() {
    let app = TestApp::start().await;
    let bakery = workspace(&app, ACCOUNT).await;
    for number in 0..53 {
        bakery.chat(&format!("Chat {number:02}"), |row| row).await;
    }
    let expected: Vec<String> = (0..53).map(|number| format!("Chat {number:02}")).collect();
    for (path, range, has_more) in [("/chats", 0..50, true), ("/chats?page=2", 50..53, false)] {
        let page = ask(&app, bakery.token.token(), Method::GET, path, None).await;
        assert_eq!(
            (names(&page), &page["has_more_pages"]),
            (expected[range].iter().map(String::as_str).collect(), &json!(has_more))
        );
    }
}

#[tokio::test]
async fn credits_pace_and_ids_are_as_the_overview_says() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 20).await;
    let file = sender.token.picture("bread.png", &png(1000, 1)).await;
    for (number, (more, cost)) in (0..).zip([(json!({}), 1), (json!({ "file_uid": file }), 2)]) {
        let mut body = json!({ "phone": format!("+1555777000{number}"), "text": "Your bread is ready." });
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let before = sender.token.credits().await.0;
        let sent = sender.token.post("/messages", body).await.expect(200);
        assert_eq!(sender.token.credits().await.0 - before, cost, "{more}");
        let uid = sent["data"]["message_uid"].as_str().expect("a uid");
        assert!(uuid::Uuid::parse_str(uid).is_ok(), "{uid}");
    }
    app.advance(30).await;
    app.advance(30).await;
    let before = sender.token.credits().await.0;
    let lost = sender.token.send("+15550000404", "Nobody is there").await.expect(200);
    assert_eq!(sender.token.credits().await.0, before + 1);
    app.advance(30).await;
    let path = format!("/messages/{}", lost["data"]["message_uid"].as_str().expect("a uid"));
    assert_eq!(sender.token.get(&path).await.expect(200)["data"]["status"], "Failed");
    assert_eq!(sender.token.credits().await.0, before, "what failed costs nothing");
    app.advance(30).await;
    let mut paths = Vec::new();
    for text in ["one", "two"] {
        let sent = sender.token.send("+15557770000", text).await.expect(200);
        paths.push(format!("/messages/{}", sent["data"]["message_uid"].as_str().expect("a uid")));
    }
    for (seconds, second_waits) in [(0, true), (1, true), (2, false)] {
        app.advance(seconds).await;
        let statuses = [&paths[0], &paths[1]].map(|path| sender.token.get(path));
        let statuses = futures_util::future::join_all(statuses).await;
        let waits = statuses.iter().map(|answer| answer.expect(200)["data"]["status"] == "Pending").collect::<Vec<_>>();
        assert_eq!(waits, [false, second_waits], "after {seconds} s more");
    }
    let accounts = sender.token.get("/whatsapp_accounts").await.expect(200);
    assert_eq!(accounts["data"]["whatsapp_accounts"][0]["id"], "15550001111@s.whatsapp.net");
    let group = json!({ "jid": "120363000000000001@g.us", "text": "Hello all" });
    sender.token.post("/messages/to_jid", group).await.expect(200);
    let groups = sender.token.get("/chats?group=true").await.expect(200)["data"]["chats"].clone();
    assert_eq!((groups.as_array().map(Vec::len), &groups[0]["jid"]), (Some(1), &json!("120363000000000001@g.us")));
    let form = Form::new().file("menu.png", "image/png", &png(500, 2)).field("caption", "Our menu");
    let chat = sender.token.get("/chats?phone=%2B15557770000").await.expect(200)["data"]["chats"][0]["id"].clone();
    let before = sender.token.credits().await.0;
    sender.token.form(&format!("/chats/{chat}/file_message"), form).await.expect(200);
    assert_eq!(sender.token.credits().await.0 - before, 2, "a file with a caption is a message with an attachment");
}
