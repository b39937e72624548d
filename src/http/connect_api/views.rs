//! What is answered.

use entity::timestamp::Timestamp;
use poem_openapi::{Enum, Object, Union};

use crate::{
    channel::slot::{Connected, Standing, Step, Sync},
    connector::checkpoint::{Asked, Kind},
    http::{
        channels_api::qr_code,
        connect_api::{account_id, prefix, title},
        formats::IsoTime,
    },
    token::{Scope, Scopes},
};

/// How often to ask while nothing says when something changes, in milliseconds.
const POLL_MS: i64 = 3_000;

/// How a channel stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename = "ConnectSyncStatus", rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum SyncView {
    /// Connected, and it works.
    Ok,
    /// On its way, or let in a moment ago.
    Connecting,
    /// The first look after it was let in found that it works.
    SyncSuccess,
    /// The account has removed us: it has to be connected anew, unless a refresh finds that it has let us in again.
    Credentials,
    /// Connected, and it does not work as it should; or the network has banned it.
    Error,
    /// Switched off, disconnected, or down.
    Stopped,
    /// The last try to connect it failed.
    CreationFail,
}

impl From<Sync> for SyncView {
    fn from(sync: Sync) -> Self {
        match sync {
            Sync::Ok => Self::Ok,
            Sync::Connecting => Self::Connecting,
            Sync::SyncSuccess => Self::SyncSuccess,
            Sync::Credentials => Self::Credentials,
            Sync::Error => Self::Error,
            Sync::Stopped => Self::Stopped,
            Sync::CreationFail => Self::CreationFail,
        }
    }
}

/// The type of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename = "ConnectChannelType", rename_all = "lowercase")]
pub(super) enum TypeView {
    /// WhatsApp.
    Whatsapp,
    /// Telegram.
    Telegram,
    /// Instagram.
    Instagram,
}

/// A channel.
#[derive(Object)]
#[oai(rename = "ConnectChannel")]
pub(super) struct ChannelView {
    /// Its number, which stays the same for as long as the channel is there.
    id: i64,
    /// Its id for the calls of this API.
    account_id: String,
    /// Its type.
    r#type: TypeView,
    /// Its number or its name on the network; null before it is known.
    username: Option<String>,
    /// Whether it is connected and not switched off.
    is_connected: bool,
    /// How it stands.
    sync_status: SyncView,
    /// When it was last seen to work; null if it never was.
    last_synced_at: Option<IsoTime>,
    /// As `is_connected`. With `in_progress` false too, the attempt has failed, and `error_code` says why, or the channel
    /// has been disconnected or switched off, as `sync_status` says.
    completed: bool,
    /// Whether somebody is still expected to scan a code or to answer.
    in_progress: bool,
    /// Why the last attempt failed.
    #[oai(skip_serializing_if_is_none)]
    error_code: Option<String>,
    /// The code to show now, to be drawn as it is; for tokens with the scope `channels:write` only.
    #[oai(skip_serializing_if_is_none)]
    qr_code: Option<String>,
    /// Its place in the row of codes, from 1.
    #[oai(skip_serializing_if_is_none)]
    qr_seq: Option<i32>,
    /// When the code is replaced, or the question closed.
    #[oai(skip_serializing_if_is_none)]
    expires_at: Option<IsoTime>,
    /// How long that is, in milliseconds.
    #[oai(skip_serializing_if_is_none)]
    expires_in_ms: Option<i64>,
    /// When to ask again, in milliseconds.
    #[oai(skip_serializing_if_is_none)]
    next_poll_ms: Option<i64>,
    /// Whether the network asks for an answer.
    #[oai(skip_serializing_if_is_none)]
    requires_2fa: Option<bool>,
    /// What it asks for.
    #[oai(skip_serializing_if_is_none)]
    checkpoint_type: Option<String>,
}

/// A code to be scanned.
#[derive(Object)]
#[oai(rename = "ConnectQrCode", skip_serializing_if_is_none)]
pub(super) struct QrView {
    /// What to ask for the status with.
    account_id: String,
    /// What the code says, to be drawn as it is; absent if none came in time: the status has it later.
    qr_code: Option<String>,
    /// Its place in the row of codes, from 1.
    qr_seq: Option<i32>,
    /// When it is replaced; the status has the next one then.
    expires_at: Option<IsoTime>,
    /// How long that is, in milliseconds.
    expires_in_ms: Option<i64>,
    /// When to ask for the status, in milliseconds.
    next_poll_ms: i64,
    /// When the whole attempt ends.
    attempt_expires_at: Option<IsoTime>,
    /// The code to be typed into the phone, where one was asked for.
    pairing_code: Option<String>,
    /// When that stops working.
    pairing_code_expires_at: Option<IsoTime>,
    /// Whether an attempt that was under way was given up for this one.
    previous_attempt_revoked: bool,
}

