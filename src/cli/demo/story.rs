//! The story, step by step.

use std::time::Duration;

use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::{
    cli::demo::{
        client::{Answer, Client, Who},
        qr,
        report::Report,
    },
    partner::WithSecret,
};

pub(super) const API: &str = "/partner/api/v1";
pub(super) const PUBLIC: &str = "/integrations/api";
pub(super) const PHONE: &str = "+15550001111";

/// Plays the story; `None` where a step failed that the rest needs. Otherwise the address of a page to look at.
pub(super) async fn play(
    base: &str,
    partner: &WithSecret,
    operator: &SecretString,
    report: &mut Report,
) -> Option<String> {
    let clock = report.clock();
    let client = Client::new(base, partner.partner.id.as_str(), partner.secret.clone(), clock).ok()?;
    let mut story = Story { client, report };
    let (workspace, agents) = story.provision().await?;
    story.onboard(&workspace, agents[0]).await?;
    let token = story.use_and_rotate_token(&workspace).await?;
    story.send(&workspace, &token, operator.expose_secret()).await?;
    story.converse(&token).await?;
    story.chat_on_a_website(&token).await?;
    story.connect().await?;
    story.downgrade_and_back(&workspace, agents).await?;
    story.last_page(&workspace, agents[1]).await
}

pub(super) struct Story<'a> {
    pub(super) client: Client,
    pub(super) report: &'a mut Report,
}

