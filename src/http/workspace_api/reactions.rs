//! Reactions to messages (`contracts/timelines.md` §3.6).

use std::{collections::HashMap, sync::Arc};

use entity::reaction::Model;
use poem_openapi::{Object, OpenApi, param::Path, payload::Json};
use serde::Deserialize;

use crate::{
    app::App,
    error::Result,
    http::{
        body::UnreadJson,
        workspace_api::{Envelope, auth::TokenAuth, dialect::WorkspaceFailure, ok, sending::SentView},
    },
    message::reaction::{self, Emoji},
    token::Scope,
};

pub(super) struct ReactionsApi {
    pub(super) app: Arc<App>,
}

/// A reaction to a message.
#[derive(Object)]
#[oai(rename = "Reaction")]
struct ReactionView {
    /// Name of whose it is, empty where it is not known.
    name: String,
    /// Number of whose it is, empty where it is not known.
    phone: String,
    /// The emoji.
    reaction: String,
    /// Whether it is the workspace's own account's.
    current: bool,
}

/// Reactions to a message.
#[derive(Object)]
#[oai(rename = "Reactions")]
pub(super) struct ReactionsView {
    /// Who reacted, those who did first first.
    users: Vec<ReactionView>,
    /// How often each emoji was used.
    reactions: HashMap<String, i64>,
    /// How many there are.
    total: i64,
}

impl ReactionsView {
    pub(super) fn new(reactions: &[Model]) -> Self {
        let mut counts: HashMap<String, i64> = HashMap::new();
        for reaction in reactions {
            *counts.entry(reaction.emoji.clone()).or_default() += 1;
        }
        let view = |reaction: &Model| ReactionView {
            name: reaction.name.clone(),
            phone: reaction.phone.clone().unwrap_or_default(),
            reaction: reaction.emoji.clone(),
            current: reaction.is_own,
        };
        Self { users: reactions.iter().map(view).collect(), total: counts.values().sum(), reactions: counts }
    }
}

/// The account's own reaction.
#[derive(Object, Deserialize)]
struct ReactRequest {
    /// One emoji, also as `\u` escapes of four hexadecimal digits, at most 50 characters; empty takes the reaction
    /// back.
    reaction: String,
}

#[OpenApi]
impl ReactionsApi {
    /// List reactions to a message
    #[oai(path = "/messages/:message_uid/reactions", method = "get", operation_id = "list_reactions")]
    async fn list(
        &self,
        caller: TokenAuth,
        /// Uid of the message.
        message_uid: Path<String>,
    ) -> Result<Json<Envelope<ReactionsView>>, WorkspaceFailure> {
        let workspace = &caller.admit(Scope::MessagesRead).await?.workspace;
        let reactions = reaction::of_message(&self.app, workspace.id, &message_uid.0).await?;
        Ok(ok(ReactionsView::new(&reactions)))
    }

    /// React to a message
    ///
    /// With the account of its chat, in the place of an earlier reaction. It costs nothing.
    #[oai(path = "/messages/:message_uid/reactions", method = "patch", operation_id = "react")]
    async fn react(
        &self,
        caller: TokenAuth,
        /// Uid of the message.
        message_uid: Path<String>,
        body: UnreadJson<ReactRequest>,
    ) -> Result<Json<Envelope<SentView>>, WorkspaceFailure> {
        let emoji = body.read().and_then(|body| Emoji::parse(&body.reaction));
        let emoji = caller.understand(Scope::MessagesWrite, emoji).await?;
        let (origin, caller) = (caller.origin(), caller.admit(Scope::MessagesWrite).await?);
        let id = reaction::react(&self.app, caller, &origin, &message_uid.0, emoji.as_ref()).await?;
        Ok(ok(SentView::new(id)))
    }
}
