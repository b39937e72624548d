//! Testing a channel: its connector looks at it part by part, and what it finds is how the channel's health is.

use entity::{channel::Model, channel_settings::Health, id::ChannelId, timestamp::Timestamp, workspace};

use crate::{
    app::App,
    caller::WorkspaceCaller,
    channel::{
        config::Config,
        health::{self, Seen},
        link,
        named::{self, Named},
        sealed,
    },
    connector::{
        refusal::{Class, Refusal},
        target::{Check, Verdict},
    },
    db,
    error::{Error, Result},
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

    /// The error for whoever wanted the channel connected with what was tested. A channel whose first part fails is not
    /// let in.
    pub(super) fn refusal(&self) -> Option<Error> {
        let first = self.checks.first().filter(|check| check.verdict == Verdict::Failed)?;
        Some(match first.class {
            Some(class @ (Class::ProviderUnavailable | Class::RateLimited)) => Refusal::of(class).into(),
            Some(Class::AccountRestricted) => Error::AccountRestricted("the network has banned the account"),
            _ => Error::AuthInvalid(first.message.clone()),
        })
    }

    /// What that says of the channel.
    pub(super) fn seen(&self) -> Seen {
        let failed = self.checks.iter().filter(|check| check.verdict == Verdict::Failed);
        let reasons = failed.map(|check| check.name.to_owned()).collect();
        Seen { health: self.health(), reasons, at: self.tested_at }
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
    let channel = named::find(app.db.reader(), caller.workspace.id, named).await?;
    let tested = look(app, &caller.workspace, &channel).await?;
    keep(app, &channel, &tested).await?;
    Ok(tested)
}

/// Writes down what a test found.
pub(super) async fn keep(app: &App, channel: &Model, tested: &Tested) -> Result<()> {
    let seen = tested.seen();
    db::retried(|| health::keep_once(app, channel, &seen)).await
}

/// Tests a channel and leaves its health as it is.
pub(super) async fn look(app: &App, workspace: &workspace::Model, channel: &Model) -> Result<Tested> {
    look_with(app, workspace, channel, &sealed::of_channel(app, channel).await?).await
}

/// The same with settings that it may not have.
pub(super) async fn look_with(
    app: &App,
    workspace: &workspace::Model,
    channel: &Model,
    config: &Config,
) -> Result<Tested> {
    if channel.standalone {
        config.require_fit(channel.network, channel.connector)?;
    }
    let (target, connector) = link::target_of(app, workspace, channel, config.whole());
    let checks = app.connectors.get(connector).test(app, &target).await?;
    Ok(Tested { channel_id: channel.id, checks, tested_at: app.clock.now() })
}
