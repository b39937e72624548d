//! Onboarding links: create, list, revoke (`contracts/timelines.md` §1.3, 5).

use std::sync::Arc;

use entity::{channel::Network, id::UserId};
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path, Query},
    payload::Json,
};
use serde::Deserialize;

use crate::{
    app::App,
    error::Result,
    http::{
        body::JsonBody,
        formats::IsoTime,
        partner_api::{auth::PartnerAuth, dialect::PartnerFailure, views::LinkView},
    },
    onboarding::{
        self,
        create_link::{self, CreateLink, Hours},
    },
    page::PageRequest,
};

pub(super) struct LinksApi {
    pub(super) app: Arc<App>,
}

/// How the link is wanted.
#[derive(Object, Deserialize)]
struct CreateLinkRequest {
    /// Life of the link, 1 to 168 hours; 24 where absent.
    expires_in_hours: Option<i64>,
    /// The network that the page links an account of (extension): `whatsapp`, `telegram` or `instagram`; `whatsapp`
    /// where absent.
    network: Option<String>,
}

/// A link.
#[derive(Object)]
struct CreateLinkResponse {
    /// Id of the workspace.
    workspace_id: String,
    /// Whose account it connects.
    user_id: i64,
    /// The network that the page links an account of (extension).
    network: String,
    /// The page's address: give it to the user, or embed it with `?display_mode=embedding`.
    qr_link: String,
    /// When it stops working.
    expires_at: IsoTime,
    /// Whether a connected account of the user was disconnected for it.
    whatsapp_disconnected: bool,
    /// Whether an open link of the user was taken back for it.
    previous_qr_revoked: bool,
}

/// One page of links.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
struct LinkList {
    /// Links that can still be opened, by user.
    qr_links: Vec<LinkView>,
    /// Send it as `cursor` for the next page; absent on the last.
    next_cursor: Option<String>,
}

/// What came of a revocation.
#[derive(Object)]
struct RevokeLinkResponse {
    /// Id of the workspace.
    workspace_id: String,
    /// The user.
    user_id: i64,
    /// Whether there was an open link.
    revoked: bool,
}

#[OpenApi]
impl LinksApi {
    /// Create an onboarding link
    ///
    /// Destructive: a connected account of the user is disconnected and an open link is taken back first. 409
    /// `user_not_active` for a user without a seat; 403 `channel_limit_reached` for one without an account in a workspace
    /// that has as many channels as its plan allows, and nothing is changed then. The page shows a code to scan, or for `instagram` asks for user name
    /// and password and for the codes that the network sends; neither is kept.
    #[oai(path = "/workspaces/:workspace_id/users/:user_id/qr", method = "post", operation_id = "create_qr_link")]
    async fn create(
        &self,
        caller: PartnerAuth,
        /// Id of the workspace.
        workspace_id: Path<String>,
        /// The user.
        user_id: Path<UserId>,
        /// The same key and body returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: JsonBody<CreateLinkRequest>,
    ) -> Result<Json<CreateLinkResponse>, PartnerFailure> {
        let hours = body.0.expires_in_hours.map_or_else(|| Ok(Hours::default()), Hours::parse)?;
        let network = body.0.network.as_deref().map_or(Ok(Network::Whatsapp), create_link::parse_network)?;
        let command = CreateLink { network, hours };
        let repeated = (&workspace_id.0, user_id.0, command);
        let request = caller.repeatable(key.0.as_deref(), "create_qr_link", &repeated)?;
        let created = create_link::create(&self.app, &caller.0, &workspace_id.0, user_id.0, command, &request).await?;
        Ok(Json(CreateLinkResponse {
            workspace_id: workspace_id.0,
            user_id: created.user_id.0,
            network: created.network.to_string(),
            qr_link: created.url,
            expires_at: created.expires_at.into(),
            whatsapp_disconnected: created.account_disconnected,
            previous_qr_revoked: created.previous_revoked,
        }))
    }

    /// List open onboarding links
    ///
    /// An extension.
    #[oai(path = "/workspaces/:workspace_id/qr-links", method = "get", operation_id = "list_qr_links")]
    async fn list(
        &self,
        caller: PartnerAuth,
        /// Id of the workspace.
        workspace_id: Path<String>,
        /// Where the page before ended.
        cursor: Query<Option<String>>,
        /// Most links, 1 to 200; 50 where absent.
        limit: Query<Option<i64>>,
    ) -> Result<Json<LinkList>, PartnerFailure> {
        let page = PageRequest::parse(cursor.0.as_deref(), limit.0)?;
        let page = onboarding::list(&self.app, &caller.0.partner.id, &workspace_id.0, page).await?;
        let qr_links = page.items.iter().map(LinkView::from).collect();
        Ok(Json(LinkList { qr_links, next_cursor: page.next_cursor }))
    }

    /// Revoke a user's onboarding link
    ///
    /// An extension. Its page says so at once; an attempt that runs on it is cancelled. Without an open link nothing
    /// happens.
    #[oai(path = "/workspaces/:workspace_id/users/:user_id/qr", method = "delete", operation_id = "revoke_qr_link")]
    async fn revoke(
        &self,
        caller: PartnerAuth,
        /// Id of the workspace.
        workspace_id: Path<String>,
        /// The user.
        user_id: Path<UserId>,
    ) -> Result<Json<RevokeLinkResponse>, PartnerFailure> {
        let revoked = onboarding::revoke(&self.app, &caller.0, &workspace_id.0, user_id.0).await?;
        Ok(Json(RevokeLinkResponse { workspace_id: workspace_id.0, user_id: user_id.0.0, revoked }))
    }
}
