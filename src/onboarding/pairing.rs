//! A code to type into the phone instead of scanning, at most three times per link. It does not rotate with the QR
//! code and keeps its attempt alive until its own end.

use entity::{attempt, attempt::State, id::LinkId};

use crate::{
    app::App,
    audit,
    caller::{Actor, Origin},
    db,
    error::{Error, Result},
    onboarding::{MAX_PAIRING_CODES, end_of, open, store},
    phone::Phone,
    signal::Signal,
};

/// Asks for a pairing code for this number. The number counts even if the network refuses it.
///
/// # Errors
/// `link_…` as for starting; `no_live_attempt`; `pairing_codes_spent`; `pairing_refused`; `provider_unavailable`,
/// `provider_limited`.
pub async fn request(app: &App, link_id: LinkId, phone: &Phone, request_id: &str) -> Result<()> {
    let attempt = db::retried(|| take(app, link_id, request_id)).await?;
    let connector = attempt.connector.ok_or(Error::NoLiveAttempt)?;
    let code = app.connectors.get(connector).pairing_code(app, attempt.id, phone).await?;
    db::write(&app.db, "attempt.pairing_code", async |tx| {
        let link = store::lock(tx, link_id).await?.ok_or(Error::LinkNotFound)?;
        let alive = store::live_attempt(tx, link_id).await?.filter(|alive| alive.id == attempt.id);
        let alive = alive.ok_or(Error::NoLiveAttempt)?;
        let ends = alive.expires_at.max(code.expires_at).min(link.expires_at);
        store::set_pairing_code(app, tx, &alive, &code, ends).await
    })
    .await?;
    app.signals.publish(Signal::Link(link_id));
    Ok(())
}

/// Takes one of the link's pairing codes.
async fn take(app: &App, link_id: LinkId, request_id: &str) -> Result<attempt::Model> {
    db::write(&app.db, "attempt.take_pairing_code", async |tx| {
        let link = store::lock(tx, link_id).await?.ok_or(Error::LinkNotFound)?;
        if let Some(end) = end_of(&link, app.clock.now()) {
            return Err(Error::LinkClosed(end));
        }
        let (workspace, _) = open::check_served(tx, &link).await?;
        let attempt = store::live_attempt(tx, link_id).await?;
        let attempt = attempt.filter(|attempt| attempt.state == State::AwaitingScan).ok_or(Error::NoLiveAttempt)?;
        if link.pairing_codes_used >= MAX_PAIRING_CODES {
            return Err(Error::PairingCodesSpent);
        }
        store::count_pairing_code(tx, &link).await?;
        let origin = Origin { actor: Actor::Link(link_id), request_id: Some(request_id.to_owned()) };
        let entry = audit::Entry::in_workspace("attempt.request_pairing_code", &workspace, attempt.id);
        audit::record(app, tx, &origin, entry).await?;
        Ok(attempt)
    })
    .await
}
