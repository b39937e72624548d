//! How the demo's receivers check signatures: by hand, from what the documentation says, with SHA-256 and nothing else of
//! what signs. A mistake in signing is not made twice here.

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use reqwest::header::HeaderMap;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// SHA-256 takes so many bytes at once.
const BLOCK_BYTES: usize = 64;
/// How old, or how early, a signature of Standard Webhooks may be, in seconds.
const TOLERANCE_SECONDS: u64 = 300;

/// Checks `X-TL-Signature`: a JWT of the partner, signed with HS256, valid now, of this body.
pub(super) fn check_jwt(headers: &HeaderMap, body: &[u8], partner: (&str, &[u8]), now: i64) -> Result<(), String> {
    let (partner_id, secret) = partner;
    let (signed, signature) = header(headers, "x-tl-signature").rsplit_once('.').ok_or("there is no JWT")?;
    let (head, claims) = signed.split_once('.').ok_or("the JWT has no claims")?;
    if read(head)?["alg"] != "HS256" {
        return Err("the JWT is signed otherwise".to_owned());
    }
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).map_err(|error| error.to_string())?;
    if !is_same(&hmac(secret, signed.as_bytes()), &signature) {
        return Err("the JWT is signed with another secret".to_owned());
    }
    let claims = read(claims)?;
    let is_valid =
        claims["nbf"].as_i64().is_some_and(|nbf| nbf <= now) && claims["exp"].as_i64().is_some_and(|exp| now <= exp);
    if !is_valid {
        return Err("the JWT is not valid now".to_owned());
    }
    let digest: String = Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
    if claims["body_sha256"] != digest.as_str() {
        return Err("the JWT is of another body".to_owned());
    }
    if claims["partner_id"] != partner_id || header(headers, "x-tl-partner-id") != partner_id {
        return Err("the JWT is of another partner".to_owned());
    }
    Ok(())
}

/// Checks the headers of Standard Webhooks: one of the signatures is of this id, this time and this body.
pub(super) fn check_standard(headers: &HeaderMap, body: &[u8], key: &[u8], now: i64) -> Result<(), String> {
    let (id, sent_at) = (header(headers, "webhook-id"), header(headers, "webhook-timestamp"));
    let seconds: i64 = sent_at.parse().map_err(|_| "there is no webhook-timestamp")?;
    if now.abs_diff(seconds) > TOLERANCE_SECONDS {
        return Err("the webhook is too old or too early".to_owned());
    }
    let expected = hmac(key, &[format!("{id}.{sent_at}.").as_bytes(), body].concat());
    let versions = header(headers, "webhook-signature").split(' ').filter_map(|one| one.strip_prefix("v1,"));
    let mut signatures = versions.filter_map(|signature| BASE64_STANDARD.decode(signature).ok());
    match signatures.any(|signature| is_same(&expected, &signature)) {
        true => Ok(()),
        false => Err("no webhook-signature is of this secret".to_owned()),
    }
}

/// One of the headers; empty where it is absent.
fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Reads a part of a JWT.
fn read(part: &str) -> Result<Value, String> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|error| error.to_string())?;
    serde_json::from_slice(&bytes).map_err(|error| error.to_string())
}

/// HMAC with SHA-256 (RFC 2104).
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0; BLOCK_BYTES];
    if key.len() > BLOCK_BYTES {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().into()
}

/// Compares without telling by the time it takes how much is the same.
fn is_same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
        let header = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a header"))
        };
        all.iter().map(header).collect()
    }

    #[test]
    fn the_hmac_is_that_of_rfc_4231() {
        let hex = |bytes: [u8; 32]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(
            hex(hmac(b"Jefe", b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            hex(hmac(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    #[test]
    fn a_webhook_is_believed_if_its_signature_is_of_this_body_this_secret_and_this_time() {
        let key = BASE64_STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a key");
        let (id, signature) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let two = format!("v1,AAAA {signature}");
        for signature in [signature, two.as_str()] {
            let told = [("webhook-id", id), ("webhook-timestamp", "1614265330"), ("webhook-signature", signature)];
            let (told, body) = (headers(&told), br#"{"test": 2432232314}"#);
            assert_eq!(check_standard(&told, body, &key, 1_614_265_330), Ok(()));
            assert_eq!(check_standard(&told, body, &key, 1_614_265_630), Ok(()));
            assert!(check_standard(&told, body, &key, 1_614_265_631).is_err(), "too old");
            assert!(check_standard(&told, b"{}", &key, 1_614_265_330).is_err(), "another body");
            assert!(check_standard(&told, body, b"another", 1_614_265_330).is_err(), "another secret");
        }
        assert!(check_standard(&headers(&[]), b"", &key, 0).is_err());
    }

    #[test]
    fn a_jwt_is_believed_if_it_is_of_this_partner_this_body_and_this_time() {
        let digest = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
        let jwt = |algorithm: &str, partner: &str, secret: &[u8]| {
            let claims = format!(r#"{{"partner_id":"{partner}","nbf":100,"exp":200,"body_sha256":"{digest}"}}"#);
            let part = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
            let signed = format!("{}.{}", part(&format!(r#"{{"alg":"{algorithm}"}}"#)), part(&claims));
            format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(hmac(secret, signed.as_bytes())))
        };
        let check = |jwt: &str, body: &[u8], now| {
            let told = headers(&[("x-tl-signature", jwt), ("x-tl-partner-id", "acme")]);
            check_jwt(&told, body, ("acme", b"secret"), now)
        };
        let good = jwt("HS256", "acme", b"secret");
        assert_eq!((check(&good, b"{}", 100), check(&good, b"{}", 200)), (Ok(()), Ok(())));
        for (bad, body, now) in [
            (good.as_str(), &b"{}"[..], 99),
            (&good, b"{}", 201),
            (&good, b"{ }", 150),
            (&jwt("none", "acme", b"secret"), b"{}", 150),
            (&jwt("HS256", "beta", b"secret"), b"{}", 150),
            (&jwt("HS256", "acme", b"another"), b"{}", 150),
            ("", b"{}", 150),
        ] {
            assert!(check(bad, body, now).is_err(), "{bad} at {now}");
        }
    }
}
