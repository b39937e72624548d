//! Changing a chat: its name, who looks after it, whether it is closed, read, and answered automatically.
//!
//! Names that are given, here or with a message, are unique in the workspace without regard to case, and are kept for
//! good: a chat that has one can be given another, also its own number, but no network renames it. What networks tell
//! takes no name from anybody, and two accounts may talk to one number, so the rule is one of those who give and not of
//! the table. Names that are being given wait for one another on the workspace's row.

use entity::{
    chat::{ActiveModel, Model},
    id::WorkspaceId,
    user,
};
use sea_orm::{DatabaseTransaction, Set};
use serde_json::json;

use crate::{
    app::App,
    audit, bot,
    caller::{Origin, WorkspaceCaller},
    channel::traffic,
    chat::{self, ChatDetails, parse_id, store},
    db,
    error::{Error, Result},
    message::{MAX_CHAT_NAME_CHARS, is_unprintable},
    user as users,
    webhook::tell,
    workspace::{self, composed, fold},
};

/// Most characters of a name from outside that are looked at.
const MAX_OUTSIDE_CHARS: usize = 4 * MAX_CHAT_NAME_CHARS;

/// A name that is given: 1 to 256 characters on one line, no control characters, no white space around it, something to
/// be seen; composed, so that what looks alike is alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// Reads a name.
    ///
    /// # Errors
    /// `invalid_request` naming `name`.
    pub fn parse(text: &str) -> Result<Self> {
        Self::parse_field("name", text)
    }

    /// Reads a name from a field that is called otherwise.
    ///
    /// # Errors
    /// `invalid_request` naming the field.
    pub fn parse_field(field: &'static str, text: &str) -> Result<Self> {
        let name = composed(text.trim());
        if !(1..=MAX_CHAT_NAME_CHARS).contains(&name.chars().count()) {
            return Err(Error::field(field, format!("must be 1 to {MAX_CHAT_NAME_CHARS} characters")));
        }
        if name.chars().any(is_unprintable) {
            return Err(Error::field(field, "must not contain line breaks and control characters"));
        }
        if name.chars().all(|char| is_unseen(char) || is_turning(char)) {
            return Err(Error::field(field, "must have something in it that can be seen"));
        }
        Ok(Self(name))
    }

    /// Makes a name of what somebody outside calls themselves or their group: on one line, without what turns text
    /// around, and as long as names may be; `None` if nothing of it can be seen.
    #[must_use]
    pub fn from_outside(text: &str) -> Option<Self> {
        let plain = text.chars().take(MAX_OUTSIDE_CHARS).filter(|char| !is_turning(*char));
        let plain: String = plain.map(|char| if char.is_control() { ' ' } else { char }).collect();
        let line = plain.split_whitespace().collect::<Vec<_>>().join(" ");
        let name: String = composed(&line).chars().take(MAX_CHAT_NAME_CHARS).collect();
        let name = name.trim_end();
        name.chars().any(|char| !is_unseen(char)).then(|| Self(name.to_owned()))
    }

    /// As it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As it was given.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

/// Whether it changes the direction of what follows, other names included.
const fn is_turning(char: char) -> bool {
    matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether nothing is seen where it stands.
const fn is_unseen(char: char) -> bool {
    matches!(char, ' ' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{3164}' | '\u{feff}')
}

/// Who is to look after a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Responsible {
    /// Nobody.
    Nobody,
    /// The member with this address.
    Member(String),
}

impl Responsible {
    /// Reads an e-mail address; nothing stands for nobody.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.trim() {
            "" => Self::Nobody,
            email => Self::Member(email.to_owned()),
        }
    }
}

/// What to change; absent members stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpdateChat {
    /// What it is called.
    pub name: Option<Name>,
    /// Who looks after it.
    pub responsible: Option<Responsible>,
    /// Whether it is closed.
    pub closed: Option<bool>,
    /// Whether it has been read.
    pub read: Option<bool>,
    /// Whether it is answered automatically; switching it on also ends that somebody's own reply had stopped it.
    pub autoresponse: Option<bool>,
}

/// Who looked after a chat before a change, and who does after it.
struct Assignment {
    old: Option<user::Model>,
    new: Option<user::Model>,
}

impl Assignment {
    fn is_change(&self) -> bool {
        self.old.as_ref().map(|user| user.id) != self.new.as_ref().map(|user| user.id)
    }
}

/// Changes a chat. What is so already changes nothing and is not written down.
///
/// # Errors
/// `chat_not_found`; `chat_name_taken`; `responsible_not_found` for an address of nobody, `user_not_active` for one
/// whose member holds no seat.
pub async fn update(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    id: &str,
    command: &UpdateChat,
) -> Result<ChatDetails> {
    db::retried(|| update_once(app, caller, origin, id, command)).await?;
    chat::get(app, caller.workspace.id, id).await
}

