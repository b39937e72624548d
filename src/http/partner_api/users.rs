//! Users: create, list, disconnect their account (`contracts/timelines.md` §1.3, 4 and 6).

use std::sync::Arc;

use entity::id::UserId;
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path, Query},
    payload::Json,
};
use serde::Deserialize;

use crate::{
    app::App,
    channel::disconnect::{self, Disconnected},
    error::Result,
    http::{
        body::JsonBody,
        formats::IsoTime,
        partner_api::{
            auth::PartnerAuth,
            dialect::PartnerFailure,
            views::{Created, UserView},
        },
    },
    page::PageRequest,
    user::{
        self, Count,
        create::{self, Created as CreatedUsers},
    },
};

pub(super) struct UsersApi {
    pub(super) app: Arc<App>,
}

/// Users to be made.
#[derive(Object, Deserialize)]
struct CreateUsersRequest {
    /// How many, 1 to 99.
    count: i64,
}

/// The new users and the seats afterwards.
#[derive(Object)]
struct CreateUsersResponse {
    /// Id of the workspace.
    workspace_id: String,
    /// Seats bought.
    seats_total: i32,
    /// Seats that no user holds.
    seats_available: i32,
    /// The new users, by id.
    users: Vec<UserView>,
}

impl From<&CreatedUsers> for CreateUsersResponse {
    fn from(created: &CreatedUsers) -> Self {
        Self {
            workspace_id: created.workspace.slug.to_string(),
            seats_total: created.workspace.seats_total,
            seats_available: created.workspace.seats_total - created.workspace.seats_used,
            users: created.users.iter().map(UserView::from).collect(),
        }
    }
}

/// One page of users.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
struct UserList {
    /// Users, by id.
    users: Vec<UserView>,
    /// Send it as `cursor` for the next page; absent on the last.
    next_cursor: Option<String>,
}

/// What came of a disconnect.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
struct DisconnectResponse {
    /// Id of the workspace.
    workspace_id: String,
    /// The user.
    user_id: i64,
    /// Whether an account was connected.
    disconnected: bool,
    /// When it was disconnected.
    disconnected_at: Option<IsoTime>,
    /// Number of the account.
    whatsapp_account_id: Option<i64>,
    /// The account's number, `+` and digits.
    phone_number: Option<String>,
    /// Why nothing happened.
    description: Option<String>,
}

impl DisconnectResponse {
    fn new(workspace_id: String, outcome: &Disconnected) -> Self {
        let account = outcome.account.as_ref();
        Self {
            workspace_id,
            user_id: outcome.user_id.0,
            disconnected: account.is_some(),
            disconnected_at: account.and_then(|account| account.disconnected_at).map(IsoTime::from),
            whatsapp_account_id: account.map(|account| account.account_id.0),
            phone_number: account.map(|account| account.phone.clone()),
            description: account.is_none().then(|| "no active account".to_owned()),
        }
    }
}

#[OpenApi]
impl UsersApi {
    /// Create users
    ///
    /// All or none: 409 `seats_full` if there are fewer free seats.
    #[oai(path = "/workspaces/:workspace_id/users", method = "post", operation_id = "create_users")]
    async fn create(
        &self,
        caller: PartnerAuth,
        /// Id of the workspace.
        workspace_id: Path<String>,
        /// The same key and body returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: JsonBody<CreateUsersRequest>,
    ) -> Result<Created<CreateUsersResponse>, PartnerFailure> {
        let count = Count::parse(body.0.count)?;
        let request = caller.repeatable(key.0.as_deref(), "create_users", &(&workspace_id.0, count))?;
        let created = create::create(&self.app, &caller.0, &workspace_id.0, count, &request).await?;
        Ok(Created::Created(Json(CreateUsersResponse::from(&created))))
    }

    /// List users
    ///
    /// An extension.
    #[oai(path = "/workspaces/:workspace_id/users", method = "get", operation_id = "list_users")]
    async fn list(
        &self,
        caller: PartnerAuth,
        /// Id of the workspace.
        workspace_id: Path<String>,
        /// Where the page before ended.
        cursor: Query<Option<String>>,
        /// Most users, 1 to 200; 50 where absent.
        limit: Query<Option<i64>>,
    ) -> Result<Json<UserList>, PartnerFailure> {
        let page = PageRequest::parse(cursor.0.as_deref(), limit.0)?;
        let page = user::list(&self.app, &caller.0.partner.id, &workspace_id.0, page).await?;
        let users = page.items.iter().map(UserView::from).collect();
        Ok(Json(UserList { users, next_cursor: page.next_cursor }))
    }

    /// Disconnect a user's account
    ///
    /// Ends the session of the user's WhatsApp account and stops billing; accounts on other networks stay. A user who has
    /// other WhatsApp accounts, made over the Channels or the Connect API, has one of them disconnected with each call more,
    /// the latest first. Without a connected account nothing happens: 200 with `disconnected: false`.
    #[oai(
        path = "/workspaces/:workspace_id/users/:user_id/whatsapp/disconnect",
        method = "post",
        operation_id = "disconnect_whatsapp_account"
    )]
    async fn disconnect(
        &self,
        caller: PartnerAuth,
        /// Id of the workspace.
        workspace_id: Path<String>,
        /// The user.
        user_id: Path<UserId>,
        /// The same key returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
    ) -> Result<Json<DisconnectResponse>, PartnerFailure> {
        let command = (&workspace_id.0, user_id.0);
        let request = caller.repeatable(key.0.as_deref(), "disconnect_whatsapp_account", &command)?;
        let outcome = disconnect::disconnect(&self.app, &caller.0, &workspace_id.0, user_id.0, &request).await?;
        Ok(Json(DisconnectResponse::new(workspace_id.0, &outcome)))
    }
}
