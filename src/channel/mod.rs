//! Channels: accounts on messaging networks, one connected per user and network.
//!
//! A channel is an account, not a session: connecting the same number again in the same workspace revives its row, so
//! its number on the wire and its history stay. A number is connected at most once in a workspace.
//!
//! Every channel has a row in `send_queues`, made with it; what waits there goes on at once when the channel is
//! connected or switched on again.

use entity::{channel::Model, id::WorkspaceId};

use crate::{app::App, error::Result};

pub(crate) mod connect;
pub mod disconnect;
mod store;

pub(crate) use store::{all, by_account, by_channel_id, by_ids, connected_by_session, resume_of_user, suspend_of_user};

/// Accounts of a workspace, by id.
///
/// # Errors
/// What the database says.
pub async fn list(app: &App, workspace_id: WorkspaceId) -> Result<Vec<Model>> {
    all(app.db.reader(), workspace_id).await
}
