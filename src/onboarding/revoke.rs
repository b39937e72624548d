//! Taking links back, with the attempts that run on them.

use entity::{
    id::{LinkId, UserId},
    link, workspace,
};
use sea_orm::DatabaseTransaction;

use crate::{
    app::App,
    audit,
    caller::{Origin, PartnerCaller},
    db,
    error::Result,
    onboarding::{
        state::{self, Event},
        store,
    },
    queue::{self, Work},
    signal::Signal,
    workspace as workspaces,
};

/// Takes the user's open link back; without one, nothing happens. Tells whether there was one.
///
/// # Errors
/// `workspace_not_found`, `user_not_found`.
pub async fn revoke(app: &App, caller: &PartnerCaller, slug: &str, user_id: UserId) -> Result<bool> {
    let now = app.clock.now();
    let revoked = db::retried(|| async {
        db::write(&app.db, "link.revoke", async |tx| {
            let workspace = workspaces::find(tx, &caller.partner.id, slug).await?;
            workspaces::find_user(tx, &workspace, user_id).await?;
            of_user(app, tx, &Origin::from(caller), &workspace, user_id).await
        })
        .await
    })
    .await?;
    for link in &revoked {
        app.signals.publish(Signal::Link(link.id));
    }
    app.signals.publish(Signal::Work);
    Ok(revoked.iter().any(|link| link.expires_at > now))
}

/// As [`of_user`], telling only which.
pub(crate) async fn revoke_of_user(
    app: &App,
    tx: &DatabaseTransaction,
    origin: &Origin,
    workspace: &workspace::Model,
    user_id: UserId,
) -> Result<Vec<LinkId>> {
    Ok(of_user(app, tx, origin, workspace, user_id).await?.into_iter().map(|link| link.id).collect())
}

/// Closes all links of a user that are not closed yet, expired ones included, and cancels their attempts.
pub(super) async fn of_user(
    app: &App,
    tx: &DatabaseTransaction,
    origin: &Origin,
    workspace: &workspace::Model,
    user_id: UserId,
) -> Result<Vec<link::Model>> {
    let links = store::lock_open_of_user(tx, workspace.id, user_id).await?;
    for link in &links {
        store::close_link(app, tx, link.id, link::State::Revoked).await?;
        if let Some(attempt) = store::live_attempt(tx, link.id).await?
            && let Some(cancelled) = state::next(attempt.state, Event::Cancelled)
        {
            store::end_attempt(app, tx, &attempt, cancelled, None, None).await?;
            if let Some(connector) = attempt.connector {
                queue::enqueue(app, tx, &Work::EndSession { connector, session: attempt.id }).await?;
            }
        }
        audit::record(app, tx, origin, audit::Entry::in_workspace("link.revoke", workspace, link.id)).await?;
    }
    Ok(links)
}
