//! How a slot's channel stands: as we know it, or as its provider says now.

use entity::{
    channel::{Model, Network, State},
    channel_settings::Health,
    id::{ChannelId, WorkspaceId},
};

use crate::{
    app::App,
    caller::Origin,
    channel::{
        disconnect,
        health::{self, Seen},
        link,
        named::{self, Named},
        reconnect,
        slot::{Standing, Step, Sync, find, settings_of},
        wait,
    },
    connector::{Observation, target::SignIn},
    db,
    error::{Error, Result},
    signal::Signal,
};

/// Which code of a session is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    /// The one that is there, if one is.
    Present,
    /// The first one, which is waited for.
    First,
}

/// How a channel stands. One that waits for somebody is looked at, and so is one that nobody has looked at since it was
/// let in; all others are told as they are known.
///
/// # Errors
/// `channel_not_found`.
pub async fn status(
    app: &App,
    workspace_id: WorkspaceId,
    network: Network,
    named: Option<ChannelId>,
) -> Result<Standing> {
    let channel = find(app.db.reader(), workspace_id, network, named).await?;
    standing(app, channel, Code::Present).await
}

/// How a channel stands, as its provider says. One that was disconnected and works again there is connected again; the
/// first code of one that waits for a phone is waited for.
///
/// # Errors
/// `channel_not_found`; `provider_unavailable`, `provider_limited`.
pub async fn refresh(
    app: &App,
    workspace_id: WorkspaceId,
    network: Network,
    named: Option<ChannelId>,
) -> Result<Standing> {
    let channel = find(app.db.reader(), workspace_id, network, named).await?;
    if channel.state == State::Connected {
        return look(app, channel).await;
    }
    if reconnect::look(app, &channel).await? {
        return again(app, channel).await;
    }
    // What was seen may have been written down.
    let channel = named::find(app.db.reader(), workspace_id, &Named::Id(channel.id)).await?;
    standing(app, channel, Code::First).await
}

pub(super) async fn standing(app: &App, channel: Model, code: Code) -> Result<Standing> {
    let row = settings_of(app, &channel).await?;
    if channel.state == State::Connected {
        let is_new = row.as_ref().is_some_and(|row| row.health == Health::Unknown && row.checked_at.is_none());
        return if is_new {
            match look(app, channel.clone()).await {
                Err(Error::ProviderUnavailable | Error::ProviderLimited { .. }) => {
                    Ok(Standing::of(channel, row.as_ref(), Step::None))
                }
                seen => seen,
            }
        } else {
            Ok(Standing::of(channel, row.as_ref(), Step::None))
        };
    }
    let until = row.as_ref().and_then(|row| row.connecting_until).filter(|until| *until > app.clock.now());
    let Some(until) = until else { return Ok(Standing::of(channel, row.as_ref(), Step::None)) };
    let observed = match code {
        Code::Present => app.connectors.get(channel.connector).observe(app, channel.session).await,
        Code::First => wait::first_code(app, &channel).await,
    };
    let seen = match observed {
        Ok(observation) => SignIn::from(observation),
        Err(Error::ProviderUnavailable | Error::ProviderLimited { .. }) => {
            return Ok(Standing::of(channel, row.as_ref(), Step::Phone { qr: None, until }));
        }
        Err(error) => return Err(error),
    };
    match seen {
        SignIn::Waiting { qr, .. } => Ok(Standing::of(channel, row.as_ref(), Step::Phone { qr, until })),
        SignIn::Asking(asked) => Ok(Standing::of(channel, row.as_ref(), Step::Answer(asked))),
        over => {
            let origin = Origin::provider();
            db::retried(|| link::apply_once(app, &origin, channel.session, &over)).await?;
            app.signals.publish(Signal::Work);
            again(app, channel).await
        }
    }
}

/// How a channel is known to stand.
pub(super) async fn known(app: &App, workspace_id: WorkspaceId, named: &Named) -> Result<Standing> {
    let channel = named::find(app.db.reader(), workspace_id, named).await?;
    let row = settings_of(app, &channel).await?;
    Ok(Standing::of(channel, row.as_ref(), Step::None))
}

/// The same channel as it is after something has been written down about it.
async fn again(app: &App, channel: Model) -> Result<Standing> {
    known(app, channel.workspace_id, &Named::Id(channel.id)).await
}

/// Asks the provider of a connected channel, and notes how it is.
async fn look(app: &App, channel: Model) -> Result<Standing> {
    let observation = app.connectors.get(channel.connector).observe(app, channel.session).await?;
    if let Observation::Ended(failure) = observation {
        disconnect::lost(app, channel.session, failure).await?;
        return again(app, channel).await;
    }
    let Some((health, reason)) = health::health_of(&observation) else { return again(app, channel).await };
    let before = settings_of(app, &channel).await?;
    let seen = Seen { health, reasons: reason.into_iter().map(str::to_owned).collect(), at: app.clock.now() };
    db::retried(|| health::keep_once(app, &channel, &seen)).await?;
    let mut standing = again(app, channel).await?;
    let was_new = before.is_some_and(|row| row.health == Health::Unknown && row.checked_at.is_none());
    if was_new && standing.sync == Sync::Ok {
        standing.sync = Sync::SyncSuccess;
    }
    Ok(standing)
}
