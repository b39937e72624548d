//! The channels of a workspace, page by page. There are at most as many as its plan allows, so they are looked through
//! in memory.

use entity::{channel::Network, id::WorkspaceId};

use crate::{
    app::App,
    bot::list::Place,
    channel::{
        show::{self, Secrets, Shown, Status},
        store,
        store::settings,
    },
    error::{Error, Result},
    workspace::fold,
};

/// Which channels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this type.
    pub network: Option<Network>,
    /// That stand in one of these ways; in any where there are none.
    pub statuses: Vec<Status>,
    /// With this in their name, in whatever case.
    pub search: Option<String>,
}

impl Filter {
    /// Reads how a channel stands.
    ///
    /// # Errors
    /// `invalid_request` naming `status`.
    pub fn parse_status(text: &str) -> Result<Status> {
        text.parse().map_err(|_| Error::field("status", "must be active, inactive, error or pending"))
    }
}

/// One page of channels.
pub struct Listed {
    /// The channels, in the order in which they were made.
    pub channels: Vec<Shown>,
    /// How many there are in all.
    pub total: u64,
    /// Which page it is.
    pub place: Place,
}

impl Listed {
    /// How many pages there are.
    #[must_use]
    pub const fn pages(&self) -> u64 {
        self.total.div_ceil(self.place.limit)
    }
}

/// One page of the workspace's channels. Secret settings are not mentioned.
///
/// # Errors
/// What the database says.
pub async fn list(app: &App, workspace_id: WorkspaceId, filter: &Filter, place: Place) -> Result<Listed> {
    let db = app.db.reader();
    let all = store::all(db, workspace_id).await?;
    let settings = settings::all(db, workspace_id).await?;
    let wanted = filter.search.as_deref().map(|text| fold(text.trim()));
    let mut channels: Vec<_> = all
        .into_iter()
        .filter(|channel| filter.network.is_none_or(|network| channel.network == network))
        .filter(|channel| {
            let settings = settings.get(&channel.account_id);
            let fits = filter.statuses.is_empty() || filter.statuses.contains(&show::status_of(app, channel, settings));
            fits && wanted.as_ref().is_none_or(|wanted| fold(&show::name_of(channel, settings)).contains(wanted))
        })
        .collect();
    let total = u64::try_from(channels.len()).unwrap_or(u64::MAX);
    let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let first = size(place.page.saturating_sub(1).saturating_mul(place.limit)).min(channels.len());
    let mut channels = channels.split_off(first);
    channels.truncate(size(place.limit));
    let channels = show::describe(app, db, channels, settings, Secrets::LeftOut).await?;
    Ok(Listed { channels, total, place })
}
