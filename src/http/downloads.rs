//! Links to files: whoever has one reads the file, for as long as the link is good.
//!
//! The link is the credential; it is in the address, so nothing here is cached, referred or logged with it, and no
//! browser is to show what a customer's customer has sent as a page of ours.
//!
//! A content never changes, so whoever was interrupted goes on where it was (`Range`, `If-Range`), and whoever has it
//! is told so (`If-None-Match`).

use std::sync::Arc;

use entity::file;
use poem::{
    Body, Endpoint, Request, Response, Route, get, handler,
    http::{StatusCode, header},
    web::{Data, Path},
};

use crate::{
    app::App,
    file::{link, read},
    http::{problem::Problem, range::Wanted, surface},
};

/// The surface.
pub(super) fn endpoint(app: &Arc<App>) -> impl Endpoint<Output = Response> + use<> {
    surface::surface::<Problem, _>(app, Route::new().at("/:uid/:ticket", get(download)))
}

#[handler]
async fn download(
    app: Data<&Arc<App>>,
    request: &Request,
    Path((uid, ticket)): Path<(String, String)>,
) -> poem::Result<Response> {
    let id = link::check(&app, &uid, &ticket)?;
    let file = read::linked(&app, id).await?;
    let tag = format!("\"{}\"", file.id);
    let answer = Response::builder()
        .header(header::ETAG, &tag)
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header(header::REFERRER_POLICY, "no-referrer")
        .header(header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox")
        .header(header::CACHE_CONTROL, "private, no-store");
    if request.header(header::IF_NONE_MATCH).is_some_and(|known| is_among(&tag, known)) {
        return Ok(answer.status(StatusCode::NOT_MODIFIED).finish());
    }
    let size = u64::try_from(file.size).unwrap_or(0);
    let (status, part) = match wanted(request, &tag, size) {
        Wanted::Whole => (StatusCode::OK, None),
        Wanted::Part(part) => (StatusCode::PARTIAL_CONTENT, Some(part)),
        Wanted::Beyond => {
            let answer = answer.status(StatusCode::RANGE_NOT_SATISFIABLE);
            return Ok(answer.header(header::CONTENT_RANGE, format!("bytes */{size}")).finish());
        }
    };
    let content = read::open(&app, &file, part.clone()).await?;
    let answer = match &part {
        Some(part) => {
            answer.header(header::CONTENT_RANGE, format!("bytes {}-{}/{size}", part.start, part.end.saturating_sub(1)))
        }
        None => answer,
    };
    Ok(answer
        .status(status)
        .header(header::CONTENT_TYPE, &file.content_type)
        .header(header::CONTENT_LENGTH, part.map_or(size, |part| part.end - part.start))
        .header(header::CONTENT_DISPOSITION, disposition(&file))
        .body(Body::from_bytes_stream(content)))
}

/// What of the content is asked for. A part is only of use to whoever has the rest of the same content.
fn wanted(request: &Request, tag: &str, size: u64) -> Wanted {
    match (request.header(header::RANGE), request.header(header::IF_RANGE)) {
        (Some(range), None) => Wanted::parse(range, size),
        (Some(range), Some(of)) if of.trim() == tag => Wanted::parse(range, size),
        _ => Wanted::Whole,
    }
}

/// Whether an `If-None-Match` names the tag.
fn is_among(tag: &str, known: &str) -> bool {
    known.split(',').map(str::trim).any(|known| known == "*" || known.trim_start_matches("W/") == tag)
}

/// To be saved under its name: in ASCII for those who know nothing else, and as it is (RFC 6266).
fn disposition(file: &file::Model) -> String {
    let plain = |char: char| if char.is_ascii_graphic() && !"\"\\%".contains(char) || char == ' ' { char } else { '_' };
    let ascii: String = file.filename.chars().map(plain).collect();
    let exact: String = file.filename.bytes().map(escaped).collect();
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{exact}")
}

fn escaped(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    }
}
