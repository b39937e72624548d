//! Search; no part of the contract, in its style.

use std::sync::Arc;

use poem_openapi::{Object, OpenApi, param::Query, payload::Json};

use crate::{
    app::App,
    error::Result,
    http::{
        query::{Needed, Written},
        workspace_api::{
            Envelope, auth::TokenAuth, chats::ChatView, dialect::WorkspaceFailure, messages::SummaryView, ok,
        },
    },
    page::PageNumber,
    search::{self, FoundMessage, Hit, Question},
    token::Scope,
};

pub(super) struct SearchApi {
    pub(super) app: Arc<App>,
}

/// A chat that was found.
#[derive(Object)]
#[oai(rename = "FoundChat")]
struct HitView {
    #[oai(flatten)]
    chat: ChatView,
    /// The newest message with the words; `null` where only the name or the number of the chat has them.
    #[oai(nullable)]
    matched_message: Option<SummaryView>,
}

impl HitView {
    fn new(app: &App, hit: &Hit, zone: &str) -> Self {
        let matched = |found: &FoundMessage| {
            let summary = SummaryView::new(&hit.chat.held, &found.message, found.author.as_ref(), zone);
            summary.carrying(app, found.file.as_ref())
        };
        Self { chat: ChatView::new(app, &hit.chat, zone), matched_message: hit.message.as_ref().map(matched) }
    }
}

/// One page of chats that were found.
#[derive(Object)]
#[oai(rename = "FoundChats")]
struct HitList {
    /// Whether there is a page after this one.
    has_more_pages: bool,
    /// Chats that are called so first, then those in which it was written; the newest first among either.
    chats: Vec<HitView>,
}

#[OpenApi]
impl SearchApi {
    /// Search chats
    ///
    /// By names and numbers, of which parts are enough, and by words of messages and notes, which are found a second or
    /// two after they were written. All words must be in one message; one that ends in `*` stands for all that begin
    /// so. In pages of 50, of the newest 500 hits by name and by message.
    #[oai(path = "/chats/search", method = "get", operation_id = "search_chats")]
    async fn search(
        &self,
        caller: TokenAuth,
        /// What is looked for, 1 to 256 characters with at most 16 words.
        q: Query<Needed>,
        /// Number of the page, from 1.
        page: Query<Written<i64>>,
    ) -> Result<Json<Envelope<HitList>>, WorkspaceFailure> {
        caller.require(Scope::MessagesRead)?;
        let caller = caller.admit(Scope::ChatsRead).await?;
        let (question, page) = (Question::parse(q.read("q")?)?, PageNumber::parse(page.read("page")?)?);
        let zone = &caller.workspace.time_zone;
        let found = search::find(&self.app, caller.workspace.id, &question, page).await?;
        let chats = found.items.iter().map(|hit| HitView::new(&self.app, hit, zone)).collect();
        Ok(ok(HitList { has_more_pages: found.has_more_pages, chats }))
    }
}
