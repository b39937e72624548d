//! Reading values that need more care than their type gives: secrets, which no error may repeat, and switches.

use serde::{Deserialize, Deserializer, de::Error};

/// Whatever a layer may hold.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Switch(bool),
    Number(i64),
    Text(String),
    Other(serde::de::IgnoredAny),
}

/// Text that is not repeated in an error.
pub(super) fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match Scalar::deserialize(deserializer)? {
        Scalar::Text(text) => Ok(Some(text)),
        _ => Err(D::Error::custom("must be text of the documented form")),
    }
}

/// `true` or `false`, which people also write as 1 or 0.
pub(super) fn switch<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    match Scalar::deserialize(deserializer)? {
        Scalar::Switch(switch) => Ok(switch),
        Scalar::Number(0) => Ok(false),
        Scalar::Number(1) => Ok(true),
        _ => Err(D::Error::custom("must be true or false")),
    }
}
