//! Making a workspace: owner, group, seats and grant in one transaction.

use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    audit,
    caller::{Origin, PartnerCaller},
    credit, db,
    error::Result,
    idempotency::Repeatable,
    quota,
    signal::Signal,
    user::{self, NewUsers},
    workspace::{DisplayName, Seats, Snapshot, TimeZoneName, slug, store},
};

/// A workspace to be made.
#[derive(Clone, Debug, Serialize)]
pub struct CreateWorkspace {
    /// Name for people; the id is derived from it.
    pub display_name: DisplayName,
    /// Seats bought, the owner's included.
    pub seats: Seats,
    /// Zone of the Public API's times.
    pub time_zone: TimeZoneName,
}

/// What was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Created {
    /// The workspace.
    pub workspace: Snapshot,
}

/// Makes a workspace on the partner's plan, with an owner who holds one seat and a default group.
///
/// # Errors
/// `workspace_creation_failed` if the partner has one with the derived id; `idempotency_key_reused`.
pub async fn create(
    app: &App,
    caller: &PartnerCaller,
    command: &CreateWorkspace,
    request: &Repeatable,
) -> Result<Created> {
    let created = db::retried(|| create_once(app, caller, command, request)).await?;
    app.signals.publish(Signal::Event);
    Ok(created)
}

async fn create_once(
    app: &App,
    caller: &PartnerCaller,
    command: &CreateWorkspace,
    request: &Repeatable,
) -> Result<Created> {
    let slug = slug::derive(&command.display_name);
    db::write(&app.db, "workspace.create", async |tx| {
        if let Some(done) = request.begin(app, tx).await? {
            return Ok(done);
        }
        let workspace = store::insert(app, tx, &caller.partner, &slug, command).await?;
        let group_id = user::insert_default_group(tx, workspace.id).await?;
        let owner = NewUsers { role: entity::user::Role::Owner, count: 1, group_id };
        let owner = user::create::insert(app, tx, &workspace, &owner).await?;
        let owner_id = owner.first().map(|owner| owner.id);
        let workspace = store::set_owner(tx, &workspace, owner_id, group_id).await?;
        credit::open_wallet(tx, workspace.id).await?;
        quota::take(app, tx, workspace.id).await?;
        quota::notify::seats_changed(app, tx, &workspace).await?;
        let entry = audit::Entry::in_workspace("workspace.create", &workspace, &workspace.slug).after(command);
        audit::record(app, tx, &Origin::from(caller), entry).await?;
        let created = Created { workspace: Snapshot::from(&workspace) };
        request.finish(app, tx, &created).await?;
        Ok(created)
    })
    .await
}
