//! `Idempotency-Key` headers that the framework cannot hand to a handler.

use poem::Request;

use crate::error::{Error, Result};

/// Refuses a key that cannot be read, or two: either would otherwise count as none, and the request would be done
/// twice.
pub(super) fn check_key(request: &Request) -> Result<()> {
    let mut keys = request.headers().get_all("Idempotency-Key").iter();
    match (keys.next(), keys.next()) {
        (Some(key), None) if key.to_str().is_err() => {
            Err(Error::field("Idempotency-Key", "must be 1 to 255 visible ASCII characters"))
        }
        (Some(_), Some(_)) => Err(Error::field("Idempotency-Key", "must be sent once")),
        _ => Ok(()),
    }
}
