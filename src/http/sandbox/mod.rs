//! Simulated phones: what both surfaces that offer them share, and `/sandbox/…` for developers on the machine itself.
//!
//! The latter answers without a token, from loopback only, and only with `sandbox = true`.

use std::{net::IpAddr, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use entity::channel::{ConnectorKind, Network};
use poem::{
    Endpoint, Request, Response, Route, handler, post,
    web::{Data, Json},
};
use poem_openapi::{Object, types::ToJSON};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    app::App,
    chat::update::Name,
    connector::sandbox::{
        calls::{self, Heard},
        devices::{Arrived, SentFile},
        inbound, outbound,
        phones::{self, Played, Scope},
        reactions::{self, Reacted},
    },
    error::{Error, Result},
    file::{FileName, parse_content_type},
    http::{agents_api::views::bare_channel, body, problem::Problem, surface},
    idempotency::Repeatable,
    message::{Jid, Text, reaction::Emoji, read::parse_uid},
    onboarding,
    phone::Phone,
};

const FOREIGN_HEADERS: [&str; 4] = ["Forwarded", "X-Forwarded-For", "X-Real-IP", "Origin"];

/// A code and the phone that scans it.
#[derive(Object, Serialize, Deserialize)]
pub(super) struct ScanRequest {
    /// What the QR code says.
    qr: String,
    /// The phone's number, `+` and 7 to 15 digits.
    phone: String,
}

/// A pairing code and the phone that it is typed into.
#[derive(Object, Serialize, Deserialize)]
pub(super) struct PairRequest {
    /// The pairing code, eight digits.
    code: String,
    /// The phone's number, `+` and 7 to 15 digits.
    phone: String,
}

/// The phone whose linked devices are removed.
#[derive(Object, Serialize, Deserialize)]
pub(super) struct LogoutRequest {
    /// The phone's number, `+` and 7 to 15 digits.
    phone: String,
}

/// A file that goes with a message.
#[derive(Object, Serialize, Deserialize)]
pub(super) struct InboundFile {
    /// Its name, at most 1024 characters.
    filename: String,
    /// Its media type, at most 140 characters.
    content_type: Option<String>,
    /// What is in it, in base64.
    data: String,
}

/// What somebody outside writes to a linked phone.
#[derive(Object, Serialize, Deserialize)]
pub(super) struct InboundRequest {
    /// The linked phone's number, `+` and 7 to 15 digits.
    phone: String,
    /// The number of who writes, `+` and 7 to 15 digits.
    from: String,
    /// Id of the group that it is written to, `<id>@g.us`; it is written to the phone itself where this is absent.
    #[serde(skip_serializing_if = "Option::is_none")] // keys of requests without one stay what they were
    group: Option<String>,
    /// What the group is called, 1 to 256 characters: a chat that was given no name is called so.
    #[serde(skip_serializing_if = "Option::is_none")]
    group_name: Option<String>,
    /// What who writes is called, 1 to 256 characters: shown with what they write to a group; a direct chat that was
    /// given no name is called so.
    #[serde(skip_serializing_if = "Option::is_none")]
    from_name: Option<String>,
    /// Uid of the message that it answers, received or sent, in the same chat.
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<String>,
    /// What is written, 1 to 2000 characters. Needed where there is no file.
    text: Option<String>,
    /// A file that comes with it.
    attachment: Option<InboundFile>,
}

/// What the phone's linked devices received.
#[derive(Object)]
#[oai(rename = "SandboxInbound")]
pub(super) struct InboundView {
    /// The linked phone's number.
    phone: String,
    /// The number of who wrote.
    from: String,
    /// The message, once for each workspace that the phone is linked to.
    message_uids: Vec<String>,
}

