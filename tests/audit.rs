//! Every mutation leaves an entry: who, what, and nothing secret.

use std::collections::BTreeSet;

use entity::audit_entry::{Column, Entity, Model};
use quartermaster::{
    caller::Origin,
    credit::change::{self, ChangeBalance},
    idempotency::Repeatable,
    partner::{admin, brand, rotate_secret},
    plan::{self, SetPlan},
    quota::threshold::Thresholds,
    token::{self, operator},
};
use sea_orm::{EntityTrait, QueryOrder};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::support::{
    Answer, PartnerClient, Setup, TestApp,
    receiver::{Receiver, Reply},
};

/// All that changes anything. A new operation or command belongs here, and into the story below.
const ACTIONS: [&str; 32] = [
    "attempt.request_pairing_code",
    "attempt.start",
    "channel.connect",
    "channel.disconnect",
    "credits.adjust",
    "credits.grant",
    "link.create",
    "link.revoke",
    "operator_token.create",
    "operator_token.revoke",
    "partner.create",
    "partner.rotate_secret",
    "partner.set_brand",
    "partner.set_embedding_origins",
    "partner.set_status",
    "partner.set_thresholds",
    "plan.set",
    "subscription.create",
    "subscription.delete",
    "subscription.resend",
    "subscription.rotate_secret",
    "subscription.update",
    "token.create",
    "token.revoke",
    "token.rotate",
    "user.create",
    "webhook.disable",
    "webhook.resend",
    "webhook.set",
    "webhook.test",
    "workspace.create",
    "workspace.update",
];

async fn entries(app: &TestApp) -> Vec<Model> {
    Entity::find().order_by_asc(Column::Id).all(app.app.db.reader()).await.expect("entries")
}

/// Everything that a workspace can do with a webhook; its secret.
async fn subscribe(app: &TestApp, acme: &PartnerClient, workspace: &str) -> String {
    let token = crate::cli::token_with(app, workspace, "all").await;
    let token = app.token(&token);
    let webhook = json!({ "event_type": "message:received:new", "url": "https://1.1.1.1/hook" });
    let id = token.post("/webhooks", webhook).await.expect(200)["data"]["id"].clone();
    let path = format!("/webhooks/{id}");
    let written = json!({ "phone": "+15550001111", "from": "+15550009999", "text": "Hello" });
    acme.post("/sandbox/inbound", written).await.expect(200);
    let list = token.get(&format!("{path}/deliveries")).await.expect(200);
    let delivery = list["data"]["deliveries"][0]["delivery_id"].as_str().expect("a delivery").to_owned();
    token.post(&format!("{path}/deliveries/{delivery}/resend"), json!({})).await.expect(200);
    let put = token.request(reqwest::Method::PUT, &path).json(&json!({ "enabled": false }));
    Answer::of(put).await.expect(200);
    let secret = token.post(&format!("{path}/secret"), json!({})).await.expect(200)["data"]["secret"].clone();
    Answer::of(token.request(reqwest::Method::DELETE, &path)).await.expect(200);
    secret.as_str().expect("a secret").to_owned()
}

/// What the operator does to the credits of a workspace of `acme`.
async fn change_credits(app: &TestApp, workspace: &str) {
    let id = entity::id::PartnerId::parse("acme").expect("an id");
    for credits in [ChangeBalance::grant(5, Some("welcome")), ChangeBalance::adjust(-2, None)] {
        let (origin, credits, never) = (Origin::operator(), credits.expect("credits"), Repeatable::never());
        change::change(&app.app, &origin, &id, workspace, &credits, &never).await.expect("a balance");
    }
}

