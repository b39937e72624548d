//! What can go wrong, once for all surfaces.
//!
//! An [`Error`] carries what the caller needs for its next step; its [`ErrorCode`] is a stable word with a kind, a
//! title and an advice. Each surface's dialect maps kinds and codes in one place of its own. Nothing here knows HTTP.

use std::time::Duration;

use entity::{
    channel::{ConnectorKind, Network},
    credits::Credits,
    id::{MessageId, SubscriptionId},
    link,
};
use sea_orm::DbErr;

mod code;

pub use code::{ErrorCode, Kind};

/// Result of an operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, with data for the next step.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's message and code say what it is")]
pub enum Error {
    // Requests that cannot be understood.
    #[error("{reason}")]
    InvalidBody { field: Option<String>, reason: String },
    #[error("{field}: {reason}")]
    InvalidField { field: &'static str, reason: String },
    #[error("a parameter of the path or the query cannot be read")]
    InvalidParameter,
    #[error("send the body as application/json")]
    UnsupportedMediaType,
    #[error("the body is larger than {limit_bytes} bytes")]
    BodyTooLarge { limit_bytes: usize },
    #[error("there is nothing at this address")]
    RouteNotFound,
    #[error("this address does not answer this method")]
    MethodNotAllowed,
    #[error("the request took longer than {limit_ms} ms")]
    RequestTimeout { limit_ms: u64 },

    // Partner credentials.
    #[error("the header {0} is required")]
    MissingHeader(&'static str),
    #[error("the token has no claim {0}")]
    MissingClaim(&'static str),
    #[error("the token cannot be used as a request credential: {0}")]
    TokenDecodeError(&'static str),
    #[error("the signature does not match, or is somebody else's")]
    InvalidSignature,
    #[error("the token is not valid yet, or no longer")]
    TokenNotActive,
    #[error("the token's nbf and exp must lie 0 to 15 minutes apart")]
    TimestampOutOfRange,
    #[error("there is no such partner")]
    PartnerNotFound,
    #[error("the partner is disabled")]
    PartnerNotActive,

    // Workspace and operator tokens.
    #[error("an Authorization header with a bearer token is required")]
    MissingCredentials,
    #[error("the token is unknown or revoked")]
    InvalidToken,
    #[error("the token's user does not hold a seat")]
    MemberNotFound,
    #[error("the workspace is suspended")]
    WorkspaceSuspended,
    #[error("the token lacks the scope {0}")]
    InsufficientScope(&'static str),
    #[error("{0}")]
    PermissionDenied(&'static str),

    // Provisioning.
    #[error("there is no such workspace")]
    WorkspaceNotFound,
    #[error("a workspace with the id {slug} exists already")]
    WorkspaceCreationFailed { slug: String },
    #[error("there is no such user in this workspace")]
    UserNotFound,
    #[error("the user does not hold a seat")]
    UserNotActive,
    #[error("No free seats: {requested} asked for, {available} left")]
    SeatsFull { requested: i32, available: i32 },
    #[error("there is no team with the title \"{0}\"")]
    TeamNotFound(String),
    #[error("there is no such invitation")]
    InvitationNotFound,
    #[error("the invitation has been accepted already")]
    InvitationAccepted,
    #[error("the invitation has expired")]
    InvitationExpired,
    #[error("there are {0} invitations that nobody has accepted, which is as many as there can be")]
    TooManyInvitations(u64),
    #[error("the partner {0} exists already")]
    PartnerExists(String),
    #[error("there is no such plan")]
    PlanNotFound,
    #[error("there is no such token")]
    TokenNotFound,

    // Repeated requests.
    #[error("this Idempotency-Key was used for another request")]
    IdempotencyKeyReused,
    #[error("the token of the first answer has been revoked since; use a new Idempotency-Key")]
    TokenRevoked,

    // Onboarding.
    #[error("there is no such link")]
    LinkNotFound,
    #[error("the link is {}", closed_word(*.0))]
    LinkClosed(LinkEnd),
    #[error("all attempts of this link are used")]
    AttemptsSpent,
    #[error("all pairing codes of this link are used")]
    PairingCodesSpent,
    #[error("there is no attempt that waits for a phone")]
    NoLiveAttempt,
    #[error("the network refused the pairing code for this number")]
    PairingRefused,
    #[error("the provider does not answer")]
    ProviderUnavailable,
    #[error("the provider takes no more requests for a while")]
    ProviderLimited { retry_after: Duration },

    // Sandbox.
    #[error("simulated phones exist for sandbox partners only")]
    SandboxOnly,
    #[error("no session has shown this code")]
    CodeNotFound,
    #[error("this code has run out; take the one that is shown now")]
    CodeExpired,
    #[error("this code has been used already")]
    CodeUsed,
    #[error("the code was made for another number")]
    CodeForAnotherPhone,
    #[error("this phone has no linked device")]
    PhoneNotLinked,

    // Messages and what they cost.
    #[error("Wrong phone number \"{0}\"")]
    WrongPhoneNumber(String),
    #[error("Whatsapp chat_id \"{0}\" not found")]
    ChatNotFound(String),
    #[error("Chat name \"{0}\" not found")]
    ChatNameNotFound(String),
    #[error("Chat name \"{name}\" is taken by chat {chat}")]
    ChatNameTaken { name: String, chat: entity::id::ChatId },
    #[error("Several chats are called \"{0}\"; send to the id of the one that is meant, or give it a name")]
    ChatNameAmbiguous(String),
    #[error("There is no teammate with the e-mail address \"{0}\"")]
    ResponsibleNotFound(String),
    #[error("Message uid \"{0}\" not found")]
    MessageNotFound(String),
    #[error("File uid \"{0}\" not found")]
    FileNotFound(String),
    #[error("the file is larger than {limit_bytes} bytes, which is the most for its type")]
    FileTooLarge { limit_bytes: u64 },
    #[error("the link is not one of ours")]
    DownloadLinkInvalid,
    #[error("the link has run out")]
    DownloadLinkExpired,
    #[error("Attachment template {0} not found")]
    TemplateNotFound(i64),
    #[error("Text template {0} not found")]
    TextTemplateNotFound(String),
    #[error("there are {0} templates already, which is as many as there can be")]
    TooManyTemplates(u64),
    #[error("notes, calls and messages that failed take no reactions")]
    ReactionRefused,
    #[error("there is no account with the number {0}")]
    AccountNotFound(String),
    #[error("No connected WhatsApp account")]
    ChannelNotConnected,
    #[error("the {0} account of the channel is not connected")]
    AccountNotConnected(Network),
    #[error("Message quota exceeded: {required} asked for, {available} left")]
    QuotaExceeded { required: Credits, available: Credits },
    #[error("the API calls of this period are used up")]
    ApiCallsExhausted { retry_after: Duration },
    #[error("there are {available} credits left")]
    InsufficientCredits { available: Credits },

    // Bots.
    #[error("there is no agent with the id {0}")]
    BotNotFound(String),
    #[error("there are {0} agents already, which is as many as there can be")]
    TooManyBots(u64),

    // Channels.
    #[error("there is no channel with the id {0}")]
    ChannelNotFound(String),
    #[error("no {0} channel {1}")]
    NoChannelOn(Network, &'static str),
    #[error("type: {0:?} is not a type of channel")]
    InvalidChannelType(String),
    #[error("a channel of this workspace has the same account: {0}")]
    ChannelExists(String),
    #[error("a workspace of this plan can have {limit} channels; delete one first")]
    ChannelLimitReached { limit: i32 },
    #[error("the channel has {0} open conversations; force deletes it with them")]
    ActiveConversations(u64),
    #[error("no connector speaks to {0} here")]
    NoConnector(Network),
    #[error("{connector} speaks to {network} here, and it cannot use {setting}")]
    UselessSetting { connector: ConnectorKind, network: Network, setting: &'static str },
    #[error("{0}")]
    ChannelRefused(String),
    #[error("{0}")]
    AuthInvalid(String),
    #[error("{0}")]
    AccountRestricted(&'static str),
    #[error("there is no code to scan: {0}")]
    QrCodeNotAvailable(&'static str),
    #[error("{0} is connected already; {1}")]
    AlreadyConnected(Network, String),
    #[error("a campaign runs on {0}; end it first")]
    CampaignRunning(Network),
    #[error("the network asks nothing of this channel")]
    NothingAsked,
    #[error("the network does not accept this answer")]
    ChallengeWrong,
    #[error("the network does not wait for an answer any more")]
    ChallengeExpired,
    #[error("the code was sent a moment ago")]
    ResendTooSoon,
    #[error("the network sends no code again here")]
    ResendNotOffered,

    // Web chats.
    #[error("there is no such widget")]
    WidgetNotFound,
    #[error("the widget is not allowed on {0}")]
    OriginNotAllowed(String),
    #[error("the visitor's token is not one of this widget, or has run out")]
    VisitorTokenInvalid,
    #[error("nobody is there to chat with")]
    WidgetOffline,

    // Webhooks.
    #[error("no webhook is set")]
    WebhookNotSet,
    #[error("the webhook is disabled: {0}")]
    WebhookDisabled(String),
    #[error("there is no such delivery")]
    DeliveryNotFound,
    #[error("Webhook {0} not found")]
    WebhookNotFound(String),
    #[error("webhook {0} has this event_type and url already")]
    WebhookExists(SubscriptionId),
    #[error("a workspace can have {limit} webhooks; delete one first")]
    WebhookLimitReached { limit: usize },

    // The inside.
    #[error("too many requests")]
    TooManyRequests { retry_after: Duration },
    #[error("the service is busy")]
    Busy { retry_after: Duration },
    #[error("{}", unknown_words(*.message))]
    OutcomeUnknown { message: Option<MessageId> },
    #[error("two changes collided")]
    Contention,
    #[error("the database failed")]
    Database(#[source] DbErr),
    #[error("the master key does not open what is stored")]
    Sealed,
    #[error("{0}")]
    Internal(String),
}

/// Why a link opens nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkEnd {
    /// It has connected an account.
    Used,
    /// It was taken back.
    Revoked,
    /// Its time is over.
    Expired,
}

impl LinkEnd {
    /// What the stored state says, `None` for one that is still active.
    #[must_use]
    pub const fn of(state: link::State) -> Option<Self> {
        match state {
            link::State::Active => None,
            link::State::Used => Some(Self::Used),
            link::State::Revoked => Some(Self::Revoked),
        }
    }
}

const fn closed_word(end: LinkEnd) -> &'static str {
    match end {
        LinkEnd::Used => "used",
        LinkEnd::Revoked => "revoked",
        LinkEnd::Expired => "expired",
    }
}

fn unknown_words(message: Option<MessageId>) -> String {
    match message {
        Some(uid) => format!(
            "it is not known whether the message {uid} was accepted: look for it, or try again with the same Idempotency-Key"
        ),
        None => {
            "it is not known whether this was done: look for it, or try again with the same Idempotency-Key".to_owned()
        }
    }
}

impl Error {
    /// The stable word for this error.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::InvalidBody { .. } | Self::InvalidField { .. } => ErrorCode::InvalidRequest,
            Self::InvalidParameter => ErrorCode::InvalidParameter,
            Self::UnsupportedMediaType => ErrorCode::UnsupportedMediaType,
            Self::BodyTooLarge { .. } => ErrorCode::BodyTooLarge,
            Self::RouteNotFound => ErrorCode::RouteNotFound,
            Self::MethodNotAllowed => ErrorCode::MethodNotAllowed,
            Self::RequestTimeout { .. } => ErrorCode::RequestTimeout,
            Self::MissingHeader(_) => ErrorCode::MissingHeader,
            Self::MissingClaim(_) => ErrorCode::MissingClaim,
            Self::TokenDecodeError(_) => ErrorCode::TokenDecodeError,
            Self::InvalidSignature => ErrorCode::InvalidSignature,
            Self::TokenNotActive => ErrorCode::TokenNotActive,
            Self::TimestampOutOfRange => ErrorCode::TimestampOutOfRange,
            Self::PartnerNotFound => ErrorCode::PartnerNotFound,
            Self::PartnerNotActive => ErrorCode::PartnerNotActive,
            Self::MissingCredentials => ErrorCode::MissingCredentials,
            Self::InvalidToken => ErrorCode::InvalidToken,
            Self::MemberNotFound => ErrorCode::MemberNotFound,
            Self::WorkspaceSuspended => ErrorCode::WorkspaceSuspended,
            Self::InsufficientScope(_) => ErrorCode::InsufficientScope,
            Self::PermissionDenied(_) => ErrorCode::PermissionDenied,
            Self::WorkspaceNotFound => ErrorCode::WorkspaceNotFound,
            Self::WorkspaceCreationFailed { .. } => ErrorCode::WorkspaceCreationFailed,
            Self::UserNotFound => ErrorCode::UserNotFound,
            Self::UserNotActive => ErrorCode::UserNotActive,
            Self::SeatsFull { .. } => ErrorCode::SeatsFull,
            Self::TeamNotFound(_) => ErrorCode::TeamNotFound,
            Self::InvitationNotFound => ErrorCode::InvitationNotFound,
            Self::InvitationAccepted => ErrorCode::InvitationAccepted,
            Self::InvitationExpired => ErrorCode::InvitationExpired,
            Self::TooManyInvitations(_) => ErrorCode::TooManyInvitations,
            Self::PartnerExists(_) => ErrorCode::PartnerExists,
            Self::PlanNotFound => ErrorCode::PlanNotFound,
            Self::TokenNotFound => ErrorCode::TokenNotFound,
            Self::IdempotencyKeyReused => ErrorCode::IdempotencyKeyReused,
            Self::TokenRevoked => ErrorCode::TokenRevoked,
            Self::LinkNotFound => ErrorCode::LinkNotFound,
            Self::LinkClosed(LinkEnd::Used) => ErrorCode::LinkUsed,
            Self::LinkClosed(LinkEnd::Revoked) => ErrorCode::LinkRevoked,
            Self::LinkClosed(LinkEnd::Expired) => ErrorCode::LinkExpired,
            Self::AttemptsSpent => ErrorCode::AttemptsSpent,
            Self::PairingCodesSpent => ErrorCode::PairingCodesSpent,
            Self::NoLiveAttempt => ErrorCode::NoLiveAttempt,
            Self::PairingRefused => ErrorCode::PairingRefused,
            Self::ProviderUnavailable => ErrorCode::ProviderUnavailable,
            Self::ProviderLimited { .. } => ErrorCode::ProviderLimited,
            Self::SandboxOnly => ErrorCode::SandboxOnly,
            Self::CodeNotFound => ErrorCode::CodeNotFound,
            Self::CodeExpired => ErrorCode::CodeExpired,
            Self::CodeUsed => ErrorCode::CodeUsed,
            Self::CodeForAnotherPhone => ErrorCode::CodeForAnotherPhone,
            Self::PhoneNotLinked => ErrorCode::PhoneNotLinked,
            Self::WrongPhoneNumber(_) => ErrorCode::WrongPhoneNumber,
            Self::ChatNotFound(_) | Self::ChatNameNotFound(_) => ErrorCode::ChatNotFound,
            Self::ChatNameTaken { .. } => ErrorCode::ChatNameTaken,
            Self::ChatNameAmbiguous(_) => ErrorCode::ChatNameAmbiguous,
            Self::ResponsibleNotFound(_) => ErrorCode::ResponsibleNotFound,
            Self::MessageNotFound(_) => ErrorCode::MessageNotFound,
            Self::FileNotFound(_) => ErrorCode::FileNotFound,
            Self::FileTooLarge { .. } => ErrorCode::FileTooLarge,
            Self::DownloadLinkInvalid => ErrorCode::DownloadLinkInvalid,
            Self::DownloadLinkExpired => ErrorCode::DownloadLinkExpired,
            Self::TemplateNotFound(_) => ErrorCode::TemplateNotFound,
            Self::TextTemplateNotFound(_) => ErrorCode::TextTemplateNotFound,
            Self::TooManyTemplates(_) => ErrorCode::TooManyTemplates,
            Self::ReactionRefused => ErrorCode::ReactionRefused,
            Self::AccountNotFound(_) => ErrorCode::AccountNotFound,
            Self::ChannelNotConnected | Self::AccountNotConnected(_) => ErrorCode::ChannelNotConnected,
            Self::QuotaExceeded { .. } => ErrorCode::QuotaExceeded,
            Self::ApiCallsExhausted { .. } => ErrorCode::ApiCallsExhausted,
            Self::InsufficientCredits { .. } => ErrorCode::InsufficientCredits,
            Self::BotNotFound(_) => ErrorCode::BotNotFound,
            Self::TooManyBots(_) => ErrorCode::TooManyBots,
            Self::ChannelNotFound(_) | Self::NoChannelOn(..) => ErrorCode::ChannelNotFound,
            Self::InvalidChannelType(_) => ErrorCode::InvalidChannelType,
            Self::ChannelExists(_) => ErrorCode::ChannelExists,
            Self::ChannelLimitReached { .. } => ErrorCode::ChannelLimitReached,
            Self::ActiveConversations(_) => ErrorCode::ActiveConversations,
            Self::NoConnector(_) | Self::UselessSetting { .. } => ErrorCode::NoConnector,
            Self::ChannelRefused(_) => ErrorCode::ChannelRefused,
            Self::AuthInvalid(_) => ErrorCode::AuthInvalid,
            Self::AccountRestricted(_) => ErrorCode::AccountRestricted,
            Self::QrCodeNotAvailable(_) => ErrorCode::QrCodeNotAvailable,
            Self::AlreadyConnected(..) => ErrorCode::AlreadyConnected,
            Self::CampaignRunning(_) => ErrorCode::CampaignRunning,
            Self::NothingAsked => ErrorCode::NothingAsked,
            Self::ChallengeWrong => ErrorCode::ChallengeWrong,
            Self::ChallengeExpired => ErrorCode::ChallengeExpired,
            Self::ResendTooSoon => ErrorCode::ResendTooSoon,
            Self::ResendNotOffered => ErrorCode::ResendNotOffered,
            Self::WidgetNotFound => ErrorCode::WidgetNotFound,
            Self::OriginNotAllowed(_) => ErrorCode::OriginNotAllowed,
            Self::VisitorTokenInvalid => ErrorCode::VisitorTokenInvalid,
            Self::WidgetOffline => ErrorCode::WidgetOffline,
            Self::WebhookNotSet => ErrorCode::WebhookNotSet,
            Self::WebhookDisabled(_) => ErrorCode::WebhookDisabled,
            Self::DeliveryNotFound => ErrorCode::DeliveryNotFound,
            Self::WebhookNotFound(_) => ErrorCode::WebhookNotFound,
            Self::WebhookExists(_) => ErrorCode::WebhookExists,
            Self::WebhookLimitReached { .. } => ErrorCode::WebhookLimitReached,
            Self::TooManyRequests { .. } => ErrorCode::TooManyRequests,
            Self::Busy { .. } | Self::Contention => ErrorCode::Busy,
            Self::OutcomeUnknown { .. } => ErrorCode::OutcomeUnknown,
            Self::Database(_) | Self::Sealed | Self::Internal(_) => ErrorCode::InternalError,
        }
    }

    /// How long to wait before trying again, where that is known.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooManyRequests { retry_after }
            | Self::ApiCallsExhausted { retry_after }
            | Self::ProviderLimited { retry_after }
            | Self::Busy { retry_after } => Some(*retry_after),
            Self::ResendTooSoon => Some(Duration::from_secs(30)),
            Self::Contention
            | Self::OutcomeUnknown { .. }
            | Self::RequestTimeout { .. }
            | Self::ProviderUnavailable => Some(Duration::from_secs(1)),
            _ => None,
        }
    }

    /// A field that breaks a rule.
    pub fn field(field: &'static str, reason: impl Into<String>) -> Self {
        Self::InvalidField { field, reason: reason.into() }
    }

    /// What may be told to a caller: nothing about the inside.
    #[must_use]
    pub fn description(&self) -> String {
        match self.code().kind() {
            Kind::Internal => self.code().title().to_owned(),
            _ => self.to_string(),
        }
    }
}
