//! A workspace that can send: a partner, a connected phone, a token.

use std::sync::Arc;

use quartermaster::{
    caller::{Origin, WorkspaceCaller},
    idempotency::Repeatable,
    message::{
        Destination, SendMessage, Text,
        send::{Author, Sending},
    },
    phone::Phone,
    plan::{self, SetPlan},
};

use crate::support::{PartnerClient, TestApp, TokenClient};

/// The number of the account that sends.
pub(crate) const PHONE: &str = "+15550001111";

pub(crate) struct Sender {
    pub(crate) partner: PartnerClient,
    pub(crate) workspace: String,
    pub(crate) token: TokenClient,
    pub(crate) account_id: i64,
}

impl Sender {
    /// A workspace with one seat and so many credits for it, and with rates that no test reaches.
    pub(crate) async fn with_credits(app: &TestApp, credits: i64) -> Self {
        Self::on_plan(app, &SetPlan { credits_per_seat: Some(entity::credits::Credits(credits)), ..unlimited() }).await
    }

    /// A workspace with one seat on the starter plan, changed.
    pub(crate) async fn on_plan(app: &TestApp, plan: &SetPlan) -> Self {
        plan::set(&app.app, &Origin::operator(), plan).await.expect("a plan");
        let partner = app.partner("acme").await;
        Self::of(app, partner, "Bakery", PHONE).await
    }

    /// A workspace of this partner, with this number.
    pub(crate) async fn of(app: &TestApp, partner: PartnerClient, name: &str, phone: &str) -> Self {
        let workspace = partner.workspace(name, 1).await;
        let owner = partner.owner(&workspace).await;
        let account_id = partner.connect(&workspace, owner, phone).await;
        let token = partner.get(&format!("/workspaces/{workspace}/api-token")).await.expect(200);
        let token = app.token(token["token"].as_str().expect("a token"));
        app.run_jobs().await;
        Self { partner, workspace, token, account_id }
    }
}

/// A text to be accepted without the surface that takes it, and without a hold.
pub(crate) fn text(caller: &Arc<WorkspaceCaller>, to: &str, text: &str) -> Sending {
    let phone = Phone::parse(to).expect("a number");
    let command = SendMessage {
        destination: Destination::Phone { phone, account: None },
        text: Some(Text::parse(text.to_owned()).expect("a text")),
        file: None,
        label: None,
        chat_name: None,
        reply_to: None,
    };
    Sending { caller: Arc::clone(caller), hold: None, command, request: Repeatable::never(), author: Author::Caller }
}

/// The starter plan with rates that no test reaches.
pub(crate) fn unlimited() -> SetPlan {
    SetPlan {
        name: "starter".to_owned(),
        token_rate_per_second: Some(100_000),
        workspace_rate_per_second: Some(100_000),
        partner_rate_per_second: Some(100_000),
        ..SetPlan::default()
    }
}
