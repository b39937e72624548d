//! Fetching a file from an address that a customer gave, through the outbound guard.

use std::time::Duration;

use entity::id::WorkspaceId;
use reqwest::{Method, Response, header};

use crate::{
    app::App,
    error::{Error, Result},
    file::{
        FileName,
        media::DOCUMENT_LIMIT_BYTES,
        upload::{Stored, Upload},
    },
};

/// What was fetched, and what its place says about it.
pub struct Fetched {
    /// The content.
    pub stored: Stored,
    /// What type it is said to have.
    pub content_type: Option<String>,
    /// How the address ends.
    pub filename: Option<FileName>,
}

/// Fetches a file. Redirects are not followed.
///
/// # Errors
/// `invalid_request` naming `download_url` if the address is not public or does not give the file in time;
/// `invalid_request` naming `content_type`, `file_too_large`; `busy` if the storage does not answer.
pub async fn fetch(app: &App, workspace_id: WorkspaceId, url: &str) -> Result<Fetched> {
    let response = ask(app, url).await?;
    let content_type = header_of(&response, header::CONTENT_TYPE).map(str::to_owned);
    let filename = response.url().path_segments().and_then(|mut parts| parts.next_back().map(decoded));
    let filename = filename.and_then(|name| FileName::cleaned(&name));
    let stored = take(app, workspace_id, response).await?;
    Ok(Fetched { stored, content_type, filename })
}

async fn ask(app: &App, url: &str) -> Result<Response> {
    let request = app.outbound.request(Method::GET, url).map_err(|error| match error {
        Error::InvalidField { reason, .. } => Error::field("download_url", reason),
        error => error,
    })?;
    let request = request.timeout(Duration::from_millis(app.config.upload_timeout_ms));
    let response = request.send().await.map_err(|error| broken(app, &error))?;
    let status = response.status();
    if status.is_redirection() {
        return Err(Error::field("download_url", format!("answers {}; redirects are not followed", status.as_u16())));
    }
    if !status.is_success() {
        return Err(Error::field("download_url", format!("answers {}", status.as_u16())));
    }
    Ok(response)
}

async fn take(app: &App, workspace_id: WorkspaceId, mut response: Response) -> Result<Stored> {
    let declared = response.content_length();
    if declared.is_some_and(|length| length > DOCUMENT_LIMIT_BYTES) {
        return Err(Error::FileTooLarge { limit_bytes: DOCUMENT_LIMIT_BYTES });
    }
    let content_type = header_of(&response, header::CONTENT_TYPE);
    let mut upload = Upload::begin(app, workspace_id).await?.said_to_be(content_type);
    match pass_on(app, &mut response, declared, &mut upload).await {
        Ok(()) => upload.finish().await.map_err(|error| match error {
            Error::InvalidField { field: "file", reason } => Error::field("download_url", reason),
            error => error,
        }),
        Err(error) => {
            upload.discard().await;
            Err(error)
        }
    }
}

async fn pass_on(app: &App, response: &mut Response, declared: Option<u64>, upload: &mut Upload<'_>) -> Result<()> {
    while let Some(chunk) = response.chunk().await.map_err(|error| broken(app, &error))? {
        upload.write(&chunk).await?;
        if let (Some(length), Some(limit_bytes)) = (declared, upload.limit_bytes())
            && length > limit_bytes
        {
            return Err(Error::FileTooLarge { limit_bytes });
        }
    }
    Ok(())
}

fn broken(app: &App, error: &reqwest::Error) -> Error {
    let reason = match error.is_timeout() {
        true => format!("gave no whole file within {} ms", app.config.upload_timeout_ms),
        false => app.outbound.describe(error),
    };
    Error::field("download_url", reason)
}

fn header_of(response: &Response, name: header::HeaderName) -> Option<&str> {
    response.headers().get(name).and_then(|value| value.to_str().ok())
}

/// A part of a path with its escapes undone; what is no text stays as it stands.
fn decoded(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = match tail {
            [high, low, ..] if *first == b'%' => hex(*high).zip(hex(*low)).map(|(high, low)| high * 16 + low),
            _ => None,
        };
        match escaped {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| part.to_owned())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_of_paths_are_undone() {
        assert_eq!(decoded("men%C3%BC%20a.pdf"), "menü a.pdf");
        assert_eq!(decoded("100%"), "100%");
        assert_eq!(decoded("%zz%4"), "%zz%4");
        assert_eq!(decoded("%ff.pdf"), "%ff.pdf");
    }
}
