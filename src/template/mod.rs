//! Text templates: texts that are written once and sent often.
//!
//! Who sees one: a private template only its author; one for a team the team's members, its author and those in
//! charge; any other everybody in the workspace. What somebody does not see does not exist for them. Whoever sees a
//! public template may change and delete it; a read-only one only its author and those in charge. Whoever sees a
//! template may use it.

use std::collections::HashMap;

use entity::{
    id::{GroupId, TemplateId, UserId, WorkspaceId},
    text_template::{Model, Visibility},
    user,
};
use serde::Serialize;

use crate::{
    app::App,
    caller::WorkspaceCaller,
    error::{Error, Result},
    user as users,
};

pub mod change;
mod store;
pub mod usage;

/// Longest name, in characters.
pub const MAX_NAME_CHARS: usize = 160;
/// Longest text, in characters.
pub const MAX_TEXT_CHARS: usize = 4096;
/// Most templates of one workspace.
pub const MAX_TEMPLATES: u64 = 1000;

/// The name of a template: 1 to 160 characters, no control characters, no white space around it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Name(String);

impl Name {
    /// Reads a name.
    ///
    /// # Errors
    /// `invalid_request` naming `name`.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let fits = (1..=MAX_NAME_CHARS).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        let reason = || format!("must be 1 to {MAX_NAME_CHARS} characters, none of them a control character");
        if fits { Ok(Self(text.to_owned())) } else { Err(Error::field("name", reason())) }
    }
}

/// The text of a template: 1 to 4096 characters without U+0000.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Text(String);

impl Text {
    /// Reads a text.
    ///
    /// # Errors
    /// `invalid_request` naming `text`.
    pub fn parse(text: String) -> Result<Self> {
        let fits = text.chars().count() <= MAX_TEXT_CHARS && !text.trim().is_empty() && !text.contains('\0');
        let reason = || format!("must be 1 to {MAX_TEXT_CHARS} characters, without U+0000");
        if fits { Ok(Self(text)) } else { Err(Error::field("text", reason())) }
    }
}

/// Reads who may see and change a template.
///
/// # Errors
/// `invalid_request` naming `visibility`.
pub fn parse_visibility(text: &str) -> Result<Visibility> {
    match text {
        "public" => Ok(Visibility::Public),
        "private" => Ok(Visibility::Private),
        "read-only" => Ok(Visibility::ReadOnly),
        _ => Err(Error::field("visibility", "must be public, private or read-only")),
    }
}

/// Whether a user sees a template.
fn sees(user: &user::Model, template: &Model) -> bool {
    let is_author = template.created_by == user.id;
    match template.visibility {
        Visibility::Private => is_author,
        Visibility::Public | Visibility::ReadOnly => {
            is_author || user.is_in_charge() || template.group_id.is_none_or(|group| group == user.group_id)
        }
    }
}

/// Whether a user may change a template that it sees.
fn may_change(user: &user::Model, template: &Model) -> bool {
    template.visibility != Visibility::ReadOnly || template.created_by == user.id || user.is_in_charge()
}

/// Templates with what they are shown with.
pub struct Templates {
    /// The templates, those that were changed last first.
    pub templates: Vec<Model>,
    /// Their authors, and who changed them last.
    pub users: HashMap<UserId, user::Model>,
    /// Titles of teams.
    pub teams: HashMap<GroupId, String>,
}

/// All templates that the caller's user sees.
///
/// # Errors
/// What the database says.
pub async fn list(app: &App, caller: &WorkspaceCaller) -> Result<Templates> {
    let all = store::all(app.db.reader(), caller.workspace.id).await?;
    let seen = all.into_iter().filter(|template| sees(&caller.user, template)).collect();
    surrounded(app, caller.workspace.id, seen).await
}

/// One template that the caller's user sees.
///
/// # Errors
/// `text_template_not_found`.
pub async fn get(app: &App, caller: &WorkspaceCaller, id: &str) -> Result<Templates> {
    let found = store::find(app.db.reader(), caller.workspace.id, parse_id(id)?).await?;
    let found = found.filter(|template| sees(&caller.user, template)).ok_or_else(|| not_found(id))?;
    surrounded(app, caller.workspace.id, vec![found]).await
}