impl Story<'_> {
    /// Workspace, users, and a seat too many.
    async fn provision(&mut self) -> Option<(String, [i64; 2])> {
        // A folder that was used before has the first name already.
        let name = format!("Bakery {}", self.report.clock().now().0 / 1000 % 1_000_000_000);
        let body = json!({ "display_name": name, "seats_purchased": 3 });
        let created = self.post("A workspace with 3 seats", "/workspaces", &body, 201, |body| {
            expect(&body["seats_available"], &json!(2))
        });
        let workspace = created.await?["workspace_id"].as_str()?.to_owned();
        let users = format!("/workspaces/{workspace}/users");
        let two = json!({ "count": 2 });
        let agents = self.post("Two users, each takes a seat", &users, &two, 201, |body| {
            expect(&body["seats_available"], &json!(0))
        });
        let agents = agents.await?;
        let ids = [agents["users"][0]["user_id"].as_i64()?, agents["users"][1]["user_id"].as_i64()?];
        self.post("One user too many is refused", &users, &json!({ "count": 1 }), 409, |body| {
            expect(&body["error"], &json!("seats_full"))
        })
        .await?;
        Some((workspace, ids))
    }

    /// Link, page, code, phone, account.
    async fn onboard(&mut self, workspace: &str, user: i64) -> Option<()> {
        let page = self.link("A QR link for the first user", workspace, user).await?;
        self.get("The page opens and starts nothing", Who::Nobody, &page, 200, |body| {
            let text = body["text"].as_str().unwrap_or_default();
            if text.contains("Connect WhatsApp") { Ok(()) } else { Err("this is not the page".to_owned()) }
        })
        .await?;
        let path = format!("{page}/attempts");
        let shown = self.ask("Its script asks for a code", Who::Nobody, Method::POST, &path, None, 200, |body| {
            expect(&body["state"], &json!("awaiting_scan"))
        });
        let picture = shown.await?["qr"]["image"].as_str()?.to_owned();
        let code = self.read_code(&picture)?;
        let scan = json!({ "qr": code, "phone": PHONE });
        self.post("A phone scans it", "/sandbox/scan", &scan, 200, |body| expect(&body["outcome"], &json!("linked")))
            .await?;
        self.page_says_connected(&page).await?;
        let path = format!("{API}/workspaces/{workspace}");
        self.get("The workspace shows the account", Who::Partner, &path, 200, |body| {
            expect(&body["whatsapp_accounts"][0]["phone_number_e164"], &json!(PHONE))?;
            expect(&body["whatsapp_accounts"][0]["connected"], &json!(true))
        })
        .await?;
        self.post("The used code is dead", "/sandbox/scan", &scan, 409, |body| {
            expect(&body["error"], &json!("code_used"))
        })
        .await?;
        Some(())
    }

    fn read_code(&mut self, picture: &str) -> Option<String> {
        let watch = self.report.stopwatch();
        let read = qr::read(picture);
        let verdict = read.as_ref().map(|_| ()).map_err(Clone::clone);
        let answered = read.as_deref().unwrap_or("nothing");
        self.report.step("The QR code is read from the picture", "SVG", answered, watch.elapsed(), &verdict);
        read.ok()
    }

    async fn page_says_connected(&mut self, page: &str) -> Option<()> {
        let watch = self.report.stopwatch();
        let event = self.client.wait_for_event(page, |state| state["state"] == "connected").await;
        let answered = event.as_ref().map_or_else(Clone::clone, Value::to_string);
        let verdict = event.map(|_| ());
        let asked = format!("GET {page}/events");
        self.report.step("The page says connected", &asked, &answered, watch.elapsed(), &verdict);
        verdict.ok()
    }

    /// Token used, rotated, the old one refused.
    async fn use_and_rotate_token(&mut self, workspace: &str) -> Option<String> {
        let path = format!("/workspaces/{workspace}/api-token");
        let read = format!("{API}{path}");
        let first = self.get("The API token", Who::Partner, &read, 200, |_| Ok(())).await?;
        let first = first["token"].as_str()?.to_owned();
        let accounts = format!("{PUBLIC}/whatsapp_accounts");
        self.get("The customer's system uses it", Who::Token(&first), &accounts, 200, |body| {
            expect(&body["data"]["whatsapp_accounts"][0]["status"], &json!("active"))
        })
        .await?;
        let second = self.post("The token is rotated", &path, &Value::Null, 201, |_| Ok(()));
        let second = second.await?["token"].as_str()?.to_owned();
        self.get("The old one is refused", Who::Token(&first), &accounts, 401, |body| {
            expect(&body["error_code"], &json!("invalid_token"))
        })
        .await?;
        self.get("The new one works", Who::Token(&second), &format!("{PUBLIC}/workspace"), 200, |_| Ok(())).await?;
        Some(second)
    }

    /// Fewer seats suspend whoever has no account; more restore.
    async fn downgrade_and_back(&mut self, workspace: &str, agents: [i64; 2]) -> Option<()> {
        let path = format!("{API}/workspaces/{workspace}");
        let fewer = json!({ "seats_purchased": 2 });
        let title = "A downgrade suspends the user without an account";
        self.ask(title, Who::Partner, Method::PATCH, &path, Some(&fewer), 200, |body| {
            expect(&body["suspended_members"][0]["user_id"], &json!(agents[1]))
        })
        .await?;
        let link = format!("/workspaces/{workspace}/users/{}/qr", agents[1]);
        self.post("A suspended user gets no link", &link, &Value::Null, 409, |body| {
            expect(&body["error"], &json!("user_not_active"))
        })
        .await?;
        let more = json!({ "seats_purchased": 3 });
        self.ask("Raising the seats restores it", Who::Partner, Method::PATCH, &path, Some(&more), 200, |body| {
            expect(&body["seats_available"], &json!(0))
        })
        .await?;
        Some(())
    }

    async fn last_page(&mut self, workspace: &str, user: i64) -> Option<String> {
        self.link("A link for the second user, to look at", workspace, user).await
    }

    async fn link(&mut self, title: &'static str, workspace: &str, user: i64) -> Option<String> {
        let path = format!("/workspaces/{workspace}/users/{user}/qr");
        let two_days = json!({ "expires_in_hours": 48 });
        let link =
            self.post(title, &path, &two_days, 200, |body| expect(&body["whatsapp_disconnected"], &json!(false)));
        Some(link.await?["qr_link"].as_str()?.to_owned())
    }

    pub(super) async fn post(
        &mut self,
        title: &'static str,
        path: &str,
        body: &Value,
        status: u16,
        check: impl Fn(&Value) -> Result<(), String>,
    ) -> Option<Value> {
        let body = (!body.is_null()).then_some(body);
        self.ask(title, Who::Partner, Method::POST, &format!("{API}{path}"), body, status, check).await
    }

    pub(super) async fn get(
        &mut self,
        title: &'static str,
        who: Who<'_>,
        path: &str,
        status: u16,
        check: impl Fn(&Value) -> Result<(), String>,
    ) -> Option<Value> {
        self.ask(title, who, Method::GET, path, None, status, check).await
    }

    #[expect(clippy::too_many_arguments, reason = "a step of the story is one line where it is told")]
    pub(super) async fn ask(
        &mut self,
        title: &'static str,
        who: Who<'_>,
        method: Method,
        path: &str,
        body: Option<&Value>,
        status: u16,
        check: impl Fn(&Value) -> Result<(), String>,
    ) -> Option<Value> {
        let asked = format!("{method} {path} {}", body.map(Value::to_string).unwrap_or_default());
        let watch = self.report.stopwatch();
        let answer = self.client.send(who, method, path, body).await;
        self.conclude(title, &asked, answer, watch.elapsed(), status, check)
    }

    /// Reports an answer; its body, if it is what it should be.
    pub(super) fn conclude(
        &mut self,
        title: &'static str,
        asked: &str,
        answer: Result<Answer, String>,
        took: Duration,
        status: u16,
        check: impl Fn(&Value) -> Result<(), String>,
    ) -> Option<Value> {
        let verdict = match &answer {
            Ok(Answer { status: got, body }) if got.as_u16() == status => check(body),
            Ok(Answer { status: got, .. }) => Err(format!("expected status {status}, got {got}")),
            Err(error) => Err(error.clone()),
        };
        let answered = match &answer {
            Ok(Answer { status, body }) => format!("{status} {body}"),
            Err(error) => error.clone(),
        };
        self.report.step(title, asked, &answered, took, &verdict);
        answer.ok().filter(|_| verdict.is_ok()).map(|answer| answer.body)
    }
}

pub(super) fn expect(got: &Value, wanted: &Value) -> Result<(), String> {
    if got == wanted { Ok(()) } else { Err(format!("expected {wanted}, got {got}")) }
}
