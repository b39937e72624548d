//! Whom a token lets in.

use std::sync::Arc;

use entity::{partner, token::Kind, user, workspace};

use crate::{
    app::App,
    caller::WorkspaceCaller,
    error::{Error, Result},
    partner as partners, plan,
    quota::threshold::Thresholds,
    token::{
        PREFIX, Scopes,
        access::{Access, Refusal, Verdict, stripe_of_partner, stripe_of_workspace},
        store,
    },
    user as users, workspace as workspaces,
};

/// Longest text that can be a token of ours: prefix and 43 characters.
const MAX_TOKEN_BYTES: usize = 64;

/// Finds out whose token this is.
///
/// # Errors
/// `invalid_token` for an unknown or revoked one; `workspace_suspended` if the workspace or its partner is kept out;
/// `member_not_found` if the token's user holds no seat.
pub async fn check(app: &App, token: &str) -> Result<Arc<WorkspaceCaller>> {
    if !token.starts_with(PREFIX) || token.len() > MAX_TOKEN_BYTES {
        return Err(Error::InvalidToken);
    }
    app.access.of(app, token).await
}

/// Reads from the database what is to be remembered of a token, with the epochs from before it was read.
pub(super) async fn read(app: &App, access: &Access, digest: &[u8]) -> Result<(Verdict, Vec<(usize, u64)>)> {
    let db = app.db.reader();
    let refused = |refusal, epochs| Ok((Verdict::Refused(refusal), epochs));
    let Some(found) = store::by_digest(db, digest).await? else { return refused(Refusal::Unknown, Vec::new()) };
    let stripe = stripe_of_workspace(found.workspace_id);
    let mut epochs = vec![(stripe, access.epoch(stripe))];
    // Once more, now that its workspace's epoch is known: it may have been revoked in between.
    let Some(row) = store::by_digest(db, digest).await? else { return refused(Refusal::Unknown, epochs) };
    let Some(workspace) = workspaces::by_id(db, row.workspace_id).await? else {
        return refused(Refusal::Unknown, epochs);
    };
    let stripe = stripe_of_partner(&workspace.partner_id);
    epochs.push((stripe, access.epoch(stripe)));
    let Some(partner) = partners::find(db, &workspace.partner_id).await? else {
        return refused(Refusal::Unknown, epochs);
    };
    if workspace.status != workspace::Status::Active || partner.status != partner::Status::Active {
        return refused(Refusal::Suspended, epochs);
    }
    let seated = users::find(db, workspace.id, row.user_id).await?;
    let Some(user) = seated.filter(|user| user.status == user::Status::Activated) else {
        return refused(Refusal::NoSeat, epochs);
    };
    let plan = plan::by_id(db, workspace.plan_id).await?;
    let caller = WorkspaceCaller {
        token_id: row.id,
        workspace,
        user,
        scopes: if row.kind == Kind::PartnerApi { Scopes::all() } else { Scopes::from_stored(&row.scopes) },
        plan,
        thresholds: Thresholds::from_stored(&partner.thresholds),
    };
    Ok((Verdict::Admitted(Arc::new(caller)), epochs))
}
