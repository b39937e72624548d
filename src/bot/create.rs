//! Making a bot.

use entity::{bot::Model, id::BotId};

use crate::{
    app::App,
    audit,
    bot::{Bot, MOST, for_audit, secret, settings::Settings, store},
    caller::{Origin, WorkspaceCaller},
    db,
    error::{Error, Result},
    idempotency::Repeatable,
    workspace,
};

/// Makes a bot; it answers nothing before it is attached to a channel. The answer shows the secret that signs requests
/// to an endpoint.
///
/// # Errors
/// `invalid_request` naming the field; `too_many_bots`; `idempotency_key_reused`.
pub async fn create(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    settings: &Settings,
    request: &Repeatable,
) -> Result<Bot> {
    settings.check_addresses(app)?;
    db::retried(|| create_once(app, caller, origin, settings, request)).await
}

async fn create_once(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    settings: &Settings,
    request: &Repeatable,
) -> Result<Bot> {
    let kind = settings.kind.ok_or_else(|| Error::field("kind", "is required: http or openai"))?;
    db::write(&app.db, "bot.create", async |tx| {
        if let Some(done) = request.begin(app, tx).await? {
            return Ok(done);
        }
        let workspace = workspace::lock(tx, caller.workspace.id).await?;
        if store::count(tx, workspace.id).await? >= MOST {
            return Err(Error::TooManyBots(MOST));
        }
        let now = app.clock.now();
        let mut row = Model {
            id: BotId(app.clock.uuid()),
            workspace_id: workspace.id,
            name: String::new(),
            kind,
            url: String::new(),
            model: None,
            system_prompt: None,
            temperature_percent: None,
            max_tokens: None,
            timeout_ms: 0,
            history: 0,
            secret: None,
            created_at: now,
            updated_at: now,
        };
        Settings::reset(&mut row);
        settings.apply(&mut row)?;
        let shown = secret::renew(app, &mut row, settings)?;
        store::insert(tx, &row).await?;
        let entry = audit::Entry::in_workspace("bot.create", &workspace, row.id).after(for_audit(&row));
        audit::record(app, tx, origin, entry).await?;
        let made = Bot::new(row, Vec::new(), shown);
        request.finish(app, tx, &made).await?;
        Ok(made)
    })
    .await
}