/// A question of the network.
#[derive(Object)]
#[oai(rename = "ConnectChallenge", skip_serializing_if_is_none)]
pub(super) struct ChallengeView {
    /// Always true.
    requires_2fa: bool,
    /// What to answer with.
    account_id: String,
    /// What is asked: `2FA`, `OTP`, `IN_APP_VALIDATION` (nothing is to be sent, ask for the status), `CAPTCHA`,
    /// `PHONE_REGISTER`, or `OTHER`.
    checkpoint_type: String,
    /// What is needed to answer, in the provider's words.
    checkpoint_data: Option<serde_json::Value>,
    /// When the network stops waiting.
    expires_at: IsoTime,
    /// How long that is, in milliseconds.
    expires_in_ms: i64,
    /// When to ask for the status, in milliseconds.
    next_poll_ms: i64,
}

/// What came of connecting, or of an answer.
#[derive(Union)]
#[oai(rename = "ConnectOutcome")]
pub(super) enum OutcomeView {
    /// A code is to be scanned.
    Code(QrView),
    /// The network asks something.
    Challenge(ChallengeView),
    /// It is connected.
    Channel(ChannelView),
}

/// What came of connecting, or of an answer.
#[derive(Object)]
#[oai(rename = "ConnectOutcomeResponse", skip_serializing_if_is_none)]
pub(super) struct OutcomeAnswer {
    /// Always true.
    success: bool,
    /// What came of it.
    data: OutcomeView,
    /// What to do now, for people.
    message: Option<String>,
}

/// A channel.
#[derive(Object)]
#[oai(rename = "ConnectChannelResponse")]
pub(super) struct ChannelAnswer {
    /// Always true.
    success: bool,
    /// The channel.
    data: ChannelView,
}

/// That something was done.
#[derive(Object)]
#[oai(rename = "ConnectDoneResponse")]
pub(super) struct DoneAnswer {
    /// Always true.
    success: bool,
    /// What was done, for people.
    message: String,
}

/// Whether a campaign runs.
#[derive(Object)]
#[oai(rename = "ConnectCampaign")]
pub(super) struct CampaignView {
    /// Whether one runs on the channel.
    running: bool,
}

/// Whether a campaign runs.
#[derive(Object)]
#[oai(rename = "ConnectCampaignResponse")]
pub(super) struct CampaignAnswer {
    /// Always true.
    success: bool,
    /// The campaign.
    data: CampaignView,
}

impl ChannelView {
    fn of(standing: &Standing, now: Timestamp) -> Self {
        let channel = &standing.channel;
        let (qr, until, asked) = match &standing.step {
            Step::Phone { qr, until } => {
                (qr.as_ref(), qr.as_ref().map_or(Some(*until), |qr| Some(qr.expires_at)), None)
            }
            Step::Answer(asked) => (None, Some(asked.expires_at), Some(asked)),
            Step::None => (None, None, None),
        };
        let is_connected = standing.is_connected();
        let network = channel.network;
        Self {
            id: channel.account_id.0,
            account_id: account_id(network, channel.id),
            r#type: match prefix(network) {
                "tg_" => TypeView::Telegram,
                "ig_" => TypeView::Instagram,
                _ => TypeView::Whatsapp,
            },
            username: standing.username.clone(),
            is_connected,
            sync_status: standing.sync.into(),
            last_synced_at: standing.last_synced_at.map(IsoTime::from),
            completed: is_connected,
            in_progress: standing.is_in_progress(),
            error_code: standing.failure.filter(|_| !is_connected).map(|failure| failure.to_string()),
            qr_code: qr.map(|qr| qr.payload.clone()),
            qr_seq: qr.map(|qr| qr.seq),
            expires_at: until.map(IsoTime::from),
            expires_in_ms: until.map(|until| now.millis_until(until)),
            next_poll_ms: until.map(|until| qr_code::next_poll_ms(now, until)),
            requires_2fa: asked.map(|_| true),
            checkpoint_type: asked.map(|asked| asked.checkpoint.kind.to_string()),
        }
    }
}

