//! Whether a campaign of the customer's runs on a slot. Campaigns are made elsewhere; only that one runs is kept here.

use entity::{channel::Network, id::WorkspaceId};
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use serde_json::json;

use crate::{
    app::App,
    audit,
    caller::{Origin, WorkspaceCaller},
    channel::slot::store_slots,
    db,
    error::{Error, Result},
    workspace as workspaces,
};

/// Marks a slot as one on which a campaign runs, or not any more. Repeating it changes nothing.
///
/// # Errors
/// What the database says.
pub async fn set_campaign(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    network: Network,
    running: bool,
) -> Result<()> {
    db::retried(|| set_once(app, caller, origin, network, running)).await
}

async fn set_once(app: &App, caller: &WorkspaceCaller, origin: &Origin, network: Network, running: bool) -> Result<()> {
    db::write(&app.db, "slot.campaign", async |tx| {
        let workspace = workspaces::lock(tx, caller.workspace.id).await?;
        if campaign(tx, workspace.id, network).await? == running {
            return Ok(());
        }
        store_slots::set_campaign(tx, workspace.id, network, running).await?;
        let entry = audit::Entry::in_workspace("channel.campaign", &workspace, network)
            .before(json!({ "running": !running }))
            .after(json!({ "running": running }));
        audit::record(app, tx, origin, entry).await
    })
    .await
}

/// Whether a campaign runs on a slot.
///
/// # Errors
/// What the database says.
pub async fn campaign(db: &impl ConnectionTrait, workspace_id: WorkspaceId, network: Network) -> Result<bool> {
    let slot = store_slots::find(db, workspace_id, network).await?;
    Ok(slot.is_some_and(|slot| slot.campaign_running))
}

/// Passes if no campaign runs on a slot.
pub(super) async fn require_none(tx: &DatabaseTransaction, workspace_id: WorkspaceId, network: Network) -> Result<()> {
    if campaign(tx, workspace_id, network).await? { Err(Error::CampaignRunning(network)) } else { Ok(()) }
}
