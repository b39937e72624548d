//! Invitations: links and mails, the page, seats, and taking them back.

use entity::id::UserId;
use quartermaster::db;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::support::{
    Answer, Setup, TestApp,
    conversation::Conversations,
    mail::{mail_server, mailing, unfolded},
};

async fn page(app: &TestApp, link: &str) -> Answer {
    Answer::of(app.http.get(link)).await
}

async fn accept(app: &TestApp, link: &str) -> Answer {
    Answer::of(app.http.post(link)).await
}

#[track_caller]
fn says(answer: &Answer, status: u16, state: &str) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    assert!(answer.text.contains(&format!("data-state=\"{state}\"")), "{}", answer.text);
    assert_eq!(answer.text.contains("<button"), ["open", "seats_full"].contains(&state), "{}", answer.text);
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    assert_eq!(answer.header("cache-control"), "no-store");
    let policy = answer.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
}

/// Why accepting is refused, in our own word.
async fn refusal(app: &TestApp, link: &str) -> String {
    let token = link.rsplit('/').next().expect("a token");
    let refused = quartermaster::invitation::accept::accept(&app.app, token, "test").await.map(|_| ());
    refused.expect_err("a refusal").code().to_string()
}

/// Invites somebody; the teammate and the link.
async fn invite(bakery: &Conversations<'_>, body: Value) -> (Value, String) {
    let answer = bakery.token.post("/workspace/invitations", body).await.expect(200)["data"].clone();
    let link = answer["invitation_link"].as_str().expect("a link").to_owned();
    (answer, link)
}

async fn teammate(bakery: &Conversations<'_>, id: &Value) -> Option<Value> {
    let all = bakery.token.get("/workspace/teammates").await.expect(200)["data"]["teammates"].clone();
    all.as_array().expect("teammates").iter().find(|one| one["user_id"] == *id).cloned()
}

async fn seats(bakery: &Conversations<'_>) -> Value {
    let seats = bakery.partner.overview(&bakery.slug).await["seats"].clone();
    json!({ "total": seats["total"], "used": seats["used"] })
}

#[tokio::test]
async fn who_is_invited_takes_a_seat_when_they_accept() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let body = json!({
        "email": " Guest@Example.com ", "first_name": "Ann", "last_name": "Lee", "role": "AGENT",
        "team_title": "Default",
    });
    let (invited, link) = invite(&bakery, body).await;
    let mut expected = json!({
        "user_id": invited["user_id"], "display_name": "Ann Lee", "email": "guest@example.com", "role": "Agent",
        "team": "Default", "status": "Invited", "created_at": "2026-09-10 08:00:00 +0000",
        "invitation_status": "Pending", "whatsapp_accounts": [], "invitation_link": link,
    });
    assert_eq!(invited, expected);
    expected.as_object_mut().expect("a teammate").remove("invitation_link").expect("a link");
    assert_eq!(teammate(&bakery, &invited["user_id"]).await, Some(expected.clone()));
    assert_eq!(seats(&bakery).await, json!({ "total": 3, "used": 2 }), "an invitation takes no seat");
    let chat = bakery.chat("Ann", |row| row).await;
    let assign = json!({ "responsible": "guest@example.com" });
    bakery.token.patch(&format!("/chats/{chat}"), assign.clone()).await.expect(409);
    for _ in 0..2 {
        says(&page(&app, &link).await, 200, "open");
    }
    assert_eq!(seats(&bakery).await["used"], 2, "looking changes nothing");
    let before = bakery.audited("invitation.accept").await;
    for _ in 0..2 {
        says(&accept(&app, &link).await, 200, "accepted");
        assert_eq!(seats(&bakery).await, json!({ "total": 3, "used": 3 }));
    }
    assert_eq!(bakery.audited("invitation.accept").await, before + 1);
    says(&page(&app, &link).await, 200, "accepted");
    expected["status"] = json!("Active");
    expected["invitation_status"] = json!("Accepted");
    assert_eq!(teammate(&bakery, &invited["user_id"]).await, Some(expected));
    bakery.token.patch(&format!("/chats/{chat}"), assign).await.expect(200);
    let id = UserId(invited["user_id"].as_i64().expect("an id"));
    bakery.token_of(id, "workspace:read").await.get("/workspace").await.expect(200);
    let page = page(&app, &format!("{}/invite/unknown", app.base)).await;
    says(&page, 404, "unknown");
    says(&accept(&app, &format!("{}/invite/{}", app.base, "x".repeat(65))).await, 404, "unknown");
}

