//! Which channel is meant by what stands in a path.

use entity::{
    channel::Model,
    id::{ChannelId, WorkspaceId},
};
use sea_orm::ConnectionTrait;

use crate::{
    app::App,
    channel::store,
    error::{Error, Result},
};

/// Which channel is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// The one of this id.
    Id(ChannelId),
    /// That of this account, named as the Workspace API shows it, `<digits>@s.whatsapp.net`.
    Account(String),
}

impl Named {
    /// Reads what stands in a path. What is neither is nobody's.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Account(text.to_owned()), Self::Id)
    }
}

/// The workspace's channel of this name, outside a transaction.
///
/// # Errors
/// `channel_not_found`, or what the database says.
pub async fn look_up(app: &App, workspace_id: WorkspaceId, named: &Named) -> Result<Model> {
    find(app.db.reader(), workspace_id, named).await
}

/// The workspace's channel of this name.
///
/// # Errors
/// `channel_not_found`, for another workspace's and a deleted one too.
pub(crate) async fn find(db: &impl ConnectionTrait, workspace_id: WorkspaceId, named: &Named) -> Result<Model> {
    let (found, text) = match named {
        Named::Id(id) => (store::by_channel_id(db, workspace_id, *id).await?, id.to_string()),
        Named::Account(id) => (store::by_account(db, workspace_id, id).await?, id.clone()),
    };
    found.ok_or(Error::ChannelNotFound(text))
}
