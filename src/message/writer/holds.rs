//! Ending the meter's holds after a batch, and telling it what the ledger has left.

use std::collections::BTreeMap;

use entity::{
    credits::Credits,
    id::{PartnerId, WorkspaceId},
};

use crate::{
    app::App,
    message::{send::Sending, writer::charge::Charged},
    meter::{Settlement, Snapshot},
    quota::Period,
};

#[derive(Default)]
struct Held {
    generation: i64,
    newest: i64,
    before: i64,
}

impl Held {
    fn add(&mut self, generation: i64, credits: i64) {
        if generation > self.generation {
            self.before = if generation == self.generation + 1 { self.newest } else { 0 };
            (self.generation, self.newest) = (generation, 0);
        }
        if generation == self.generation {
            self.newest += credits;
        } else if generation == self.generation - 1 {
            self.before += credits;
        }
    }
}

/// Gives back the holds of messages that never reached the writer.
pub(super) async fn give_back(app: &App, sendings: &[Sending]) {
    settle(app, sendings, &[]).await;
}

/// Ends the holds of a batch. `ledger` is what the commit left; empty if there was none.
pub(super) async fn settle(app: &App, sendings: &[Sending], ledger: &[Charged]) {
    let now = app.clock.now();
    let Ok(period) = Period::containing(now) else { return };
    let mut workspaces: BTreeMap<WorkspaceId, (&PartnerId, Held)> = BTreeMap::new();
    for sending in sendings {
        let workspace = &sending.caller.workspace;
        let (_, held) = workspaces.entry(workspace.id).or_insert((&workspace.partner_id, Held::default()));
        if let Some(hold) = sending.hold {
            held.add(hold.generation, hold.credits.0);
        }
    }
    for (workspace_id, (partner_id, held)) in workspaces {
        let left = ledger.iter().find(|charged| charged.workspace_id == workspace_id);
        let snapshot = left.map(|charged| Snapshot {
            revision: charged.figures.revision,
            left: charged.figures.messages_left,
            calls: 0,
        });
        let settlement = Settlement {
            now,
            period,
            snapshot,
            generation: held.generation,
            held: Credits(held.newest),
            held_before: Credits(held.before),
        };
        app.meter.settle(partner_id, workspace_id, &settlement).await;
    }
}
