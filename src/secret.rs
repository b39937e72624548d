//! Secrets at rest and in the hand.
//!
//! A [`Vault`] seals what must be readable again with XChaCha20-Poly1305 under the master key, bound to what it is
//! for, so that a sealed value moved to another row or column does not open. Credentials that we only check are kept
//! as SHA-256 digests. No type here shows its content in `Debug`.

use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use chacha20poly1305::{
    Key, KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use hmac_sha256::HMAC;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::{
    clock::Clock,
    error::{Error, Result},
};

const NONCE_BYTES: usize = 24;
/// What keys for signatures are derived for.
const SIGNING: &str = "quartermaster signatures";

/// Seals with the first master key and opens with any.
pub struct Vault {
    keys: Vec<(String, XChaCha20Poly1305)>,
    /// A key of its own for signatures, derived from each master key.
    signing: Vec<[u8; 32]>,
    clock: Clock,
}

impl Vault {
    /// Reads a master key: `id:base64` of 32 bytes, several separated by commas.
    ///
    /// # Errors
    /// Says which part is wrong without repeating it.
    pub fn parse(master_key: &SecretString, clock: Clock) -> Result<Self, MasterKeyError> {
        let mut keys = Vec::new();
        let mut signing = Vec::new();
        for part in master_key.expose_secret().split(',') {
            let (id, encoded) = part.trim().split_once(':').ok_or(MasterKeyError::Form)?;
            if id.is_empty() || id.len() > 32 || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                return Err(MasterKeyError::Id);
            }
            let bytes = BASE64_STANDARD.decode(encoded).map_err(|_| MasterKeyError::Encoding)?;
            let key: [u8; 32] = bytes.try_into().map_err(|_| MasterKeyError::Length)?;
            signing.push(HMAC::mac(SIGNING, key));
            keys.push((id.to_owned(), XChaCha20Poly1305::new(Key::from_slice(&key))));
        }
        Ok(Self { keys, signing, clock })
    }

    /// A fresh master key in the form that [`Vault::parse`] reads.
    #[must_use]
    pub fn generate(clock: &Clock) -> SecretString {
        format!("k1:{}", BASE64_STANDARD.encode(clock.random::<32>())).into()
    }

    /// Seals `plain` for one `purpose`, such as `partner_secrets:<id>`.
    ///
    /// # Errors
    /// `Sealed` if the cipher refuses, which it does for no input of ours.
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> Result<Vec<u8>> {
        let (id, cipher) = self.keys.first().ok_or(Error::Sealed)?;
        let nonce = self.clock.random::<NONCE_BYTES>();
        let payload = Payload { msg: plain, aad: purpose.as_bytes() };
        let sealed = cipher.encrypt(XNonce::from_slice(&nonce), payload).map_err(|_| Error::Sealed)?;
        let mut out = Vec::with_capacity(1 + id.len() + NONCE_BYTES + sealed.len());
        out.push(u8::try_from(id.len()).map_err(|_| Error::Sealed)?);
        out.extend_from_slice(id.as_bytes());
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        Ok(out)
    }

    /// Opens what was sealed for the same `purpose`.
    ///
    /// # Errors
    /// `Sealed` if no key opens it or it was sealed for something else.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>> {
        let (&length, rest) = sealed.split_first().ok_or(Error::Sealed)?;
        let (id, rest) = rest.split_at_checked(usize::from(length)).ok_or(Error::Sealed)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_BYTES).ok_or(Error::Sealed)?;
        let (_, cipher) = self.keys.iter().find(|(name, _)| name.as_bytes() == id).ok_or(Error::Sealed)?;
        let payload = Payload { msg: sealed, aad: purpose.as_bytes() };
        cipher.decrypt(XNonce::from_slice(nonce), payload).map_err(|_| Error::Sealed)
    }

    /// Signs a message for one `purpose`; whoever knows the master key can check it.
    ///
    /// # Errors
    /// `Sealed` without a key, which no vault is.
    pub fn sign(&self, purpose: &str, message: &str) -> Result<[u8; 32]> {
        let key = self.signing.first().ok_or(Error::Sealed)?;
        Ok(HMAC::mac(signed(purpose, message), key))
    }

    /// Whether one of the keys has signed the message for this `purpose`. Takes the same time for every signature.
    #[must_use]
    pub fn is_signed(&self, purpose: &str, message: &str, signature: &[u8; 32]) -> bool {
        let signed = signed(purpose, message);
        self.signing.iter().any(|key| HMAC::verify(&signed, key, signature))
    }

    /// [`Vault::open`] for text.
    ///
    /// # Errors
    /// As [`Vault::open`].
    pub fn open_text(&self, purpose: &str, sealed: &[u8]) -> Result<SecretString> {
        let plain = self.open(purpose, sealed)?;
        String::from_utf8(plain).map(Into::into).map_err(|_| Error::Sealed)
    }
}

