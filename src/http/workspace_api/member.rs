//! The variants of `/v2` that see what the token's user sees (`contracts/timelines.md` §3.6;
//! [`crate::chat::visibility`] says what that is).

use std::sync::Arc;

use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path, Query},
    payload::Json,
};

use crate::{
    app::App,
    channel as channels,
    chat::{
        filter::{Filter, FilterText},
        list,
        visibility::{self, View},
    },
    error::Result,
    http::{
        body::UnreadJson,
        query::Written,
        rendered::Rendered,
        workspace_api::{
            Envelope,
            accounts::AccountView,
            auth::TokenAuth,
            chats::{ChatList, admit_to_chats},
            dialect::WorkspaceFailure,
            messages::{MessageList, direction},
            ok,
            sending::{self, SendAsMemberRequest, SendToPhoneRequest, SentView},
        },
    },
    message::read::{self, filter as messages},
    page::PageNumber,
    token::Scope,
    user as users,
};

pub(super) struct MemberApi {
    pub(super) app: Arc<App>,
}

/// An account on WhatsApp, as a member sees it.
#[derive(Object)]
#[oai(rename = "VisibleWhatsappAccount")]
struct VisibleAccountView {
    #[oai(flatten)]
    account: AccountView,
    /// Whether the token's user sees its chats and may send from it.
    is_visible: bool,
}

/// All accounts, as a member sees them.
#[derive(Object)]
#[oai(rename = "VisibleWhatsappAccounts")]
struct VisibleAccountList {
    /// Accounts, by the order in which they were first connected.
    whatsapp_accounts: Vec<VisibleAccountView>,
}

#[OpenApi]
impl MemberApi {
    /// List chats that the token's user sees
    ///
    /// The owner and admins see all; an agent sees those that it is responsible for and those of its own accounts, and
    /// of members of groups only the direct chats that it sees. In pages of 50; filters narrow one another down, and the
    /// values of one filter, separated by commas, are alternatives.
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the query")]
    #[oai(path = "/v2/chats", method = "get", operation_id = "list_chats_of_member")]
    async fn list_chats(
        &self,
        caller: TokenAuth,
        /// Number of the page, from 1.
        page: Query<Written<i64>>,
        /// Parts of names, without regard to case.
        name: Query<Option<String>>,
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
            phone: None,
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
            view: View::of(&caller.user),
            ..Filter::parse(&text, zone)?
        };
        let page = list::list(&self.app, caller.workspace.id, &filter, last_messages, page).await?;
        Ok(ok(ChatList::new(&self.app, &page, zone)))
    }

    /// List messages of a chat that the token's user sees
    ///
    /// In pages of 50, the newest first unless asked otherwise.
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the path or the query")]
    #[oai(path = "/v2/chats/:chat_id/messages", method = "get", operation_id = "list_messages_of_member")]
    async fn list_messages(
        &self,
        caller: TokenAuth,
        /// Number of the chat.
        chat_id: Path<String>,
        /// Number of the page, from 1.
        page: Query<Written<i64>>,
        /// Whether they were sent from the workspace's account.
        from_me: Query<Written<bool>>,
        /// Of this ISO 8601 date or date-time or later; in the workspace's zone where it has no offset.
        after: Query<Option<String>>,
        /// Of this ISO 8601 date or date-time or earlier; in the workspace's zone where it has no offset.
        before: Query<Option<String>>,
        /// Newer than the message of this chat with this uid.
        after_message: Query<Option<String>>,
        /// Older than the message of this chat with this uid.
        before_message: Query<Option<String>>,
        /// `asc` or `desc`, which is the default.
        sorting_order: Query<Option<String>>,
    ) -> Result<Json<Envelope<MessageList>>, WorkspaceFailure> {
        let caller = caller.admit(Scope::MessagesRead).await?;
        let (workspace, zone) = (&caller.workspace, &caller.workspace.time_zone);
        let page = PageNumber::parse(page.read("page")?)?;
        let text = messages::FilterText {
            after: after.0,
            before: before.0,
            after_message: after_message.0,
            before_message: before_message.0,
            sorting_order: sorting_order.0,
        };
        let parsed = messages::Filter::parse(&text, zone)?;
        let filter = messages::Filter { direction: from_me.read("from_me")?.map(direction), ..parsed };
        visibility::require(self.app.db.reader(), workspace.id, View::of(&caller.user), &chat_id.0).await?;
        let found = read::of_chat(&self.app, workspace.id, &chat_id.0, &filter, page).await?;
        Ok(ok(MessageList::new(&self.app, &found, zone)))
    }

    /// Send a message in a chat that the token's user sees
    ///
    /// From the chat's own account. A text or a file costs one credit, both together two, given back if the message
    /// fails.
    #[oai(path = "/v2/chats/:chat_id/messages", method = "post", operation_id = "send_message_in_chat_of_member")]
    async fn send_in_chat(
        &self,
        caller: TokenAuth,
        /// Number of the chat.
        chat_id: Path<String>,
        /// The same key and body returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: UnreadJson<SendAsMemberRequest>,
    ) -> Result<Rendered<Envelope<SentView>>, WorkspaceFailure> {
        sending::as_member_in_chat(&self.app, &caller, &chat_id.0, key.0.as_deref(), body).await
    }

    /// Send a message to a phone number as the token's user
    ///
    /// An agent sends from its own accounts only. The chat is made if there is none. A text or a file costs one credit,
    /// both together two, given back if the message fails.
    #[oai(path = "/v2/messages", method = "post", operation_id = "send_message_as_member")]
    async fn send_to_phone(
        &self,
        caller: TokenAuth,
        /// The same key and body returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: UnreadJson<SendToPhoneRequest>,
    ) -> Result<Rendered<Envelope<SentView>>, WorkspaceFailure> {
        sending::as_member_to_phone(&self.app, &caller, key.0.as_deref(), body).await
    }

    /// List WhatsApp accounts with whether the token's user sees them
    #[oai(path = "/v2/whatsapp_accounts", method = "get", operation_id = "list_whatsapp_accounts_of_member")]
    async fn list_accounts(&self, caller: TokenAuth) -> Result<Json<Envelope<VisibleAccountList>>, WorkspaceFailure> {
        let caller = caller.admit(Scope::AccountsRead).await?;
        let (workspace, view) = (&caller.workspace, View::of(&caller.user));
        let channels = channels::whatsapp_accounts(&self.app, workspace.id).await?;
        let owners = channels.iter().map(|channel| channel.user_id);
        let owners = users::by_ids(self.app.db.reader(), workspace.id, owners).await?;
        let visible = channels.iter().map(|channel| VisibleAccountView {
            account: AccountView::new(channel, owners.get(&channel.user_id), &workspace.time_zone),
            is_visible: view.shows(channel),
        });
        Ok(ok(VisibleAccountList { whatsapp_accounts: visible.collect() }))
    }
}