/// What is written on a linked phone.
#[derive(Object, Serialize, Deserialize)]
pub(super) struct OutboundRequest {
    /// The linked phone's number, `+` and 7 to 15 digits.
    phone: String,
    /// Whom it is for: a number, `+` and 7 to 15 digits, or the id of a group, `<id>@g.us`.
    to: String,
    /// What is written, 1 to 2000 characters. Needed where there is no file.
    text: Option<String>,
    /// A file that goes with it.
    attachment: Option<InboundFile>,
}

/// What the phone's linked devices heard of.
#[derive(Object)]
#[oai(rename = "SandboxOutbound")]
pub(super) struct OutboundView {
    /// The linked phone's number.
    phone: String,
    /// Whom it is for.
    to: String,
    /// The message, once for each workspace that the phone is linked to.
    message_uids: Vec<String>,
}

/// What somebody outside writes to a channel.
#[derive(Object, Serialize, Deserialize)]
pub(super) struct ChannelInboundRequest {
    /// Id of the channel, with or without `ch_`.
    channel_id: String,
    /// Who writes: a number for WhatsApp, SMS, voice and RCS, an address for e-mail, an id on the network otherwise.
    from: String,
    /// What who writes is called, 1 to 256 characters: a chat that was given no name is called so.
    #[serde(skip_serializing_if = "Option::is_none")]
    from_name: Option<String>,
    /// What is written, 1 to 2000 characters.
    text: String,
}

/// What a channel received.
#[derive(Object)]
#[oai(rename = "SandboxChannelInbound")]
pub(super) struct ChannelInboundView {
    /// The channel.
    channel_id: String,
    /// Who wrote.
    from: String,
    /// The message.
    message_uid: String,
}

/// A call of a linked phone that has ended.
#[derive(Object, Serialize, Deserialize)]
pub(super) struct CallRequest {
    /// The linked phone's number, `+` and 7 to 15 digits.
    phone: String,
    /// The number of the other side, `+` and 7 to 15 digits.
    with: String,
    /// `incoming` or `outgoing`.
    direction: String,
    /// `Missed`, `Answered` or `Rejected` for one that came in; `Ended`, `No Answer` or `Rejected` for one that went
    /// out.
    status: String,
    /// Whether it was a video call; false where absent.
    is_video: Option<bool>,
    /// How long they spoke, in seconds, 0 to 86400; only for `Answered` and `Ended`.
    duration: Option<i64>,
}

/// What the phone's linked devices heard of.
#[derive(Object)]
#[oai(rename = "SandboxCall")]
pub(super) struct CallView {
    /// The linked phone's number.
    phone: String,
    /// The number of the other side.
    with: String,
    /// The call, once for each workspace that the phone is linked to.
    call_uids: Vec<String>,
}

/// What somebody outside reacts with to a message of a linked phone.
#[derive(Object, Serialize, Deserialize)]
pub(super) struct ReactionRequest {
    /// The linked phone's number, `+` and 7 to 15 digits.
    phone: String,
    /// The number of who reacts, `+` and 7 to 15 digits.
    from: String,
    /// What they are called, 1 to 256 characters; as the account's chat with them is called where this is absent, and
    /// their number where there is none.
    from_name: Option<String>,
    /// The uid of the message, received or sent.
    message_uid: String,
    /// One emoji; empty takes the reaction back.
    reaction: String,
}

/// What the phone's linked devices heard of.
#[derive(Object)]
#[oai(rename = "SandboxReaction")]
pub(super) struct ReactionView {
    /// The linked phone's number.
    phone: String,
    /// The number of who reacted.
    from: String,
    /// The message, once for each workspace that the phone is linked to and that has it.
    message_uids: Vec<String>,
}

/// What the phone shows.
#[derive(Object)]
#[oai(rename = "SandboxPhone")]
pub(super) struct PhoneView {
    /// The phone's number.
    phone: String,
    /// `linked`, `banned`, `payment_required`, `hanging` or `logged_out`.
    outcome: String,
}

