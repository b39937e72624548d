//! Labels of chats (`contracts/timelines.md` §3.6).

use std::sync::Arc;

use poem_openapi::{Object, OpenApi, param::Path, payload::Json};
use serde::Deserialize;

use crate::{
    app::App,
    chat::labels::{self, Change, Labels},
    error::Result,
    http::{
        body::UnreadJson,
        workspace_api::{Envelope, auth::TokenAuth, dialect::WorkspaceFailure, ok},
    },
    token::Scope,
};

pub(super) struct LabelsApi {
    pub(super) app: Arc<App>,
}

/// Labels to be put on a chat.
#[derive(Object, Deserialize)]
struct LabelsRequest {
    /// The labels, each at most 64 characters, at most 100 for one chat; made where they are new, their case kept.
    labels: Vec<String>,
}

/// Labels of a chat.
#[derive(Object)]
#[oai(rename = "Labels")]
struct LabelsView {
    /// All of them, in order.
    labels: Vec<String>,
}

type Answer = Result<Json<Envelope<LabelsView>>, WorkspaceFailure>;

#[OpenApi]
impl LabelsApi {
    /// List labels of a chat
    #[oai(path = "/chats/:chat_id/labels", method = "get", operation_id = "list_labels")]
    async fn list(
        &self,
        caller: TokenAuth,
        /// Number of the chat.
        chat_id: Path<String>,
    ) -> Answer {
        let caller = caller.admit(Scope::ChatsRead).await?;
        Ok(ok(LabelsView { labels: labels::of_chat(&self.app, caller, &chat_id.0).await? }))
    }

    /// Replace labels of a chat
    ///
    /// Those that are not given are taken off it.
    #[oai(path = "/chats/:chat_id/labels", method = "post", operation_id = "replace_labels")]
    async fn replace(
        &self,
        caller: TokenAuth,
        /// Number of the chat.
        chat_id: Path<String>,
        body: UnreadJson<LabelsRequest>,
    ) -> Answer {
        self.change(&caller, &chat_id.0, Change::Replace, body).await
    }

    /// Add labels to a chat
    #[oai(path = "/chats/:chat_id/labels", method = "put", operation_id = "add_labels")]
    async fn add(
        &self,
        caller: TokenAuth,
        /// Number of the chat.
        chat_id: Path<String>,
        body: UnreadJson<LabelsRequest>,
    ) -> Answer {
        self.change(&caller, &chat_id.0, Change::Add, body).await
    }
}

impl LabelsApi {
    async fn change(
        &self,
        caller: &TokenAuth,
        chat_id: &str,
        change: Change,
        body: UnreadJson<LabelsRequest>,
    ) -> Answer {
        let given = body.read().and_then(|body| Labels::parse(body.labels));
        let given = caller.understand(Scope::ChatsWrite, given).await?;
        let (origin, caller) = (caller.origin(), caller.admit(Scope::ChatsWrite).await?);
        let labels = labels::change(&self.app, caller, &origin, chat_id, change, &given).await?;
        Ok(ok(LabelsView { labels }))
    }
}
