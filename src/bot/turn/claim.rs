//! Taking turns that are due, so that no workspace keeps the others waiting.

use std::collections::HashMap;

use entity::{
    bot_turn::Model,
    id::{ChatId, LeaseId, WorkspaceId},
};

use crate::{app::App, bot::turn::store, db, error::Result};

/// How long a worker has a turn for itself, in seconds: longer than the longest question and what follows it.
pub const LEASE_SECONDS: i64 = 90;
/// Most questions that one worker has open for one workspace.
pub const PER_WORKSPACE: usize = 4;

/// Takes at most `free` turns that are due; `busy` are the workspaces of those that are under way.
pub(super) async fn claim<'a>(
    app: &App,
    free: usize,
    busy: impl Iterator<Item = &'a WorkspaceId>,
) -> Result<Vec<Model>> {
    // Looking is cheap and mostly enough; a transaction that may write is not.
    let now = app.clock.now();
    let next = store::next_due(app.db.reader()).await?;
    if next.is_none_or(|next| next > now) {
        return Ok(Vec::new());
    }
    let mut counts: HashMap<WorkspaceId, usize> = HashMap::new();
    for workspace_id in busy {
        *counts.entry(*workspace_id).or_default() += 1;
    }
    let mut chats: Vec<ChatId> = Vec::new();
    // Those of busy workspaces may stand before others.
    for candidate in store::candidates(app.db.reader(), now, free + PER_WORKSPACE * counts.len()).await? {
        let count = counts.entry(candidate.workspace_id).or_default();
        if *count < PER_WORKSPACE && chats.len() < free {
            *count += 1;
            chats.push(candidate.chat_id);
        }
    }
    if chats.is_empty() {
        return Ok(Vec::new());
    }
    let lease = LeaseId(app.clock.uuid());
    db::retried(|| claim_once(app, &chats, lease)).await
}

async fn claim_once(app: &App, chats: &[ChatId], lease: LeaseId) -> Result<Vec<Model>> {
    let now = app.clock.now();
    db::write(&app.db, "bot.claim", async |tx| {
        store::lease(tx, now, chats, lease, now.plus_seconds(LEASE_SECONDS)).await
    })
    .await
}
