//! Ending the meter's holds after a batch, and telling it what the ledger has left.

use entity::credits::Credits;

use crate::{
    app::App,
    message::{send::Sending, writer::charge::Charged},
    meter::{Settlement, Snapshot},
};

/// Gives back the holds of messages that never reached the writer.
pub(super) fn give_back(app: &App, sendings: &[Sending]) {
    settle(app, sendings, &[]);
}

/// Ends the holds of a batch. `ledger` is what the commit left; empty if there was none.
pub(super) fn settle(app: &App, sendings: &[Sending], ledger: &[Charged]) {
    let now = app.clock.now();
    for sending in sendings {
        let workspace = &sending.caller.workspace;
        if let Some(hold) = sending.hold {
            let ended = Settlement::ending(now, hold.period, hold.generation, hold.credits);
            app.meter.settle(&workspace.partner_id, workspace.id, &ended);
        }
    }
    for charged in ledger {
        let partner = sendings.iter().find(|one| one.caller.workspace.id == charged.workspace_id);
        let Some(partner) = partner else { continue };
        let snapshot =
            Some(Snapshot { revision: charged.figures.revision, left: charged.figures.messages_left, calls: 0 });
        let learnt = Settlement { snapshot, ..Settlement::ending(now, charged.figures.period, 0, Credits::ZERO) };
        app.meter.settle(&partner.caller.workspace.partner_id, charged.workspace_id, &learnt);
    }
}
