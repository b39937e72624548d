//! Who asks. A value of these types is the proof that the credentials were checked.

use entity::{
    id::{BotId, LinkId, OperatorTokenId, PartnerId, TokenId, UserId},
    partner, plan, user, workspace,
};

use crate::{quota::threshold::Thresholds, token::Scopes};

/// A partner's backend, its JWT verified and the partner active.
#[derive(Clone)]
pub struct PartnerCaller {
    /// The partner.
    pub partner: partner::Model,
    /// The request it came with.
    pub request_id: String,
}

/// A customer's system, its token valid, its workspace and partner active, its user seated.
pub struct WorkspaceCaller {
    /// Where the token opens the door.
    pub workspace: workspace::Model,
    /// As whom it acts.
    pub user: user::Model,
    /// What it may do.
    pub scopes: Scopes,
    /// The token.
    pub token_id: TokenId,
    /// What the workspace may use.
    pub plan: plan::Model,
    /// When its partner is told of quotas.
    pub thresholds: Thresholds,
}

/// The platform's staff or one of its tools, its token valid.
#[derive(Clone)]
pub struct OperatorCaller {
    /// The token.
    pub token_id: OperatorTokenId,
    /// The request it came with.
    pub request_id: String,
}

/// Who is written into the audit.
#[derive(Clone, Debug)]
pub enum Actor {
    /// A partner's backend.
    Partner(PartnerId),
    /// Somebody at the command line of the platform.
    Operator,
    /// The platform's staff or one of its tools, over HTTP.
    OperatorToken(OperatorTokenId),
    /// A customer's system.
    Token(TokenId),
    /// Whoever opened an onboarding link.
    Link(LinkId),
    /// Whoever opened the invitation of this user.
    Invitation(UserId),
    /// A bot.
    Bot(BotId),
    /// A provider, through its connector.
    Provider,
    /// Whoever answers at a partner's webhook address.
    Endpoint(PartnerId),
}

/// An actor with the request that it acted in.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Who.
    pub actor: Actor,
    /// In which request, where there was one.
    pub request_id: Option<String>,
}

impl Origin {
    /// At the command line.
    #[must_use]
    pub const fn operator() -> Self {
        Self { actor: Actor::Operator, request_id: None }
    }

    /// From a provider.
    #[must_use]
    pub const fn provider() -> Self {
        Self { actor: Actor::Provider, request_id: None }
    }
}

impl From<&PartnerCaller> for Origin {
    fn from(caller: &PartnerCaller) -> Self {
        Self { actor: Actor::Partner(caller.partner.id.clone()), request_id: Some(caller.request_id.clone()) }
    }
}

impl From<&OperatorCaller> for Origin {
    fn from(caller: &OperatorCaller) -> Self {
        Self { actor: Actor::OperatorToken(caller.token_id), request_id: Some(caller.request_id.clone()) }
    }
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Partner(id) => write!(f, "partner:{id}"),
            Self::Operator => f.write_str("operator"),
            Self::OperatorToken(id) => write!(f, "operator_token:{id}"),
            Self::Token(id) => write!(f, "token:{id}"),
            Self::Link(id) => write!(f, "link:{id}"),
            Self::Invitation(id) => write!(f, "invitation:{id}"),
            Self::Bot(id) => write!(f, "bot:{id}"),
            Self::Provider => f.write_str("provider"),
            Self::Endpoint(id) => write!(f, "endpoint:{id}"),
        }
    }
}
