//! The simulated provider: phones that live in the database.
//!
//! A session shows five QR codes of 20 seconds each and then ends, as a real one does. A pairing code lives three
//! minutes on its own, whatever the QR codes do. What a phone does is played by [`phones`].
//!
//! Numbers that fail when they are linked, by their last six digits (the same on every call):
//!
//! | ends in | what happens |
//! |---|---|
//! | `000402` | scanning or pairing ends the session with `payment_required` |
//! | `000403` | scanning or pairing ends the session with `banned` |
//! | `000408` | the phone scans or pairs and then hangs; the session runs out |
//! | `000429` | a pairing code for this number is refused (`pairing_refused`) |
//!
//! Recipients that fail when something is sent to them, by the last six digits of number or group:
//!
//! | ends in | what happens |
//! |---|---|
//! | `000404` | the number is not on the network: rejected (`not_on_network`) |
//! | `000410` | accepted; later it fails after all (`undeliverable`) |
//! | `000429` | the first try is put off for 5 s by the provider's rate limit; the second is accepted |
//! | `000503` | the first try meets a temporary error; the second is accepted |
//! | `000504` | the answer is lost, but the message arrives and its receipts come |
//! | `000505` | the answer is lost, and so is the message |
//!
//! What is accepted arrives, is delivered after `sandbox_receipt_ms` and read after twice that. What simulated
//! recipients write to a linked phone comes through [`inbound`], and calls through [`calls`].

use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_STANDARD};
use entity::{
    attempt::Failure,
    id::{AttemptId, PartnerId},
    sandbox_session::{Model, State},
};

use crate::{
    app::App,
    connector::{Account, Connector, Delivery, Observation, Outgoing, OutgoingReaction, PairingCode, Qr},
    db,
    error::{Error, Result},
    phone::Phone,
};

pub mod calls;
pub mod inbound;
pub mod phones;
pub mod reactions;
mod recipients;
mod store;

const CODES: i32 = 5;
const CODE_SECONDS: i64 = 20;
const PAIRING_SECONDS: i64 = 180;
const PAIRING_TRIES: usize = 5;

/// The simulated provider's connector.
#[derive(Default)]
pub struct Sandbox;

#[async_trait]
impl Connector for Sandbox {
    async fn start(&self, app: &App, session: AttemptId, partner_id: &PartnerId) -> Result<Observation> {
        let payloads: Vec<String> = (0..CODES).map(|_| new_payload(app)).collect();
        db::write(&app.db, "sandbox.start", async |tx| {
            if store::insert_session(app, tx, session, partner_id).await? {
                store::insert_codes(app, tx, session, payloads, CODE_SECONDS).await?;
            }
            Ok(())
        })
        .await?;
        self.observe(app, session).await
    }

    async fn observe(&self, app: &App, session: AttemptId) -> Result<Observation> {
        let Some(row) = store::find(app.db.reader(), session).await? else {
            return Ok(Observation::Ended(Failure::ProviderUnavailable));
        };
        match row.state {
            State::Waiting => waiting(app, &row).await,
            State::Linked => {
                let number = row.phone.as_deref().ok_or(Error::ProviderUnavailable)?;
                let phone = Phone::parse(number)?;
                let name = format!("Sandbox {}", &number[number.len() - 4..]);
                Ok(Observation::Connected(Account { phone, name }))
            }
            State::Banned => Ok(Observation::Ended(Failure::Banned)),
            State::PaymentRequired => Ok(Observation::Ended(Failure::PaymentRequired)),
            State::LoggedOut => Ok(Observation::Ended(Failure::LoggedOut)),
            State::Closed => Ok(Observation::Ended(Failure::ProviderUnavailable)),
        }
    }

    async fn pairing_code(&self, app: &App, session: AttemptId, phone: &Phone) -> Result<PairingCode> {
        if phone.as_str().ends_with("000429") {
            return Err(Error::PairingRefused);
        }
        let expires_at = app.clock.now().plus_seconds(PAIRING_SECONDS);
        for _ in 0..PAIRING_TRIES {
            let code = format!("{:08}", u32::from_be_bytes(app.clock.random()) % 100_000_000);
            let stored = db::write(&app.db, "sandbox.pairing_code", async |tx| {
                store::set_pairing(tx, session, &code, phone, expires_at).await
            })
            .await?;
            match stored {
                store::Pairing::Stored => return Ok(PairingCode { code, expires_at }),
                store::Pairing::NotWaiting => return Err(Error::PairingRefused),
                store::Pairing::Taken => {}
            }
        }
        Err(Error::ProviderUnavailable)
    }

    async fn send(&self, app: &App, outgoing: &Outgoing) -> Delivery {
        recipients::send(app, outgoing).await
    }

    async fn react(&self, app: &App, outgoing: &OutgoingReaction) -> Result<()> {
        db::write(&app.db, "sandbox.react", async |tx| {
            if !store::is_linked(tx, outgoing.session).await? {
                return Err(Error::ProviderUnavailable);
            }
            store::set_reaction(app, tx, outgoing).await
        })
        .await
    }

    async fn end(&self, app: &App, session: AttemptId) -> Result<()> {
        db::write(&app.db, "sandbox.end", async |tx| store::close(tx, session).await).await
    }
}

/// The code of the current window, or the end of the row.
async fn waiting(app: &App, row: &Model) -> Result<Observation> {
    let now = app.clock.now();
    if let Some(code) = store::current_code(app.db.reader(), row.id, now).await? {
        let look_again_at = code.expires_at;
        let qr = Qr { payload: code.payload, seq: code.seq, expires_at: code.expires_at };
        return Ok(Observation::Waiting { qr: Some(qr), look_again_at });
    }
    match row.pairing_expires_at {
        Some(look_again_at) if look_again_at > now => Ok(Observation::Waiting { qr: None, look_again_at }),
        _ => Ok(Observation::Ended(Failure::QrExpired)),
    }
}

/// A payload in the form of WhatsApp's: a version, then four parts of random bytes.
fn new_payload(app: &App) -> String {
    let part = || BASE64_STANDARD.encode(app.clock.random::<32>());
    format!("2@{},{},{},{}", part(), part(), part(), part())
}
