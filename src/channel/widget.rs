//! The widget of a web chat: found by its public token, which can be replaced, and opened by its first visit.
//!
//! Nothing at the provider's side has to be signed in to, so a channel that nobody has switched on or off yet is
//! connected and switched on when the first visitor comes (`contracts/channels.md` 1.1). One that was switched off stays
//! so.

use entity::{
    channel::{ConnectorKind, Model, State},
    channel_settings::{self, Health},
    partner, workspace,
};
use serde_json::{Value, json};

use crate::{
    app::App,
    audit,
    caller::{Origin, WorkspaceCaller},
    channel::{
        config::Config,
        connect,
        link::{self, Linked},
        named::{self, Named},
        sealed,
        show::{self, Shown},
        store::{self, settings, standalone},
        update,
    },
    connector::webchat,
    db,
    error::{Error, Result},
    partner as partners,
    signal::Signal,
    webhook::hook::{HookEvent, tell},
    workspace as workspaces,
};

/// Longest public token, in bytes; a longer one is nobody's.
const MAX_TOKEN_BYTES: usize = 64;

/// A web chat as its visitors meet it. It has a secret, so it has no `Debug`.
pub struct Widget {
    /// The channel.
    pub channel: Model,
    /// Who made it, as far as visitors are told: the partner's brand.
    pub brand: String,
    /// Whether visitors can write now.
    pub is_open: bool,
    /// Whether the first visit opens it.
    is_new: bool,
    config: Config,
}

impl Widget {
    /// Origins of the websites that may show it, as browsers send them.
    pub fn origins(&self) -> impl Iterator<Item = &str> {
        self.config.open.get("allowedOrigins").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }

    /// Whether a website of this origin may show it.
    #[must_use]
    pub fn allows(&self, origin: &str) -> bool {
        self.origins().any(|allowed| allowed == origin)
    }

    /// A part of its theme, where that is set.
    #[must_use]
    pub fn theme(&self, name: &str) -> Option<&str> {
        self.config.open.get("theme")?.get(name)?.as_str().filter(|text| !text.trim().is_empty())
    }

    /// A setting that is yes or no.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.config.open.get(name).and_then(Value::as_bool)
    }

    /// What the customer's system signs with who its visitors are.
    #[must_use]
    pub fn identity_secret(&self) -> Option<&str> {
        self.config.secret.get("identitySecret").and_then(Value::as_str)
    }
}

/// The widget with this public token.
///
/// # Errors
/// `widget_not_found`, also for a token that was replaced and for a channel that was deleted or is simulated.
pub async fn find(app: &App, token: &str) -> Result<Widget> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(Error::WidgetNotFound);
    }
    let db = app.db.reader();
    let row = settings::by_widget_token(db, token).await?.ok_or(Error::WidgetNotFound)?;
    let channel = store::by_ids(db, row.workspace_id, [row.account_id]).await?.remove(&row.account_id);
    let is_ours = |channel: &Model| channel.connector == ConnectorKind::Webchat && channel.deleted_at.is_none();
    let channel = channel.filter(is_ours).ok_or(Error::WidgetNotFound)?;
    let workspace = workspaces::by_id(db, row.workspace_id).await?.ok_or(Error::WidgetNotFound)?;
    let partner = partners::find(db, &workspace.partner_id).await?.ok_or(Error::WidgetNotFound)?;
    let is_served = workspace.status == workspace::Status::Active && partner.status == partner::Status::Active;
    let is_new = is_untouched(&channel, &row);
    Ok(Widget {
        is_open: is_served && (is_new || channel.is_open()),
        is_new,
        brand: partner.brand_name.unwrap_or(partner.name),
        config: sealed::open(app, channel.id, &row)?,
        channel,
    })
}

/// Whether a token still opens the widget of this channel.
///
/// # Errors
/// What the database says.
pub async fn is_current(app: &App, widget: &Widget, token: &str) -> Result<bool> {
    let row = settings::by_widget_token(app.db.reader(), token).await?;
    Ok(row.is_some_and(|row| row.account_id == widget.channel.account_id))
}

