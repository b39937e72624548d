//! What comes to a channel's own address, `/callbacks/ch_{id}`: from providers that are given it by the customer.
//!
//! A provider first asks whether the address is ours, with the channel's `verifyToken`, as Meta does
//! (`contracts/channels.md` 1.5). What it brings later is signed with the channel's `webhookSecret`, over the seconds, a
//! dot and the body, as Linktor signs; whoever cannot sign is told so and nothing else. For connectors whose sessions
//! have addresses of their own this is another way to the same place.

use entity::{id::ChannelId, timestamp::Timestamp};
use hmac_sha256::HMAC;
use secrecy::ExposeSecret;

use crate::{
    app::App,
    channel::address::{self, Proof},
    connector::callback::{self, Callback},
    error::{Error, Result},
    secret,
};

/// How old or new a signature may be, in seconds.
pub const TOLERANCE_SECONDS: i64 = 300;
/// Longest challenge that is sent back, in bytes.
const MAX_CHALLENGE_BYTES: usize = 256;
const DIGEST_BYTES: usize = 32;

/// A question whether an address is ours.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// `subscribe`.
    pub mode: String,
    /// The channel's token.
    pub token: String,
    /// What is to be sent back.
    pub challenge: String,
}

/// Answers a provider that asks whether the address is ours; what is to be sent back.
///
/// # Errors
/// `route_not_found` without such a channel; `invalid_signature` for another token; `invalid_request` naming
/// `hub.challenge`.
pub async fn answer(app: &App, id: ChannelId, question: &Question) -> Result<String> {
    let proof = address::proof_of(app, id).await?.ok_or(Error::RouteNotFound)?;
    let is_ours = |token: &str| secret::digest(token) == secret::digest(&question.token);
    if question.mode != "subscribe" || !proof.verify_token.is_some_and(|token| is_ours(token.expose_secret())) {
        return Err(Error::InvalidSignature);
    }
    let fits = (1..=MAX_CHALLENGE_BYTES).contains(&question.challenge.len())
        && question.challenge.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    if fits {
        Ok(question.challenge.clone())
    } else {
        Err(Error::field("hub.challenge", "must be 1 to 256 letters, digits, '_', '-' and '.'"))
    }
}

/// Takes what a provider brings to a channel.
///
/// # Errors
/// `route_not_found` without such a channel; `invalid_signature` if it is not its provider's; `invalid_request` if it
/// cannot be read; what the connector says.
pub async fn take(app: &App, id: ChannelId, callback: &Callback) -> Result<()> {
    let proof = address::proof_of(app, id).await?.ok_or(Error::RouteNotFound)?;
    if app.connectors.keeps_sessions(proof.channel.connector) {
        return callback::take(app, proof.channel.connector, proof.channel.session, callback).await;
    }
    if !is_genuine(&proof, callback, app.clock.now()) {
        return Err(Error::InvalidSignature);
    }
    app.connectors.get(proof.channel.connector).hear(app, &proof.channel, &callback.body).await
}

fn is_genuine(proof: &Proof, callback: &Callback, now: Timestamp) -> bool {
    let seconds = now.0.div_euclid(Timestamp::SECOND);
    let said = callback.header("x-linktor-timestamp");
    let is_of_now = said.parse().is_ok_and(|said: i64| said.abs_diff(seconds) <= TOLERANCE_SECONDS.unsigned_abs());
    let signature = callback.header("x-linktor-signature").strip_prefix("sha256=").and_then(bytes);
    let (Some(secret), Some(signature)) = (&proof.webhook_secret, signature) else { return false };
    let signed = [said.as_bytes(), b".", &callback.body].concat();
    is_of_now && HMAC::verify(signed, secret.expose_secret(), &signature)
}

/// 32 bytes in hexadecimal digits.
fn bytes(hex: &str) -> Option<[u8; DIGEST_BYTES]> {
    if hex.len() != DIGEST_BYTES * 2 || !hex.is_ascii() {
        return None;
    }
    let mut bytes = [0; DIGEST_BYTES];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[index * 2..index * 2 + 2], 16).ok()?;
    }
    Some(bytes)
}