#[tokio::test]
async fn without_a_free_seat_the_page_says_so_and_nothing_changes() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let (first, first_link) = invite(&bakery, json!({ "email": "a@example.com" })).await;
    let (_, second_link) = invite(&bakery, json!({ "email": "b@example.com" })).await;
    let answers = futures_util::future::join_all([accept(&app, &first_link), accept(&app, &second_link)]).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "there was one seat");
    let full = answers.iter().find(|answer| answer.status.as_u16() == 409).expect("a refusal");
    says(full, 409, "seats_full");
    assert_eq!(seats(&bakery).await, json!({ "total": 3, "used": 3 }));
    let left = if answers[0].status.as_u16() == 409 { &first_link } else { &second_link };
    says(&page(&app, left).await, 200, "open");
    bakery.partner.patch("/workspaces/bakery", json!({ "seats_purchased": 4 })).await.expect(200);
    says(&accept(&app, left).await, 200, "accepted");
    assert_eq!(seats(&bakery).await, json!({ "total": 4, "used": 4 }));
    assert_eq!(teammate(&bakery, &first["user_id"]).await.expect("a teammate")["display_name"], "a@example.com");
    bakery.partner.patch("/workspaces/bakery", json!({ "seats_purchased": 2 })).await.expect(200);
    assert_eq!(seats(&bakery).await, json!({ "total": 2, "used": 2 }), "who accepted is suspended like anybody");
}

#[tokio::test]
async fn a_new_invitation_ends_the_one_before_and_weeks_end() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let (first, first_link) = invite(&bakery, json!({ "email": "a@example.com", "first_name": "Ann" })).await;
    let (second, second_link) = invite(&bakery, json!({ "email": "A@example.com", "role": "admin" })).await;
    assert_eq!((&second["user_id"], &second["display_name"]), (&first["user_id"], &json!("Ann")));
    assert_eq!(second["role"], "Admin");
    says(&page(&app, &first_link).await, 404, "unknown");
    says(&accept(&app, &first_link).await, 404, "unknown");
    app.advance(7 * 24 * 3600 - 1).await;
    says(&page(&app, &second_link).await, 200, "open");
    app.advance(1).await;
    says(&page(&app, &second_link).await, 410, "expired");
    says(&accept(&app, &second_link).await, 410, "expired");
    assert_eq!(refusal(&app, &second_link).await, "invitation_expired");
    assert_eq!(refusal(&app, &first_link).await, "invitation_not_found");
    assert_eq!(teammate(&bakery, &first["user_id"]).await.expect("a teammate")["invitation_status"], "Expired");
    assert_eq!(seats(&bakery).await["used"], 2);
    let (_, third_link) = invite(&bakery, json!({ "email": "a@example.com" })).await;
    says(&accept(&app, &third_link).await, 200, "accepted");
}

#[tokio::test]
async fn a_repeated_request_with_a_key_is_one_invitation() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let body = json!({ "email": "a@example.com" });
    let first = bakery.token.post_with_key("/workspace/invitations", "k", body.clone()).await.expect(200);
    assert_eq!(bakery.token.post_with_key("/workspace/invitations", "k", body).await.expect(200), first);
    assert_eq!(bakery.audited("invitation.invite").await, 1);
    let other = json!({ "email": "b@example.com" });
    bakery.token.post_with_key("/workspace/invitations", "k", other).await.expect(409);
    says(&page(&app, first["data"]["invitation_link"].as_str().expect("a link")).await, 200, "open");
}

