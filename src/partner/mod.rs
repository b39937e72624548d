//! Partners: who they are, how they prove it, what their customers see.
//!
//! A partner's secret is sealed and shown once. Two secrets verify while a rotation overlaps; the older one signs until
//! it expires. Requests are authenticated in [`authenticate`], nowhere else.

use entity::{id::PartnerId, partner::Model, timestamp::Timestamp};
use secrecy::SecretString;

use crate::error::{Error, Result};

pub mod admin;
pub mod authenticate;
pub mod brand;
pub mod rotate_secret;
mod store;

pub(crate) use store::{all, find};

/// A partner with the secret that was just made for it. The only time it is shown.
pub struct WithSecret {
    /// The partner.
    pub partner: Model,
    /// The new secret.
    pub secret: SecretString,
    /// When the secret before it stops verifying; absent if there was none or it stopped at once.
    pub previous_expires_at: Option<Timestamp>,
}

/// Reads a partner's name: 1 to 100 characters, no control characters.
///
/// # Errors
/// `invalid_request` naming `name`.
pub fn parse_name(text: &str) -> Result<String> {
    let text = text.trim();
    let fits = (1..=100).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err(Error::field("name", "must be 1 to 100 characters")) }
}

/// Reads a partner's id.
///
/// # Errors
/// `invalid_request` naming `id`.
pub fn parse_id(text: &str) -> Result<PartnerId> {
    PartnerId::parse(text).map_err(|error| Error::field("id", error.to_string()))
}

/// Origins that may embed this partner's pages.
#[must_use]
pub fn embedding_origins(partner: &Model) -> Vec<String> {
    serde_json::from_str(&partner.embedding_origins).unwrap_or_default()
}
