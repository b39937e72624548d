//! Links through which anybody can read one file for a quarter of an hour.
//!
//! A link names the file and its last second and is signed over both, so that nothing has to be stored for it.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use entity::id::FileId;

use crate::{
    app::App,
    error::{Error, Result},
};

/// How long a link is good, in seconds.
pub const LIFETIME_SECONDS: i64 = 15 * 60;
/// Where links lead; the surface that answers there is `http/downloads.rs`.
pub const BASE: &str = "/files/download";
const PURPOSE: &str = "file links";

/// A link to a file, good from now on.
///
/// # Errors
/// `internal_error` without a key, which no vault is.
pub fn to(app: &App, id: FileId) -> Result<String> {
    lasting(app, id, LIFETIME_SECONDS)
}

/// A link to a file for whoever is told of it with the last try, which may be so many seconds from now.
///
/// # Errors
/// As [`to`].
pub fn to_be_told(app: &App, id: FileId, within_seconds: i64) -> Result<String> {
    lasting(app, id, within_seconds + LIFETIME_SECONDS)
}

fn lasting(app: &App, id: FileId, seconds: i64) -> Result<String> {
    let expires = app.clock.now().plus_seconds(seconds).0 / 1_000_000;
    let signature = app.vault.sign(PURPOSE, &signed(id, expires))?;
    // One word, long enough to be masked in logs.
    let ticket = format!("{expires}-{}", BASE64_URL_SAFE_NO_PAD.encode(signature));
    Ok(format!("{}{BASE}/{id}/{ticket}", app.config.public_url))
}

/// The file that a link names, if we have made the link and it has not run out.
///
/// # Errors
/// `download_link_invalid`, `download_link_expired`.
pub fn check(app: &App, uid: &str, ticket: &str) -> Result<FileId> {
    let read = || {
        let id: FileId = uid.parse().ok()?;
        let (expires, signature) = ticket.split_once('-')?;
        let expires: i64 = expires.parse().ok()?;
        let signature: [u8; 32] = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?.try_into().ok()?;
        Some((id, expires, signature))
    };
    let (id, expires, signature) = read().ok_or(Error::DownloadLinkInvalid)?;
    if !app.vault.is_signed(PURPOSE, &signed(id, expires), &signature) {
        return Err(Error::DownloadLinkInvalid);
    }
    if expires.saturating_mul(1_000_000) < app.clock.now().0 {
        return Err(Error::DownloadLinkExpired);
    }
    Ok(id)
}

fn signed(id: FileId, expires: i64) -> String {
    format!("{id}/{expires}")
}
