//! Counting how often a template is used. A count is no change of the template and is not audited.

use crate::{
    app::App,
    caller::WorkspaceCaller,
    db,
    error::{Error, Result},
    template::{not_found, parse_id, sees, store},
};

/// Longest word for where a template was used, in characters.
const MAX_ORIGIN_CHARS: usize = 64;

/// Counts one use. `origin` is where it was used, in the caller's words; it is looked at and not kept.
///
/// # Errors
/// `text_template_not_found`, for one that the caller's user does not see too; `invalid_request` naming `origin`.
pub async fn track(app: &App, caller: &WorkspaceCaller, id: &str, origin: Option<&str>) -> Result<()> {
    if origin.is_some_and(|origin| origin.chars().count() > MAX_ORIGIN_CHARS || origin.contains('\0')) {
        return Err(Error::field("origin", format!("must be at most {MAX_ORIGIN_CHARS} characters, without U+0000")));
    }
    db::retried(|| track_once(app, caller, id)).await
}

async fn track_once(app: &App, caller: &WorkspaceCaller, id: &str) -> Result<()> {
    db::write(&app.db, "template.track_usage", async |tx| {
        let found = store::find(tx, caller.workspace.id, parse_id(id)?).await?;
        let template = found.filter(|template| sees(&caller.user, template)).ok_or_else(|| not_found(id))?;
        store::count_use(app, tx, &template).await
    })
    .await
}
