//! What a widget is told.

use entity::{
    message::{self, Direction},
    webchat_visitor,
};
use poem_openapi::{Enum, Object};
use serde::Deserialize;

use crate::{
    app::App,
    channel::widget::Widget,
    chat::update::Name,
    connector::webchat::{
        history::{Entry, Page},
        visitor::{Begin, Email, Identity, Session},
    },
    error::{Error, Result},
    file::link,
    http::formats::IsoTime,
};

/// The colour of widgets that have none of their own.
pub(super) const DEFAULT_COLOR: &str = "#1f6f54";
const DEFAULT_TITLE: &str = "Chat with us";
const DEFAULT_OFFLINE: &str = "Nobody is here at the moment. Please come back later.";
/// Most characters that are shown of a message that is answered.
const MAX_ANSWERED_CHARS: usize = 200;
/// Where a widget sits unless it is told otherwise.
const DEFAULT_POSITION: &str = "bottom-right";

/// How a widget looks and behaves. Nothing in it is secret.
#[derive(Object, Clone)]
#[oai(rename = "Widget")]
pub(super) struct WidgetView {
    /// Whether visitors can write now; show `offline_message` where they cannot.
    pub(super) is_online: bool,
    /// Its title.
    pub(super) title: String,
    /// What stands below that.
    #[oai(nullable)]
    pub(super) subtitle: Option<String>,
    /// What a visitor reads first.
    #[oai(nullable)]
    pub(super) welcome_message: Option<String>,
    /// What a visitor reads while nobody is there.
    pub(super) offline_message: String,
    /// Its colour, `#` and six hexadecimal digits.
    pub(super) primary_color: String,
    /// The colour of text on that; `null` for whichever of black and white reads better.
    #[oai(nullable)]
    pub(super) text_color: Option<String>,
    /// `bottom-right` or `bottom-left`.
    pub(super) position: String,
    /// Address of a picture, beginning with `https://`.
    #[oai(nullable)]
    pub(super) avatar_url: Option<String>,
    /// Whether it says who made it.
    pub(super) show_branding: bool,
    /// Whether visitors have to tell their e-mail address before they write.
    pub(super) require_email: bool,
    /// Whether the website has to prove who its visitors are.
    pub(super) require_identity: bool,
}

impl From<&Widget> for WidgetView {
    fn from(widget: &Widget) -> Self {
        let theme = |name: &str| widget.theme(name).map(str::to_owned);
        Self {
            is_online: widget.is_open,
            title: theme("title").or_else(|| theme("headerText")).unwrap_or_else(|| DEFAULT_TITLE.to_owned()),
            subtitle: theme("subtitle"),
            welcome_message: theme("welcomeMessage"),
            offline_message: theme("offlineMessage").unwrap_or_else(|| DEFAULT_OFFLINE.to_owned()),
            primary_color: theme("primaryColor").unwrap_or_else(|| DEFAULT_COLOR.to_owned()),
            text_color: theme("textColor"),
            position: theme("position").unwrap_or_else(|| DEFAULT_POSITION.to_owned()),
            avatar_url: theme("avatarUrl"),
            show_branding: widget.flag("showBranding").unwrap_or(true),
            require_email: widget.flag("requireEmail").unwrap_or(false),
            require_identity: widget.flag("requireIdentity").unwrap_or(false),
        }
    }
}

/// What a visitor comes with; nothing is required of who comes for the first time and stays unknown.
#[derive(Object, Deserialize)]
#[oai(rename = "BeginSessionRequest")]
pub(super) struct SessionRequest {
    /// The token of an earlier session: the visitor stays who they were. One that is not good is answered with 401.
    pub(super) visitor_token: Option<String>,
    /// Who the visitor is in the website's own system.
    identity: Option<IdentityRequest>,
    /// What the visitor calls themselves, at most 256 characters.
    name: Option<String>,
    /// The visitor's e-mail address.
    email: Option<String>,
}

/// Who a visitor is, proved by the website's own server.
#[derive(Object, Deserialize)]
#[oai(rename = "VisitorIdentity")]
struct IdentityRequest {
    /// Their id there, 1 to 200 characters.
    user_id: String,
    /// Their e-mail address there.
    email: Option<String>,
    /// HMAC-SHA256 under the channel's `identitySecret`, in hexadecimal digits: of `user_id`, and of `user_id`, a line
    /// break and `email` where that is sent.
    hash: String,
}

impl SessionRequest {
    pub(super) fn into_command(self) -> Result<Begin> {
        let identity = self.identity.map(|identity| {
            Identity::parse(&identity.user_id, identity.email.as_deref(), &identity.hash).map_err(within_identity)
        });
        let given = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        Ok(Begin {
            known: None,
            identity: identity.transpose()?,
            name: given(self.name).as_deref().map(Name::parse).transpose()?,
            email: given(self.email).as_deref().map(Email::parse).transpose()?,
        })
    }
}

fn within_identity(error: Error) -> Error {
    match error {
        Error::InvalidField { field: "user_id", reason } => Error::field("identity.user_id", reason),
        Error::InvalidField { field: "email", reason } => Error::field("identity.email", reason),
        Error::InvalidField { field: "hash", reason } => Error::field("identity.hash", reason),
        error => error,
    }
}

