//! Telling webhooks of the Channels API what happened to a channel, in the transaction of the change.
//!
//! Where nobody listens, a call costs one look.

use entity::{
    attempt::{self, Failure},
    channel::{self, State},
    event,
    id::{EventId, WorkspaceId},
    link,
    webhook_subscription::Model,
    workspace,
};
use jiff::Timestamp;
use sea_orm::DatabaseTransaction;
use serde_json::{Map, Value, json};

use crate::{
    app::App,
    channel as channels,
    error::{Error, Result},
    webhook::{
        Owner,
        hook::{HookEvent, store},
        store as outbox,
        tell::audience,
    },
    workspace as workspaces,
};

/// What the ids of channels begin with on the wire.
const CHANNEL_PREFIX: &str = "ch_";

/// Tells all that listen. `channel` is the row after the change; `more` is what the body says besides which channel it
/// is and how it stands.
///
/// # Errors
/// What the database says.
pub(crate) async fn channel(
    app: &App,
    tx: &DatabaseTransaction,
    happened: HookEvent,
    channel: &channel::Model,
    more: Value,
) -> Result<()> {
    let listening = listening(tx, channel.workspace_id, happened).await?;
    if listening.is_empty() {
        return Ok(());
    }
    let standing = channels::show::standing(app, tx, channel).await?;
    let facts = json!({
        "channelId": format!("{CHANNEL_PREFIX}{}", channel.id),
        "channelType": channel.network,
        "name": standing.name,
        "status": standing.status,
        "connected": channel.state == State::Connected,
    });
    all(app, tx, channel.workspace_id, &listening, happened, &with(facts, more)).await
}

/// Tells all that listen of an attempt on a link of a user that came to nothing. It names the account that the user had
/// before on the network; where there was none, there is no channel yet.
///
/// # Errors
/// What the database says.
pub(crate) async fn attempt(
    app: &App,
    tx: &DatabaseTransaction,
    link: &link::Model,
    attempt: &attempt::Model,
    failure: Failure,
) -> Result<()> {
    let happened = match failure {
        Failure::QrExpired | Failure::ChallengeExpired => HookEvent::LinkExpired,
        Failure::LoginRefused => HookEvent::CredentialsRequired,
        _ => HookEvent::Error,
    };
    let listening = listening(tx, attempt.workspace_id, happened).await?;
    if listening.is_empty() {
        return Ok(());
    }
    let before = channels::last_of_user(tx, attempt.workspace_id, link.user_id, link.network).await?;
    let facts = json!({
        "channelId": before.map(|channel| format!("{CHANNEL_PREFIX}{}", channel.id)),
        "channelType": link.network,
        "connected": false,
        "userId": link.user_id,
        "attemptId": attempt.id,
        "reason": failure,
    });
    all(app, tx, attempt.workspace_id, &listening, happened, &facts).await
}

fn with(mut facts: Value, more: Value) -> Value {
    if let (Value::Object(facts), Value::Object(more)) = (&mut facts, more) {
        facts.extend(more.into_iter().collect::<Map<_, _>>());
    }
    facts
}

/// The webhooks that hear of this.
async fn listening(tx: &DatabaseTransaction, id: WorkspaceId, happened: HookEvent) -> Result<Vec<Model>> {
    let mut hooks = store::all(tx, id).await?;
    hooks.retain(|hook| hook.enabled && HookEvent::of_row(hook).contains(&happened));
    Ok(hooks)
}

async fn all(
    app: &App,
    tx: &DatabaseTransaction,
    id: WorkspaceId,
    hooks: &[Model],
    happened: HookEvent,
    data: &Value,
) -> Result<()> {
    if hooks.is_empty() {
        return Ok(());
    }
    let workspace = workspaces::by_id(tx, id).await?;
    let workspace = workspace.ok_or_else(|| Error::Internal("a workspace is not there".to_owned()))?;
    for hook in hooks {
        let event = event_for(app, &workspace, hook, happened, data)?;
        outbox::insert_event(tx, &event).await?;
        outbox::insert_delivery(app, tx, &event, &Owner::Subscription(hook.id), None).await?;
    }
    audience::wake(app);
    Ok(())
}

/// An event for one webhook.
pub(super) fn event_for(
    app: &App,
    workspace: &workspace::Model,
    hook: &Model,
    happened: HookEvent,
    data: &Value,
) -> Result<event::Model> {
    let (id, now) = (EventId(app.clock.uuid()), app.clock.now());
    let at = Timestamp::from_microsecond(now.0).map_err(|error| Error::Internal(format!("an instant: {error}")))?;
    let body = json!({
        "id": format!("evt_{id}"),
        "event": happened.to_string(),
        "timestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "data": data,
        "meta": { "organizationId": workspace.slug, "webhookId": format!("wh_{}", hook.id) },
    });
    Ok(event::Model {
        id,
        partner_id: workspace.partner_id.clone(),
        workspace_id: Some(workspace.id),
        kind: happened.to_string(),
        body: body.to_string(),
        unique_key: None,
        created_at: now,
    })
}