pub(super) async fn scan(app: &App, scope: &Scope, command: &ScanRequest, request: &Repeatable) -> Result<PhoneView> {
    let phone = Phone::parse(&command.phone)?;
    let played = phones::scan(app, scope, &command.qr, &phone, request).await?;
    Ok(conclude(app, &phone, played).await)
}

pub(super) async fn pair(app: &App, scope: &Scope, command: &PairRequest, request: &Repeatable) -> Result<PhoneView> {
    let phone = Phone::parse(&command.phone)?;
    let played = phones::pair(app, scope, &command.code, &phone, request).await?;
    Ok(conclude(app, &phone, played).await)
}

pub(super) async fn log_out(
    app: &App,
    scope: &Scope,
    command: &LogoutRequest,
    request: &Repeatable,
) -> Result<PhoneView> {
    let phone = Phone::parse(&command.phone)?;
    let played = phones::log_out(app, scope, &phone, request).await?;
    Ok(conclude(app, &phone, played).await)
}

pub(super) async fn write(
    app: &App,
    scope: &Scope,
    command: &InboundRequest,
    request: &Repeatable,
) -> Result<InboundView> {
    let phone = Phone::parse(&command.phone)?;
    let from = Phone::parse(&command.from).map_err(|_| Error::field("from", "must be + and 7 to 15 digits"))?;
    let from_name = command.from_name.as_deref().map(|name| Name::parse_field("from_name", name)).transpose()?;
    let group = command.group.as_deref().map(parse_group).transpose()?;
    let group_name = command.group_name.as_deref().map(|name| Name::parse_field("group_name", name)).transpose()?;
    let reply_to = command.reply_to.as_deref().map(parse_uid).transpose()?;
    let (text, file) = content(command.text.as_ref(), command.attachment.as_ref())?;
    let command = inbound::Write { phone, from, from_name, group, group_name, reply_to, text, file };
    let Arrived { messages } = inbound::write(app, scope, &command, request).await?;
    Ok(InboundView {
        phone: command.phone.as_str().to_owned(),
        from: command.from.as_str().to_owned(),
        message_uids: messages.iter().map(ToString::to_string).collect(),
    })
}

/// A text, a file, or both.
fn content(text: Option<&String>, file: Option<&InboundFile>) -> Result<(Option<Text>, Option<SentFile>)> {
    let file = file.map(sent_file).transpose()?;
    let text = text.cloned().filter(|text| !text.is_empty() || file.is_none());
    if text.is_none() && file.is_none() {
        return Err(Error::InvalidBody { field: Some("text".to_owned()), reason: "missing field `text`".to_owned() });
    }
    Ok((text.map(Text::parse).transpose()?, file))
}

/// Writes on a phone.
pub(super) async fn write_on_phone(
    app: &App,
    scope: &Scope,
    command: &OutboundRequest,
    request: &Repeatable,
) -> Result<OutboundView> {
    let phone = Phone::parse(&command.phone)?;
    let to = Jid::on(Network::Whatsapp, &command.to)?;
    let (text, file) = content(command.text.as_ref(), command.attachment.as_ref())?;
    let write = outbound::WriteOnPhone { phone, to, text, file };
    let Arrived { messages } = outbound::write(app, scope, &write, request).await?;
    Ok(OutboundView {
        phone: write.phone.as_str().to_owned(),
        to: command.to.clone(),
        message_uids: messages.iter().map(ToString::to_string).collect(),
    })
}