/// A visitor's session.
#[derive(Object)]
#[oai(rename = "Session")]
pub(super) struct SessionView {
    /// What proves the visitor, as `Authorization: Bearer`.
    visitor_token: String,
    /// When that runs out; each session brings a new one.
    expires_at: IsoTime,
    /// The visitor.
    visitor: VisitorView,
}

/// A visitor.
#[derive(Object)]
#[oai(rename = "Visitor")]
struct VisitorView {
    /// Their id, which stands before `@webchat` in the id of their chat.
    id: String,
    /// Whether the website has proved who they are.
    is_identified: bool,
    /// Their name, where it is known.
    #[oai(nullable)]
    name: Option<String>,
    /// Their e-mail address, where it is known.
    #[oai(nullable)]
    email: Option<String>,
}

impl From<Session> for SessionView {
    fn from(session: Session) -> Self {
        let known = |what: fn(&webchat_visitor::Model) -> Option<String>| session.row.as_ref().and_then(what);
        Self {
            visitor: VisitorView {
                id: session.visitor_id.to_string(),
                is_identified: known(|row| row.external_id.clone()).is_some(),
                name: known(|row| row.name.clone()),
                email: known(|row| row.email.clone()),
            },
            visitor_token: session.token,
            expires_at: session.expires_at.into(),
        }
    }
}

/// Who wrote a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename = "Author", rename_all = "lowercase")]
enum AuthorView {
    /// The visitor.
    Visitor,
    /// Whoever they chat with.
    Workspace,
}

impl From<Direction> for AuthorView {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::Received => Self::Visitor,
            Direction::Sent => Self::Workspace,
        }
    }
}

/// A message in the visitor's window.
#[derive(Object, Clone)]
#[oai(rename = "WidgetMessage")]
pub(super) struct MessageView {
    /// Its place in the window, from 1; the id of its event.
    pub(super) number: i64,
    /// Its id.
    id: String,
    /// Who wrote it.
    from: AuthorView,
    /// Its text, which is plain: show it as it is. `null` where there is only a file.
    #[oai(nullable)]
    text: Option<String>,
    /// The file that it carries.
    #[oai(nullable)]
    file: Option<FileView>,
    /// The message of this window that it answers.
    #[oai(nullable)]
    reply_to: Option<AnsweredView>,
    /// When it was written.
    sent_at: IsoTime,
}

/// A message that is answered.
#[derive(Object, Clone)]
#[oai(rename = "WidgetAnswered")]
struct AnsweredView {
    /// Its place in the window.
    number: i64,
    /// Who wrote it.
    from: AuthorView,
    /// What its text begins with, at most 200 characters; `null` where there is only a file.
    #[oai(nullable)]
    text: Option<String>,
}

impl AnsweredView {
    fn new((number, message): (i64, message::Model)) -> Self {
        let begin = |text: String| text.chars().take(MAX_ANSWERED_CHARS).collect();
        Self { number, from: message.direction.into(), text: message.text.filter(|text| !text.is_empty()).map(begin) }
    }
}

/// A file.
#[derive(Object, Clone)]
#[oai(rename = "WidgetFile")]
struct FileView {
    /// Its name.
    name: String,
    /// Its media type.
    content_type: String,
    /// Its length, in bytes.
    size: i64,
    /// Where it can be read for a quarter of an hour.
    url: String,
}

impl MessageView {
    pub(super) fn new(app: &App, entry: Entry) -> Result<Self> {
        let file = entry.file.map(|file| {
            Ok::<_, Error>(FileView {
                url: link::to(app, file.id)?,
                name: file.filename,
                content_type: file.content_type,
                size: file.size,
            })
        });
        Ok(Self {
            number: entry.number,
            id: entry.message.id.to_string(),
            from: entry.message.direction.into(),
            text: entry.message.text.filter(|text| !text.is_empty()),
            file: file.transpose()?,
            reply_to: entry.answered.map(AnsweredView::new),
            sent_at: entry.message.created_at.into(),
        })
    }
}

/// A page of the visitor's window.
#[derive(Object)]
#[oai(rename = "WidgetMessages")]
pub(super) struct MessagesView {
    /// The messages, oldest first.
    messages: Vec<MessageView>,
    /// Whether there are older ones.
    has_more: bool,
}

impl MessagesView {
    pub(super) fn new(app: &App, page: Page) -> Result<Self> {
        let messages = page.entries.into_iter().map(|entry| MessageView::new(app, entry)).collect::<Result<_>>()?;
        Ok(Self { messages, has_more: page.has_more })
    }
}

/// A message of the visitor's.
#[derive(Object, Deserialize)]
#[oai(rename = "WriteRequest")]
pub(super) struct WriteRequest {
    /// Plain text of 1 to 4096 characters.
    pub(super) text: String,
    /// The browser's own id of it, at most 64 letters, digits, `-` and `_`: what is sent twice under one is one message.
    pub(super) client_id: Option<String>,
    /// Number of the message in the window that it answers.
    pub(super) reply_to: Option<i64>,
}

/// How far a visitor is.
#[derive(Object, Deserialize)]
#[oai(rename = "ReceiptsRequest")]
pub(super) struct ReceiptsRequest {
    /// Number of the last message that the browser has.
    pub(super) delivered: Option<i64>,
    /// Number of the last message that the visitor has seen.
    pub(super) read: Option<i64>,
}
