//! The meter of one process: exact while it is the only one, the fallback for rates while Redis is away.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use entity::{
    id::{PartnerId, TokenId, WorkspaceId},
    timestamp::Timestamp,
};

use crate::meter::{
    Ask, Settlement, Subject, Verdict,
    rule::{self, HOLD_MICROS, State, Tats},
};

/// What is kept per workspace.
#[derive(Default)]
struct Workspace {
    state: Option<State>,
    tokens: HashMap<TokenId, i64>,
}

#[derive(Default)]
struct Known {
    partners: HashMap<PartnerId, i64>,
    workspaces: HashMap<WorkspaceId, Workspace>,
}

/// The meter of one process.
#[derive(Default)]
pub struct Local {
    known: Mutex<Known>,
}

impl Local {
    /// Answers an ask.
    pub fn admit(&self, subject: Subject<'_>, ask: &Ask) -> Verdict {
        let mut known = self.known();
        let partner = known.partners.get(subject.partner_id).copied().unwrap_or(0);
        let workspace = known.workspaces.entry(subject.workspace_id).or_default();
        let token = workspace.tokens.get(&subject.token_id).copied().unwrap_or(0);
        let mut tats = Tats { token, partner };
        let verdict = rule::admit(&mut workspace.state, &mut tats, ask);
        if let Verdict::Allowed { .. } = verdict {
            workspace.tokens.insert(subject.token_id, tats.token);
            if let Some(tat) = known.partners.get_mut(subject.partner_id) {
                *tat = tats.partner;
            } else {
                known.partners.insert(subject.partner_id.clone(), tats.partner);
            }
        }
        verdict
    }

    /// Ends holds and learns what the ledger knows.
    pub fn settle(&self, workspace_id: WorkspaceId, settlement: &Settlement) {
        if let Some(workspace) = self.known().workspaces.get_mut(&workspace_id) {
            rule::settle(&mut workspace.state, settlement);
        }
    }

    /// Credits held for a workspace.
    pub fn held(&self, workspace_id: WorkspaceId) -> i64 {
        let known = self.known();
        let state = known.workspaces.get(&workspace_id).and_then(|workspace| workspace.state.as_ref());
        state.map_or(0, State::all_held)
    }

    /// Forgets what says nothing any more: windows that are empty, workspaces that have not sent for a while. They are
    /// told again from the ledger when they come back.
    pub fn prune(&self, now: Timestamp) {
        let mut known = self.known();
        known.partners.retain(|_, tat| *tat > now.0);
        known.workspaces.retain(|_, workspace| {
            workspace.tokens.retain(|_, tat| *tat > now.0);
            let is_recent = |state: &State| state.tat + 2 * HOLD_MICROS > now.0;
            !workspace.tokens.is_empty() || workspace.state.as_ref().is_some_and(is_recent)
        });
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // What is kept is valid after each statement, so a panic elsewhere spoils nothing.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
