//! What can go wrong, once for all surfaces.
//!
//! An [`Error`] carries what the caller needs for its next step; its [`ErrorCode`] is a stable word with a kind, a
//! title and an advice. Each surface's dialect maps kinds and codes in one place of its own. Nothing here knows HTTP.

use std::time::Duration;

use entity::{credits::Credits, id::SubscriptionId, link};
use sea_orm::DbErr;
use strum::{Display, EnumIter};

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
    #[error("Chat name \"{name}\" is taken by chat {chat}")]
    ChatNameTaken { name: String, chat: entity::id::ChatId },
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
    #[error("notes and messages that failed take no reactions")]
    ReactionRefused,
    #[error("there is no account with the number {0}")]
    AccountNotFound(String),
    #[error("No connected WhatsApp account")]
    ChannelNotConnected,
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
    #[error("there is no channel with the id {0}")]
    ChannelNotFound(String),

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

/// What a dialect makes of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Display)]
#[strum(serialize_all = "snake_case")]
pub enum Kind {
    /// The request must be changed.
    Invalid,
    /// The caller is not known.
    Unauthenticated,
    /// The caller is known and may not.
    Forbidden,
    /// There is no such thing, or the caller may not know of it.
    NotFound,
    /// The address does not answer the method.
    MethodNotAllowed,
    /// The state of things is against it.
    Conflict,
    /// What was bought is used up.
    Exhausted,
    /// It existed and is over.
    Gone,
    /// Too large a body.
    TooLarge,
    /// Not a media type that is read here.
    UnsupportedMediaType,
    /// Too many requests.
    TooMany,
    /// Our fault.
    Internal,
    /// Not now.
    Unavailable,
}

macro_rules! codes {
    ($($code:ident, $kind:ident, $title:literal, $advice:literal;)+) => {
        /// Stable words for what went wrong, `snake_case` on the wire; never reused, never dependent on data.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, Display)]
        #[strum(serialize_all = "snake_case")]
        #[expect(missing_docs, reason = "title and advice say what each is")]
        pub enum ErrorCode { $($code,)+ }

        impl ErrorCode {
            /// What a dialect makes of it.
            #[must_use]
            pub const fn kind(self) -> Kind {
                match self { $(Self::$code => Kind::$kind,)+ }
            }

            /// What it means, constant per code.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$code => $title,)+ }
            }

            /// What the caller can do.
            #[must_use]
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$code => $advice,)+ }
            }
        }
    };
}

