//! What is answered when a channel was made, tested or switched, and how much went through it.

use entity::{channel::Network, timestamp::Timestamp};
use poem_openapi::Object;
use serde_json::Value;

use crate::{
    app::App,
    channel::{
        link::Code,
        show::Shown,
        test::Tested,
        traffic::{Point, Stats},
    },
    connector::target::Check,
    error::Result,
    http::{
        agents_api::views::CHANNEL_PREFIX,
        channels_api::{
            linktor::views::{Made, Resource, webhook_url},
            qr_code,
        },
        formats::IsoTime,
    },
};

/// A channel that was made.
#[derive(Object)]
#[oai(rename = "CreatedChannel")]
pub(super) struct Created {
    /// The channel.
    data: Resource<Made>,
    /// What is to be done next.
    meta: CreatedMeta,
}

/// What is to be done next.
#[derive(Object)]
#[oai(rename = "CreatedChannelMeta", rename_all = "camelCase")]
struct CreatedMeta {
    /// That in a sentence: what to set at the provider, and what to call here.
    setup_instructions: String,
}

impl Created {
    pub(super) fn new(app: &App, shown: Shown) -> Self {
        let setup_instructions = instructions(app, &shown);
        Self { data: Resource::new(&shown, Made::new(app, &shown)), meta: CreatedMeta { setup_instructions } }
    }
}

/// What the customer does at the provider, and then here.
fn instructions(app: &App, shown: &Shown) -> String {
    let url = webhook_url(app, shown);
    let has = |secret: &str| shown.secrets.iter().any(|name| name == secret);
    match shown.network {
        Network::Whatsapp | Network::Telegram if !has("accessToken") && !has("botToken") => {
            "Activate the channel, which is pending then, and scan the code that GET /channels/{id}/qr-code shows within \
             five minutes; once they are over, activate it again for five more."
                .to_owned()
        }
        Network::Whatsapp if has("verifyToken") => {
            format!("Configure your WhatsApp webhook to: {url} with the verify token of the channel, then activate it.")
        }
        Network::Whatsapp => format!(
            "Set a verifyToken, which Meta asks for, configure your WhatsApp webhook to: {url} with it, then activate the \
             channel."
        ),
        Network::Instagram if has("password") => "Activate the channel: its account is signed in to then, and the channel \
             is pending while Instagram asks for a code."
            .to_owned(),
        Network::Webchat => "Put the embedCode into your pages; the first visitor switches the channel on.".to_owned(),
        Network::Email => "Activate the channel: its mailboxes are signed in to then.".to_owned(),
        network => format!("Configure the webhook of your {network} account to: {url}, then activate the channel."),
    }
}

/// A channel that is switched on.
#[derive(Object)]
#[oai(rename = "ActivatedChannel", rename_all = "camelCase")]
pub(super) struct Activated {
    /// `active`; `pending` while a phone has to scan a code, or the network asks for one; `error` if it does not work as it
    /// should.
    status: String,
    /// When it was switched on.
    #[oai(nullable)]
    activated_at: Option<IsoTime>,
}

impl From<Shown> for Activated {
    fn from(shown: Shown) -> Self {
        Self { status: shown.status.to_string(), activated_at: shown.activated_at.map(IsoTime::from) }
    }
}

/// A channel that is switched off.
#[derive(Object)]
#[oai(rename = "DeactivatedChannel", rename_all = "camelCase")]
pub(super) struct Deactivated {
    /// Always `inactive`.
    status: String,
    /// When it was switched off.
    #[oai(nullable)]
    deactivated_at: Option<IsoTime>,
    /// Why, where that was said.
    #[oai(nullable)]
    deactivation_reason: Option<String>,
}

impl From<Shown> for Deactivated {
    fn from(shown: Shown) -> Self {
        Self {
            status: shown.status.to_string(),
            deactivated_at: shown.deactivated_at.map(IsoTime::from),
            deactivation_reason: shown.deactivation_reason,
        }
    }
}

/// A QR code.
#[derive(Object)]
#[oai(rename = "ChannelQrCode")]
pub(super) struct QrCodeAnswer {
    /// The code.
    data: QrCodeData,
}

/// A QR code.
#[derive(Object)]
#[oai(rename = "ChannelQrCodeData", rename_all = "camelCase")]
struct QrCodeData {
    /// The code as a PNG in base64.
    qr_code: String,
    /// What the code says.
    qr: String,
    /// When the next code takes its place.
    expires_at: IsoTime,
    /// How long that is, in milliseconds.
    expires_in_ms: i64,
    /// When to ask again, in milliseconds.
    next_poll_ms: i64,
    /// Until when codes are shown.
    window_ends_at: IsoTime,
}