#[tokio::test]
async fn all_roles_of_the_contract_are_understood() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    for (number, (role, shown)) in [
        ("admin", "Admin"),
        ("Team_Supervisor", "Agent"),
        ("TEAMMATE", "Agent"),
        ("agent", "Agent"),
        ("collaborator", "Agent"),
    ]
    .into_iter()
    .enumerate()
    {
        let email = format!("guest{number}@example.com");
        let (guest, _) = invite(&bakery, json!({ "email": email, "role": role })).await;
        assert_eq!((&guest["role"], &guest["status"]), (&json!(shown), &json!("Invited")), "{role}");
    }
}

#[tokio::test]
async fn members_get_the_role_and_only_those_in_charge_invite() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let email = format!("{}-bakery@partners.127.0.0.1", bakery.user_id);
    let agent = bakery.token_of(bakery.user_id, "all").await;
    let refused = agent.post("/workspace/invitations", json!({ "email": "a@example.com" })).await;
    assert_eq!(refused.expect(403)["error_code"], "permission_denied");
    let (guest, _) = invite(&bakery, json!({ "email": "guest@example.com" })).await;
    let path = format!("/workspace/invitations/{}", guest["user_id"]);
    assert_eq!(agent.delete(&path).await.expect(403)["error_code"], "permission_denied");
    for _ in 0..2 {
        let member = json!({ "email": email.to_uppercase(), "role": "admin" });
        let member = bakery.token.post("/workspace/invitations", member).await.expect(200)["data"].clone();
        assert_eq!((&member["role"], &member["status"]), (&json!("Admin"), &json!("Active")));
        assert_eq!((&member["invitation_status"], member.get("invitation_link")), (&Value::Null, None));
    }
    assert_eq!(bakery.audited("user.update").await, 1);
    agent.post("/workspace/invitations", json!({ "email": "a@example.com" })).await.expect(200);
    let owner = bakery.token.get("/workspace/teammates/me").await.expect(200)["data"]["email"].clone();
    let demoted = agent.post("/workspace/invitations", json!({ "email": owner, "role": "agent" })).await;
    assert_eq!(demoted.expect(403)["error_code"], "permission_denied");
    agent.delete(&path).await.expect(200);
}

#[tokio::test]
async fn an_invitation_can_be_taken_back_until_it_is_accepted() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let (guest, link) = invite(&bakery, json!({ "email": "a@example.com" })).await;
    let path = format!("/workspace/invitations/{}", guest["user_id"]);
    let answer = bakery.token.delete(&path).await.expect(200);
    assert_eq!(answer["status"], "ok");
    assert!(answer["message"].as_str().is_some_and(|text| !text.is_empty()));
    assert_eq!(teammate(&bakery, &guest["user_id"]).await, None);
    says(&accept(&app, &link).await, 404, "unknown");
    assert_eq!(bakery.token.delete(&path).await.expect(404)["error_code"], "not_found");
    let (again, link) = invite(&bakery, json!({ "email": "a@example.com" })).await;
    says(&accept(&app, &link).await, 200, "accepted");
    let path = format!("/workspace/invitations/{}", again["user_id"]);
    assert_eq!(bakery.token.delete(&path).await.expect(409)["message"], "the invitation has been accepted already");
    bakery.token.delete(&format!("/workspace/invitations/{}", bakery.user_id)).await.expect(409);
    for id in ["0", "x", "-1"] {
        bakery.token.delete(&format!("/workspace/invitations/{id}")).await.expect(404);
    }
}

