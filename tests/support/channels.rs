//! A workspace that makes channels, in either dialect of the Channels API.

use quartermaster::{caller::Origin, plan};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, PartnerClient, TestApp, TokenClient, sender::unlimited};

/// A workspace with 20 seats of a sandbox partner, and rates that no test reaches.
pub(crate) struct Shop<'a> {
    pub(crate) app: &'a TestApp,
    pub(crate) partner: PartnerClient,
    pub(crate) workspace: String,
    pub(crate) token: TokenClient,
}

impl<'a> Shop<'a> {
    pub(crate) async fn open(app: &'a TestApp) -> Self {
        plan::set(&app.app, &Origin::operator(), &unlimited()).await.expect("a plan");
        Self::of(app, app.partner("acme").await, "Bakery", 20).await
    }

    pub(crate) async fn of(app: &'a TestApp, partner: PartnerClient, name: &str, seats: i64) -> Self {
        let workspace = partner.workspace(name, seats).await;
        let token = partner.get(&format!("/workspaces/{workspace}/api-token")).await.expect(200);
        let token = app.token(token["token"].as_str().expect("a token"));
        Self { app, partner, workspace, token }
    }

    /// A request of Linktor's dialect.
    pub(crate) async fn linktor(&self, method: Method, path: &str, body: Value) -> Answer {
        let request = self.app.http.request(method, format!("{}/v1{path}", self.app.base));
        let request = request.bearer_auth(self.token.token());
        Answer::of(if body.is_null() { request } else { request.json(&body) }).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.linktor(Method::GET, path, json!(null)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.linktor(Method::POST, path, body).await
    }

    /// A channel of this type; its id.
    pub(crate) async fn channel(&self, network: &str, config: Value) -> String {
        let body = json!({ "name": format!("My {network}"), "type": network, "config": config });
        let made = self.post("/channels", body).await.expect(201);
        made["data"]["id"].as_str().expect("an id").to_owned()
    }

    /// A channel of this type that is switched on and connected; its id.
    pub(crate) async fn active(&self, network: &str, config: Value) -> String {
        let id = self.channel(network, config).await;
        let answer = self.post(&format!("/channels/{id}/activate"), json!(null)).await.expect(200);
        assert_eq!(answer["data"]["attributes"]["status"], "active", "{answer}");
        id
    }

    /// What is known of a channel.
    pub(crate) async fn attributes(&self, id: &str) -> Value {
        self.get(&format!("/channels/{id}")).await.expect(200)["data"]["attributes"].clone()
    }

    /// The row of a channel.
    pub(crate) async fn row(&self, id: &str) -> entity::channel::Model {
        use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
        let id: entity::id::ChannelId = id.trim_start_matches("ch_").parse().expect("a uuid");
        let found = entity::channel::Entity::find().filter(entity::channel::Column::Id.eq(id));
        found.one(self.app.app.db.reader()).await.expect("a look").expect("a channel")
    }
}

/// The word of an error in either dialect.
#[track_caller]
pub(crate) fn word(answer: &Answer, status: u16) -> String {
    answer.expect(status)["error"]["code"].as_str().expect("a code").to_owned()
}

/// Settings with which each type of channel is made, as seed 002 shows them, with other accounts each time.
pub(crate) fn settings() -> Vec<(&'static str, Value)> {
    vec![
        (
            "whatsapp",
            json!({
                "phoneNumberId": "123456789", "accessToken": "EAABcd-secret", "businessAccountId": "987654321",
                "verifyToken": "my-verify-secret",
            }),
        ),
        ("telegram", json!({ "botToken": "123456:telegram-secret" })),
        (
            "sms",
            json!({
                "provider": "twilio", "accountSid": "AC1", "authToken": "twilio-secret", "phoneNumber": "+15551234567",
            }),
        ),
        (
            "email",
            json!({
                "provider": "smtp", "smtpHost": "smtp.example.com", "smtpPort": 587, "smtpUser": "support@example.com",
                "smtpPassword": "smtp-secret", "imapHost": "imap.example.com", "imapPort": 993,
                "imapUser": "support@example.com", "imapPassword": "imap-secret", "fromName": "Acme Support",
                "fromEmail": "support@example.com",
            }),
        ),
        (
            "webchat",
            json!({
                "allowedOrigins": ["https://www.example.com", "https://app.example.com"],
                "theme": {
                    "primaryColor": "#0066cc", "headerText": "Chat with us", "welcomeMessage": "Hi! How can we help?",
                },
                "requireEmail": false, "showBranding": true,
            }),
        ),
        ("facebook", json!({ "pageId": "page-1", "pageAccessToken": "facebook-secret", "appSecret": "app-secret" })),
        ("instagram", json!({ "accountId": "insta-1", "accessToken": "instagram-secret" })),
        (
            "voice",
            json!({
                "provider": "twilio", "accountSid": "AC1", "authToken": "voice-secret", "phoneNumber": "+15551234568",
                "speechToText": true, "textToSpeech": true, "recordCalls": true,
            }),
        ),
        ("rcs", json!({ "agentId": "agent-1", "serviceAccountKey": "rcs-secret", "clientToken": "client-secret" })),
    ]
}

/// [`settings()`], with simulated people on all networks, the web chat too, which has visitors of its own otherwise.
pub(crate) fn simulated() -> Vec<(&'static str, Value)> {
    let mut settings = settings();
    for (_, config) in settings.iter_mut().filter(|(network, _)| *network == "webchat") {
        config["connector"] = json!("sandbox");
    }
    settings
}
