//! Connecting a channel with other settings. Those of a channel that is connected are tried first, so that what works is not
//! replaced by what does not.
//!
//! Where the provider keeps a session, as it does of phones and of people who sign in, there is nothing to be tried: the
//! settings say how the next session begins, and count from then on.

use entity::channel::{Model, State};
use serde_json::{Map, Value};

use crate::{
    app::App,
    caller::{Origin, WorkspaceCaller},
    channel::{
        config::Config,
        named::{self, Named},
        sealed,
        show::Shown,
        store::settings,
        switch,
        test::{self, Tested},
        told::Told,
        update::{self, UpdateChannel},
    },
    error::Result,
};

/// Changes these settings and switches the channel on, connected.
///
/// # Errors
/// As [`update::update`] and [`switch::activate`]; `auth_invalid`, `account_restricted` and `provider_unavailable` also for
/// what a channel that is connected is to be connected with from now on: it keeps what it has then.
pub async fn connect_with(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    named: &Named,
    given: Map<String, Value>,
) -> Result<Shown> {
    let tried = try_out(app, caller, named, &given).await?;
    let change = UpdateChannel { config: Some(given), ..UpdateChannel::default() };
    match tried {
        Some((channel, tested)) => {
            update::store(app, caller, origin, named, &change).await?;
            test::keep(app, &channel, &tested).await?;
        }
        None => drop(update::update(app, caller, origin, named, &change).await?),
    }
    switch::activate(app, caller, origin, named).await
}

/// Tests a channel that is connected with the settings that it would have; `None` where there is nothing to be tried.
async fn try_out(
    app: &App,
    caller: &WorkspaceCaller,
    named: &Named,
    given: &Map<String, Value>,
) -> Result<Option<(Model, Tested)>> {
    let channel = named::find(app.db.reader(), caller.workspace.id, named).await?;
    if channel.state != State::Connected || app.connectors.keeps_sessions(channel.connector) {
        return Ok(None);
    }
    let row = settings::find(app.db.reader(), channel.workspace_id, channel.account_id).await?;
    let old = row.as_ref().map_or_else(|| Ok(Config::default()), |row| sealed::open(app, channel.id, row))?;
    let new = update::changed_config(&channel, &Told::of(&channel, row.as_ref()), &old, given.clone())?;
    if new == old {
        return Ok(None);
    }
    let tested = test::look_with(app, &caller.workspace, &channel, &new).await?;
    match tested.refusal() {
        Some(error) => Err(error),
        None => Ok(Some((channel, tested))),
    }
}
