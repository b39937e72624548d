//! Creating users within the seats: all of a request or none.

use entity::{user, workspace};
use sea_orm::DatabaseTransaction;
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    audit,
    caller::{Origin, PartnerCaller},
    db,
    error::{Error, Result},
    idempotency::Repeatable,
    quota,
    signal::Signal,
    user::{Count, NewUsers, Snapshot, store},
    workspace as workspaces,
};

/// What was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Created {
    /// The workspace afterwards.
    pub workspace: workspaces::Snapshot,
    /// The new users, by id.
    pub users: Vec<Snapshot>,
}

/// Creates `count` agents, each with a seat.
///
/// # Errors
/// `workspace_not_found`; `seats_full` if there are fewer free seats, nothing created; `idempotency_key_reused`.
pub async fn create(
    app: &App,
    caller: &PartnerCaller,
    slug: &str,
    count: Count,
    request: &Repeatable,
) -> Result<Created> {
    let created = db::retried(|| create_once(app, caller, slug, count, request)).await?;
    app.signals.publish(Signal::Event);
    Ok(created)
}

async fn create_once(
    app: &App,
    caller: &PartnerCaller,
    slug: &str,
    count: Count,
    request: &Repeatable,
) -> Result<Created> {
    let partner_id = &caller.partner.id;
    db::write(&app.db, "user.create", async |tx| {
        if let Some(done) = request.begin(app, tx).await? {
            return Ok(done);
        }
        let found = workspaces::find(tx, partner_id, slug).await?;
        let taken = workspaces::take_seats(app, tx, partner_id, &found.slug, count.get()).await?;
        let workspace = workspaces::find(tx, partner_id, slug).await?;
        if !taken {
            let available = workspace.seats_total - workspace.seats_used;
            return Err(Error::SeatsFull { requested: count.get(), available });
        }
        let group_id = workspace.group_id.ok_or_else(|| Error::Internal("no default group".to_owned()))?;
        let agents = NewUsers { role: user::Role::Agent, count: count.get(), group_id };
        let users = insert(app, tx, &workspace, &agents).await?;
        quota::notify::seats_changed(app, tx, &workspace).await?;
        let ids: Vec<_> = users.iter().map(|user| user.id).collect();
        let entry = audit::Entry::in_workspace("user.create", &workspace, &workspace.slug).after(ids);
        audit::record(app, tx, &Origin::from(caller), entry).await?;
        let users = users.iter().map(Snapshot::from).collect();
        let created = Created { workspace: workspaces::Snapshot::from(&workspace), users };
        request.finish(app, tx, &created).await?;
        Ok(created)
    })
    .await
}

/// Writes users whose seats are taken already, and names them by their ids.
pub(crate) async fn insert(
    app: &App,
    tx: &DatabaseTransaction,
    workspace: &workspace::Model,
    new: &NewUsers,
) -> Result<Vec<user::Model>> {
    let mail_host = format!("partners.{}", app.config.public_host());
    store::insert(app, tx, workspace, new, &mail_host).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_of_the_first_release_can_still_be_replayed() {
        let kept = r#"{"workspace":{"slug":"bakery","display_name":"Bakery","plan_id":1,"status":"active","seats_total":3,
            "seats_used":2,"owner_user_id":1,"group_id":1,"time_zone":"UTC","created_at":0,"updated_at":0},"users":[{"id":2,
            "display_name":"Agent 2","email":"2@x","role":"agent","status":"activated","created_at":0}]}"#;
        let created: Created = serde_json::from_str(kept).expect("a stored outcome stays readable");
        assert_eq!(created.users[0].id, entity::id::UserId(2));
    }
}
