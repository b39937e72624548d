//! Request JWTs of partners (`contracts/timelines.md` §1.1, DESIGN "Security").
//!
//! HS256 only. The library checks the signature; we check times by our clock, because a claim may be a fraction and
//! the tests' clock is not the system's. A token that carries `body_sha256` is a webhook's signature: every receiver
//! of a webhook has seen one, so it never opens this door.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use entity::{
    id::PartnerId,
    partner::{self, Status},
    timestamp::Timestamp,
};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use crate::{
    app::App,
    caller::PartnerCaller,
    error::{Error, Result},
    partner::{rotate_secret, store},
};

const SKEW_SECONDS: i64 = 60;
const MAX_WINDOW_SECONDS: i64 = 15 * 60;
const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// Credentials as they came: the bearer token and the header that names the partner.
pub struct Credentials<'a> {
    /// The JWT.
    pub token: &'a str,
    /// `X-TL-Partner-Id`.
    pub partner_id: &'a str,
    /// The request they came with.
    pub request_id: String,
}

/// What a token claims, before it is believed.
struct Claims {
    partner_id: String,
    nbf: Timestamp,
    exp: Timestamp,
}

/// Finds out which partner is calling.
///
/// # Errors
/// `missing_claim`, `token_decode_error`, `invalid_signature`, `token_not_active`, `timestamp_out_of_range`,
/// `partner_not_found`; and `partner_not_active`, only after a valid signature.
pub async fn authenticate(app: &App, credentials: &Credentials<'_>) -> Result<PartnerCaller> {
    let claims = read_claims(credentials.token)?;
    if claims.partner_id != credentials.partner_id {
        return Err(Error::InvalidSignature);
    }
    let id = PartnerId::parse(&claims.partner_id).map_err(|_| Error::PartnerNotFound)?;
    let partner: partner::Model = store::find(app.db.reader(), &id).await?.ok_or(Error::PartnerNotFound)?;
    let secrets = rotate_secret::verifying(app, app.db.reader(), &id).await?;
    if !secrets.iter().any(|secret| is_signed_with(credentials.token, secret)) {
        return Err(Error::InvalidSignature);
    }
    check_times(&claims, app.clock.now())?;
    if partner.status != Status::Active {
        return Err(Error::PartnerNotActive);
    }
    Ok(PartnerCaller { partner, request_id: credentials.request_id.clone() })
}

fn read_claims(token: &str) -> Result<Claims> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(Error::TokenDecodeError("it is too long"));
    }
    let mut parts = token.split('.');
    let (Some(header), Some(payload), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(Error::TokenDecodeError("it is not a JWT"));
    };
    let header = object(header).ok_or(Error::TokenDecodeError("its header is not JSON"))?;
    if header.get("alg").and_then(Value::as_str) != Some("HS256") {
        return Err(Error::TokenDecodeError("only HS256 is accepted"));
    }
    let payload = object(payload).ok_or(Error::TokenDecodeError("its payload is not JSON"))?;
    if payload.contains_key("body_sha256") {
        return Err(Error::TokenDecodeError("it is the signature of a webhook"));
    }
    let claim = |name: &'static str| payload.get(name).ok_or(Error::MissingClaim(name));
    let partner_id = claim("partner_id")?.as_str().ok_or(Error::TokenDecodeError("partner_id is not text"))?;
    let nbf = instant(claim("nbf")?).ok_or(Error::TokenDecodeError("nbf is not a time"))?;
    let exp = instant(claim("exp")?).ok_or(Error::TokenDecodeError("exp is not a time"))?;
    Ok(Claims { partner_id: partner_id.to_owned(), nbf, exp })
}

fn object(part: &str) -> Option<Map<String, Value>> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// Unix seconds, whole or with a fraction, as far as they lie in the calendar.
fn instant(value: &Value) -> Option<Timestamp> {
    if let Some(seconds) = value.as_i64() {
        return seconds.checked_mul(Timestamp::SECOND).map(Timestamp);
    }
    let seconds = value.as_f64()?;
    let instant = jiff::Timestamp::UNIX_EPOCH.checked_add(jiff::SignedDuration::try_from_secs_f64(seconds).ok()?);
    Some(Timestamp(instant.ok()?.as_microsecond()))
}

fn is_signed_with(token: &str, secret: &SecretString) -> bool {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    let key = DecodingKey::from_secret(secret.expose_secret().as_bytes());
    jsonwebtoken::decode::<Value>(token, &key, &validation).is_ok()
}