#[tokio::test]
async fn bad_invitations_are_named() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    for (change, field) in [
        (json!({ "email": "nobody" }), "email"),
        (json!({ "email": format!("a@{}.example", "x".repeat(254)) }), "email"),
        (json!({ "email": "999-bakery@partners.127.0.0.1" }), "email"),
        (json!({ "first_name": "x".repeat(151) }), "first_name"),
        (json!({ "last_name": "a\nb" }), "last_name"),
        (json!({ "role": "owner" }), "role"),
        (json!({ "role": "king" }), "role"),
    ] {
        let mut body = json!({ "email": "a@example.com" });
        body.as_object_mut().expect("a body").extend(change.as_object().expect("a change").clone());
        let error = bakery.token.post("/workspace/invitations", body).await.expect(400);
        assert_eq!(error["errors"][0]["fields"], json!([field]), "{change}");
    }
    let team = json!({ "email": "a@example.com", "team_title": "Nobody's" });
    assert_eq!(bakery.token.post("/workspace/invitations", team).await.expect(404)["error_code"], "not_found");
    bakery.token.post("/workspace/invitations", json!({})).await.expect(400);
    assert_eq!(bakery.audited("invitation.invite").await, 0);
}

#[tokio::test]
async fn there_are_not_more_open_invitations_than_seats_can_be() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let (first, _) = invite(&bakery, json!({ "email": "a@example.com" })).await;
    let copies = |most: u64| {
        format!(
            "INSERT INTO users (workspace_id, group_id, role, display_name, email, status, created_at, updated_at) \
             SELECT workspace_id, group_id, role, display_name, 'c{most}-' || id || '@example.com', status, \
             created_at, updated_at FROM users WHERE status = 'invited' LIMIT {most}"
        )
    };
    for most in [1, 2, 4, 8, 16, 32, 64, 128, 256, 487] {
        let copied =
            db::write(&app.app.db, "test", async |tx| Ok(tx.execute_unprepared(&copies(most)).await?.rows_affected()));
        assert_eq!(copied.await.expect("copies"), most);
    }
    let more = json!({ "email": "b@example.com" });
    let error = bakery.token.post("/workspace/invitations", more.clone()).await.expect(409);
    assert_eq!(error["error_code"], "validation_error");
    assert!(error["message"].as_str().is_some_and(|text| text.contains("999")), "{error}");
    invite(&bakery, json!({ "email": "a@example.com" })).await;
    bakery.token.delete(&format!("/workspace/invitations/{}", first["user_id"])).await.expect(200);
    invite(&bakery, more).await;
}

#[tokio::test]
async fn where_mail_is_configured_the_link_is_mailed_and_tried_again() {
    let mails = mail_server().await;
    let app = Setup::default().configured(mailing).start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let body = json!({ "email": "guest@example.com", "first_name": "Ann" });
    let invited = bakery.token.post("/workspace/invitations", body).await.expect(200)["data"].clone();
    assert_eq!(invited.get("invitation_link"), None, "what is mailed is not told");
    app.run_jobs().await;
    assert!(mails.lock().expect("mails").is_empty(), "the first try was put off");
    app.advance(2).await;
    app.advance(60).await;
    let mail = unfolded(&mails.lock().expect("mails").join("\n"));
    assert_eq!(mail.matches("Subject: You are invited to Bakery").count(), 1, "{mail}");
    for part in ["To: guest@example.com", "us@example.com", "Hello Ann,", "Partner acme"] {
        assert!(mail.contains(part), "{part}: {mail}");
    }
    let link = mail.split_whitespace().find(|word| word.contains("/invite/")).expect("a link").to_owned();
    says(&accept(&app, &link).await, 200, "accepted");
    assert_eq!(teammate(&bakery, &invited["user_id"]).await.expect("a teammate")["status"], "Active");
}

#[tokio::test]
async fn mail_goes_to_no_private_address_unless_that_is_allowed() {
    let mails = mail_server().await;
    let setup = Setup::default().configured(|config| {
        mailing(config);
        config.allow_private_targets = false;
    });
    let app = setup.start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let body = json!({ "email": "guest@example.com" });
    let invited = bakery.token.post("/workspace/invitations", body).await.expect(200)["data"]["user_id"].clone();
    for _ in 0..3 {
        app.advance(300).await;
    }
    assert!(mails.lock().expect("mails").is_empty());
    bakery.token.delete(&format!("/workspace/invitations/{invited}")).await.expect(200);
    app.advance(300).await;
}
