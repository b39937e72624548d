//! Chats (`contracts/timelines.md` §3.6).

use std::sync::Arc;

use entity::user;
use poem_openapi::{
    Object, OpenApi,
    param::{Path, Query},
    payload::Json,
};
use serde::Deserialize;

use crate::{
    app::App,
    caller::WorkspaceCaller,
    chat::{
        self, ChatDetails, Member,
        filter::{Filter, FilterText},
        list::{self, LastMessages},
        update::{self, Name, Responsible, UpdateChat},
    },
    error::Result,
    http::{
        assets,
        body::UnreadJson,
        formats::local_time,
        query::Written,
        token_caller::TokenCaller,
        workspace_api::{Envelope, auth::TokenAuth, dialect::WorkspaceFailure, messages::SummaryView, ok},
    },
    page::{NumberedPage, PageNumber},
    token::Scope,
};

pub(super) struct ChatsApi {
    pub(super) app: Arc<App>,
}

/// A member of a group.
#[derive(Object)]
#[oai(rename = "GroupMember")]
struct GroupMemberView {
    /// What the direct chat with it is called; its number where there is none, or none that the caller sees.
    name: String,
    /// Its number.
    phone: String,
    /// What it is in the group: always `member`, as who runs a group is not known.
    role: String,
    /// The direct chat with it, if the caller sees it.
    #[oai(nullable)]
    chat_id: Option<i64>,
}

impl GroupMemberView {
    fn new(member: &Member) -> Self {
        let direct = member.direct.as_ref();
        Self {
            name: direct.map_or_else(|| member.phone.clone(), |(_, name)| name.clone()),
            phone: member.phone.clone(),
            role: "member".to_owned(),
            chat_id: direct.map(|(id, _)| id.0),
        }
    }
}

/// A chat.
#[derive(Object)]
#[oai(rename = "ChatInfo")]
pub(super) struct ChatView {
    /// Its number.
    id: i64,
    /// Name for people: the one that it was given, else what its network calls the other side or the group, else the
    /// number or id. There are no contacts beside the chats.
    name: String,
    /// The other side's number; `null` for groups.
    #[oai(nullable)]
    phone: Option<String>,
    /// Its id on the network.
    jid: String,
    /// Whether it is a group.
    is_group: bool,
    /// Whether it is closed. What comes opens it again, a missed call too.
    closed: bool,
    /// Whether it has been read. What comes leaves it unread, a missed call too; what is sent leaves it read, also what is
    /// written on the phone, and a bot's reply leaves it as it was.
    read: bool,
    /// How many messages have come since it was last read, missed calls too; 0 in one that has been read, and in one that
    /// a caller has marked as unread.
    unread_count: i64,
    /// Its labels, in order. Callers put them on it, by themselves or with a message that they send; what comes neither
    /// puts any on it nor takes any off.
    labels: Vec<String>,
    /// Whether it is answered automatically. Somebody's own reply stops that until it is switched on again.
    chatgpt_autoresponse_enabled: bool,
    /// E-mail address of who looks after it, as `responsible_email` has it.
    #[oai(nullable)]
    responsible: Option<String>,
    /// E-mail address of who looks after it.
    #[oai(nullable)]
    responsible_email: Option<String>,
    /// Name of who looks after it.
    #[oai(nullable)]
    responsible_name: Option<String>,
    /// Id on WhatsApp of the account that it is held with.
    whatsapp_account_id: String,
    /// Where people read it.
    chat_url: String,
    /// When it was made.
    created_timestamp: String,
    /// Uid of its newest message, which a call is too.
    #[oai(nullable)]
    last_message_uid: Option<String>,
    /// When that was.
    #[oai(nullable)]
    last_message_timestamp: Option<String>,
    /// Its newest message; only with `with_msg`.
    #[oai(skip_serializing_if_is_none)]
    last_message: Option<SummaryView>,
    /// Whether the other side has waited for an automatic answer for a minute or longer, while the chat is answered
    /// automatically.
    unattended: bool,
    /// Path of a picture.
    photo: String,
    /// Those of its members that are known because they have written in it; only for groups.
    #[oai(skip_serializing_if_is_none)]
    group_members: Option<Vec<GroupMemberView>>,
    /// Whether a message to it would be accepted.
    is_allowed_to_message: bool,
}