fn check_times(claims: &Claims, now: Timestamp) -> Result<()> {
    let window = claims.exp.0.saturating_sub(claims.nbf.0);
    if !(0..=MAX_WINDOW_SECONDS * Timestamp::SECOND).contains(&window) {
        return Err(Error::TimestampOutOfRange);
    }
    let early = claims.nbf > now.plus_seconds(SKEW_SECONDS);
    let expired = claims.exp <= now.plus_seconds(-SKEW_SECONDS);
    if early || expired { Err(Error::TokenNotActive) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000 * Timestamp::SECOND);

    fn token(header: &str, payload: &str) -> String {
        let part = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.sig", part(header), part(payload))
    }

    fn verdict(payload: &str) -> Result<()> {
        check_times(&read_claims(&token(r#"{"alg":"HS256"}"#, payload))?, NOW)
    }

    #[test]
    fn times_are_checked_by_our_clock_with_a_minute_of_skew() {
        let claims = |nbf: &str, exp: &str| verdict(&format!(r#"{{"partner_id":"acme","nbf":{nbf},"exp":{exp}}}"#));
        assert!(claims("1699999820", "1700000180").is_ok());
        assert!(claims("1699999820.25", "1700000180.75").is_ok());
        assert!(claims("1700000060", "1700000180").is_ok());
        assert!(matches!(claims("1700000061", "1700000180"), Err(Error::TokenNotActive)));
        assert!(claims("1699999820", "1699999941").is_ok());
        assert!(matches!(claims("1699999820", "1699999940"), Err(Error::TokenNotActive)));
        assert!(claims("1699999600", "1700000500").is_ok());
        assert!(matches!(claims("1699999600", "1700000501"), Err(Error::TimestampOutOfRange)));
        assert!(matches!(claims("1700000180", "1699999820"), Err(Error::TimestampOutOfRange)));
        assert!(matches!(claims("1e300", "1e300"), Err(Error::TokenDecodeError(_))));
        assert!(matches!(claims("9223372036854775807", "1"), Err(Error::TokenDecodeError(_))));
        assert!(matches!(claims("\"1700000000\"", "1700000180"), Err(Error::TokenDecodeError(_))));
        assert!(matches!(claims("null", "1700000180"), Err(Error::TokenDecodeError(_))));
    }

    #[test]
    fn what_cannot_be_a_request_credential_is_refused_before_its_signature() {
        let decode = |token: &str| read_claims(token).err();
        for bad in ["", "a", "a.b", "a.b.c", "a.b.c.d", "..", "%%.%%.%%"] {
            assert!(matches!(decode(bad), Some(Error::TokenDecodeError(_))), "{bad}");
        }
        let body = r#"{"partner_id":"acme","nbf":1,"exp":2}"#;
        for alg in [r#"{"alg":"none"}"#, r#"{"alg":"RS256"}"#, r#"{"alg":"hs256"}"#, "{}", "[]"] {
            assert!(matches!(decode(&token(alg, body)), Some(Error::TokenDecodeError(_))), "{alg}");
        }
        let hs256 = r#"{"alg":"HS256"}"#;
        let webhook = r#"{"partner_id":"acme","nbf":1,"exp":2,"body_sha256":""}"#;
        assert!(matches!(decode(&token(hs256, webhook)), Some(Error::TokenDecodeError(_))));
        for (payload, missing) in [
            (r#"{"nbf":1,"exp":2}"#, "partner_id"),
            (r#"{"partner_id":"acme","exp":2}"#, "nbf"),
            (r#"{"partner_id":"acme","nbf":1}"#, "exp"),
        ] {
            assert!(matches!(decode(&token(hs256, payload)), Some(Error::MissingClaim(name)) if name == missing));
        }
    }

    #[test]
    fn the_published_vector_verifies() {
        // contracts/channels.md, part E.
        let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJwYXJ0bmVyX2lkIjoicGFydG5lcl8xMjM0NSIsIm5iZiI6MTcwMDAwMDAwMCwiZXhwIjoxNzAwMDAwMzYwfQ.2uA8gBuaG0yxrvUnFgoJ6XH10bNvuccrt4HqXNgqAzs";
        assert!(is_signed_with(token, &"partner-secret".into()));
        assert!(!is_signed_with(token, &"another-secret".into()));
        let claims = read_claims(token).expect("claims");
        assert_eq!(claims.partner_id, "partner_12345");
    }
}
