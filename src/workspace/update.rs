//! Renaming a workspace and changing its seats.
//!
//! A downgrade below the seats in use suspends users ([`crate::workspace::seats`] says which), their channels and
//! their links; raising the seats restores them, the latest suspended first. A suspended channel sends nothing, keeps its
//! session, and goes on receiving, so that nothing is lost that somebody writes meanwhile; only web chats are closed. An
//! account whose place somebody else has taken meanwhile stays off until the seats are set again when there is one.

use entity::{
    id::{LinkId, UserId},
    user,
    workspace::{ActiveModel, Model},
};
use sea_orm::{DatabaseTransaction, Set};
use serde::Serialize;

use crate::{
    app::App,
    audit,
    caller::{Origin, PartnerCaller},
    channel::{self, limit::Places},
    db,
    error::Result,
    onboarding, quota,
    signal::Signal,
    token::access::{self, Access, Changed},
    user as users,
    webhook::{
        hook::{self, HookEvent},
        subscription::Topic,
        tell,
    },
    workspace::{self, DisplayName, Seats, SuspendedMember, TimeZoneName, seats, store},
};

/// What to change; absent members stay as they are.
#[derive(Clone, Debug, Default, Serialize)]
pub struct UpdateWorkspace {
    /// Name for people; the id stays.
    pub display_name: Option<DisplayName>,
    /// Seats bought.
    pub seats: Option<Seats>,
    /// Zone of the Public API's times.
    pub time_zone: Option<TimeZoneName>,
}

/// What it became.
pub struct Updated {
    /// The workspace.
    pub workspace: Model,
    /// Who lost a seat, in the order of suspension.
    pub suspended: Vec<SuspendedMember>,
}

/// Changes a workspace.
///
/// # Errors
/// `workspace_not_found`.
pub async fn update(app: &App, caller: &PartnerCaller, slug: &str, command: &UpdateWorkspace) -> Result<Updated> {
    let (updated, links) = db::retried(|| update_once(app, caller, slug, command)).await?;
    for link in links {
        app.signals.publish(Signal::Link(link));
    }
    Access::forget(app, &Changed::from(&updated.workspace));
    app.signals.publish(Signal::Work);
    Ok(updated)
}

async fn update_once(
    app: &App,
    caller: &PartnerCaller,
    slug: &str,
    command: &UpdateWorkspace,
) -> Result<(Updated, Vec<LinkId>)> {
    db::write(&app.db, "workspace.update", async |tx| {
        let found = workspace::find(tx, &caller.partner.id, slug).await?;
        let before = store::lock(tx, found.id).await?;
        let origin = Origin::from(caller);
        let mut change = ActiveModel { updated_at: Set(app.clock.now()), ..Default::default() };
        if let Some(name) = &command.display_name {
            change.display_name = Set(name.as_str().to_owned());
            change.display_name_folded = Set(name.folded());
        }
        if let Some(zone) = &command.time_zone {
            change.time_zone = Set(zone.as_str().to_owned());
        }
        let mut suspended = Vec::new();
        let mut restored = Vec::new();
        let mut links = Vec::new();
        if let Some(total) = command.seats {
            if total.get() < before.seats_total {
                (suspended, links) = downgrade(app, tx, &origin, &before, total).await?;
            } else {
                restored = upgrade(app, tx, &before, total).await?;
            }
            let count = |length: usize| i32::try_from(length).unwrap_or(0);
            change.seats_total = Set(total.get());
            change.seats_used = Set(before.seats_used - count(suspended.len()) + count(restored.len()));
        }
        let workspace = store::save(tx, &before, change).await?;
        if command.seats.is_some() {
            quota::notify::seats_changed(app, tx, &workspace).await?;
        }
        access::record(app, tx, &Changed::from(&workspace)).await?;
        let entry = audit::Entry::in_workspace("workspace.update", &workspace, &workspace.slug)
            .before(serde_json::json!({
                "display_name": before.display_name, "seats": before.seats_total, "time_zone": before.time_zone,
            }))
            .after(serde_json::json!({
                "display_name": workspace.display_name, "seats": workspace.seats_total,
                "time_zone": workspace.time_zone, "suspended": suspended, "restored": restored,
            }));
        audit::record(app, tx, &origin, entry).await?;
        Ok((Updated { workspace, suspended }, links))
    })
    .await
}

/// Suspends as many users as no longer fit.
async fn downgrade(
    app: &App,
    tx: &DatabaseTransaction,
    origin: &Origin,
    before: &Model,
    total: Seats,
) -> Result<(Vec<SuspendedMember>, Vec<LinkId>)> {
    quota::keep_granted(app, tx, before).await?;
    let surplus = usize::try_from(before.seats_used - total.get()).unwrap_or(0);
    let holders: Vec<seats::Holder> = users::holders(tx, before.id).await?;
    let mut suspended = Vec::new();
    let mut links = Vec::new();
    for user_id in seats::to_suspend(&holders, surplus) {
        users::suspend(app, tx, before.id, user_id).await?;
        // Links before accounts: a phone that is connecting holds the link's row and may add an account.
        links.extend(onboarding::revoke_of_user(app, tx, origin, before, user_id).await?);
        let account = channel::suspend_of_user(app, tx, before.id, user_id).await?;
        if let Some((account, true)) = &account {
            tell::account(app, tx, Topic::AccountSuspended, account).await?;
            tell_hooks(app, tx, HookEvent::Deactivated, account).await?;
        }
        suspended.push(SuspendedMember { user_id, account: account.map(|(found, _)| (found.account_id, found.phone)) });
    }
    Ok((suspended, links))
}

/// Restores as many suspended users as fit now.
async fn upgrade(app: &App, tx: &DatabaseTransaction, before: &Model, total: Seats) -> Result<Vec<UserId>> {
    quota::grant_seats(app, tx, before, total.get()).await?;
    let free = u64::try_from(total.get() - before.seats_used).unwrap_or(0);
    let restored: Vec<user::Model> = users::latest_suspended(tx, before.id, free).await?;
    let after = Model { seats_total: total.get(), ..before.clone() };
    let mut places = Places::of(tx, &after).await?;
    for user_id in channel::kept_off(tx, before.id).await? {
        come_back(app, tx, &mut places, before, user_id).await?;
    }
    for user in &restored {
        users::restore(app, tx, before.id, user.id).await?;
        come_back(app, tx, &mut places, before, user.id).await?;
    }
    Ok(restored.into_iter().map(|user| user.id).collect())
}

/// Switches on again what the user's pages have linked, if there is a place for it.
async fn come_back(
    app: &App,
    tx: &DatabaseTransaction,
    places: &mut Places,
    workspace: &Model,
    user_id: UserId,
) -> Result<()> {
    let is_on = places.has_one_for(user_id);
    if !channel::set_suspended_of_user(app, tx, workspace.id, user_id, !is_on).await? || !is_on {
        return Ok(());
    }
    places.give(user_id);
    if let Some(account) = channel::resume_of_user(app, tx, workspace.id, user_id).await? {
        tell::account(app, tx, Topic::AccountResumed, &account).await?;
        tell_hooks(app, tx, HookEvent::Activated, &account).await?;
    }
    Ok(())
}

/// Tells webhooks of the Channels API that seats have switched an account off or on, unless its customer has.
async fn tell_hooks(
    app: &App,
    tx: &DatabaseTransaction,
    happened: HookEvent,
    account: &entity::channel::Model,
) -> Result<()> {
    match account.deactivated {
        true => Ok(()),
        false => hook::tell::channel(app, tx, happened, account, serde_json::json!({ "reason": "seats" })).await,
    }
}
