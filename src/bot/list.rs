//! The bots of a workspace.

use std::collections::HashMap;

use entity::id::{BotId, ChannelId, WorkspaceId};

use crate::{
    app::App,
    bot::{Bot, channel_ids, store},
    error::{Error, Result},
};

/// Bots on a page where nothing else is said.
pub const USUAL_LIMIT: u64 = 20;
/// Most bots on a page.
pub const MAX_LIMIT: u64 = 100;
const MAX_PAGE: u64 = 1_000_000;

/// Which page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its number, from 1.
    pub page: u64,
    /// Bots on it.
    pub limit: u64,
}

impl Place {
    /// Reads a page's number and size, 1 and [`USUAL_LIMIT`] where absent.
    ///
    /// # Errors
    /// `invalid_request` naming the parameter; `limit_name` is what the surface calls the second.
    pub fn parse(page: Option<i64>, limit: Option<i64>, limit_name: &'static str) -> Result<Self> {
        let within = |name, number: Option<i64>, usual, most| match number {
            None => Ok(usual),
            Some(number) => u64::try_from(number)
                .ok()
                .filter(|number| (1..=most).contains(number))
                .ok_or_else(|| Error::field(name, format!("must be 1 to {most}"))),
        };
        Ok(Self { page: within("page", page, 1, MAX_PAGE)?, limit: within(limit_name, limit, USUAL_LIMIT, MAX_LIMIT)? })
    }
}

/// One page of bots.
pub struct Listed {
    /// The bots, in the order in which they were made.
    pub bots: Vec<Bot>,
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

/// One page of the workspace's bots.
///
/// # Errors
/// What the database says.
pub async fn list(app: &App, workspace_id: WorkspaceId, place: Place) -> Result<Listed> {
    let db = app.db.reader();
    let total = store::count(db, workspace_id).await?;
    let rows = store::page(db, workspace_id, (place.page - 1) * place.limit, place.limit).await?;
    let attached = store::attached_to(db, workspace_id, rows.iter().map(|row| row.id)).await?;
    let names = channel_ids(db, workspace_id, &attached).await?;
    let mut channels: HashMap<BotId, Vec<ChannelId>> = HashMap::new();
    for one in &attached {
        channels.entry(one.bot_id).or_default().extend(names.get(&one.account_id).copied());
    }
    let bots = rows.into_iter().map(|row| {
        let channels = channels.remove(&row.id).unwrap_or_default();
        Bot::new(row, channels, None)
    });
    Ok(Listed { bots: bots.collect(), total, place })
}
