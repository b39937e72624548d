//! Connected accounts (`contracts/timelines.md` §3.6).

use std::{collections::HashMap, sync::Arc};

use entity::{channel, user};
use poem_openapi::{Object, OpenApi, payload::Json};

use crate::{
    app::App,
    channel as channels,
    error::Result,
    http::{
        formats::local_time,
        workspace_api::{Envelope, auth::TokenAuth, dialect::WorkspaceFailure, ok},
    },
    token::Scope,
    user as users,
};

pub(super) struct AccountsApi {
    pub(super) app: Arc<App>,
}

/// An account on WhatsApp.
#[derive(Object)]
#[oai(rename = "WhatsappAccount")]
pub(super) struct AccountView {
    /// Its id on WhatsApp, `<digits>@s.whatsapp.net`.
    id: String,
    /// Its number, `+` and digits.
    phone: String,
    /// When it was last connected.
    connected_on: String,
    /// `active`, or `disconnected` for everything else.
    status: String,
    /// Name of the user whose it is.
    owner_name: String,
    /// E-mail address of the user whose it is.
    owner_email: String,
    /// The name that it shows to others, possibly empty.
    account_name: String,
}

impl AccountView {
    pub(super) fn new(channel: &channel::Model, owner: Option<&user::Model>, zone: &str) -> Self {
        let is_active = channel.is_open();
        Self {
            id: channel.external_id.clone(),
            phone: channel.phone.clone(),
            connected_on: local_time(channel.connected_at, zone),
            status: if is_active { "active" } else { "disconnected" }.to_owned(),
            owner_name: owner.map(|owner| owner.display_name.clone()).unwrap_or_default(),
            owner_email: owner.map(|owner| owner.email.clone()).unwrap_or_default(),
            account_name: channel.account_name.clone(),
        }
    }
}

/// All accounts.
#[derive(Object)]
#[oai(rename = "WhatsappAccounts")]
struct AccountList {
    /// Accounts, by the order in which they were first connected.
    whatsapp_accounts: Vec<AccountView>,
}

#[OpenApi]
impl AccountsApi {
    /// List WhatsApp accounts
    #[oai(path = "/whatsapp_accounts", method = "get", operation_id = "list_whatsapp_accounts")]
    async fn list(&self, caller: TokenAuth) -> Result<Json<Envelope<AccountList>>, WorkspaceFailure> {
        let workspace = &caller.admit(Scope::AccountsRead).await?.workspace;
        let roster = users::roster(&self.app, workspace.id).await?;
        let owners: HashMap<_, _> = roster.users.iter().map(|user| (user.id, user)).collect();
        let channels = channels::whatsapp_accounts(&self.app, workspace.id).await?;
        let view = |channel: &channel::Model| {
            AccountView::new(channel, owners.get(&channel.user_id).copied(), &workspace.time_zone)
        };
        Ok(ok(AccountList { whatsapp_accounts: channels.iter().map(view).collect() }))
    }
}
