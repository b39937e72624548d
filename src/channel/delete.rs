//! Deleting a channel. Its conversations are closed and kept; what waits to be sent through it fails and is refunded.

use entity::channel::{DisconnectReason, Model, State};
use serde_json::json;

use crate::{
    app::App,
    audit,
    bot::attach,
    caller::{Origin, WorkspaceCaller},
    channel::{
        disconnect, link,
        named::{self, Named},
        store::{settings, standalone},
        traffic,
    },
    db,
    error::{Error, Result},
    signal::Signal,
    webhook::hook::{HookEvent, tell},
    workspace as workspaces,
};

/// What becomes of open conversations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conversations {
    /// They keep the channel from being deleted.
    Keep,
    /// They are closed.
    Close,
}

/// Deletes a channel and all that is secret of it, and ends its session.
///
/// # Errors
/// `channel_not_found`; `active_conversations` unless they are to be closed.
pub async fn delete(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    named: &Named,
    conversations: Conversations,
) -> Result<()> {
    db::retried(|| delete_once(app, caller, origin, named, conversations)).await?;
    app.signals.publish(Signal::Work);
    Ok(())
}

async fn delete_once(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    named: &Named,
    conversations: Conversations,
) -> Result<()> {
    db::write(&app.db, "channel.delete", async |tx| {
        let workspace = workspaces::lock(tx, caller.workspace.id).await?;
        let channel = named::find(tx, workspace.id, named).await?;
        let ids = [channel.account_id];
        let counted = standalone::conversations(tx, workspace.id, &ids).await?;
        let open = counted.get(&channel.account_id).map_or(0, |counted| counted.open);
        if open > 0 && conversations == Conversations::Keep {
            return Err(Error::ActiveConversations(u64::try_from(open).unwrap_or(0)));
        }
        let (closed, seconds) = standalone::close_conversations(app, tx, &channel).await?;
        traffic::count_closed(app, tx, channel.account_id, closed, seconds).await?;
        if let Some(mut row) = settings::find(tx, workspace.id, channel.account_id).await? {
            link::give_up_in(app, tx, &channel, &mut row).await?;
        }
        disconnect::of_channel(app, tx, origin, &workspace, &channel, DisconnectReason::Deleted).await?;
        attach::put_on(app, tx, origin, &workspace, &channel, None).await?;
        standalone::set_deleted(app, tx, &channel).await?;
        let gone = Model { state: State::Disconnected, deactivated: true, ..channel.clone() };
        tell::channel(app, tx, HookEvent::Deleted, &gone, json!({ "conversationsClosed": closed })).await?;
        settings::delete(tx, workspace.id, channel.account_id).await?;
        let entry = audit::Entry::in_workspace("channel.delete", &workspace, channel.id)
            .before(json!({ "network": channel.network, "state": channel.state }))
            .after(json!({ "conversations_closed": closed }));
        audit::record(app, tx, origin, entry).await
    })
    .await
}
