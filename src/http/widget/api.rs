//! The operations of a widget.

use std::sync::Arc;

use entity::id::VisitorId;
use futures_util::{StreamExt, stream::BoxStream};
use poem::{Body, Request, web::Data};
use poem_openapi::{
    ApiResponse, OpenApi, SecurityScheme,
    auth::Bearer,
    param::{Header, Path, Query},
    payload::{Binary, EventStream, Json},
    types::ToJSON,
};
use sha2::{Digest, Sha256};

use crate::{
    app::App,
    channel::widget::Widget,
    connector::webchat::{
        history,
        inbound::{self, Write},
        receipts::{self, Seen},
        upload::{self, SendFile},
        visitor,
    },
    error::{Error, Result},
    file::FileName,
    http::{
        body::UnreadJson,
        failure::Failure,
        problem::Problem,
        widget::{
            Shared, events, limits,
            views::{
                MessageView, MessagesView, ReceiptsRequest, SessionRequest, SessionView, WidgetView, WriteRequest,
            },
        },
    },
};

/// The way out of a handler.
type WidgetFailure = Failure<Problem>;

/// How long a browser may show a widget without asking whether it still looks so.
const CONFIG_CACHED: &str = "private, max-age=60";
const DEFAULT_PAGE: u64 = 30;

pub(super) struct VisitApi {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct MessagesApi {
    pub(super) shared: Arc<Shared>,
}

/// The token of a visitor's session.
#[derive(SecurityScheme)]
#[oai(ty = "bearer", rename = "VisitorToken", checker = "check")]
struct VisitorAuth(VisitorId);

async fn check(request: &Request, bearer: Bearer) -> poem::Result<VisitorId> {
    let app = request.data::<Arc<App>>().ok_or_else(|| Error::Internal("a surface has no app".to_owned()))?;
    let widget = request.data::<Arc<Widget>>().ok_or_else(|| Error::Internal("a call has no widget".to_owned()))?;
    Ok(visitor::check(app, widget, &bearer.token)?)
}

/// How a widget looks.
#[derive(ApiResponse)]
enum ConfigResponse {
    /// It looks so.
    #[oai(status = 200)]
    Fresh(
        Json<WidgetView>,
        /// What to send as `If-None-Match` the next time.
        #[oai(header = "ETag")]
        String,
        /// How long it may be used.
        #[oai(header = "Cache-Control")]
        String,
    ),
    /// It looks as it did.
    #[oai(status = 304)]
    Unchanged(
        /// As before.
        #[oai(header = "ETag")]
        String,
        /// How long it may be used.
        #[oai(header = "Cache-Control")]
        String,
    ),
}

/// A message was taken.
#[derive(ApiResponse)]
enum Written {
    /// It is there.
    #[oai(status = 201)]
    Done(Json<MessageView>),
}

/// Receipts were taken.
#[derive(ApiResponse)]
enum Marked {
    /// They are written down.
    #[oai(status = 204)]
    Done,
}

/// What comes to a visitor.
#[derive(ApiResponse)]
enum Stream {
    /// Events of the type `message`, each with its number as id.
    #[oai(status = 200)]
    Open(
        EventStream<BoxStream<'static, MessageView>>,
        /// `no`: proxies that buffer would hold messages back.
        #[oai(header = "X-Accel-Buffering")]
        String,
    ),
}

/// A field by the name that it has here.
fn renamed(error: Error, field: &'static str) -> Error {
    match error {
        Error::InvalidField { reason, .. } => Error::field(field, reason),
        error => error,
    }
}

#[OpenApi]
impl VisitApi {
    /// Get how a widget looks
    #[oai(path = "/:widget_token/config", method = "get", operation_id = "get_widget")]
    async fn config(
        &self,
        widget: Data<&Arc<Widget>>,
        /// Public token of the widget.
        #[oai(name = "widget_token")]
        _widget_token: Path<String>,
        /// The `ETag` of an earlier answer.
        #[oai(name = "If-None-Match")]
        known: Header<Option<String>>,
    ) -> Result<ConfigResponse, WidgetFailure> {
        let view = WidgetView::from(widget.as_ref());
        let digest = Sha256::digest(view.to_json_string());
        let tag = format!("\"{}\"", digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>());
        let is_known = known.0.is_some_and(|known| known.split(',').any(|known| known.trim() == tag));
        Ok(match is_known {
            true => ConfigResponse::Unchanged(tag, CONFIG_CACHED.to_owned()),
            false => ConfigResponse::Fresh(Json(view), tag, CONFIG_CACHED.to_owned()),
        })
    }

