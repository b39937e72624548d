//! What the writer remembers from batch to batch, so that it need not ask again.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use entity::{
    id::{AccountId, ChatId, WorkspaceId},
    timestamp::Timestamp,
};

use crate::message::writer::store::Held;

/// A chat as the network knows it: through which account, with which id.
pub(super) type Address = (AccountId, String);

/// Most chats, and most workspaces, that are remembered; then remembering begins anew.
const MOST: usize = 100_000;
/// How many batches of a workspace ask again after somebody else has changed what was remembered of it: where another
/// process sends for the same workspace, remembering would be in vain for most of them.
const PAUSE: u8 = 16;

/// Whose a chat is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) workspace_id: WorkspaceId,
    pub(super) account_id: AccountId,
}

/// What is remembered.
#[derive(Default)]
pub(super) struct Memory {
    chats: Mutex<Chats>,
    workspaces: Mutex<HashMap<WorkspaceId, Remembered>>,
}

/// An account has one chat with each id on the network, and a chat stays with its account, for ever.
#[derive(Default)]
struct Chats {
    by_address: HashMap<Address, ChatId>,
    by_id: HashMap<ChatId, Place>,
}

/// What a period's row and a balance were after a commit.
struct Remembered {
    period_start: Timestamp,
    held: Held,
    /// How many batches are still to ask.
    pause: u8,
}

impl Memory {
    /// The id of a chat.
    pub(super) fn chat_at(&self, address: &Address) -> Option<ChatId> {
        lock(&self.chats).by_address.get(address).copied()
    }

    /// Whose a chat is.
    pub(super) fn place_of(&self, id: ChatId) -> Option<Place> {
        lock(&self.chats).by_id.get(&id).copied()
    }

    /// Remembers chats that a commit has shown or made.
    pub(super) fn learn_addresses(&self, chats: impl IntoIterator<Item = (Address, ChatId)>) {
        let mut known = lock(&self.chats);
        if known.by_address.len() > MOST {
            known.by_address.clear();
        }
        known.by_address.extend(chats);
    }

    /// Remembers whose chats are.
    pub(super) fn learn_places(&self, chats: impl IntoIterator<Item = (ChatId, Place)>) {
        let mut known = lock(&self.chats);
        if known.by_id.len() > MOST {
            known.by_id.clear();
        }
        known.by_id.extend(chats);
    }

    /// A workspace as it was left in this period, unless others change it too.
    pub(super) fn held(&self, id: WorkspaceId, period_start: Timestamp) -> Option<Held> {
        let known = lock(&self.workspaces);
        let known = known.get(&id).filter(|known| known.pause == 0 && known.period_start == period_start)?;
        Some(known.held.clone())
    }

    /// Remembers how a commit has left workspaces.
    pub(super) fn learn_workspaces(&self, period_start: Timestamp, workspaces: Vec<Held>) {
        let mut known = lock(&self.workspaces);
        if known.len() > MOST {
            known.clear();
        }
        for held in workspaces {
            let pause = known.get(&held.workspace_id).map_or(0, |known| known.pause.saturating_sub(1));
            known.insert(held.workspace_id, Remembered { period_start, held, pause });
        }
    }

    /// Somebody else has changed a workspace.
    pub(super) fn distrust(&self, id: WorkspaceId) {
        if let Some(known) = lock(&self.workspaces).get_mut(&id) {
            known.pause = PAUSE;
        }
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