impl ChallengeView {
    fn of(standing: &Standing, asked: &Asked, now: Timestamp) -> Self {
        Self {
            requires_2fa: true,
            account_id: account_id(standing.channel.network, standing.channel.id),
            checkpoint_type: asked.checkpoint.kind.to_string(),
            checkpoint_data: asked.checkpoint.data.clone(),
            expires_at: asked.expires_at.into(),
            expires_in_ms: now.millis_until(asked.expires_at),
            next_poll_ms: POLL_MS,
        }
    }
}

impl OutcomeAnswer {
    /// What came of connecting.
    pub(super) fn of_connecting(connected: &Connected, now: Timestamp) -> Self {
        let standing = &connected.standing;
        match &standing.step {
            Step::Phone { qr, until } => {
                let qr = qr.as_ref();
                let code = QrView {
                    account_id: account_id(standing.channel.network, standing.channel.id),
                    qr_code: qr.map(|qr| qr.payload.clone()),
                    qr_seq: qr.map(|qr| qr.seq),
                    expires_at: qr.map(|qr| qr.expires_at.into()),
                    expires_in_ms: qr.map(|qr| now.millis_until(qr.expires_at)),
                    next_poll_ms: qr.map_or(POLL_MS, |qr| qr_code::next_poll_ms(now, qr.expires_at)),
                    attempt_expires_at: Some((*until).into()),
                    pairing_code: standing.pairing.as_ref().map(|pairing| pairing.code.clone()),
                    pairing_code_expires_at: standing.pairing.as_ref().map(|pairing| pairing.expires_at.into()),
                    previous_attempt_revoked: connected.previous_attempt_revoked,
                };
                Self::said(OutcomeView::Code(code), Some(scan_hint(standing)))
            }
            Step::Answer(asked) => {
                let hint = match asked.checkpoint.kind {
                    Kind::InAppValidation => {
                        "Approve the login in the Instagram app, and ask for the status.".to_owned()
                    }
                    Kind::Otp | Kind::TwoFactor => {
                        "Instagram asks for a code. Send it to POST /channels/instagram/2fa.".to_owned()
                    }
                    _ => "Instagram asks for more. Send the answer to POST /channels/instagram/2fa.".to_owned(),
                };
                Self::said(OutcomeView::Challenge(ChallengeView::of(standing, asked, now)), Some(hint))
            }
            Step::None => Self::said(OutcomeView::Channel(ChannelView::of(standing, now)), None),
        }
    }

    /// What came of an answer.
    pub(super) fn of_answer(standing: &Standing, now: Timestamp) -> Self {
        match &standing.step {
            Step::Answer(asked) => {
                let hint = "Instagram asks for one more code. Send that one too.";
                Self::said(OutcomeView::Challenge(ChallengeView::of(standing, asked, now)), Some(hint.to_owned()))
            }
            _ => {
                let name = title(standing.channel.network);
                let hint = match standing.sync {
                    Sync::Connecting => format!("{name} has let the account in; it is being set up."),
                    _ => format!("{name} is connected."),
                };
                Self::said(OutcomeView::Channel(ChannelView::of(standing, now)), Some(hint))
            }
        }
    }

    const fn said(data: OutcomeView, message: Option<String>) -> Self {
        Self { success: true, data, message }
    }
}

fn scan_hint(standing: &Standing) -> String {
    if standing.pairing.is_some() {
        return "Type the pairing code into WhatsApp: Linked devices, Link with phone number.".to_owned();
    }
    let network = standing.channel.network;
    if matches!(standing.step, Step::Phone { qr: None, .. }) {
        return match prefix(network) {
            "ig_" => "Instagram has not answered yet: ask for the status.".to_owned(),
            _ => "The code is not there yet: ask for the status, which shows it.".to_owned(),
        };
    }
    match prefix(network) {
        "tg_" => "Draw the code and scan it in Telegram: Settings, Devices, Link Desktop Device.".to_owned(),
        _ => "Draw the code and scan it in WhatsApp: Linked devices.".to_owned(),
    }
}

impl ChannelAnswer {
    /// How a channel stands, for a token with these scopes: whoever sees a code can connect the account.
    pub(super) fn to(scopes: &Scopes, standing: &Standing, now: Timestamp) -> Self {
        let mut data = ChannelView::of(standing, now);
        if scopes.require(Scope::ChannelsWrite).is_err() {
            (data.qr_code, data.qr_seq) = (None, None);
        }
        Self { success: true, data }
    }
}

impl DoneAnswer {
    pub(super) fn said(message: impl Into<String>) -> Self {
        Self { success: true, message: message.into() }
    }
}

impl CampaignAnswer {
    pub(super) const fn of(running: bool) -> Self {
        Self { success: true, data: CampaignView { running } }
    }
}