    /// Begin or go on with a session
    ///
    /// Without `visitor_token` the visitor is a new one. With an `identity` that the website's server has signed, they are
    /// the same in every browser; 401 `invalid_signature` if it has not signed that. The first session of a channel that
    /// nobody has switched on or off connects it and switches it on.
    #[oai(path = "/:widget_token/session", method = "post", operation_id = "begin_session")]
    async fn session(
        &self,
        request: &Request,
        widget: Data<&Arc<Widget>>,
        /// Public token of the widget.
        #[oai(name = "widget_token")]
        _widget_token: Path<String>,
        body: UnreadJson<SessionRequest>,
    ) -> Result<Json<SessionView>, WidgetFailure> {
        let shared = &self.shared;
        let body = body.read()?;
        let known = body.visitor_token.as_deref().map(|token| visitor::check(&shared.app, &widget, token));
        let known = known.transpose()?;
        match known {
            Some(known) => shared.limits.pace_visitor(known)?,
            None => shared.limits.pace_newcomer(limits::address(request), widget.channel.id)?,
        }
        let command = visitor::Begin { known, ..body.into_command()? };
        Ok(Json(visitor::begin(&shared.app, &widget, &command).await?.into()))
    }
}

#[OpenApi]
impl MessagesApi {
    /// List the visitor's messages
    ///
    /// The newest, oldest first; with `before` those before that number.
    #[oai(path = "/:widget_token/messages", method = "get", operation_id = "list_messages")]
    async fn list(
        &self,
        visitor: VisitorAuth,
        widget: Data<&Arc<Widget>>,
        /// Public token of the widget.
        #[oai(name = "widget_token")]
        _widget_token: Path<String>,
        /// Number of a message: only messages before it.
        before: Query<Option<i64>>,
        /// Messages on the page, 1 to 100; 30 where absent.
        limit: Query<Option<u64>>,
    ) -> Result<Json<MessagesView>, WidgetFailure> {
        self.shared.limits.pace_visitor(visitor.0)?;
        let limit = limit.0.unwrap_or(DEFAULT_PAGE);
        if !(1..=history::MAX_PAGE).contains(&limit) {
            return Err(Error::field("limit", format!("must be 1 to {}", history::MAX_PAGE)).into());
        }
        let app = &self.shared.app;
        let page = history::page(app, &widget, visitor.0, before.0, limit).await?;
        Ok(Json(MessagesView::new(app, page)?))
    }

    /// Write a message
    ///
    /// 409 `widget_offline` while the channel is switched off; 400 naming `email` where the channel requires it and the
    /// visitor has not told it.
    #[oai(path = "/:widget_token/messages", method = "post", operation_id = "write_message")]
    async fn write(
        &self,
        visitor: VisitorAuth,
        widget: Data<&Arc<Widget>>,
        /// Public token of the widget.
        #[oai(name = "widget_token")]
        _widget_token: Path<String>,
        body: UnreadJson<WriteRequest>,
    ) -> Result<Written, WidgetFailure> {
        self.shared.limits.pace_writer(visitor.0)?;
        let body = body.read()?;
        let command = Write::parse(&body.text, body.client_id.as_deref())?.answering(body.reply_to);
        let entry = inbound::write(&self.shared.app, &widget, visitor.0, &command).await?;
        Ok(Written::Done(Json(MessageView::new(&self.shared.app, entry)?)))
    }

    /// Send a file
    ///
    /// Of at most 10 MiB and of a type that can be shown or kept; its bytes are looked at. It becomes a message without
    /// text. Otherwise as writing a message.
    #[oai(path = "/:widget_token/files", method = "post", operation_id = "send_file")]
    async fn send_file(
        &self,
        visitor: VisitorAuth,
        widget: Data<&Arc<Widget>>,
        /// Public token of the widget.
        #[oai(name = "widget_token")]
        _widget_token: Path<String>,
        /// Name of the file; its ending says what it is where its bytes leave that open.
        name: Query<String>,
        /// The browser's own id of the message, as for a text.
        #[oai(name = "client_id")]
        client_id: Query<Option<String>>,
        body: Binary<Body>,
    ) -> Result<Written, WidgetFailure> {
        self.shared.limits.pace_writer(visitor.0)?;
        let command =
            SendFile { name: FileName::parse(&name.0).map_err(|error| renamed(error, "name"))?, key: client_id.0 };
        let content = body.0.into_bytes_stream().boxed();
        let entry = upload::send(&self.shared.app, &widget, visitor.0, &command, content).await?;
        Ok(Written::Done(Json(MessageView::new(&self.shared.app, entry)?)))
    }

    /// Tell how far the visitor is
    ///
    /// Makes the workspace's messages delivered and read. It never goes back.
    #[oai(path = "/:widget_token/receipts", method = "post", operation_id = "tell_receipts")]
    async fn receipts(
        &self,
        visitor: VisitorAuth,
        widget: Data<&Arc<Widget>>,
        /// Public token of the widget.
        #[oai(name = "widget_token")]
        _widget_token: Path<String>,
        body: UnreadJson<ReceiptsRequest>,
    ) -> Result<Marked, WidgetFailure> {
        self.shared.limits.pace_visitor(visitor.0)?;
        let body = body.read()?;
        let seen = Seen { delivered: body.delivered.unwrap_or(0), read: body.read.unwrap_or(0) };
        receipts::mark(&self.shared.app, &widget, visitor.0, seen).await?;
        Ok(Marked::Done)
    }

    /// Hear of messages as they come
    ///
    /// Server-sent events, the visitor's own messages from other windows among them. With `Last-Event-ID` they go on
    /// after that number; without it they begin with what comes next. The stream ends after half an hour, when the
    /// visitor has eight others, and when the widget token is replaced; whoever comes back with the last id misses
    /// nothing.
    #[oai(path = "/:widget_token/events", method = "get", operation_id = "hear_messages")]
    async fn events(
        &self,
        visitor: VisitorAuth,
        widget: Data<&Arc<Widget>>,
        /// Public token of the widget.
        #[oai(name = "widget_token")]
        widget_token: Path<String>,
        /// Number of the last message that the browser has.
        #[oai(name = "Last-Event-ID")]
        last: Header<Option<i64>>,
    ) -> Result<Stream, WidgetFailure> {
        self.shared.limits.pace_visitor(visitor.0)?;
        let window = events::Window { widget: Arc::clone(&widget), token: widget_token.0, visitor: visitor.0 };
        let stream = events::open(&self.shared, window, last.0).await?;
        Ok(Stream::Open(stream, "no".to_owned()))
    }
}