impl ChatView {
    pub(super) fn new(app: &App, details: &ChatDetails, zone: &str) -> Self {
        let ChatDetails { held, labels, responsible, members, last_message, waiting_since } = details;
        let chat = &held.chat;
        let of_responsible = |field: fn(&user::Model) -> &String| responsible.as_ref().map(field).cloned();
        Self {
            id: chat.id.0,
            name: chat.name.clone(),
            phone: chat.phone.clone(),
            jid: chat.jid.clone(),
            is_group: chat.is_group,
            closed: chat.closed,
            read: chat.read,
            unread_count: if chat.read { 0 } else { chat.unread },
            labels: labels.clone(),
            chatgpt_autoresponse_enabled: chat.is_answered_automatically(),
            responsible: of_responsible(|user| &user.email),
            responsible_email: of_responsible(|user| &user.email),
            responsible_name: of_responsible(|user| &user.display_name),
            whatsapp_account_id: held.channel.external_id.clone(),
            chat_url: format!("{}/chat/{}/messages/", app.config.public_url, chat.id),
            created_timestamp: local_time(chat.created_at, zone),
            last_message_uid: chat.last_message_id.map(|id| id.to_string()),
            last_message_timestamp: chat.last_message_at.map(|at| local_time(at, zone)),
            last_message: last_message.as_ref().map(|last| {
                let summary = SummaryView::new(held, &last.message, last.author.as_ref(), zone);
                summary.carrying(app, last.file.as_ref()).ended(last.call.as_ref())
            }),
            unattended: crate::chat::is_unattended(*waiting_since, app.clock.now()),
            photo: assets::avatar_path(),
            group_members: chat.is_group.then(|| members.iter().map(GroupMemberView::new).collect()),
            is_allowed_to_message: held.is_allowed_to_message(),
        }
    }
}

/// One page of chats.
#[derive(Object)]
#[oai(rename = "Chats")]
pub(super) struct ChatList {
    /// Whether there is a page after this one.
    has_more_pages: bool,
    /// The chats with the newest messages first, by name among equals.
    chats: Vec<ChatView>,
}

impl ChatList {
    pub(super) fn new(app: &App, page: &NumberedPage<ChatDetails>, zone: &str) -> Self {
        let chats = page.items.iter().map(|details| ChatView::new(app, details, zone)).collect();
        Self { has_more_pages: page.has_more_pages, chats }
    }
}

/// What to change of a chat; absent members stay as they are, unknown ones are ignored.
#[derive(Object, Deserialize)]
#[oai(rename = "UpdateChat")]
struct UpdateChatRequest {
    /// What it is called from now on, whatever its network calls it: 1 to 256 characters. No other chat of the
    /// workspace may have been given the name.
    name: Option<String>,
    /// E-mail address of the teammate who is to look after it; empty for nobody.
    responsible: Option<String>,
    /// Whether it is closed.
    closed: Option<bool>,
    /// Whether it has been read.
    read: Option<bool>,
    /// Whether it is answered automatically.
    chatgpt_autoresponse_enabled: Option<bool>,
}

impl UpdateChatRequest {
    fn into_command(self) -> Result<UpdateChat> {
        Ok(UpdateChat {
            name: self.name.as_deref().map(Name::parse).transpose()?,
            responsible: self.responsible.as_deref().map(Responsible::parse),
            closed: self.closed,
            read: self.read,
            autoresponse: self.chatgpt_autoresponse_enabled,
        })
    }
}

/// Lets in who asks for chats. Their newest messages need a right of its own.
pub(super) async fn admit_to_chats<'a>(
    caller: &'a TokenCaller,
    with_msg: &Written<bool>,
) -> Result<(&'a WorkspaceCaller, LastMessages)> {
    let wanted = with_msg.read("with_msg");
    if let Ok(Some(true)) = wanted {
        caller.require(Scope::MessagesRead)?;
    }
    let caller: &WorkspaceCaller = caller.admit(Scope::ChatsRead).await?;
    Ok((caller, if wanted? == Some(true) { LastMessages::With } else { LastMessages::Without }))
}

