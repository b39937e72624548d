//! How a partner knows that a webhook is ours and what it says: two signatures over the same bytes.
//!
//! `X-TL-Signature` is the contract's JWT with a digest of the body added; it is signed with the secret that signs.
//! `webhook-signature` follows Standard Webhooks, with one signature for each secret that verifies. Both are made anew
//! for each try, so a retry of yesterday's event is as fresh as the first.

use entity::{
    id::{EventId, PartnerId},
    timestamp::Timestamp,
};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use sha2::{Digest, Sha256};
use standardwebhooks::Webhook;

use crate::error::{Error, Result};

/// How long a signature is valid before and after the instant of signing, in seconds.
const VALID_SECONDS: i64 = 180;

/// The headers that differ from try to try, by name.
pub(super) type Headers = [(&'static str, String); 4];

#[derive(Serialize)]
struct Claims<'a> {
    partner_id: &'a PartnerId,
    nbf: i64,
    exp: i64,
    body_sha256: String,
}

/// Signs a body with the secrets that verify now, the one that signs first.
///
/// # Errors
/// `internal_error` if there is no secret.
pub(super) fn headers(
    now: Timestamp,
    partner_id: &PartnerId,
    secrets: &[SecretString],
    event_id: EventId,
    body: &str,
) -> Result<Headers> {
    let unsigned = |error: String| Error::Internal(format!("signing a webhook: {error}"));
    let signing = secrets.first().ok_or_else(|| unsigned("the partner has no secret".to_owned()))?;
    let seconds = now.0.div_euclid(Timestamp::SECOND);
    let claims = Claims {
        partner_id,
        nbf: seconds - VALID_SECONDS,
        exp: seconds + VALID_SECONDS,
        body_sha256: hex(&Sha256::digest(body)),
    };
    let key = EncodingKey::from_secret(signing.expose_secret().as_bytes());
    let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key);
    let token = token.map_err(|error| unsigned(error.to_string()))?;
    let id = event_id.to_string();
    let standard = |secret: &SecretString| {
        let webhook = Webhook::from_bytes(secret.expose_secret().as_bytes().to_vec())?;
        webhook.sign(&id, seconds, body.as_bytes())
    };
    let standard = secrets.iter().map(standard).collect::<Result<Vec<String>, _>>();
    let standard = standard.map_err(|error| unsigned(error.to_string()))?.join(" ");
    Ok([
        ("X-TL-Signature", token),
        ("webhook-id", id),
        ("webhook-timestamp", seconds.to_string()),
        ("webhook-signature", standard),
    ])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_of_this_body_this_event_and_this_instant() {
        let partner = PartnerId::parse("acme").expect("an id");
        let event = EventId("0198f000-0000-7000-8000-000000000001".parse().expect("an id"));
        let old: SecretString = "qmps_old".into();
        let signed = |seconds: i64, body: &str, secrets: &[SecretString]| {
            headers(Timestamp(seconds * Timestamp::SECOND + 999_999), &partner, secrets, event, body).expect("headers")
        };
        let secrets = [old.clone()];
        let first = signed(1_700_000_000, "{}", &secrets);
        assert_eq!(first, signed(1_700_000_000, "{}", &secrets));
        assert_eq!(first[1].1, event.to_string());
        assert_eq!(first[2].1, "1700000000");
        for other in [signed(1_700_000_001, "{}", &secrets), signed(1_700_000_000, "{ }", &secrets)] {
            assert_ne!(first[0], other[0]);
            assert_ne!(first[3], other[3]);
        }
        let both = signed(1_700_000_000, "{}", &[old, "qmps_new".into()]);
        assert_eq!(both[0], first[0], "the older secret signs the JWT");
        let (of_old, of_new) = both[3].1.split_once(' ').expect("two signatures");
        assert_eq!(of_old, first[3].1);
        assert!(of_new.starts_with("v1,") && of_new != of_old);
        assert!(headers(Timestamp(0), &partner, &[], event, "{}").is_err());
    }

    #[test]
    fn digests_are_lower_case_hexadecimal() {
        assert_eq!(hex(&Sha256::digest("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
