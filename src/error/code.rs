//! Stable words for errors: each with a kind, a title and an advice.

use strum::{Display, EnumIter};

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
    ProviderLimited, TooMany, "The provider takes no more requests now", "Wait as long as Retry-After says.";
    SandboxOnly, Forbidden, "Only for sandbox partners", "Use a partner made with --sandbox.";
    CodeNotFound, NotFound, "No such code", "Read the code from the page.";
    CodeExpired, Gone, "The code has run out", "Use the code that is shown now.";
    CodeUsed, Conflict, "The code has been used", "Start a new attempt.";
    CodeForAnotherPhone, Conflict, "The code is for another number", "Ask for a code for this number.";
    PhoneNotLinked, Conflict, "The phone has no linked device", "Scan a code with it first.";
    WrongPhoneNumber, Invalid, "The number is not one", "Send + and 7 to 15 digits, without punctuation.";
    ChatNotFound, NotFound, "No such chat", "Check the id with GET /chats.";
    ChatNameTaken, Invalid, "Another chat has this name", "Choose another name.";
    ChatNameAmbiguous, Invalid, "Several chats are called so", "Send to the chat's id, or give it a name.";
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
    InvalidChannelType, Invalid, "No such type of channel", "Send one of the types that the document lists.";
    ChannelExists, Conflict, "Another channel has this account", "Use or delete that channel.";
    ChannelLimitReached, Forbidden, "The workspace has as many channels as it can", "Delete one, or ask the partner.";
    ActiveConversations, Invalid, "The channel has open conversations", "Close them, or delete it with force=true.";
    NoConnector, Conflict, "No connector for this type of channel", "Ask the operator to set one up.";
    QrCodeNotAvailable, Conflict, "There is no code to scan", "Activate or connect the channel, then ask within five minutes.";
    WidgetNotFound, NotFound, "No such widget", "Embed the widget anew with the channel's present widget token.";
    OriginNotAllowed, Forbidden, "The widget is not allowed on this website", "Add the origin to the channel's allowedOrigins.";
    VisitorTokenInvalid, Unauthenticated, "The visitor's token is not good", "Ask for another with POST …/session.";
    WidgetOffline, Conflict, "Nobody is there to chat with", "Show the offline message; the channel is switched off.";
    ChannelRefused, Conflict, "The channel cannot be connected so", "See the message; test the channel.";
    AuthInvalid, Invalid, "The network does not accept what the channel signs in with", "Correct the settings that it signs in with, or have the operator correct the provider's key, as the message says.";
    AccountRestricted, Conflict, "The network has restricted the account", "Lift the restriction with the network, or connect another account.";
    AlreadyConnected, Conflict, "The channel is connected already", "Disconnect it first, or send force.";
    CampaignRunning, Conflict, "A campaign runs on the channel", "End the campaign first.";
    NothingAsked, Conflict, "The network asks nothing", "Look at the status of the channel; connect it anew if it has failed.";
    ChallengeWrong, Invalid, "The answer to the network's question is wrong", "Ask for the code again, and answer again.";
    ChallengeExpired, Gone, "The network does not wait any more", "Connect the channel anew.";
    ResendTooSoon, TooMany, "The code was sent a moment ago", "Wait half a minute, then ask again.";
    ResendNotOffered, Conflict, "The network sends no code again here", "Wait for the code, or connect the channel anew.";
    WebhookNotSet, NotFound, "No webhook is set", "Set one with PUT /webhook.";
    WebhookDisabled, Conflict, "The webhook is disabled", "Mend the endpoint, then set it again with PUT /webhook.";
    DeliveryNotFound, NotFound, "No such delivery", "Check the id with GET /webhook/deliveries.";
    WebhookNotFound, NotFound, "No such webhook", "Check the id with GET /webhooks.";
    WebhookExists, Conflict, "Another webhook has this type and address", "Change or delete that one.";
    WebhookLimitReached, Forbidden, "The workspace has as many webhooks as it can", "Delete one.";
    TooManyRequests, TooMany, "Too many requests", "Wait as long as Retry-After says.";
    Busy, Unavailable, "The service is busy", "Try again as Retry-After says.";
    OutcomeUnknown, Unavailable, "It is not known whether it was done", "Try again with the same Idempotency-Key; without one, look first whether it was done.";
    InternalError, Internal, "Something failed inside", "Tell the operator the request id.";
}
