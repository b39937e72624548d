//! How a receiver knows that a webhook is ours and what it says: for a partner two signatures over the same bytes, for
//! a subscription the second of them, if it asked for it.
//!
//! `X-TL-Signature` is the contract's JWT with a digest of the body added; it is signed with the secret that signs.
//! `webhook-signature` follows Standard Webhooks, with one signature for each secret that verifies. Both are made anew
//! for each try, so a retry of yesterday's event is as fresh as the first. A webhook of the Channels API gets Linktor's
//! headers beside those of Standard Webhooks.

use entity::{
    event,
    id::{DeliveryId, EventId, PartnerId},
    timestamp::Timestamp,
};
use hmac_sha256::HMAC;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use sha2::{Digest, Sha256};
use standardwebhooks::{Webhook, WebhookError};

use crate::error::{Error, Result};

/// How long a signature is valid before and after the instant of signing, in seconds.
const VALID_SECONDS: i64 = 180;

/// Headers by name.
pub(super) type Headers = Vec<(&'static str, String)>;

#[derive(Serialize)]
struct Claims<'a> {
    partner_id: &'a PartnerId,
    nbf: i64,
    exp: i64,
    body_sha256: String,
}

/// Signs a body with the partner's secrets that verify now, the one that signs first.
///
/// # Errors
/// `internal_error` if there is no secret.
pub(super) fn for_partner(
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
    let mut headers = vec![("X-TL-Partner-Id", partner_id.to_string()), ("X-TL-Signature", token)];
    let webhooks = secrets.iter().map(|secret| Webhook::from_bytes(secret.expose_secret().as_bytes().to_vec()));
    headers.extend(standard(seconds, webhooks, event_id, body).map_err(|error| unsigned(error.to_string()))?);
    Ok(headers)
}

/// What a subscription asked for: signatures with its secrets, the event's number, or nothing.
///
/// # Errors
/// `internal_error` if a secret is not one.
pub(super) fn for_subscription(
    now: Timestamp,
    secrets: &[SecretString],
    event_id: EventId,
    body: &str,
    sequence: Option<i64>,
) -> Result<Headers> {
    let mut headers = Headers::new();
    if !secrets.is_empty() {
        let seconds = now.0.div_euclid(Timestamp::SECOND);
        let webhooks = secrets.iter().map(|secret| Webhook::new(secret.expose_secret()));
        let signed = standard(seconds, webhooks, event_id, body);
        headers.extend(signed.map_err(|error| Error::Internal(format!("signing a webhook: {error}")))?);
    } else if sequence.is_some() {
        headers.push(("webhook-id", event_id.to_string()));
    }
    headers.extend(sequence.map(|sequence| ("webhook-sequence", sequence.to_string())));
    Ok(headers)
}

/// What a webhook of the Channels API gets: Linktor's headers under its newest secret, and those of Standard Webhooks.
///
/// # Errors
/// `internal_error` if a secret is not one.
pub(super) fn for_hook(
    now: Timestamp,
    secrets: &[SecretString],
    event: &event::Model,
    delivery_id: DeliveryId,
) -> Result<Headers> {
    let mut headers = for_subscription(now, secrets, event.id, &event.body, None)?;
    let seconds = now.0.div_euclid(Timestamp::SECOND);
    headers.push(("X-Linktor-Event", event.kind.clone()));
    headers.push(("X-Linktor-Delivery-Id", delivery_id.to_string()));
    headers.push(("X-Linktor-Timestamp", seconds.to_string()));
    let newest = secrets.first().map(|secret| linktor(seconds, secret, &event.body));
    headers.extend(newest.map(|signature| ("X-Linktor-Signature", signature)));
    Ok(headers)
}

/// `sha256=` and the HMAC of the seconds, a dot and the body, under the secret as it stands.
fn linktor(seconds: i64, secret: &SecretString, body: &str) -> String {
    format!("sha256={}", hex(&HMAC::mac(format!("{seconds}.{body}"), secret.expose_secret())))
}

/// The headers of Standard Webhooks, with a signature for each secret.
fn standard(
    seconds: i64,
    webhooks: impl Iterator<Item = Result<Webhook, WebhookError>>,
    event_id: EventId,
    body: &str,
) -> Result<[(&'static str, String); 3], WebhookError> {
    let id = event_id.to_string();
    let signatures = webhooks.map(|webhook| webhook?.sign(&id, seconds, body.as_bytes()));
    let signatures = signatures.collect::<Result<Vec<String>, _>>()?.join(" ");
    Ok([("webhook-id", id), ("webhook-timestamp", seconds.to_string()), ("webhook-signature", signatures)])
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
            let at = Timestamp(seconds * Timestamp::SECOND + 999_999);
            let headers = for_partner(at, &partner, secrets, event, body).expect("headers");
            assert_eq!(headers[0], ("X-TL-Partner-Id", "acme".to_owned()));
            headers[1..].to_vec()
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
        assert!(for_partner(Timestamp(0), &partner, &[], event, "{}").is_err());
    }

    #[test]
    fn a_subscription_gets_the_headers_that_it_asked_for() {
        let event = EventId("0198f000-0000-7000-8000-000000000001".parse().expect("an id"));
        let names = |secrets: &[SecretString], sequence| -> Vec<&'static str> {
            let headers = for_subscription(Timestamp(0), secrets, event, "{}", sequence).expect("headers");
            headers.into_iter().map(|(name, _)| name).collect()
        };
        let secret: SecretString = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into();
        assert_eq!(names(&[], None), [] as [&str; 0]);
        assert_eq!(names(&[], Some(7)), ["webhook-id", "webhook-sequence"]);
        let signed = ["webhook-id", "webhook-timestamp", "webhook-signature"];
        assert_eq!(names(std::slice::from_ref(&secret), None), signed);
        assert_eq!(names(&[secret.clone(), secret], Some(7)), [&signed[..], &["webhook-sequence"]].concat());
        assert!(for_subscription(Timestamp(0), &["whsec_%".into()], event, "{}", None).is_err());
    }

    /// The vectors of `contracts/channels.md` part E.
    #[test]
    fn both_manners_give_what_others_give() {
        let signature = linktor(1_700_000_000, &"whsec_test".into(), r#"{"event":"message.received"}"#);
        assert_eq!(signature, "sha256=5618156c98e72a18fa973b562ff44de2eca640beaa2b8e040aab1e5e062859e8");
        let webhook = Webhook::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let signature = webhook.sign(id, 1_614_265_330, br#"{"test": 2432232314}"#).expect("a signature");
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn digests_are_lower_case_hexadecimal() {
        assert_eq!(hex(&Sha256::digest("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