async fn update_once(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    id: &str,
    command: &UpdateChat,
) -> Result<()> {
    let workspace_id = caller.workspace.id;
    let not_found = || Error::ChatNotFound(id.to_owned());
    db::write(&app.db, "chat.update", async |tx| {
        if command.name.is_some() {
            // Before the chat's row, here as everywhere.
            workspace::lock(tx, workspace_id).await?;
        }
        let before = store::lock(tx, workspace_id, parse_id(id)?).await?.ok_or_else(not_found)?;
        let assignment = assign(tx, workspace_id, &before, command.responsible.as_ref()).await?;
        let Some(change) = change(tx, &before, command, &assignment).await? else { return Ok(()) };
        let after = store::save(app, tx, &before, change).await?;
        if after.closed && !before.closed {
            let seconds = before.created_at.millis_until(app.clock.now()) / 1000;
            traffic::count_closed(app, tx, before.account_id, 1, seconds).await?;
        }
        if command.autoresponse == Some(true) {
            bot::turn::forgive(tx, workspace_id, before.id).await?;
        }
        if assignment.is_change() {
            tell::responsible(app, tx, workspace_id, before.id, assignment.old.as_ref()).await?;
        }
        let entry = audit::Entry::in_workspace("chat.update", &caller.workspace, before.id)
            .before(shown(&before, assignment.old.as_ref()))
            .after(shown(&after, assignment.new.as_ref()));
        audit::record(app, tx, origin, entry).await
    })
    .await
}

/// Finds out who looks after the chat now, and who is to.
async fn assign(
    tx: &DatabaseTransaction,
    workspace_id: WorkspaceId,
    before: &Model,
    wanted: Option<&Responsible>,
) -> Result<Assignment> {
    let old = match before.responsible_user_id {
        Some(id) => users::find(tx, workspace_id, id).await?,
        None => None,
    };
    let new = match wanted {
        None => old.clone(),
        Some(Responsible::Nobody) => None,
        Some(Responsible::Member(email)) => {
            let found = users::by_email(tx, workspace_id, &fold(email)).await?;
            let member = found.ok_or_else(|| Error::ResponsibleNotFound(email.clone()))?;
            let is_same = before.responsible_user_id == Some(member.id);
            if member.status != user::Status::Activated && !is_same {
                return Err(Error::UserNotActive);
            }
            Some(member)
        }
    };
    Ok(Assignment { old, new })
}

/// The columns that differ; `None` if none do.
async fn change(
    tx: &DatabaseTransaction,
    before: &Model,
    command: &UpdateChat,
    assignment: &Assignment,
) -> Result<Option<ActiveModel>> {
    let mut change = ActiveModel::default();
    if let Some(Name(name)) = command.name.as_ref().filter(|name| !before.name_given || name.0 != before.name) {
        if let Some(other) = store::other_of_name(tx, before, &fold(name)).await? {
            return Err(Error::ChatNameTaken { name: name.clone(), chat: other });
        }
        change.name = Set(name.clone());
        change.name_folded = Set(fold(name));
        change.name_given = Set(true);
    }
    if assignment.is_change() {
        change.responsible_user_id = Set(assignment.new.as_ref().map(|user| user.id));
    }
    if let Some(closed) = command.closed.filter(|closed| *closed != before.closed) {
        change.closed = Set(closed);
    }
    if let Some(read) = command.read.filter(|read| *read != before.read) {
        change.read = Set(read);
        change.unread = Set(0);
    }
    if let Some(on) = command.autoresponse.filter(|on| *on != before.autoresponse || before.autoresponse_locked) {
        change.autoresponse = Set(on);
        change.autoresponse_locked = Set(false);
    }
    Ok((change != ActiveModel::default()).then_some(change))
}

/// What the audit keeps; names of chats are names of people, and stay out of it.
fn shown(chat: &Model, responsible: Option<&user::Model>) -> serde_json::Value {
    json!({
        "responsible_user_id": responsible.map(|user| user.id), "closed": chat.closed, "read": chat.read,
        "autoresponse": chat.autoresponse, "autoresponse_locked": chat.autoresponse_locked,
        "updated_at": chat.updated_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_read_once() {
        assert_eq!(Name::parse("  Ann Lee ").expect("a name"), Name("Ann Lee".to_owned()));
        assert!(Name::parse(&"ä".repeat(MAX_CHAT_NAME_CHARS)).is_ok());
        assert_eq!(Name::parse("Rene\u{301}").expect("a name"), Name("Ren\u{e9}".to_owned()));
        let long = "x".repeat(MAX_CHAT_NAME_CHARS + 1);
        for bad in
            ["", "  ", "a\nb", "a\0", "a\u{85}b", "a\u{2028}b", "\u{200b}\u{200b}", "\u{202e}\u{feff}", long.as_str()]
        {
            assert!(Name::parse(bad).is_err(), "{bad:?}");
        }
        let outside = |text: &str| Name::from_outside(text).map(|name| name.0);
        for (text, expected) in [
            (" Ann\u{0}\n Lee\t", Some("Ann Lee")),
            ("\u{202e}eeL nnA\u{2069}", Some("eeL nnA")),
            ("Rene\u{301}", Some("Ren\u{e9}")),
            ("\u{1f469}\u{200d}\u{1f373}", Some("\u{1f469}\u{200d}\u{1f373}")),
            ("", None),
            (" \u{0}\u{200b}\u{feff}\u{3164}", None),
        ] {
            assert_eq!(outside(text).as_deref(), expected, "{text:?}");
        }
        let long = outside(&"ä ".repeat(5000)).expect("a name");
        assert!(Name::parse(&long).is_ok() && long.chars().count() >= MAX_CHAT_NAME_CHARS - 1);
        assert_eq!(Responsible::parse("  "), Responsible::Nobody);
        assert_eq!(Responsible::parse(" a@b.c "), Responsible::Member("a@b.c".to_owned()));
    }
}