/// Writes to a channel on any network.
pub(super) async fn write_to_channel(
    app: &App,
    scope: &Scope,
    command: &ChannelInboundRequest,
    request: &Repeatable,
) -> Result<ChannelInboundView> {
    // What is no id is nobody's.
    let channel_id = bare_channel(&command.channel_id).parse().map_err(|_| Error::PhoneNotLinked)?;
    let text = Text::parse(command.text.clone())?;
    let from_name = command.from_name.as_deref().map(|name| Name::parse_field("from_name", name)).transpose()?;
    let write = inbound::WriteToChannel { channel_id, from: command.from.clone(), from_name, text };
    let Arrived { messages } = inbound::write_to_channel(app, scope, &write, request).await?;
    let message = messages.first().ok_or_else(|| Error::Internal("nothing arrived".to_owned()))?;
    Ok(ChannelInboundView {
        channel_id: channel_id.to_string(),
        from: command.from.clone(),
        message_uid: message.to_string(),
    })
}

fn parse_group(text: &str) -> Result<Jid> {
    let group = Jid::parse(text).ok().filter(Jid::is_group);
    group.ok_or_else(|| Error::field("group", "must be <id>@g.us"))
}

fn sent_file(file: &InboundFile) -> Result<SentFile> {
    let content = BASE64_STANDARD.decode(&file.data).map_err(|_| Error::field("data", "must be base64"))?;
    Ok(SentFile {
        filename: FileName::parse(&file.filename)?,
        content_type: parse_content_type(file.content_type.clone())?,
        content: content.into(),
    })
}

/// Plays a call that has ended.
pub(super) async fn call(app: &App, scope: &Scope, command: &CallRequest, request: &Repeatable) -> Result<CallView> {
    let direction = command.direction.parse();
    let outcome = command.status.parse();
    let command = calls::Call {
        phone: Phone::parse(&command.phone)?,
        with: Phone::parse(&command.with).map_err(|_| Error::field("with", "must be + and 7 to 15 digits"))?,
        direction: direction.map_err(|_| Error::field("direction", "must be incoming or outgoing"))?,
        outcome: outcome.map_err(|_| Error::field("status", "is not one that a call can end with"))?,
        is_video: command.is_video.unwrap_or(false),
        duration_seconds: command.duration,
    };
    let Heard { calls } = calls::hang_up(app, scope, &command, request).await?;
    Ok(CallView {
        phone: command.phone.as_str().to_owned(),
        with: command.with.as_str().to_owned(),
        call_uids: calls.iter().map(ToString::to_string).collect(),
    })
}

/// Reacts to a message.
pub(super) async fn react(
    app: &App,
    scope: &Scope,
    command: &ReactionRequest,
    request: &Repeatable,
) -> Result<ReactionView> {
    let command = reactions::React {
        phone: Phone::parse(&command.phone)?,
        from: Phone::parse(&command.from).map_err(|_| Error::field("from", "must be + and 7 to 15 digits"))?,
        from_name: command.from_name.as_deref().map(|name| Name::parse_field("from_name", name)).transpose()?,
        message_id: parse_uid(&command.message_uid)?,
        emoji: Emoji::parse(&command.reaction)?,
    };
    let Reacted { messages } = reactions::react(app, scope, &command, request).await?;
    Ok(ReactionView {
        phone: command.phone.as_str().to_owned(),
        from: command.from.as_str().to_owned(),
        message_uids: messages.iter().map(ToString::to_string).collect(),
    })
}

/// Draws the conclusions at once. The work is stored as well, so a failure here is made good by a worker.
async fn conclude(app: &App, phone: &Phone, played: Played) -> PhoneView {
    for session in played.sessions {
        if let Err(error) = onboarding::session_changed(app, ConnectorKind::Sandbox, session).await {
            tracing::warn!(%error, "a simulated phone's session is left to a worker");
        }
    }
    PhoneView { phone: phone.as_str().to_owned(), outcome: played.outcome.to_string() }
}

/// The surface for developers on the machine itself.
pub(super) fn loopback_endpoint(app: &Arc<App>) -> impl Endpoint<Output = Response> + use<> {
    let routes = Route::new()
        .at("/scan", post(loopback_scan))
        .at("/pair", post(loopback_pair))
        .at("/logout", post(loopback_log_out))
        .at("/inbound", post(loopback_write))
        .at("/outbound", post(loopback_write_on_phone))
        .at("/channel-inbound", post(loopback_write_to_channel))
        .at("/call", post(loopback_call))
        .at("/reaction", post(loopback_react));
    surface::surface::<Problem, _>(app, routes)
}

