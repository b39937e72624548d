//! Labels of a chat: replaced as a whole or added to, made when they are first used, their case kept.

use std::collections::BTreeSet;

use serde_json::json;

use crate::{
    app::App,
    audit,
    caller::{Origin, WorkspaceCaller},
    chat::{parse_id, store},
    db,
    error::{Error, Result},
    message::optional_label,
};

/// Most labels of one chat.
pub const MAX_LABELS: usize = 100;

/// Labels as they were given: each once, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels(BTreeSet<String>);

impl Labels {
    /// Reads labels of 1 to 64 characters on one line each, at most 100 of them.
    ///
    /// # Errors
    /// `invalid_request` naming `labels`.
    pub fn parse(labels: Vec<String>) -> Result<Self> {
        if labels.len() > MAX_LABELS {
            return Err(too_many());
        }
        let read = |label: String| {
            let label = optional_label("labels", Some(label))?;
            label.ok_or_else(|| Error::field("labels", "must not be empty texts"))
        };
        labels.into_iter().map(read).collect::<Result<_>>().map(Self)
    }
}

/// What is done with labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// They are all that the chat has.
    Replace,
    /// The chat has them as well.
    Add,
}

/// The labels of a chat, in order.
///
/// # Errors
/// `chat_not_found`.
pub async fn of_chat(app: &App, caller: &WorkspaceCaller, id: &str) -> Result<Vec<String>> {
    let (db, workspace_id) = (app.db.reader(), caller.workspace.id);
    let chat = store::find(db, workspace_id, parse_id(id)?).await?;
    let chat = chat.ok_or_else(|| Error::ChatNotFound(id.to_owned()))?;
    Ok(store::labels(db, workspace_id, [chat.id]).await?.remove(&chat.id).unwrap_or_default())
}

/// Changes the labels of a chat; tells all that it has then, in order.
///
/// # Errors
/// `chat_not_found`; `invalid_request` if there would be more than 100.
pub async fn change(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    id: &str,
    change: Change,
    labels: &Labels,
) -> Result<Vec<String>> {
    db::retried(|| change_once(app, caller, origin, id, change, labels)).await
}

async fn change_once(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    id: &str,
    change: Change,
    Labels(given): &Labels,
) -> Result<Vec<String>> {
    let workspace_id = caller.workspace.id;
    db::write(&app.db, "chat.label", async |tx| {
        let chat = store::lock(tx, workspace_id, parse_id(id)?).await?;
        let chat = chat.ok_or_else(|| Error::ChatNotFound(id.to_owned()))?;
        let before = store::labels(tx, workspace_id, [chat.id]).await?.remove(&chat.id).unwrap_or_default();
        let before: BTreeSet<String> = before.into_iter().collect();
        let after = match change {
            Change::Replace => given.clone(),
            Change::Add => before.union(given).cloned().collect(),
        };
        if after.len() > MAX_LABELS {
            return Err(too_many());
        }
        if after != before {
            store::drop_labels(tx, &chat, before.difference(&after)).await?;
            store::put_labels(tx, &chat, after.difference(&before)).await?;
            let entry = audit::Entry::in_workspace("chat.label", &caller.workspace, chat.id)
                .before(json!({ "labels": before }))
                .after(json!({ "labels": after }));
            audit::record(app, tx, origin, entry).await?;
        }
        Ok(after.into_iter().collect())
    })
    .await
}

fn too_many() -> Error {
    Error::field("labels", format!("must be at most {MAX_LABELS} for one chat"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::MAX_LABEL_CHARS;

    #[test]
    fn labels_are_bounded_and_each_is_there_once() {
        let parse = |labels: &[&str]| Labels::parse(labels.iter().map(|label| (*label).to_owned()).collect());
        let Labels(labels) = parse(&["vip", " VIP ", "vip"]).expect("labels");
        assert_eq!(labels.into_iter().collect::<Vec<_>>(), ["VIP", "vip"]);
        assert!(parse(&[]).is_ok());
        assert!(parse(&["x".repeat(MAX_LABEL_CHARS).as_str()]).is_ok());
        for bad in ["", " ", "a\0", "a\nb", "a\u{2028}b", &"x".repeat(MAX_LABEL_CHARS + 1)] {
            assert!(parse(&[bad]).is_err(), "{bad:?}");
        }
        assert!(parse(&["x"; MAX_LABELS]).is_ok());
        assert!(parse(&["x"; MAX_LABELS + 1]).is_err());
    }
}
