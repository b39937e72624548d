//! Channels as they are shown.

use std::collections::BTreeMap;

use poem_openapi::{
    Object,
    types::{ParseFromJSON, ToJSON, Type},
};
use serde_json::Value;

use crate::{
    app::App,
    channel::{capabilities::Capabilities, config::MASK, list::Listed, show::Shown, told::Told, widget},
    connector::callback,
    http::{
        agents_api::views::{BOT_PREFIX, CHANNEL_PREFIX},
        formats::IsoTime,
    },
};

/// One channel.
#[derive(Object)]
#[oai(rename = "Channel")]
pub(super) struct One<A: Type + ParseFromJSON + ToJSON> {
    /// The channel.
    data: Resource<A>,
}

/// A channel.
#[derive(Object)]
#[oai(rename = "ChannelResource")]
pub(super) struct Resource<A: Type + ParseFromJSON + ToJSON> {
    /// `ch_` and its id.
    id: String,
    /// Always `channel`.
    r#type: String,
    /// What is known of it.
    attributes: A,
}

impl One<Full> {
    pub(super) fn full(app: &App, shown: Shown) -> Self {
        Self { data: Resource::new(&shown, Full::new(app, &shown)) }
    }
}

impl<A: Type + ParseFromJSON + ToJSON + From<Shown>> One<A> {
    pub(super) fn of(shown: Shown) -> Self {
        Self { data: Resource { id: wire_id(&shown), r#type: "channel".to_owned(), attributes: A::from(shown) } }
    }
}

impl<A: Type + ParseFromJSON + ToJSON> Resource<A> {
    pub(super) fn new(shown: &Shown, attributes: A) -> Self {
        Self { id: wire_id(shown), r#type: "channel".to_owned(), attributes }
    }
}

fn wire_id(shown: &Shown) -> String {
    format!("{CHANNEL_PREFIX}{}", shown.id)
}

/// Where a channel's provider may bring what comes to it.
pub(super) fn webhook_url(app: &App, shown: &Shown) -> String {
    callback::shown_address(app, shown.connector, shown.id, shown.callback_key)
}

/// Whether secret settings are mentioned.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Secrets {
    Masked,
    LeftOut,
}

/// The settings with what the provider says of the account.
fn config_of(shown: &Shown, secrets: Secrets) -> BTreeMap<String, Value> {
    let mut config: BTreeMap<String, Value> = Told::from(shown).beside(&shown.config).into_iter().collect();
    if secrets == Secrets::Masked {
        config.extend(shown.secrets.iter().map(|name| (name.clone(), MASK.into())));
    }
    config
}

/// One page of channels.
#[derive(Object)]
#[oai(rename = "ChannelPage")]
pub(super) struct Page {
    /// The channels.
    data: Vec<Resource<Summary>>,
    /// Which page it is.
    meta: PageMeta,
}

/// About a page.
#[derive(Object)]
#[oai(rename = "ChannelPageMeta")]
struct PageMeta {
    /// Which page it is.
    pagination: Pagination,
}

/// Which page it is.
#[derive(Object)]
#[oai(rename = "ChannelPagination", rename_all = "camelCase")]
struct Pagination {
    /// Its number, from 1.
    page: u64,
    /// Channels on a page.
    per_page: u64,
    /// How many pages there are.
    total_pages: u64,
    /// How many channels there are.
    total_count: u64,
}

impl Page {
    pub(super) fn new(app: &App, listed: Listed) -> Self {
        let pagination = Pagination {
            page: listed.place.page,
            per_page: listed.place.limit,
            total_pages: listed.pages(),
            total_count: listed.total,
        };
        let summary = |shown: &Shown| Resource::new(shown, Summary::new(app, shown));
        Self { data: listed.channels.iter().map(summary).collect(), meta: PageMeta { pagination } }
    }
}

/// What a list says of a channel.
#[derive(Object)]
#[oai(rename = "ChannelSummary", rename_all = "camelCase")]
struct Summary {
    /// Its name.
    name: String,
    /// Its type.
    channel_type: String,
    /// `active`, `inactive`, `error` or `pending`.
    status: String,
    /// Its settings without the secret ones, and what its provider says of the account: `phoneNumber` and `businessName`
    /// of WhatsApp are empty before they are known.
    config: BTreeMap<String, Value>,
    /// How much goes through it.
    stats: SummaryFigures,
    /// Where its provider brings what comes to it.
    webhook_url: String,
    /// When it was made.
    created_at: IsoTime,
    /// When it was last changed.
    updated_at: IsoTime,
}

/// How much goes through a channel, in short.
#[derive(Object)]
#[oai(rename = "ChannelSummaryFigures", rename_all = "camelCase")]
struct SummaryFigures {
    /// Messages that came in the last 24 hours, to the minute.
    #[oai(rename = "messagesReceived24h")]
    messages_received_24h: i64,
    /// Messages that went out in the last 24 hours, to the minute.
    #[oai(rename = "messagesSent24h")]
    messages_sent_24h: i64,
    /// Conversations that are open.
    active_conversations: i64,
}

impl Summary {
    fn new(app: &App, shown: &Shown) -> Self {
        Self {
            name: shown.name.clone(),
            channel_type: shown.network.to_string(),
            status: shown.status.to_string(),
            config: config_of(shown, Secrets::LeftOut),
            stats: SummaryFigures {
                messages_received_24h: shown.figures.received_24h,
                messages_sent_24h: shown.figures.sent_24h,
                active_conversations: shown.open_conversations,
            },
            webhook_url: webhook_url(app, shown),
            created_at: shown.created_at.into(),
            updated_at: shown.updated_at.into(),
        }
    }
}

/// What is known of a channel that was just made.
#[derive(Object)]
#[oai(rename = "CreatedChannelAttributes", rename_all = "camelCase")]
pub(super) struct Made {
    /// Its name.
    name: String,
    /// Its type.
    channel_type: String,
    /// `inactive`.
    status: String,
    /// Its settings without the secret ones.
    config: BTreeMap<String, Value>,
    /// What is kept with it.
    metadata: BTreeMap<String, Value>,
    /// Its bot; `null` where it has none.
    #[oai(nullable)]
    default_bot: Option<BotView>,
    /// Where its provider brings what comes to it.
    webhook_url: String,
    /// What signs that, this once.
    webhook_secret: String,
    /// Public token with which a website opens its widget; for web chats only.
    #[oai(skip_serializing_if_is_none)]
    widget_token: Option<String>,
    /// What a website is given to show it: one element of HTML; for web chats only.
    #[oai(skip_serializing_if_is_none)]
    embed_code: Option<String>,
    /// When it was made.
    created_at: IsoTime,
}

impl Made {
    pub(super) fn new(app: &App, shown: &Shown) -> Self {
        Self {
            name: shown.name.clone(),
            channel_type: shown.network.to_string(),
            status: shown.status.to_string(),
            config: config_of(shown, Secrets::LeftOut),
            metadata: shown.metadata.clone().into_iter().collect(),
            default_bot: bot_of(shown),
            webhook_url: webhook_url(app, shown),
            webhook_secret: shown.shown_secret.clone().unwrap_or_else(|| MASK.to_owned()),
            embed_code: shown.widget_token.as_ref().map(|token| widget::embed_code(app, token)),
            widget_token: shown.widget_token.clone(),
            created_at: shown.created_at.into(),
        }
    }
}

fn bot_of(shown: &Shown) -> Option<BotView> {
    shown.bot.as_ref().map(|(id, name)| BotView { id: format!("{BOT_PREFIX}{id}"), name: name.clone() })
}

/// All that is known of a channel.
#[derive(Object)]
#[oai(rename = "ChannelAttributes", rename_all = "camelCase")]
pub(super) struct Full {
    /// Its name.
    name: String,
    /// Its type.
    channel_type: String,
    /// `active`, `inactive`, `error` or `pending`.
    status: String,
    /// Its settings, secret ones masked, and what its provider says of the account.
    config: BTreeMap<String, Value>,
    /// What is kept with it.
    metadata: BTreeMap<String, Value>,
    /// What can be sent through a channel of its type.
    capabilities: CapabilitiesView,
    /// Its bot; `null` where it has none.
    #[oai(nullable)]
    default_bot: Option<BotView>,
    /// Where its provider brings what comes to it.
    webhook_url: String,
    /// What signs that; masked.
    webhook_secret: String,
    /// Public token with which a website opens its widget; for web chats only.
    #[oai(skip_serializing_if_is_none)]
    widget_token: Option<String>,
    /// What a website is given to show it: one element of HTML; for web chats only.
    #[oai(skip_serializing_if_is_none)]
    embed_code: Option<String>,
    /// How much goes through it.
    stats: Figures,
    /// How its connection is.
    health: HealthView,
    /// When it was last switched off, while it is off.
    #[oai(skip_serializing_if_is_none)]
    deactivated_at: Option<IsoTime>,
    /// Why, where that was said.
    #[oai(skip_serializing_if_is_none)]
    deactivation_reason: Option<String>,
    /// When it was made.
    created_at: IsoTime,
    /// When it was last changed.
    updated_at: IsoTime,
}

/// A bot.
#[derive(Object)]
#[oai(rename = "ChannelBot")]
struct BotView {
    /// `bot_` and its id.
    id: String,
    /// Its name.
    name: String,
}

/// What can be sent through a channel.
#[derive(Object)]
#[oai(rename = "ChannelCapabilities", rename_all = "camelCase")]
struct CapabilitiesView {
    /// Texts.
    text: bool,
    /// Pictures.
    image: bool,
    /// Documents.
    document: bool,
    /// Sounds, or speech.
    audio: bool,
    /// Videos.
    video: bool,
    /// Places.
    location: bool,
    /// Buttons.
    buttons: bool,
    /// Answers to choose from.
    quick_replies: bool,
    /// Texts that the network has approved.
    templates: bool,
    /// Whether it tells that a message was delivered.
    delivery_receipts: bool,
    /// Whether it tells that a message was read.
    read_receipts: bool,
    /// Whether it tells that somebody writes.
    typing_indicators: bool,
}

/// How much goes through a channel.
#[derive(Object)]
#[oai(rename = "ChannelFigures", rename_all = "camelCase")]
struct Figures {
    /// Messages that came in the last 24 hours, to the minute.
    #[oai(rename = "messagesReceived24h")]
    messages_received_24h: i64,
    /// Messages that went out in the last 24 hours, to the minute.
    #[oai(rename = "messagesSent24h")]
    messages_sent_24h: i64,
    /// Messages that have come.
    messages_received_total: i64,
    /// Messages that have gone out.
    messages_sent_total: i64,
    /// Conversations that are open.
    active_conversations: i64,
    /// All conversations.
    total_conversations: i64,
}

/// How a channel's connection is.
#[derive(Object)]
#[oai(rename = "ChannelHealth", rename_all = "camelCase")]
struct HealthView {
    /// `healthy`, `degraded`, `unhealthy`, or `unknown` before anybody has looked.
    status: String,
    /// When it was last looked at.
    #[oai(nullable)]
    last_checked: Option<IsoTime>,
    /// Whether another workspace of the same partner has the same account connected (ours).
    duplicate_account: bool,
    /// When the last message came.
    #[oai(nullable)]
    last_message_received: Option<IsoTime>,
    /// When the last message went out.
    #[oai(nullable)]
    last_message_sent: Option<IsoTime>,
}

impl Full {
    fn new(app: &App, shown: &Shown) -> Self {
        let is_scanned = !shown.config.contains_key("phoneNumberId");
        let figures = &shown.figures;
        Self {
            name: shown.name.clone(),
            channel_type: shown.network.to_string(),
            status: shown.status.to_string(),
            config: config_of(shown, Secrets::Masked),
            metadata: shown.metadata.clone().into_iter().collect(),
            capabilities: Capabilities::of(shown.network, is_scanned).into(),
            default_bot: bot_of(shown),
            webhook_url: webhook_url(app, shown),
            webhook_secret: MASK.to_owned(),
            embed_code: shown.widget_token.as_ref().map(|token| widget::embed_code(app, token)),
            widget_token: shown.widget_token.clone(),
            stats: Figures {
                messages_received_24h: figures.received_24h,
                messages_sent_24h: figures.sent_24h,
                messages_received_total: figures.received_total,
                messages_sent_total: figures.sent_total,
                active_conversations: shown.open_conversations,
                total_conversations: shown.conversations,
            },
            health: HealthView {
                status: shown.health.to_string(),
                last_checked: shown.checked_at.map(IsoTime::from),
                duplicate_account: shown.is_duplicate,
                last_message_received: figures.last_received_at.map(IsoTime::from),
                last_message_sent: figures.last_sent_at.map(IsoTime::from),
            },
            deactivated_at: shown.deactivated_at.map(IsoTime::from),
            deactivation_reason: shown.deactivation_reason.clone(),
            created_at: shown.created_at.into(),
            updated_at: shown.updated_at.into(),
        }
    }
}

impl From<Capabilities> for CapabilitiesView {
    fn from(can: Capabilities) -> Self {
        Self {
            text: can.text,
            image: can.image,
            document: can.document,
            audio: can.audio,
            video: can.video,
            location: can.location,
            buttons: can.buttons,
            quick_replies: can.quick_replies,
            templates: can.templates,
            delivery_receipts: can.delivery_receipts,
            read_receipts: can.read_receipts,
            typing_indicators: can.typing_indicators,
        }
    }
}
