//! Writing, changing and deleting templates.

use entity::{
    id::{GroupId, TemplateId, WorkspaceId},
    text_template::{ActiveModel, Model, Visibility},
};
use sea_orm::{DatabaseTransaction, Set};
use serde::Serialize;
use serde_json::json;

use crate::{
    app::App,
    audit,
    caller::{Origin, WorkspaceCaller},
    db,
    error::{Error, Result},
    idempotency::Repeatable,
    template::{MAX_TEMPLATES, Name, Templates, Text, may_change, not_found, parse_id, sees, store, surrounded},
    user as users, workspace,
};

const READ_ONLY: &str = "only its author, the owner and admins change a read-only template";

/// A template to be written.
#[derive(Clone, Debug, Serialize)]
pub struct NewTemplate {
    /// Its name.
    pub name: Name,
    /// Its text.
    pub text: Text,
    /// Who may see and change it.
    pub visibility: Visibility,
    /// Title of the team that it is for; for all where absent.
    pub team: Option<String>,
}

/// What to change of a template; absent members stay as they are.
#[derive(Clone, Debug, Default)]
pub struct UpdateTemplate {
    /// Its name.
    pub name: Option<Name>,
    /// Its text.
    pub text: Option<Text>,
    /// Who may see and change it.
    pub visibility: Option<Visibility>,
    /// Title of the team that it is for; `Some(None)` for all.
    pub team: Option<Option<String>>,
}

/// Writes a template.
///
/// # Errors
/// `team_not_found`; `too_many_templates`; `idempotency_key_reused`.
pub async fn create(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    new: &NewTemplate,
    request: &Repeatable,
) -> Result<Templates> {
    let id = db::retried(|| create_once(app, caller, origin, new, request)).await?;
    shown(app, caller.workspace.id, id).await
}

async fn create_once(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    new: &NewTemplate,
    request: &Repeatable,
) -> Result<TemplateId> {
    let workspace_id = caller.workspace.id;
    db::write(&app.db, "template.create", async |tx| {
        if let Some(done) = request.begin(app, tx).await? {
            return Ok(done);
        }
        // Taken, so that those who write at the same time are counted one after the other.
        workspace::lock(tx, workspace_id).await?;
        if store::count(tx, workspace_id).await? >= MAX_TEMPLATES {
            return Err(Error::TooManyTemplates(MAX_TEMPLATES));
        }
        let group_id = team(tx, workspace_id, new.team.as_deref()).await?;
        let now = app.clock.now();
        let row = ActiveModel {
            workspace_id: Set(workspace_id),
            name: Set(new.name.0.clone()),
            text: Set(new.text.0.clone()),
            visibility: Set(new.visibility),
            group_id: Set(group_id),
            created_by: Set(caller.user.id),
            created_at: Set(now),
            updated_by: Set(caller.user.id),
            updated_at: Set(now),
            uses: Set(0),
            last_used_at: Set(None),
            ..Default::default()
        };
        let template = store::insert(tx, row).await?;
        let entry =
            audit::Entry::in_workspace("template.create", &caller.workspace, template.id).after(kept(&template));
        audit::record(app, tx, origin, entry).await?;
        request.finish(app, tx, &template.id).await?;
        Ok(template.id)
    })
    .await
}

/// Changes a template. What is so already changes nothing.
///
/// # Errors
/// `text_template_not_found`, for one that the caller's user does not see too; `permission_denied`; `team_not_found`.
pub async fn update(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    id: &str,
    command: &UpdateTemplate,
) -> Result<Templates> {
    let id = db::retried(|| update_once(app, caller, origin, id, command)).await?;
    shown(app, caller.workspace.id, id).await
}

async fn update_once(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    id: &str,
    command: &UpdateTemplate,
) -> Result<TemplateId> {
    db::write(&app.db, "template.update", async |tx| {
        let before = changeable(tx, caller, id).await?;
        let mut change = ActiveModel::default();
        if let Some(Name(name)) = command.name.as_ref().filter(|name| name.0 != before.name) {
            change.name = Set(name.clone());
        }
        if let Some(Text(text)) = command.text.as_ref().filter(|text| text.0 != before.text) {
            change.text = Set(text.clone());
        }
        if let Some(visibility) = command.visibility.filter(|visibility| *visibility != before.visibility) {
            change.visibility = Set(visibility);
        }
        if let Some(title) = &command.team {
            let group_id = team(tx, caller.workspace.id, title.as_deref()).await?;
            if group_id != before.group_id {
                change.group_id = Set(group_id);
            }
        }
        if change == ActiveModel::default() {
            return Ok(before.id);
        }
        change.updated_by = Set(caller.user.id);
        change.updated_at = Set(app.clock.now());
        let after = store::save(tx, &before, change).await?;
        let entry = audit::Entry::in_workspace("template.update", &caller.workspace, before.id)
            .before(kept(&before))
            .after(kept(&after));
        audit::record(app, tx, origin, entry).await?;
        Ok(before.id)
    })
    .await
}

/// Deletes a template.
///
/// # Errors
/// `text_template_not_found`, for one that the caller's user does not see too; `permission_denied`.
pub async fn delete(app: &App, caller: &WorkspaceCaller, origin: &Origin, id: &str) -> Result<()> {
    db::retried(|| delete_once(app, caller, origin, id)).await
}

async fn delete_once(app: &App, caller: &WorkspaceCaller, origin: &Origin, id: &str) -> Result<()> {
    db::write(&app.db, "template.delete", async |tx| {
        let before = changeable(tx, caller, id).await?;
        store::delete(tx, &before).await?;
        let entry = audit::Entry::in_workspace("template.delete", &caller.workspace, before.id).before(kept(&before));
        audit::record(app, tx, origin, entry).await
    })
    .await
}

/// The template, taken for this transaction, if the caller's user may change it.
async fn changeable(tx: &DatabaseTransaction, caller: &WorkspaceCaller, id: &str) -> Result<Model> {
    let found = store::lock(tx, caller.workspace.id, parse_id(id)?).await?;
    let template = found.filter(|template| sees(&caller.user, template)).ok_or_else(|| not_found(id))?;
    if may_change(&caller.user, &template) { Ok(template) } else { Err(Error::PermissionDenied(READ_ONLY)) }
}

async fn team(tx: &DatabaseTransaction, workspace_id: WorkspaceId, title: Option<&str>) -> Result<Option<GroupId>> {
    match title {
        None => Ok(None),
        Some(title) => users::group_of_title(tx, workspace_id, title).await.map(|group| Some(group.id)),
    }
}

async fn shown(app: &App, workspace_id: WorkspaceId, id: TemplateId) -> Result<Templates> {
    let found = store::find(app.db.reader(), workspace_id, id).await?.ok_or_else(|| not_found(id))?;
    surrounded(app, workspace_id, vec![found]).await
}

/// What the audit keeps.
fn kept(template: &Model) -> serde_json::Value {
    json!({ "name": template.name, "visibility": template.visibility, "group_id": template.group_id })
}