/// Templates with what they are shown with.
async fn surrounded(app: &App, workspace_id: WorkspaceId, templates: Vec<Model>) -> Result<Templates> {
    let db = app.db.reader();
    let ids = templates.iter().flat_map(|template| [template.created_by, template.updated_by]);
    let users = users::by_ids(db, workspace_id, ids).await?;
    let teams = users::groups(db, workspace_id).await?.into_iter().map(|group| (group.id, group.name)).collect();
    Ok(Templates { templates, users, teams })
}

/// Reads a template's number as it stands in a path.
///
/// # Errors
/// `text_template_not_found`: what is no number is nobody's template.
pub fn parse_id(text: &str) -> Result<TemplateId> {
    let number = text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    number.ok_or_else(|| not_found(text))
}

fn not_found(id: impl ToString) -> Error {
    Error::TextTemplateNotFound(id.to_string())
}

#[cfg(test)]
mod tests {
    use entity::timestamp::Timestamp;

    use super::*;

    fn user(id: i64, role: user::Role, group: i64) -> user::Model {
        user::Model {
            id: UserId(id),
            workspace_id: WorkspaceId(1),
            group_id: GroupId(group),
            role,
            display_name: String::new(),
            email: String::new(),
            status: user::Status::Activated,
            suspension_order: None,
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
        }
    }

    fn template(visibility: Visibility, group: Option<i64>) -> Model {
        Model {
            id: TemplateId(1),
            workspace_id: WorkspaceId(1),
            name: String::new(),
            text: String::new(),
            visibility,
            group_id: group.map(GroupId),
            created_by: UserId(1),
            created_at: Timestamp(0),
            updated_by: UserId(1),
            updated_at: Timestamp(0),
            uses: 0,
            last_used_at: None,
        }
    }

    #[test]
    fn who_sees_and_changes_what() {
        use Visibility::{Private, Public, ReadOnly};
        use user::Role::{Admin, Agent, Owner};
        let author = user(1, Agent, 1);
        let (mate, stranger) = (user(2, Agent, 1), user(3, Agent, 2));
        let (owner, admin) = (user(4, Owner, 3), user(5, Admin, 3));
        // Author, teammate, member of another team, owner, admin: sees and may change.
        for (visibility, group, expected) in [
            (Public, None, ["sc", "sc", "sc", "sc", "sc"]),
            (Public, Some(1), ["sc", "sc", "", "sc", "sc"]),
            (ReadOnly, None, ["sc", "s", "s", "sc", "sc"]),
            (ReadOnly, Some(1), ["sc", "s", "", "sc", "sc"]),
            (Private, None, ["sc", "", "", "", ""]),
            (Private, Some(1), ["sc", "", "", "", ""]),
        ] {
            let template = template(visibility, group);
            let rights = |user: &user::Model| match (sees(user, &template), may_change(user, &template)) {
                (true, true) => "sc",
                (true, false) => "s",
                (false, _) => "",
            };
            assert_eq!([&author, &mate, &stranger, &owner, &admin].map(rights), expected, "{visibility} {group:?}");
        }
    }

    #[test]
    fn names_and_texts_have_lengths() {
        assert!(Name::parse(&"ä".repeat(MAX_NAME_CHARS)).is_ok());
        assert!(Text::parse("ä\n".repeat(MAX_TEXT_CHARS / 2)).is_ok());
        for bad in ["", " ", "a\nb", &"x".repeat(MAX_NAME_CHARS + 1)] {
            assert!(Name::parse(bad).is_err(), "{bad:?}");
        }
        for bad in ["", "\n", "a\0", &"x".repeat(MAX_TEXT_CHARS + 1)] {
            assert!(Text::parse(bad.to_owned()).is_err());
        }
        assert!(parse_visibility("Public").is_err());
        assert!(parse_id("x").is_err());
    }
}