/// Nobody has connected the channel, or switched it on or off.
fn is_untouched(channel: &Model, row: &channel_settings::Model) -> bool {
    let is_switched = row.activated_at.is_some() || row.deactivated_at.is_some();
    channel.state == State::Disconnected && !channel.was_connected() && !channel.suspended && !is_switched
}

/// Connects and switches on what nobody has switched on or off yet. Repeating it is harmless.
///
/// # Errors
/// What the database says.
pub async fn visited(app: &App, widget: &Widget) -> Result<()> {
    if !widget.is_new {
        return Ok(());
    }
    db::retried(|| open_once(app, widget)).await?;
    app.signals.publish(Signal::Work);
    Ok(())
}

async fn open_once(app: &App, widget: &Widget) -> Result<()> {
    db::write(&app.db, "channel.first_visit", async |tx| {
        let workspace = workspaces::lock(tx, widget.channel.workspace_id).await?;
        let channel = named::find(tx, workspace.id, &Named::Id(widget.channel.id)).await?;
        let mut row = update::row_of(app, tx, &channel).await?;
        if !is_untouched(&channel, &row) {
            return Ok(());
        }
        let (origin, account) = (Origin::provider(), webchat::account(channel.id));
        if link::connected(app, tx, &origin, &workspace, &channel, &account, &mut row).await? != Linked::Connected {
            return Ok(());
        }
        standalone::set_deactivated(app, tx, channel.account_id, false).await?;
        let now = app.clock.now();
        (row.connecting_until, row.look_at, row.worked_at) = (None, None, Some(now));
        (row.health, row.checked_at, row.activated_at, row.updated_at) = (Health::Healthy, Some(now), Some(now), now);
        settings::save(tx, &row).await?;
        let why = json!({ "reason": "first visit" });
        let entry = audit::Entry::in_workspace("channel.activate", &workspace, channel.id).after(&why);
        audit::record(app, tx, &origin, entry).await?;
        let opened = named::find(tx, workspace.id, &Named::Id(channel.id)).await?;
        tell::channel(app, tx, HookEvent::Activated, &opened, why).await?;
        connect::tell_connected(app, tx, channel.account_id).await
    })
    .await
}

/// Gives a web chat another public token. The one that it had opens nothing any more; conversations go on with the
/// other.
///
/// # Errors
/// `channel_not_found`; `channel_refused` for a channel of another type.
pub async fn rotate_token(app: &App, caller: &WorkspaceCaller, origin: &Origin, named: &Named) -> Result<Shown> {
    db::retried(|| rotate_once(app, caller, origin, named)).await
}

async fn rotate_once(app: &App, caller: &WorkspaceCaller, origin: &Origin, named: &Named) -> Result<Shown> {
    db::write(&app.db, "channel.rotate_widget_token", async |tx| {
        let workspace = workspaces::lock(tx, caller.workspace.id).await?;
        let channel = named::find(tx, workspace.id, named).await?;
        let mut row = update::row_of(app, tx, &channel).await?;
        if row.widget_token.is_none() {
            return Err(Error::ChannelRefused("only a web chat has a widget".to_owned()));
        }
        row.widget_token = Some(sealed::new_widget_token(app));
        row.updated_at = app.clock.now();
        settings::save(tx, &row).await?;
        let entry = audit::Entry::in_workspace("channel.rotate_widget_token", &workspace, channel.id);
        audit::record(app, tx, origin, entry).await?;
        let changed = json!({ "changed": ["widgetToken"] });
        tell::channel(app, tx, HookEvent::Updated, &channel, changed).await?;
        show::one(app, tx, channel).await
    })
    .await
}

/// What a website is given to show the widget: one element, which loads our script.
#[must_use]
pub fn embed_code(app: &App, token: &str) -> String {
    format!(r#"<script src="{}/widget/widget.js" data-token="{token}" async></script>"#, app.config.public_url)
}

/// The public token of a channel, if it has one.
pub(crate) async fn token_of(app: &App, channel: &Model) -> Result<Option<String>> {
    let row = settings::find(app.db.reader(), channel.workspace_id, channel.account_id).await?;
    Ok(row.and_then(|row| row.widget_token))
}
