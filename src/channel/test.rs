//! Testing a channel: its connector looks at it part by part, and what it finds is how the channel's health is.

use entity::{channel_settings::Health, id::ChannelId, timestamp::Timestamp};

use crate::{
    app::App,
    caller::WorkspaceCaller,
    channel::{
        link,
        named::{self, Named},
        sealed,
        store::settings,
        update,
    },
    connector::target::{Check, Verdict},
    db,
    error::Result,
    workspace as workspaces,
};

/// What a test found.
pub struct Tested {
    /// The channel.
    pub channel_id: ChannelId,
    /// Part by part, in the order in which they were looked at.
    pub checks: Vec<Check>,
    /// When.
    pub tested_at: Timestamp,
}

impl Tested {
    /// Whether nothing failed.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.checks.iter().all(|check| check.verdict != Verdict::Failed)
    }

    /// A channel whose first part fails does not work; one whose later part fails does, but not as it should.
    fn health(&self) -> Health {
        match self.checks.iter().position(|check| check.verdict == Verdict::Failed) {
            None => Health::Healthy,
            Some(0) => Health::Unhealthy,
            Some(_) => Health::Degraded,
        }
    }
}

/// Tests a channel with calls to its provider that change nothing there.
///
/// # Errors
/// `channel_not_found`; `invalid_request` naming a setting that is missing.
pub async fn test(app: &App, caller: &WorkspaceCaller, named: &Named) -> Result<Tested> {
    let db = app.db.reader();
    let channel = named::find(db, caller.workspace.id, named).await?;
    let config = match settings::find(db, caller.workspace.id, channel.account_id).await? {
        Some(row) => sealed::open(app, channel.id, &row)?,
        None => Default::default(),
    };
    if channel.standalone {
        config.require_complete(channel.network)?;
    }
    let (target, connector) = link::target_of(app, &caller.workspace, &channel, config.whole());
    let checks = app.connectors.get(connector).test(app, &target).await?;
    let tested = Tested { channel_id: channel.id, checks, tested_at: app.clock.now() };
    db::retried(|| keep_once(app, caller, &tested)).await?;
    Ok(tested)
}

async fn keep_once(app: &App, caller: &WorkspaceCaller, tested: &Tested) -> Result<()> {
    db::write(&app.db, "channel.test", async |tx| {
        let workspace = workspaces::lock(tx, caller.workspace.id).await?;
        let channel = named::find(tx, workspace.id, &Named::Id(tested.channel_id)).await?;
        let mut row = update::row_of(app, tx, &channel).await?;
        (row.health, row.checked_at) = (tested.health(), Some(tested.tested_at));
        settings::save(tx, &row).await
    })
    .await
}
