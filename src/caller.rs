//! Who asks. A value of these types is the proof that the credentials were checked.

use entity::{
    id::{LinkId, PartnerId},
    partner, user, workspace,
};

/// A partner's backend, its JWT verified and the partner active.
#[derive(Clone)]
pub struct PartnerCaller {
    /// The partner.
    pub partner: partner::Model,
    /// The request it came with.
    pub request_id: String,
}

/// A customer's system, its token valid, its workspace and partner active, its user seated.
#[derive(Clone)]
pub struct WorkspaceCaller {
    /// Where the token opens the door.
    pub workspace: workspace::Model,
    /// As whom it acts.
    pub user: user::Model,
    /// What it may do.
    pub scopes: crate::token::Scopes,
}

/// Who is written into the audit.
#[derive(Clone, Debug)]
pub enum Actor {
    /// A partner's backend.
    Partner(PartnerId),
    /// Somebody at the command line of the platform.
    Operator,
    /// Whoever opened an onboarding link.
    Link(LinkId),
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

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Partner(id) => write!(f, "partner:{id}"),
            Self::Operator => f.write_str("operator"),
            Self::Link(id) => write!(f, "link:{id}"),
            Self::Provider => f.write_str("provider"),
            Self::Endpoint(id) => write!(f, "endpoint:{id}"),
        }
    }
}