codes! {
    InvalidRequest, Invalid, "The request cannot be understood", "Correct the field that the description names.";
    InvalidParameter, Invalid, "A path or query parameter cannot be read", "Send it in the documented form.";
    UnsupportedMediaType, UnsupportedMediaType, "The body has another media type", "Send application/json.";
    BodyTooLarge, TooLarge, "The body is too large", "Send less.";
    RouteNotFound, NotFound, "Nothing at this address", "Check the path; there are no trailing slashes.";
    MethodNotAllowed, MethodNotAllowed, "The address does not answer this method", "Check the method.";
    RequestTimeout, Unavailable, "The request took too long", "Try again later with the same Idempotency-Key.";
    MissingHeader, Unauthenticated, "A header is missing", "Send Authorization and X-TL-Partner-Id.";
    MissingClaim, Unauthenticated, "A claim is missing", "Sign partner_id, nbf and exp.";
    TokenDecodeError, Unauthenticated, "The token cannot be used", "Send a JWT signed with HS256; a webhook's signature is not one.";
    InvalidSignature, Unauthenticated, "The signature does not match", "Sign with the partner secret, for the partner of the header.";
    TokenNotActive, Unauthenticated, "The token is early or expired", "Sign anew for each request; check the clock.";
    TimestampOutOfRange, Unauthenticated, "The token lives too long", "Keep exp within 15 minutes of nbf.";
    PartnerNotFound, Unauthenticated, "No such partner", "Check the partner id.";
    PartnerNotActive, Forbidden, "The partner is disabled", "Ask the operator.";
    MissingCredentials, Unauthenticated, "No credentials", "Send Authorization: Bearer with the token.";
    InvalidToken, Unauthenticated, "The token is unknown or revoked", "Ask for the current token.";
    MemberNotFound, Forbidden, "The token's user holds no seat", "Buy a seat or use a token of another user.";
    WorkspaceSuspended, Forbidden, "The workspace is suspended", "Ask the partner.";
    InsufficientScope, Forbidden, "The token lacks a scope", "Use a token with the scope that the description names.";
    PermissionDenied, Forbidden, "The token's user may not do this", "Use a token of the owner or an admin.";
    WorkspaceNotFound, NotFound, "No such workspace", "Check the id with GET /workspaces.";
    WorkspaceCreationFailed, Conflict, "The workspace id is taken", "Choose another display name.";
    UserNotFound, NotFound, "No such user", "Check the id with GET /workspaces/{id}/users.";
    UserNotActive, Conflict, "The user holds no seat", "Raise the seats; the latest suspended is restored first.";
    SeatsFull, Conflict, "No free seats", "Raise seats_purchased.";
    TeamNotFound, NotFound, "No such team", "Check the title with GET /workspace/teammates.";
    InvitationNotFound, NotFound, "No such invitation", "Check the address, or ask for a new invitation.";
    InvitationAccepted, Conflict, "The invitation has been accepted", "Nothing is left to do.";
    InvitationExpired, Gone, "The invitation has expired", "Ask for a new invitation.";
    TooManyInvitations, Conflict, "There are too many open invitations", "Take some back first.";
    PartnerExists, Conflict, "The partner exists already", "Choose another id.";
    PlanNotFound, NotFound, "No such plan", "See plan list.";
    TokenNotFound, NotFound, "No such token", "See token list.";
    IdempotencyKeyReused, Conflict, "The Idempotency-Key was used for another request", "Use a new key for a new request.";
    TokenRevoked, Conflict, "The first answer's token has been revoked", "Use a new Idempotency-Key.";
    LinkNotFound, NotFound, "No such link", "Ask for a new link.";
    LinkUsed, Gone, "The link has been used", "Ask for a new link.";
    LinkRevoked, Gone, "The link was taken back", "Ask for a new link.";
    LinkExpired, Gone, "The link has expired", "Ask for a new link.";
    AttemptsSpent, Conflict, "All attempts are used", "Ask for a new link.";
    PairingCodesSpent, Conflict, "All pairing codes are used", "Scan the QR code, or ask for a new link.";
    NoLiveAttempt, Conflict, "Nothing waits for a phone", "Start an attempt first.";
    PairingRefused, Conflict, "The network refused to pair", "Check the number, or scan the QR code.";
    ProviderUnavailable, Unavailable, "The provider does not answer", "Try again later.";
    SandboxOnly, Forbidden, "Only for sandbox partners", "Use a partner made with --sandbox.";
    CodeNotFound, NotFound, "No such code", "Read the code from the page.";
    CodeExpired, Gone, "The code has run out", "Use the code that is shown now.";
    CodeUsed, Conflict, "The code has been used", "Start a new attempt.";
    CodeForAnotherPhone, Conflict, "The code is for another number", "Ask for a code for this number.";
    PhoneNotLinked, Conflict, "The phone has no linked device", "Scan a code with it first.";
    WrongPhoneNumber, Invalid, "The number is not one", "Send + and 7 to 15 digits, without punctuation.";
    ChatNotFound, NotFound, "No such chat", "Check the id with GET /chats.";
    ChatNameTaken, Invalid, "Another chat has this name", "Choose another name.";
    ResponsibleNotFound, NotFound, "No teammate has this address", "Check the address with GET /workspace/teammates.";
    MessageNotFound, NotFound, "No such message", "Check the uid.";
    FileNotFound, NotFound, "No such file", "Check the uid with GET /files.";
    FileTooLarge, TooLarge, "The file is too large for its type", "Send at most 16 MiB, of documents 100 MiB.";
    DownloadLinkInvalid, NotFound, "No such download link", "Take the whole link from the file or the message.";
    DownloadLinkExpired, Gone, "The download link has run out", "Ask for the file or the message again; links live 15 minutes.";
    TemplateNotFound, NotFound, "No such template", "Send text; templates cannot be stored yet.";
    TextTemplateNotFound, NotFound, "No such text template", "Check the id with GET /templates.";
    TooManyTemplates, Conflict, "There are too many templates", "Delete one first.";
    ReactionRefused, Conflict, "Nobody can react to this", "React to messages that were sent or received.";
    AccountNotFound, NotFound, "No such account", "Check the number with GET /whatsapp_accounts.";
    ChannelNotConnected, Conflict, "The account is not connected", "Connect it with a QR link.";
    QuotaExceeded, Exhausted, "The message credits are used up", "Ask the partner for credits or seats.";
    ApiCallsExhausted, TooMany, "The API calls are used up", "Wait for the next period, or ask the partner.";
    InsufficientCredits, Conflict, "Not as many credits are left", "Take away at most what is left.";
    BotNotFound, NotFound, "No such agent", "Check the id with GET /v1/agents.";
    TooManyBots, Conflict, "There are too many agents", "Delete one first.";
    ChannelNotFound, NotFound, "No such channel", "Check the id of the channel.";
    WebhookNotSet, NotFound, "No webhook is set", "Set one with PUT /webhook.";
    WebhookDisabled, Conflict, "The webhook is disabled", "Mend the endpoint, then set it again with PUT /webhook.";
    DeliveryNotFound, NotFound, "No such delivery", "Check the id with GET /webhook/deliveries.";
    WebhookNotFound, NotFound, "No such webhook", "Check the id with GET /webhooks.";
    WebhookExists, Conflict, "Another webhook has this type and address", "Change or delete that one.";
    WebhookLimitReached, Forbidden, "The workspace has as many webhooks as it can", "Delete one.";
    TooManyRequests, TooMany, "Too many requests", "Wait as long as Retry-After says.";
    Busy, Unavailable, "The service is busy", "Try again as Retry-After says.";
    InternalError, Internal, "Something failed inside", "Tell the operator the request id.";
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
            Self::SandboxOnly => ErrorCode::SandboxOnly,
            Self::CodeNotFound => ErrorCode::CodeNotFound,
            Self::CodeExpired => ErrorCode::CodeExpired,
            Self::CodeUsed => ErrorCode::CodeUsed,
            Self::CodeForAnotherPhone => ErrorCode::CodeForAnotherPhone,
            Self::PhoneNotLinked => ErrorCode::PhoneNotLinked,
            Self::WrongPhoneNumber(_) => ErrorCode::WrongPhoneNumber,
            Self::ChatNotFound(_) => ErrorCode::ChatNotFound,
            Self::ChatNameTaken { .. } => ErrorCode::ChatNameTaken,
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
            Self::ChannelNotConnected => ErrorCode::ChannelNotConnected,
            Self::QuotaExceeded { .. } => ErrorCode::QuotaExceeded,
            Self::ApiCallsExhausted { .. } => ErrorCode::ApiCallsExhausted,
            Self::InsufficientCredits { .. } => ErrorCode::InsufficientCredits,
            Self::BotNotFound(_) => ErrorCode::BotNotFound,
            Self::TooManyBots(_) => ErrorCode::TooManyBots,
            Self::ChannelNotFound(_) => ErrorCode::ChannelNotFound,
            Self::WebhookNotSet => ErrorCode::WebhookNotSet,
            Self::WebhookDisabled(_) => ErrorCode::WebhookDisabled,
            Self::DeliveryNotFound => ErrorCode::DeliveryNotFound,
            Self::WebhookNotFound(_) => ErrorCode::WebhookNotFound,
            Self::WebhookExists(_) => ErrorCode::WebhookExists,
            Self::WebhookLimitReached { .. } => ErrorCode::WebhookLimitReached,
            Self::TooManyRequests { .. } => ErrorCode::TooManyRequests,
            Self::Busy { .. } | Self::Contention => ErrorCode::Busy,
            Self::Database(_) | Self::Sealed | Self::Internal(_) => ErrorCode::InternalError,
        }
    }

    /// How long to wait before trying again, where that is known.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooManyRequests { retry_after }
            | Self::ApiCallsExhausted { retry_after }
            | Self::Busy { retry_after } => Some(*retry_after),
            Self::Contention | Self::RequestTimeout { .. } | Self::ProviderUnavailable => Some(Duration::from_secs(1)),
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