#[handler]
async fn loopback_scan(app: Data<&Arc<App>>, request: &Request, body: Vec<u8>) -> poem::Result<Json<Value>> {
    let (scope, command) = opened(&app, request, &body)?;
    Ok(shown(&scan(&app, &scope, &command, &Repeatable::never()).await?))
}

#[handler]
async fn loopback_pair(app: Data<&Arc<App>>, request: &Request, body: Vec<u8>) -> poem::Result<Json<Value>> {
    let (scope, command) = opened(&app, request, &body)?;
    Ok(shown(&pair(&app, &scope, &command, &Repeatable::never()).await?))
}

#[handler]
async fn loopback_log_out(app: Data<&Arc<App>>, request: &Request, body: Vec<u8>) -> poem::Result<Json<Value>> {
    let (scope, command) = opened(&app, request, &body)?;
    Ok(shown(&log_out(&app, &scope, &command, &Repeatable::never()).await?))
}

#[handler]
async fn loopback_write(app: Data<&Arc<App>>, request: &Request, body: Vec<u8>) -> poem::Result<Json<Value>> {
    let (scope, command) = opened(&app, request, &body)?;
    Ok(shown(&write(&app, &scope, &command, &Repeatable::never()).await?))
}

#[handler]
async fn loopback_write_on_phone(app: Data<&Arc<App>>, request: &Request, body: Vec<u8>) -> poem::Result<Json<Value>> {
    let (scope, command) = opened(&app, request, &body)?;
    Ok(shown(&write_on_phone(&app, &scope, &command, &Repeatable::never()).await?))
}

#[handler]
async fn loopback_write_to_channel(
    app: Data<&Arc<App>>,
    request: &Request,
    body: Vec<u8>,
) -> poem::Result<Json<Value>> {
    let (scope, command) = opened(&app, request, &body)?;
    Ok(shown(&write_to_channel(&app, &scope, &command, &Repeatable::never()).await?))
}

#[handler]
async fn loopback_call(app: Data<&Arc<App>>, request: &Request, body: Vec<u8>) -> poem::Result<Json<Value>> {
    let (scope, command) = opened(&app, request, &body)?;
    Ok(shown(&call(&app, &scope, &command, &Repeatable::never()).await?))
}

#[handler]
async fn loopback_react(app: Data<&Arc<App>>, request: &Request, body: Vec<u8>) -> poem::Result<Json<Value>> {
    let (scope, command) = opened(&app, request, &body)?;
    Ok(shown(&react(&app, &scope, &command, &Repeatable::never()).await?))
}

fn opened<T: DeserializeOwned>(app: &App, request: &Request, body: &[u8]) -> Result<(Scope, T)> {
    // What a proxy on this machine hands on, or a web site that a developer visits, does not come from this machine.
    let is_handed_on = FOREIGN_HEADERS.iter().any(|header| request.headers().contains_key(*header));
    let address = request.remote_addr().as_socket_addr().map(std::net::SocketAddr::ip);
    if is_handed_on || !address.is_some_and(|address: IpAddr| address.to_canonical().is_loopback()) {
        return Err(Error::RouteNotFound);
    }
    let scope = Scope::everywhere(app).map_err(|_| Error::RouteNotFound)?;
    // A browser sends JSON to a foreign origin only after asking, and nobody here says yes.
    if !request.content_type().is_some_and(|media| media.starts_with("application/json")) {
        return Err(Error::UnsupportedMediaType);
    }
    Ok((scope, body::parse(body)?))
}

fn shown(view: &impl ToJSON) -> Json<Value> {
    Json(view.to_json().unwrap_or_default())
}
