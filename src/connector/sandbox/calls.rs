//! A linked simulated phone has had a call.

use entity::{
    call::{Direction, Outcome},
    id::CallId,
};
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    call::{self, Ended},
    connector::sandbox::{phones::Scope, store},
    db,
    error::{Error, Result},
    idempotency::Repeatable,
    message::Jid,
    phone::Phone,
};

/// A call that has ended.
#[derive(Clone, Debug)]
pub struct Call {
    /// The linked phone.
    pub phone: Phone,
    /// The other side.
    pub with: Phone,
    /// Which way it went.
    pub direction: Direction,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether it was a video call.
    pub is_video: bool,
    /// How long they spoke.
    pub duration_seconds: Option<i64>,
}

/// What the linked devices of the phone heard of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// The call, once in each workspace that the phone is linked to.
    pub calls: Vec<CallId>,
}

/// Has a phone had a call. All its linked devices hear of it, as those of a real one do.
///
/// # Errors
/// `phone_not_linked` if no account of the scope is connected to it; as [`Ended::check`].
pub async fn hang_up(app: &App, scope: &Scope, command: &Call, request: &Repeatable) -> Result<Heard> {
    Ended::check(command.direction, command.outcome, command.duration_seconds)?;
    db::retried(|| hang_up_once(app, scope, command, request)).await
}

async fn hang_up_once(app: &App, scope: &Scope, command: &Call, request: &Repeatable) -> Result<Heard> {
    db::write(&app.db, "sandbox.call", async |tx| {
        if let Some(done) = request.begin(app, tx).await? {
            return Ok(done);
        }
        let provider_ref = format!("sandbox-{}", app.clock.uuid());
        let mut calls = Vec::new();
        for session in store::whatsapp_of(tx, scope, &command.phone).await? {
            let ended = Ended {
                session: session.id,
                with: Jid::of(&command.with),
                direction: command.direction,
                outcome: command.outcome,
                is_video: command.is_video,
                duration_seconds: command.duration_seconds,
                provider_ref: provider_ref.clone(),
            };
            match call::store_ended(app, tx, &ended).await {
                Ok(id) => calls.push(id),
                // The phone knows the device; the account is another's, or not connected any more.
                Err(Error::ChannelNotConnected) => {}
                Err(error) => return Err(error),
            }
        }
        if calls.is_empty() {
            return Err(Error::PhoneNotLinked);
        }
        let heard = Heard { calls };
        request.finish(app, tx, &heard).await?;
        Ok(heard)
    })
    .await
}
