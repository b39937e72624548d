//! What messages bring for their chats besides themselves: a name, which no other chat of the workspace may have been
//! given, and a label, of which a chat has only so many. A message that breaks a rule is refused before it is charged.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use entity::id::{ChatId, WorkspaceId};
use sea_orm::DatabaseTransaction;

use crate::{
    chat::{self, labels::MAX_LABELS},
    error::{Error, Result},
    message::{
        send::Sending,
        writer::resolve::{Chat, Places},
    },
    workspace::{self, fold},
};

/// Names and labels of a batch, and whatever stands in their way.
#[derive(Default)]
pub(super) struct Brought {
    /// Chats that were given a name which the batch brings, by workspace and folded name.
    named: HashMap<(WorkspaceId, String), Vec<Chat>>,
    /// The labels of chats for which the batch brings some.
    labels: HashMap<Chat, BTreeSet<String>>,
}

impl Brought {
    /// Has whoever gives names in these workspaces wait for one another. Comes before the rows of the periods, as the
    /// row of a workspace does everywhere.
    pub(super) async fn lock(tx: &DatabaseTransaction, sendings: &[&Sending]) -> Result<()> {
        let naming = sendings.iter().filter(|one| one.command.chat_name.is_some());
        let workspaces: BTreeSet<WorkspaceId> = naming.map(|one| one.caller.workspace.id).collect();
        for id in workspaces {
            workspace::lock(tx, id).await?;
        }
        Ok(())
    }

    /// Reads who was given the names, and which labels there are; the rows of chats that get labels are held.
    pub(super) async fn read(tx: &DatabaseTransaction, places: &Places, sendings: &[&Sending]) -> Result<Self> {
        let mut names: BTreeMap<WorkspaceId, BTreeSet<String>> = BTreeMap::new();
        let mut labelled: BTreeMap<WorkspaceId, BTreeSet<ChatId>> = BTreeMap::new();
        for one in sendings {
            let workspace_id = one.caller.workspace.id;
            if let Some(name) = &one.command.chat_name {
                names.entry(workspace_id).or_default().insert(fold(name));
            }
            if one.command.label.is_some()
                && let Ok(route) = places.route(one)
                && let Chat::Known(id) = route.chat
            {
                labelled.entry(workspace_id).or_default().insert(id);
            }
        }
        let mut brought = Self::default();
        for (workspace_id, names) in names {
            for (id, folded) in chat::of_names(tx, workspace_id, names).await? {
                brought.named.entry((workspace_id, folded)).or_default().push(Chat::Known(id));
            }
        }
        for (workspace_id, ids) in labelled {
            for (id, labels) in chat::hold_labels(tx, workspace_id, ids).await? {
                brought.labels.insert(Chat::Known(id), labels.into_iter().collect());
            }
        }
        Ok(brought)
    }

    /// Whether the chat may have what the message brings.
    pub(super) fn check(&self, sending: &Sending, chat: &Chat) -> Result<()> {
        if let Some(name) = &sending.command.chat_name {
            let holders = self.named.get(&(sending.caller.workspace.id, fold(name)));
            match holders.into_iter().flatten().find(|holder| *holder != chat) {
                None => {}
                Some(Chat::Known(id)) => return Err(Error::ChatNameTaken { name: name.clone(), chat: *id }),
                Some(Chat::New(..)) => {
                    return Err(Error::field("chat_name", "is being given to another chat at this moment"));
                }
            }
        }
        if let Some(label) = &sending.command.label
            && let Some(labels) = self.labels.get(chat)
            && labels.len() >= MAX_LABELS
            && !labels.contains(label)
        {
            return Err(Error::field("label", format!("must be one of the {MAX_LABELS} that the chat has already")));
        }
        Ok(())
    }

    /// Remembers what an accepted message brings, for those that come after it.
    pub(super) fn note(&mut self, sending: &Sending, chat: &Chat) {
        if let Some(name) = &sending.command.chat_name {
            let holders = self.named.entry((sending.caller.workspace.id, fold(name))).or_default();
            if !holders.contains(chat) {
                holders.push(chat.clone());
            }
        }
        if let Some(label) = &sending.command.label {
            self.labels.entry(chat.clone()).or_default().insert(label.clone());
        }
    }
}
