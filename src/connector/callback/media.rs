//! Files that came with messages: fetched from the provider and kept as the workspace's own.
//!
//! Providers keep them for minutes only. A file is kept whatever it is; what cannot be had leaves its message without it,
//! and so does one that is larger than any file may be (100 MiB, and 18 MiB where it comes in base64), whose message
//! says so; what does not answer now is asked for again for a minute, in which whatever came to the session after it
//! waits. What has waited so long already, but not for its account, is asked for twice.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use entity::id::FileId;
use reqwest::Response;
use serde_json::Value;

use crate::{
    connector::{
        bridge::{Packing, Source},
        callback::{Media, perform::Scene},
    },
    error::{Error, Result},
    file::{
        FileName, keep,
        upload::{Stored, Upload},
    },
    workspace as workspaces,
};

/// How long a file may take: less than a worker has its work for itself.
const FETCH_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a provider that does not answer is asked for a file, in seconds, but twice in any case.
const PATIENCE_SECONDS: i64 = 60;
/// Most bytes of a file in base64 that are read, which are those of 18 MiB: a picture, a sound or a film fits.
const MOST_PACKED_BYTES: usize = 24 * 1024 * 1024;

/// What came of fetching a file.
pub(super) enum Fetched {
    /// It is kept.
    File(FileId),
    /// There is none to be had.
    Nothing,
    /// It is larger than what is kept.
    TooLarge,
}

/// Why there is no file.
enum Lost {
    /// It is too large.
    TooLarge,
    /// There will be none.
    ForEver,
    /// It may be there later.
    ForNow,
}

/// Fetches and keeps a file.
///
/// # Errors
/// `provider_unavailable` if it is to be asked for again.
pub(super) async fn keep(scene: &Scene<'_>, media: &Media) -> Result<Fetched> {
    let Some(url) = &media.url else { return Ok(Fetched::Nothing) };
    let app = scene.app;
    let found = workspaces::by_id(app.db.reader(), scene.channel.workspace_id).await?;
    let Some(workspace) = found else { return Ok(Fetched::Nothing) };
    let fetched = tokio::time::timeout(FETCH_TIMEOUT, fetch(scene, url)).await.unwrap_or(Err(Lost::ForNow));
    let told = scene.told;
    let is_late = told.tries > 1 && told.heard_at.plus_seconds(PATIENCE_SECONDS) <= app.clock.now();
    match fetched {
        Ok(stored) => {
            let named = media.filename.as_deref().and_then(FileName::cleaned);
            keep::keep_anything(app, &workspace, stored, named, media.content_type.as_deref()).await.map(Fetched::File)
        }
        Err(Lost::ForNow) if !is_late => Err(Error::ProviderUnavailable),
        Err(Lost::TooLarge) => {
            tracing::warn!(session.id = %scene.session.id(), "a file that came with a message is too large");
            Ok(Fetched::TooLarge)
        }
        Err(Lost::ForNow | Lost::ForEver) => {
            tracing::warn!(session.id = %scene.session.id(), "a file that came with a message could not be had");
            Ok(Fetched::Nothing)
        }
    }
}

async fn fetch(scene: &Scene<'_>, url: &str) -> Result<Stored, Lost> {
    let app = scene.app;
    let Source { request, packing } = scene.bridge.media(app, scene.session, url).map_err(|_| Lost::ForEver)?;
    let mut response = request
        .timeout(FETCH_TIMEOUT)
        .send()
        .await
        .map_err(|error| if app.outbound.has_refused(&error) { Lost::ForEver } else { Lost::ForNow })?;
    match response.status().as_u16() {
        200..=299 => {}
        429 | 500..=599 => return Err(Lost::ForNow),
        _ => return Err(Lost::ForEver),
    }
    let unpacked = match packing {
        Packing::Plain => None,
        Packing::InJson(field) => Some(unpack(&mut response, field).await?),
    };
    let mut upload = Upload::begin_brought(app, scene.channel.workspace_id).await.map_err(lost)?;
    if let Some(content) = unpacked {
        return match upload.write(&content).await {
            Ok(()) => upload.finish().await.map_err(lost),
            Err(error) => {
                upload.discard().await;
                Err(lost(error))
            }
        };
    }
    loop {
        let written = match response.chunk().await {
            Ok(Some(chunk)) => upload.write(&chunk).await.map_err(lost),
            Ok(None) => return upload.finish().await.map_err(lost),
            Err(_) => Err(Lost::ForNow),
        };
        if let Err(lost) = written {
            upload.discard().await;
            return Err(lost);
        }
    }
}

/// A file that comes in base64, in a field of an object.
async fn unpack(response: &mut Response, field: &str) -> Result<Vec<u8>, Lost> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| Lost::ForNow)? {
        if body.len() + chunk.len() > MOST_PACKED_BYTES {
            return Err(Lost::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    let object: Value = serde_json::from_slice(&body).map_err(|_| Lost::ForEver)?;
    let encoded = object[field].as_str().ok_or(Lost::ForEver)?;
    BASE64_STANDARD.decode(encoded).map_err(|_| Lost::ForEver)
}

fn lost(error: Error) -> Lost {
    match error {
        Error::FileTooLarge { .. } => Lost::TooLarge,
        Error::InvalidField { .. } => Lost::ForEver,
        _ => Lost::ForNow,
    }
}
