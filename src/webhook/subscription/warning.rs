//! Telling people by mail that a subscription's address does not work (`contracts/timelines.md` §4.1). It is never
//! switched off for that.
//!
//! Once for each run of failures, when it has become [`ERRORS_BEFORE_WARNING`] tries long: whoever is in charge of the
//! workspace and has a mailbox is told. The owner that is made with a workspace has none, so the admins are told as
//! well. Nothing is done where mail is not configured.

use entity::{
    id::{SubscriptionId, UserId, WorkspaceId},
    user,
};
use sea_orm::DatabaseTransaction;

use crate::{
    app::App,
    error::Result,
    mail::Mail,
    partner as partners,
    queue::{self, Work},
    user as users,
    webhook::subscription::store,
    workspace as workspaces,
};

/// Tries that failed one after the other before somebody is told: three events that were given up.
pub const ERRORS_BEFORE_WARNING: i64 = 9;

/// Whether the last `errors` of now `counter` failures made the run so long.
#[must_use]
pub(crate) const fn is_due(counter: i64, errors: i64) -> bool {
    counter >= ERRORS_BEFORE_WARNING && counter - errors < ERRORS_BEFORE_WARNING
}

/// Stores the work of telling, one for each mailbox.
pub(crate) async fn enqueue(
    app: &App,
    tx: &DatabaseTransaction,
    workspace_id: WorkspaceId,
    id: SubscriptionId,
) -> Result<()> {
    if !app.mailer.is_configured() {
        return Ok(());
    }
    let without_mailbox = format!("@partners.{}", app.config.public_host());
    for user in users::in_charge(tx, workspace_id).await? {
        if !user.email.ends_with(&without_mailbox) {
            let work = Work::WarnOfWebhook { workspace: workspace_id, user: user.id, subscription: id };
            queue::enqueue(app, tx, &work).await?;
        }
    }
    Ok(())
}

/// Tells one user, unless the address works again, is not used any more, or the user has left.
///
/// # Errors
/// `provider_unavailable` if the mail server does not take it now.
pub(crate) async fn send(app: &App, workspace_id: WorkspaceId, user_id: UserId, id: SubscriptionId) -> Result<()> {
    let db = app.db.reader();
    let Some(subscription) = store::find_any(db, workspace_id, id).await? else { return Ok(()) };
    if !subscription.enabled || subscription.errors_counter < ERRORS_BEFORE_WARNING {
        return Ok(());
    }
    let Some(user) = users::find(db, workspace_id, user_id).await? else { return Ok(()) };
    let Some(workspace) = workspaces::by_id(db, workspace_id).await? else { return Ok(()) };
    let Some(partner) = partners::find(db, &workspace.partner_id).await? else { return Ok(()) };
    if user.status != user::Status::Activated || !user.is_in_charge() || !app.mailer.is_configured() {
        return Ok(());
    }
    // Paths of such addresses are often secrets.
    let host = subscription.url.parse::<reqwest::Url>().ok().and_then(|url| url.host_str().map(str::to_owned));
    let name = &workspace.display_name;
    let text = format!(
        "Hello {},\n\nthe webhook {id} of {name}, which tells {} of {}, has failed {} times in a row.\n\n\
         It stays switched on, and what happens from now on is still sent to it. What was given up is in its log, from \
         where it can be sent again. You will not hear of this again before it has worked once.\n",
        user.display_name,
        host.as_deref().unwrap_or("its address"),
        subscription.events.as_ref().unwrap_or(&subscription.event_type),
        subscription.errors_counter,
    );
    let subject = format!("A webhook of {name} does not work");
    let from_name = partner.brand_name.as_deref().unwrap_or(&partner.name);
    app.mailer.send(&app.outbound, Mail { to: &user.email, from_name, subject: &subject, text }).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_failures_is_told_once() {
        for (counter, errors, expected) in
            [(8, 1, false), (9, 1, true), (10, 1, false), (12, 5, true), (14, 5, false), (9, 9, true), (30, 30, true)]
        {
            assert_eq!(is_due(counter, errors), expected, "{counter} {errors}");
        }
    }
}
