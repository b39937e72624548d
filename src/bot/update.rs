//! Changing a bot.

use entity::id::BotId;

use crate::{
    app::App,
    audit,
    bot::{Bot, find, for_audit, secret, settings::Settings, store, with_channels},
    caller::{Origin, WorkspaceCaller},
    db,
    error::Result,
    workspace,
};

/// What becomes of settings that are not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// They stay.
    Stays,
    /// They are as in a new bot. Secrets stay all the same.
    IsUsual,
}

/// Changes a bot. What it is being asked just now it still answers as it was.
///
/// # Errors
/// `bot_not_found`; `invalid_request` naming the field.
pub async fn update(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    id: BotId,
    settings: &Settings,
    absent: Absent,
) -> Result<Bot> {
    settings.check_addresses(app)?;
    db::retried(|| update_once(app, caller, origin, id, settings, absent)).await
}

async fn update_once(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    id: BotId,
    settings: &Settings,
    absent: Absent,
) -> Result<Bot> {
    db::write(&app.db, "bot.update", async |tx| {
        let workspace = workspace::lock(tx, caller.workspace.id).await?;
        let before = find(tx, workspace.id, id).await?;
        let mut row = before.clone();
        if absent == Absent::IsUsual {
            Settings::reset(&mut row);
        }
        settings.apply(&mut row)?;
        let shown = secret::renew(app, &mut row, settings)?;
        if row != before {
            row.updated_at = app.clock.now();
            store::save(tx, &row).await?;
            let entry = audit::Entry::in_workspace("bot.update", &workspace, row.id)
                .before(for_audit(&before))
                .after(for_audit(&row));
            audit::record(app, tx, origin, entry).await?;
        }
        with_channels(tx, workspace.id, row, shown).await
    })
    .await
}