/// A message with what it is signed for; no purpose has a line break.
fn signed(purpose: &str, message: &str) -> String {
    format!("{purpose}\n{message}")
}

/// What is wrong with a master key.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// A part has no colon.
    #[error("master_key must be id:base64, several separated by commas")]
    Form,
    /// An id is unusable.
    #[error("a key id in master_key must be 1 to 32 letters and digits")]
    Id,
    /// A key is not base64.
    #[error("a key in master_key is not base64")]
    Encoding,
    /// A key is too short or too long.
    #[error("a key in master_key is not 32 bytes long")]
    Length,
}

/// A new credential of 256 random bits after `prefix`.
#[must_use]
pub fn generate(clock: &Clock, prefix: &str) -> SecretString {
    format!("{prefix}{}", BASE64_URL_SAFE_NO_PAD.encode(clock.random::<32>())).into()
}

/// The digest under which a credential is looked up.
#[must_use]
pub fn digest(credential: &str) -> Vec<u8> {
    Sha256::digest(credential.as_bytes()).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(keys: &str) -> Vault {
        Vault::parse(&keys.into(), Clock::system()).expect("a key")
    }

    const OLD: &str = "old:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const NEW: &str = "new:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";

    #[test]
    fn what_is_sealed_opens_for_its_purpose_only() {
        let vault = vault(OLD);
        let sealed = vault.seal("links:1", b"secret").expect("sealed");
        assert_eq!(vault.open("links:1", &sealed).expect("opened"), b"secret");
        assert!(matches!(vault.open("links:2", &sealed), Err(Error::Sealed)));
        let mut bent = sealed;
        *bent.last_mut().expect("bytes") ^= 1;
        assert!(matches!(vault.open("links:1", &bent), Err(Error::Sealed)));
        assert!(matches!(vault.open("links:1", &[]), Err(Error::Sealed)));
    }

    #[test]
    fn signatures_hold_for_their_purpose_and_message_and_outlive_a_rotation() {
        let old = vault(OLD);
        let signature = old.sign("files", "1").expect("signed");
        assert!(old.is_signed("files", "1", &signature));
        assert!(!old.is_signed("files", "2", &signature) && !old.is_signed("links", "1", &signature));
        assert!(vault(&format!("{NEW},{OLD}")).is_signed("files", "1", &signature));
        assert!(!vault(NEW).is_signed("files", "1", &signature));
        let mut bent = signature;
        bent[31] ^= 1;
        assert!(!old.is_signed("files", "1", &bent));
    }

    #[test]
    fn a_rotated_master_key_still_opens_the_old() {
        let sealed = vault(OLD).seal("p", b"secret").expect("sealed");
        let both = vault(&format!("{NEW},{OLD}"));
        assert_eq!(both.open("p", &sealed).expect("opened"), b"secret");
        let fresh = both.seal("p", b"secret").expect("sealed");
        assert!(vault(OLD).open("p", &fresh).is_err());
        assert_eq!(vault(NEW).open("p", &fresh).expect("opened"), b"secret");
    }

    #[test]
    fn bad_master_keys_are_told_apart() {
        let parse = |text: &str| Vault::parse(&text.into(), Clock::system()).err();
        assert!(matches!(parse("nokey"), Some(MasterKeyError::Form)));
        assert!(matches!(parse(":AAAA"), Some(MasterKeyError::Id)));
        assert!(matches!(parse("a:%%"), Some(MasterKeyError::Encoding)));
        assert!(matches!(parse("a:AAAA"), Some(MasterKeyError::Length)));
        let generated = Vault::generate(&Clock::system());
        assert!(Vault::parse(&generated, Clock::system()).is_ok());
    }
}