impl QrCodeAnswer {
    pub(super) fn new(code: Code, now: Timestamp) -> Result<Self> {
        let data = QrCodeData {
            qr_code: qr_code::png(&code.qr.payload)?,
            expires_in_ms: now.millis_until(code.qr.expires_at),
            next_poll_ms: qr_code::next_poll_ms(now, code.qr.expires_at),
            expires_at: code.qr.expires_at.into(),
            window_ends_at: code.window_ends_at.into(),
            qr: code.qr.payload,
        };
        Ok(Self { data })
    }
}

/// What a test found.
#[derive(Object)]
#[oai(rename = "ChannelTest")]
pub(super) struct TestAnswer {
    /// What it found.
    data: TestData,
}

/// What a test found.
#[derive(Object)]
#[oai(rename = "ChannelTestData", rename_all = "camelCase")]
struct TestData {
    /// Whether nothing failed.
    success: bool,
    /// The channel.
    channel_id: String,
    /// Part by part.
    tests: Vec<CheckView>,
    /// When.
    tested_at: IsoTime,
}

/// One part of a test.
#[derive(Object)]
#[oai(rename = "ChannelCheck", rename_all = "camelCase")]
struct CheckView {
    /// What was looked at.
    name: String,
    /// `passed`, `failed` or `skipped`.
    status: String,
    /// That in a sentence.
    message: String,
    /// How long the provider took, in milliseconds.
    latency_ms: u64,
    /// More about it.
    #[oai(skip_serializing_if_is_none)]
    details: Option<Value>,
}

impl From<Check> for CheckView {
    fn from(check: Check) -> Self {
        Self {
            name: check.name.to_owned(),
            status: check.verdict.to_string(),
            message: check.message,
            latency_ms: check.latency_ms,
            details: check.details,
        }
    }
}

impl From<Tested> for TestAnswer {
    fn from(tested: Tested) -> Self {
        let data = TestData {
            success: tested.is_success(),
            channel_id: format!("{CHANNEL_PREFIX}{}", tested.channel_id),
            tests: tested.checks.into_iter().map(CheckView::from).collect(),
            tested_at: tested.tested_at.into(),
        };
        Self { data }
    }
}

/// How much went through a channel.
#[derive(Object)]
#[oai(rename = "ChannelStats")]
pub(super) struct StatsAnswer {
    /// How much that was.
    data: StatsData,
}

/// How much went through a channel.
#[derive(Object)]
#[oai(rename = "ChannelStatsData", rename_all = "camelCase")]
struct StatsData {
    /// The channel.
    channel_id: String,
    /// The period.
    period: String,
    /// The period in sum.
    summary: SummaryView,
    /// The period piece by piece, the oldest first.
    time_series: Vec<PointView>,
}

/// A period in sum.
#[derive(Object)]
#[oai(rename = "ChannelStatsSummary", rename_all = "camelCase")]
struct SummaryView {
    /// Messages that came.
    messages_received: i64,
    /// Messages that went out.
    messages_sent: i64,
    /// Conversations that began.
    conversations_started: i64,
    /// Conversations that were closed.
    conversations_closed: i64,
    /// How long what came waited until an answer went out, in seconds; `null` where nothing was answered.
    #[oai(nullable)]
    avg_response_time: Option<i64>,
    /// How old conversations were when they were closed, in seconds; `null` where none was.
    #[oai(nullable)]
    avg_resolution_time: Option<i64>,
}

/// One piece of a period.
#[derive(Object)]
#[oai(rename = "ChannelStatsPoint", rename_all = "camelCase")]
struct PointView {
    /// When it begins.
    timestamp: IsoTime,
    /// Messages that came.
    messages_received: i64,
    /// Messages that went out.
    messages_sent: i64,
    /// Conversations that began.
    conversations_started: i64,
}

impl From<Point> for PointView {
    fn from(point: Point) -> Self {
        Self {
            timestamp: point.start.into(),
            messages_received: point.received,
            messages_sent: point.sent,
            conversations_started: point.started,
        }
    }
}

impl From<Stats> for StatsAnswer {
    fn from(stats: Stats) -> Self {
        let sum = stats.summary;
        let data = StatsData {
            channel_id: format!("{CHANNEL_PREFIX}{}", stats.channel_id),
            period: stats.period.to_string(),
            summary: SummaryView {
                messages_received: sum.received,
                messages_sent: sum.sent,
                conversations_started: sum.started,
                conversations_closed: sum.closed,
                avg_response_time: sum.response_seconds,
                avg_resolution_time: sum.resolution_seconds,
            },
            time_series: stats.points.into_iter().map(PointView::from).collect(),
        };
        Self { data }
    }
}
