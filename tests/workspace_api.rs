//! The Workspace API that makes a token useful.

use entity::{file, message, workspace};
use quartermaster::{
    caller::Origin,
    db,
    token::{
        Scopes,
        admin::{self, CreateToken},
    },
};
use sea_orm::{EntityTrait, PaginatorTrait, sea_query::Expr};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::support::{
    PartnerClient, TestApp, TokenClient,
    sender::Sender,
    upload::{Form, png},
};

async fn token_of(app: &TestApp, acme: &PartnerClient, workspace: &str) -> TokenClient {
    let answer = acme.get(&format!("/workspaces/{workspace}/api-token")).await.expect(200);
    app.token(answer["token"].as_str().expect("a token"))
}

#[tokio::test]
async fn the_workspace_shows_its_quotas_in_its_zone() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery North", 3).await;
    acme.patch("/workspaces/bakery-north", json!({ "time_zone": "Europe/Paris" })).await.expect(200);
    let quota = |total: i64, used: i64| {
        json!({
            "total": total, "used": used,
            "period_start": "2026-09-01 02:00:00 +0200", "period_end": "2026-10-01 02:00:00 +0200",
        })
    };
    let expected = json!({
        "status": "ok",
        "data": {
            "workspace_id": "bakery-north", "display_name": "Bakery North", "plan": "starter",
            "messaging_quota": quota(1500, 0), "api_calls_quota": quota(200_000, 1),
            "seats": { "total": 3, "used": 1 }, "non_recurring_quota": { "remaining_balance": 0 },
        },
    });
    assert_eq!(token_of(&app, &acme, &workspace).await.get("/workspace").await.expect(200), expected);
}

#[tokio::test]
async fn teammates_and_the_tokens_own_user() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 3).await;
    let users = acme.users(&workspace, 2).await;
    acme.connect(&workspace, users[0], "+15550001111").await;
    acme.patch("/workspaces/bakery", json!({ "seats_purchased": 2 })).await.expect(200);
    let token = token_of(&app, &acme, &workspace).await;
    let owner = users[0] - 1;
    let teammate = |id: i64, name: &str, status: &str, accounts: &[&str]| {
        json!({
            "user_id": id, "display_name": format!("{name} {id}"), "role": name, "team": "Default",
            "status": status, "email": format!("{id}-bakery@partners.127.0.0.1"), "invitation_status": null,
            "created_at": "2026-09-10 08:00:00 +0000", "whatsapp_accounts": accounts,
        })
    };
    let me = teammate(owner, "Owner", "Active", &[]);
    assert_eq!(token.get("/workspace/teammates/me").await.expect(200), json!({ "status": "ok", "data": me }));
    let expected = json!({
        "status": "ok",
        "data": {
            "teams": [{ "title": "Default" }],
            "teammates": [
                me,
                teammate(users[0], "Agent", "Active", &["15550001111@s.whatsapp.net"]),
                teammate(users[1], "Agent", "Suspended", &[]),
            ],
        },
    });
    assert_eq!(token.get("/workspace/teammates").await.expect(200), expected);
}

#[tokio::test]
async fn accounts_read_active_or_disconnected() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 2).await;
    let user = acme.users(&workspace, 1).await[0];
    acme.connect(&workspace, user, "+15550001111").await;
    let token = token_of(&app, &acme, &workspace).await;
    let account = |status: &str| {
        json!({
            "status": "ok",
            "data": { "whatsapp_accounts": [{
                "id": "15550001111@s.whatsapp.net", "phone": "+15550001111", "status": status,
                "connected_on": "2026-09-10 08:00:00 +0000", "owner_name": format!("Agent {user}"),
                "owner_email": format!("{user}-bakery@partners.127.0.0.1"), "account_name": "Sandbox 1111",
            }] },
        })
    };
    assert_eq!(token.get("/whatsapp_accounts").await.expect(200), account("active"));
    acme.patch("/workspaces/bakery", json!({ "seats_purchased": 1 })).await.expect(200);
    assert_eq!(token.get("/whatsapp_accounts").await.expect(200), account("disconnected"));
    acme.patch("/workspaces/bakery", json!({ "seats_purchased": 2 })).await.expect(200);
    assert_eq!(token.get("/whatsapp_accounts").await.expect(200), account("active"));
    acme.post("/sandbox/logout", json!({ "phone": "+15550001111" })).await.expect(200);
    assert_eq!(token.get("/whatsapp_accounts").await.expect(200), account("disconnected"));
}

#[tokio::test]
async fn the_token_of_a_suspended_workspace_is_told_so_and_does_nothing() {
    let app = TestApp::start().await;
    let sender = Sender::with_credits(&app, 10).await;
    let change = Expr::value(workspace::Status::Suspended);
    let suspended = db::write(&app.app.db, "test", async |tx| {
        workspace::Entity::update_many().col_expr(workspace::Column::Status, change).exec(tx).await?;
        Ok(())
    });
    suspended.await.expect("a commit");
    // What a process remembers of tokens is younger than that.
    let other = app.replica().await;
    let token = other.token(sender.token.token());
    let message = json!({ "phone": "+15550002222", "text": "hello" });
    for answer in [
        token.get("/workspace").await,
        token.get("/chats").await,
        token.post("/messages", message).await,
        token.post("/webhooks", json!({})).await,
        token.form("/files_upload", Form::new().file("a.png", "image/png", &png(100, 0))).await,
    ] {
        let told = json!({
            "status": "error", "error_code": "permission_denied", "message": "the workspace is suspended",
        });
        assert_eq!(answer.expect(403), told);
    }
    assert_eq!(message::Entity::find().count(app.app.db.reader()).await.expect("a count"), 0);
    assert_eq!(file::Entity::find().count(app.app.db.reader()).await.expect("a count"), 0);
}

#[tokio::test]
async fn tokens_reach_only_as_far_as_their_scopes() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let workspace = acme.workspace("Bakery", 1).await;
    let command = CreateToken {
        partner_id: entity::id::PartnerId::parse("acme").expect("an id"),
        workspace,
        name: "accounts only".to_owned(),
        scopes: Scopes::parse("accounts:read").expect("scopes"),
        user_id: None,
    };
    let made = admin::create(&app.app, &Origin::operator(), &command).await.expect("a token");
    let token = app.token(made.token.expose_secret());
    token.get("/whatsapp_accounts").await.expect(200);
    for path in ["/workspace", "/workspace/teammates", "/workspace/teammates/me"] {
        let refused = token.get(path).await.expect(403);
        assert_eq!(refused["error_code"], "insufficient_scope");
        assert!(refused["message"].as_str().is_some_and(|text| text.contains("workspace:read")));
    }
}
