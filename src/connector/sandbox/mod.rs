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
//! Channels that are made over the Channels API sign in by the last characters of their credentials (access token, bot
//! token, auth token, passwords, key of a service account), the same on every network:
//!
//! | ends in | what happens |
//! |---|---|
//! | `_401` | refused when the channel is connected; `credentials` fails when it is tested |
//! | `_403` | connected, but `permissions` fails |
//! | `_404` | connected, but `webhook` fails |
//! | `_423` | refused with `banned`; `credentials` fails |
//! | `_503` | the provider does not answer |
//!
//! Instagram with user name and password asks something first, by the end of the password:
//!
//! | ends in | what happens |
//! |---|---|
//! | `_otp` | a code is asked for (`OTP`) |
//! | `_2fa` | two codes are asked for, one after the other (`2FA`, then `OTP`) |
//! | `_app` | an approval in the app is asked for, which is given after ten seconds (`IN_APP_VALIDATION`) |
//! | `_captcha` | a picture is to be read, which is not sent again (`CAPTCHA`) |
//! | `_410` | a code is asked for, and whatever is answered comes too late |
//!
//! Every answer is right but `000000`. A code is sent again once in thirty seconds; nobody waits longer than five
//! minutes.
//!
//! Anything else signs in. Of WhatsApp the number is +1555 and the last seven digits of `phoneNumberId`. A WhatsApp or
//! Telegram channel without credentials waits for a phone, which scans as above.
//!
//! What people write to such a channel is played by [`inbound::write_to_channel`], or brought to the channel's own
//! address, signed, as `{"id", "from", "text"}`, with `from_name` where the network tells it.
//!
//! What is accepted arrives, is delivered after `sandbox_receipt_ms` and read after twice that. What simulated
//! recipients write to a linked phone comes through [`inbound`], what is written on it through [`outbound`], and calls
//! through [`calls`].

use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use entity::{
    attempt::Failure,
    channel::{self, Network},
    id::{AttemptId, PartnerId},
    sandbox_session::{Model, State},
};

use crate::{
    app::App,
    connector::{
        Connector, Delivery, Observation, Outgoing, OutgoingReaction, PairingCode, Qr, Start,
        target::{Check, SignIn, Target},
    },
    db,
    error::{Error, Result},
    phone::Phone,
};

mod accounts;
pub mod calls;
mod checkpoints;
pub mod devices;
mod hearing;
pub mod inbound;
pub mod outbound;
pub mod phones;
pub mod reactions;
mod recipients;
mod store;

/// What the names of simulated accounts begin with.
const NAME: &str = "Sandbox";
const CODES: i32 = 5;
const CODE_SECONDS: i64 = 20;
const PAIRING_SECONDS: i64 = 180;
const PAIRING_TRIES: usize = 5;

/// The simulated provider's connector.
#[derive(Default)]
pub struct Sandbox;

#[async_trait]
impl Connector for Sandbox {
    async fn start(&self, app: &App, start: &Start<'_>) -> Result<Observation> {
        match start.login {
            Some(login) => accounts::log_in(app, start, login).await,
            None => self.wait_for_phone(app, start.session, start.partner_id, start.network).await,
        }
    }

    async fn sign_in(&self, app: &App, target: &Target) -> Result<SignIn> {
        if accounts::signs_in(target) {
            return accounts::sign_in(app, target).await;
        }
        let waiting = self.wait_for_phone(app, target.session, &target.partner_id, target.network).await?;
        Ok(waiting.into())
    }

    async fn test(&self, app: &App, target: &Target) -> Result<Vec<Check>> {
        accounts::test(app, target).await
    }

    async fn observe(&self, app: &App, session: AttemptId) -> Result<Observation> {
        let Some(row) = store::find(app.db.reader(), session).await? else {
            return Ok(Observation::Ended(Failure::ProviderUnavailable));
        };
        match row.state {
            State::Waiting if row.checkpoint.is_some() => checkpoints::waiting(app, &row).await,
            State::Waiting => waiting(app, &row).await,
            State::Linked => accounts::observed(&row),
            State::Banned => Ok(Observation::Ended(Failure::Banned)),
            State::PaymentRequired => Ok(Observation::Ended(Failure::PaymentRequired)),
            State::LoggedOut => Ok(Observation::Ended(Failure::LoggedOut)),
            State::Closed if row.checkpoint.is_some() => Ok(Observation::Ended(Failure::ChallengeExpired)),
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

    async fn answer(&self, app: &App, session: AttemptId, answer: &str) -> Result<Observation> {
        checkpoints::answer(app, session, answer).await?;
        self.observe(app, session).await
    }

    async fn ask_again(&self, app: &App, session: AttemptId) -> Result<()> {
        checkpoints::ask_again(app, session).await
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

    async fn hear(&self, app: &App, channel: &channel::Model, body: &[u8]) -> Result<()> {
        hearing::hear(app, channel, body).await
    }

    async fn end(&self, app: &App, session: AttemptId) -> Result<()> {
        db::write(&app.db, "sandbox.end", async |tx| store::close(tx, session).await).await
    }
}

impl Sandbox {
    /// Starts a session that shows codes, or finds it started already.
    async fn wait_for_phone(
        &self,
        app: &App,
        session: AttemptId,
        partner_id: &PartnerId,
        network: Network,
    ) -> Result<Observation> {
        let payloads: Vec<String> = (0..CODES).map(|_| new_payload(app, network)).collect();
        db::write(&app.db, "sandbox.start", async |tx| {
            if store::insert_session(app, tx, session, partner_id, network).await? {
                store::insert_codes(app, tx, session, payloads, CODE_SECONDS).await?;
            }
            Ok(())
        })
        .await?;
        self.observe(app, session).await
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

/// A payload in the form of WhatsApp's: a version, then four parts of random bytes. Telegram's is a link with a token.
fn new_payload(app: &App, network: Network) -> String {
    if network == Network::Telegram {
        return format!("tg://login?token={}", BASE64_URL_SAFE_NO_PAD.encode(app.clock.random::<32>()));
    }
    let part = || BASE64_STANDARD.encode(app.clock.random::<32>());
    format!("2@{},{},{},{}", part(), part(), part(), part())
}
