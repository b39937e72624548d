//! Channels: accounts on messaging networks.
//!
//! A channel is an account, not a session: connecting the same number again in the same workspace revives its row, so
//! its number on the wire and its history stay. A number is connected at most once in a workspace.
//!
//! There are two kinds. A user links an account with a page ([`crate::onboarding`]), one per network. A customer makes
//! channels over the Channels API ([`create`]), as many as its plan allows: they stand beside that one, exist before
//! anybody connects them ([`link`]), and have settings of which some are secret ([`config`]). Either kind is shown,
//! changed, switched, tested and deleted the same way, and takes a place of those that the plan allows (`limit`). A web
//! chat is opened by websites with a public token ([`widget`]).
//!
//! Every channel has a row in `send_queues`, made with it; what waits there goes on at once when the channel is
//! connected or switched on again.

use entity::{channel::Model, id::WorkspaceId};

use crate::{app::App, error::Result};

pub(crate) mod address;
pub mod answer;
pub mod capabilities;
pub mod config;
pub(crate) mod connect;
pub mod create;
pub mod delete;
pub mod disconnect;
pub mod health;
pub(crate) mod limit;
pub mod link;
pub mod list;
pub mod named;
pub(crate) mod reconnect;
pub mod renew;
mod sealed;
pub mod show;
pub mod slot;
mod store;
pub mod switch;
pub mod test;
pub mod told;
pub mod traffic;
pub mod update;
mod wait;
pub mod widget;

pub(crate) use store::{
    all, by_ids, by_session, connected_by_session, kept_off, last_of_user, open_by_id, open_by_session, resume_of_user,
    set_suspended_of_user, suspend_of_user,
};

/// Channels of a workspace, by id.
///
/// # Errors
/// What the database says.
pub async fn list(app: &App, workspace_id: WorkspaceId) -> Result<Vec<Model>> {
    all(app.db.reader(), workspace_id).await
}

/// Those that are WhatsApp accounts whose numbers are known.
///
/// # Errors
/// What the database says.
pub async fn whatsapp_accounts(app: &App, workspace_id: WorkspaceId) -> Result<Vec<Model>> {
    let all = list(app, workspace_id).await?;
    Ok(all.into_iter().filter(Model::is_whatsapp_account).collect())
}