#[OpenApi]
impl ChatsApi {
    /// List chats
    ///
    /// In pages of 50. Filters narrow one another down; the values of one filter, separated by commas, are
    /// alternatives.
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the query")]
    #[oai(path = "/chats", method = "get", operation_id = "list_chats")]
    async fn list(
        &self,
        caller: TokenAuth,
        /// Number of the page, from 1.
        page: Query<Written<i64>>,
        /// Parts of names, without regard to case.
        name: Query<Option<String>>,
        /// Number of a direct chat: whole with `+`, else a part of it.
        phone: Query<Option<String>>,
        /// Numbers of direct chats, and of members of groups.
        whatsapp_phone: Query<Option<String>>,
        /// Labels; one with commas in it is found too where it is the whole value.
        label: Query<Option<String>>,
        /// Ids of accounts, `<digits>@s.whatsapp.net`.
        whatsapp_account_id: Query<Option<String>>,
        /// E-mail addresses of those who look after chats.
        responsible: Query<Option<String>>,
        /// Whether they are closed.
        closed: Query<Written<bool>>,
        /// Whether they have been read.
        read: Query<Written<bool>>,
        /// Whether they are groups.
        group: Query<Written<bool>>,
        /// Whether they are answered automatically.
        chatgpt_autoresponse_enabled: Query<Written<bool>>,
        /// Made at this ISO 8601 date or date-time or later; in the workspace's zone where it has no offset.
        created_after: Query<Option<String>>,
        /// Made at this ISO 8601 date or date-time or earlier; in the workspace's zone where it has no offset.
        created_before: Query<Option<String>>,
        /// Whether to add `last_message`, for which the token needs `messages:read` as well.
        with_msg: Query<Written<bool>>,
    ) -> Result<Json<Envelope<ChatList>>, WorkspaceFailure> {
        let (caller, last_messages) = admit_to_chats(&caller, &with_msg).await?;
        let (page, zone) = (PageNumber::parse(page.read("page")?)?, &caller.workspace.time_zone);
        let text = FilterText {
            name: name.0,
            phone: phone.0,
            whatsapp_phone: whatsapp_phone.0,
            label: label.0,
            whatsapp_account_id: whatsapp_account_id.0,
            responsible: responsible.0,
            created_after: created_after.0,
            created_before: created_before.0,
        };
        let filter = Filter {
            closed: closed.read("closed")?,
            read: read.read("read")?,
            group: group.read("group")?,
            autoresponse: chatgpt_autoresponse_enabled.read("chatgpt_autoresponse_enabled")?,
            ..Filter::parse(&text, zone)?
        };
        let page = list::list(&self.app, caller.workspace.id, &filter, last_messages, page).await?;
        Ok(ok(ChatList::new(&self.app, &page, zone)))
    }

    /// Get a chat
    #[oai(path = "/chats/:chat_id", method = "get", operation_id = "get_chat")]
    async fn get(
        &self,
        caller: TokenAuth,
        /// Number of the chat.
        chat_id: Path<String>,
    ) -> Result<Json<Envelope<ChatView>>, WorkspaceFailure> {
        let caller = caller.admit(Scope::ChatsRead).await?;
        let details = chat::get(&self.app, caller.workspace.id, &chat_id.0).await?;
        Ok(ok(ChatView::new(&self.app, &details, &caller.workspace.time_zone)))
    }

    /// Change a chat
    ///
    /// Fields that are absent stay as they are, unknown ones are ignored.
    #[oai(path = "/chats/:chat_id", method = "patch", operation_id = "update_chat")]
    async fn update(
        &self,
        caller: TokenAuth,
        /// Number of the chat.
        chat_id: Path<String>,
        body: UnreadJson<UpdateChatRequest>,
    ) -> Result<Json<Envelope<ChatView>>, WorkspaceFailure> {
        let command = body.read().and_then(UpdateChatRequest::into_command);
        let command = caller.understand(Scope::ChatsWrite, command).await?;
        let (origin, caller) = (caller.origin(), caller.admit(Scope::ChatsWrite).await?);
        let details = update::update(&self.app, caller, &origin, &chat_id.0, &command).await?;
        Ok(ok(ChatView::new(&self.app, &details, &caller.workspace.time_zone)))
    }
}
