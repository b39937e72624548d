//! The fourth part of the story: a customer's portal links one account of each network, and is asked as a network asks.

use reqwest::Method;
use serde_json::{Value, json};

use crate::cli::demo::{
    client::Who,
    story::{API, Story, expect},
};

const CHANNELS: &str = "/api/v1/channels";
/// A phone with both apps.
const PHONE: &str = "+15550002222";
/// By the end of its password the simulated Instagram asks for two codes.
const PASSWORD: &str = "sandbox_2fa";
const CODES: [&str; 2] = ["123456", "654321"];

impl Story<'_> {
    /// WhatsApp and Telegram by a code, Instagram by a password and two codes, for a workspace of their own.
    pub(super) async fn connect(&mut self) -> Option<()> {
        let name = format!("Florist {}", self.report.clock().now().0 / 1000 % 1_000_000_000);
        let body = json!({ "display_name": name, "seats_purchased": 3 });
        let created =
            self.post("Another workspace, whose portal shows codes itself", "/workspaces", &body, 201, |_| Ok(()));
        let workspace = created.await?["workspace_id"].as_str()?.to_owned();
        let path = format!("{API}/workspaces/{workspace}/api-token");
        let token = self.get("Its API token", Who::Partner, &path, 200, |_| Ok(())).await?;
        let token = token["token"].as_str()?.to_owned();
        self.by_code(&token, "whatsapp", ["The portal asks for a WhatsApp code", "WhatsApp is connected"]).await?;
        self.by_code(&token, "telegram", ["The portal asks for a Telegram code", "Telegram is connected"]).await?;
        self.by_password(&token).await
    }

    async fn by_code(&mut self, token: &str, channel: &str, titles: [&'static str; 2]) -> Option<()> {
        let path = format!("{CHANNELS}/{channel}/connect");
        let begun = self.ask(titles[0], Who::Token(token), Method::POST, &path, None, 200, |body| {
            expect(&json!(body["data"]["expires_in_ms"].as_i64().is_some_and(|left| left > 0)), &json!(true))
        });
        let begun = begun.await?;
        let scan = json!({ "qr": begun["data"]["qr_code"], "phone": PHONE });
        self.post("A phone scans it", "/sandbox/scan", &scan, 200, |body| expect(&body["outcome"], &json!("linked")))
            .await?;
        let path = format!("{CHANNELS}/{channel}/status?account_id={}", begun["data"]["account_id"].as_str()?);
        self.get(titles[1], Who::Token(token), &path, 200, |body| {
            expect(&body["data"]["completed"], &json!(true))?;
            expect(&body["data"]["username"], &json!(PHONE))
        })
        .await?;
        Some(())
    }

    async fn by_password(&mut self, token: &str) -> Option<()> {
        let who = Who::Token(token);
        let path = format!("{CHANNELS}/instagram/connect");
        let login = json!({ "username": "florist", "password": PASSWORD });
        let asked = self.ask("Instagram asks for a code", who, Method::POST, &path, Some(&login), 200, |body| {
            expect(&body["data"]["checkpoint_type"], &json!("2FA"))
        });
        let account = asked.await?["data"]["account_id"].clone();
        let path = format!("{CHANNELS}/instagram/2fa");
        let answer = |code: &str| json!({ "account_id": account, "code": code });
        let (first, second) = (answer(CODES[0]), answer(CODES[1]));
        self.ask("and for another", who, Method::POST, &path, Some(&first), 200, |body: &Value| {
            expect(&body["data"]["checkpoint_type"], &json!("OTP"))
        })
        .await?;
        self.ask("Instagram is connected", who, Method::POST, &path, Some(&second), 200, |body: &Value| {
            expect(&body["data"]["is_connected"], &json!(true))?;
            expect(&body["data"]["username"], &json!("florist"))
        })
        .await?;
        Some(())
    }
}