#[tokio::test]
async fn every_mutation_leaves_an_entry_without_secrets() {
    let app = Setup::default().configured(|config| config.allow_private_targets = true).start().await;
    let origin = Origin::operator();
    let id = entity::id::PartnerId::parse("acme").expect("an id");
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 3).await;
    let users = acme.users(&workspace, 2).await;
    let page = acme.page(&workspace, users[0]).await;
    let code = page.start().await.code();
    let pairing = page.try_pair("+15550001111").await.expect(200)["pairing"]["code"].clone();
    acme.scan(&code, "+15550001111").await.expect(200);
    let path = format!("/workspaces/{workspace}");
    acme.link(&workspace, users[1]).await;
    acme.delete(&format!("{path}/users/{}/qr", users[1])).await.expect(200);
    let secret = subscribe(&app, &acme, &workspace).await;
    acme.patch(&path, json!({ "seats_purchased": 2 })).await.expect(200);
    acme.patch(&path, json!({ "seats_purchased": 3 })).await.expect(200);
    acme.post_empty(&format!("{path}/users/{}/whatsapp/disconnect", users[0])).await.expect(200);
    let first = acme.get(&format!("{path}/api-token")).await.expect(200)["token"].clone();
    let second = acme.post_empty(&format!("{path}/api-token")).await.expect(201)["token"].clone();
    let issued = crate::cli::token_of(&app, &workspace, users[0]).await;
    let listed = token::admin::list(&app.app, &id, &workspace).await.expect("tokens");
    let last = listed.last().expect("a token").id;
    token::admin::revoke(&app.app, &origin, &id, &workspace, last).await.expect("a revocation");
    let (staff, staff_token) = operator::create(&app.app, &origin, "staff").await.expect("a token");
    operator::revoke(&app.app, &origin, staff.id).await.expect("a revocation");
    plan::set(&app.app, &origin, &SetPlan { name: "crm".to_owned(), ..SetPlan::default() }).await.expect("a plan");
    brand::set(&app.app, &origin, &id, &brand::SetBrand::default()).await.expect("a brand");
    brand::set_embedding_origins(&app.app, &origin, &id, &[]).await.expect("origins");
    let thresholds = Thresholds::new(vec![80, 100]).expect("thresholds");
    admin::set_thresholds(&app.app, &origin, &id, &thresholds).await.expect("thresholds");
    change_credits(&app, &workspace).await;
    let receiver = Receiver::start().await;
    receiver.usually(Reply::Status(410));
    let webhook = json!({ "url": receiver.url() });
    Answer::of(acme.request(reqwest::Method::PUT, "/webhook").json(&webhook)).await.expect(200);
    let test = acme.post("/webhook/test", json!({ "event_type": "api_token:rotated" })).await.expect(201);
    let delivery = test["delivery_id"].as_str().expect("an id");
    acme.post_empty(&format!("/webhook/deliveries/{delivery}/resend")).await.expect(201);
    app.run_jobs().await;
    let rotated = rotate_secret::rotate(&app.app, &origin, &id, 60).await.expect("a rotation");
    let active = entity::partner::Status::Active;
    admin::set_status(&app.app, &origin, &id, active).await.expect("a status");

    let rows = entries(&app).await;
    let told: BTreeSet<&str> = rows.iter().map(|row| row.action.as_str()).collect();
    assert_eq!(told, ACTIONS.into_iter().collect(), "keep ACTIONS and the story complete");
    let by = |actor: &str| rows.iter().filter(move |row| row.actor.starts_with(actor)).collect::<Vec<_>>();
    assert!(by("partner:acme").iter().all(|row| row.request_id.is_some() && row.partner_id.is_some()));
    assert!(by("token:").iter().all(|row| row.request_id.is_some() && row.workspace_id.is_some()));
    assert!(by("link:").iter().all(|row| row.request_id.is_some()));
    assert_eq!(by("provider").iter().map(|row| row.action.as_str()).collect::<Vec<_>>(), ["channel.connect"]);
    assert_eq!(by("endpoint:acme").iter().map(|row| row.action.as_str()).collect::<Vec<_>>(), ["webhook.disable"]);
    let updates: Vec<&Model> = rows.iter().filter(|row| row.action == "workspace.update").collect();
    let after =
        |row: &Model| serde_json::from_str::<serde_json::Value>(row.after.as_deref().expect("after")).expect("JSON");
    assert_eq!(after(updates[0])["suspended"][0]["user_id"], users[1]);
    assert_eq!(after(updates[1])["restored"], json!([users[1]]));
    let changes = rows.iter().filter(|row| row.action.starts_with("credits."));
    let changes = changes.map(|row| (row.actor.as_str(), row.before.as_deref().unwrap_or_default(), after(row)));
    let granted = json!({ "credits": 5, "balance": 5, "note": "welcome" });
    let adjusted = json!({ "credits": -2, "balance": 3, "note": null });
    assert_eq!(changes.collect::<Vec<_>>(), [("operator", "0", granted), ("operator", "5", adjusted)]);
    let text = format!("{rows:?}");
    let (_, link) = page.url.rsplit_once('/').expect("a token");
    for secret in [
        code.as_str(),
        link,
        &acme.secret,
        rotated.secret.expose_secret(),
        first.as_str().expect("a token"),
        second.as_str().expect("a token"),
        &issued,
        staff_token.expose_secret(),
        pairing.as_str().expect("a code"),
        &secret,
        "/hook",
    ] {
        assert!(!text.contains(secret), "{secret}");
    }
}
