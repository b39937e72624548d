//! Disconnecting a slot's channel: its account is removed from the provider, and the channel with its settings deleted.

use entity::{channel::Network, id::ChannelId};

use crate::{
    app::App,
    caller::{Origin, WorkspaceCaller},
    channel::{
        delete::{self, Conversations},
        named::Named,
        slot::{campaign, find_named, own},
    },
    db,
    error::{Error, Result},
    workspace as workspaces,
};

/// Disconnects and deletes a slot's channel; its conversations are closed and stay readable. One that stands in for it,
/// or another of the network, has to be named.
///
/// # Errors
/// `channel_not_found`; `campaign_running`.
pub async fn disconnect(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    network: Network,
    named: Option<ChannelId>,
) -> Result<()> {
    let nothing_here = || Error::NoChannelOn(network, "was connected here; name another by its account_id");
    let channel = db::retried(|| async {
        db::write(&app.db, "slot.disconnect", async |tx| {
            let workspace = workspaces::lock(tx, caller.workspace.id).await?;
            let channel = match named {
                Some(id) => find_named(tx, workspace.id, network, id).await?,
                None => own(tx, workspace.id, network).await?.ok_or_else(nothing_here)?,
            };
            campaign::require_none(tx, workspace.id, network).await?;
            Ok(channel.id)
        })
        .await
    });
    delete::delete(app, caller, origin, &Named::Id(channel.await?), Conversations::Close).await
}
