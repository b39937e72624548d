//! Asking for a link (`contracts/timelines.md` §1.3, no. 5): destructive on the Partner API, where it first ends the
//! user's connected account and takes the user's open link back.

use entity::{
    channel::{DisconnectReason, Network},
    id::{LinkId, UserId},
    timestamp::Timestamp,
    user,
};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    audit,
    caller::{Origin, PartnerCaller},
    channel::{self as channels, limit},
    db,
    error::{Error, Result},
    idempotency::Repeatable,
    onboarding::{purpose, revoke, store, url},
    secret,
    signal::Signal,
    user as users, workspace as workspaces,
};

/// How long a link works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Hours(i64);

impl Hours {
    /// Reads 1 to 168 hours.
    ///
    /// # Errors
    /// `invalid_request` naming `expires_in_hours`.
    pub fn parse(hours: i64) -> Result<Self> {
        if (1..=168).contains(&hours) {
            Ok(Self(hours))
        } else {
            Err(Error::field("expires_in_hours", "must be 1 to 168"))
        }
    }
}

impl Default for Hours {
    fn default() -> Self {
        Self(24)
    }
}

/// How a link is wanted.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct CreateLink {
    /// The network that it links an account of.
    pub network: Network,
    /// How long it works.
    pub hours: Hours,
}

/// A network whose accounts a page links: `whatsapp`, `telegram` or `instagram`.
///
/// # Errors
/// `invalid_request` naming `network`.
pub fn parse_network(word: &str) -> Result<Network> {
    match word.parse() {
        Ok(network @ (Network::Whatsapp | Network::Telegram | Network::Instagram)) => Ok(network),
        _ => Err(Error::field("network", "must be whatsapp, telegram or instagram")),
    }
}

/// What was made. It holds the link's address, so it is stored sealed only.
#[derive(Serialize, Deserialize)]
pub struct Created {
    /// Whose account the link connects.
    pub user_id: UserId,
    /// The network that it is on.
    #[serde(default = "whatsapp")]
    pub network: Network,
    /// The page's address.
    pub url: String,
    /// When it stops working.
    pub expires_at: Timestamp,
    /// Whether a connected account was ended for it.
    pub account_disconnected: bool,
    /// Whether a link that was still good was taken back for it.
    pub previous_revoked: bool,
    /// Links whose pages have to hear of it.
    revoked: Vec<LinkId>,
}

/// What links were for before they said so.
const fn whatsapp() -> Network {
    Network::Whatsapp
}

/// Makes a link for a user.
///
/// # Errors
/// `workspace_not_found`, `user_not_found`, `user_not_active` for a suspended one, `channel_limit_reached` where the user
/// has no account yet and the workspace no room for one, `idempotency_key_reused`. Nothing is changed then.
pub async fn create(
    app: &App,
    caller: &PartnerCaller,
    slug: &str,
    user_id: UserId,
    command: CreateLink,
    request: &Repeatable,
) -> Result<Created> {
    let created = db::retried(|| create_once(app, caller, slug, user_id, command, request)).await?;
    for link in &created.revoked {
        app.signals.publish(Signal::Link(*link));
    }
    app.signals.publish(Signal::Work);
    Ok(created)
}

async fn create_once(
    app: &App,
    caller: &PartnerCaller,
    slug: &str,
    user_id: UserId,
    CreateLink { network, hours }: CreateLink,
    request: &Repeatable,
) -> Result<Created> {
    let token = secret::generate(&app.clock, "");
    let id = LinkId(app.clock.uuid());
    let sealed = app.vault.seal(&purpose(id), token.expose_secret().as_bytes())?;
    let digest = secret::digest(token.expose_secret());
    db::write(&app.db, "link.create", async |tx| {
        if let Some(done) = request.begin(app, tx).await? {
            return Ok(done);
        }
        let workspace = workspaces::find(tx, &caller.partner.id, slug).await?;
        let workspace = workspaces::lock(tx, workspace.id).await?;
        let user = users::lock(tx, workspace.id, user_id).await?.ok_or(Error::UserNotFound)?;
        if user.status != user::Status::Activated {
            return Err(Error::UserNotActive);
        }
        limit::require_place_for(tx, &workspace, user_id, None).await?;
        let origin = Origin::from(caller);
        let now = app.clock.now();
        // Links before accounts: a phone that is connecting holds the link's row and may add an account.
        let revoked = revoke::of_user(app, tx, &origin, &workspace, user_id).await?;
        let ended =
            channels::disconnect::of_user(app, tx, &origin, &workspace, user_id, None, DisconnectReason::NewLink)
                .await?;
        let expires_at = now.plus_seconds(hours.0 * 3600);
        let new = store::NewLink { id, user_id, network, digest, sealed, expires_at };
        store::insert(app, tx, workspace.id, new).await?;
        let entry = audit::Entry::in_workspace("link.create", &workspace, id)
            .after(serde_json::json!({ "user_id": user_id, "network": network, "expires_at": expires_at }));
        audit::record(app, tx, &origin, entry).await?;
        let created = Created {
            user_id,
            network,
            url: url(app, &token).expose_secret().to_owned(),
            expires_at,
            account_disconnected: ended.is_some(),
            previous_revoked: revoked.iter().any(|link| link.expires_at > now),
            revoked: revoked.into_iter().map(|link| link.id).collect(),
        };
        request.finish(app, tx, &created).await?;
        Ok(created)
    })
    .await
}
