//! The one token of a workspace that the Partner API reads and rotates (`contracts/timelines.md` §1.3, 7 and 8).
//!
//! It has all scopes and acts as the owner. A unique index keeps it one: two first reads at once get the same token.

use entity::{id::TokenId, timestamp::Timestamp, token::Kind, workspace};
use sea_orm::DatabaseTransaction;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    audit,
    caller::{Origin, PartnerCaller},
    db,
    error::{Error, Result},
    idempotency::Repeatable,
    secret,
    signal::Signal,
    token::{
        PREFIX, Scopes,
        access::{self, Access, Changed},
        store,
    },
    webhook::{self, EventBody, NewEvent},
    workspace as workspaces,
};

/// A rotation's outcome. It is stored under an idempotency key, sealed, so that it can be answered again.
#[derive(Serialize, Deserialize)]
pub struct Rotated {
    /// Id of the new token.
    pub id: TokenId,
    /// The new token.
    pub token: String,
    /// When the old one stopped working.
    pub rotated_at: Timestamp,
}

/// The current token; the first read makes it.
///
/// # Errors
/// `workspace_not_found`.
pub async fn current(app: &App, caller: &PartnerCaller, slug: &str) -> Result<SecretString> {
    let workspace = workspaces::find(app.db.reader(), &caller.partner.id, slug).await?;
    if let Some(row) = store::current_partner_api(app.db.reader(), workspace.id).await? {
        return open(app, row.id, row.sealed.as_deref());
    }
    db::retried(|| make_first(app, caller, &workspace)).await
}

async fn make_first(app: &App, caller: &PartnerCaller, workspace: &workspace::Model) -> Result<SecretString> {
    db::write(&app.db, "token.create_partner_api", async |tx| {
        let workspace = workspaces::lock(tx, workspace.id).await?;
        if let Some(row) = store::current_partner_api(tx, workspace.id).await? {
            return open(app, row.id, row.sealed.as_deref());
        }
        let (id, token) = insert(app, tx, &workspace).await?;
        let entry = audit::Entry::in_workspace("token.create", &workspace, id);
        audit::record(app, tx, &Origin::from(caller), entry).await?;
        Ok(token)
    })
    .await
}

/// Makes a new token; the old one stops working with the commit.
///
/// # Errors
/// `workspace_not_found`; `idempotency_key_reused`; `token_revoked` if the first answer's token was rotated since.
pub async fn rotate(app: &App, caller: &PartnerCaller, slug: &str, request: &Repeatable) -> Result<Rotated> {
    let (rotated, changed) = db::retried(|| rotate_once(app, caller, slug, request)).await?;
    Access::forget(app, &changed);
    app.signals.publish(Signal::Event);
    Ok(rotated)
}

async fn rotate_once(
    app: &App,
    caller: &PartnerCaller,
    slug: &str,
    request: &Repeatable,
) -> Result<(Rotated, Changed)> {
    db::write(&app.db, "token.rotate_partner_api", async |tx| {
        let workspace = workspaces::find(tx, &caller.partner.id, slug).await?;
        let workspace = workspaces::lock(tx, workspace.id).await?;
        let changed = Changed::from(&workspace);
        if let Some(first) = request.begin::<Rotated>(app, tx).await? {
            let current = store::current_partner_api(tx, workspace.id).await?;
            let is_current = current.is_some_and(|row| row.id == first.id);
            return if is_current { Ok((first, changed)) } else { Err(Error::TokenRevoked) };
        }
        let rotated_at = app.clock.now();
        let old = store::current_partner_api(tx, workspace.id).await?.map(|row| row.id);
        store::revoke_partner_api(tx, workspace.id, rotated_at).await?;
        access::record(app, tx, &changed).await?;
        let (id, token) = insert(app, tx, &workspace).await?;
        let entry = audit::Entry::in_workspace("token.rotate", &workspace, id).before(old).after(id);
        audit::record(app, tx, &Origin::from(caller), entry).await?;
        let told = EventBody::TokenRotated { at: rotated_at };
        webhook::emit(app, tx, &NewEvent::in_workspace(&workspace, told)).await?;
        let rotated = Rotated { id, token: token.expose_secret().to_owned(), rotated_at };
        request.finish(app, tx, &rotated).await?;
        Ok((rotated, changed))
    })
    .await
}

async fn insert(app: &App, tx: &DatabaseTransaction, workspace: &workspace::Model) -> Result<(TokenId, SecretString)> {
    let id = TokenId(app.clock.uuid());
    let token = secret::generate(&app.clock, PREFIX);
    let owner = workspace.owner_user_id.ok_or_else(|| Error::Internal("a workspace has no owner".to_owned()))?;
    let row = store::NewRow {
        id,
        user_id: owner,
        kind: Kind::PartnerApi,
        name: "Partner API".to_owned(),
        scopes: Scopes::all(),
        digest: secret::digest(token.expose_secret()),
        sealed: Some(app.vault.seal(&purpose(id), token.expose_secret().as_bytes())?),
    };
    store::insert(app, tx, workspace.id, row).await?;
    Ok((id, token))
}

fn open(app: &App, id: TokenId, sealed: Option<&[u8]>) -> Result<SecretString> {
    app.vault.open_text(&purpose(id), sealed.ok_or(Error::Sealed)?)
}

fn purpose(id: TokenId) -> String {
    format!("tokens:{id}")
}
