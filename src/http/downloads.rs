//! Links to files: whoever has one reads the file, for as long as the link is good.
//!
//! The link is the credential; it is in the address, so nothing here is cached, referred or logged with it, and no
//! browser is to show what a customer's customer has sent as a page of ours.

use std::sync::Arc;

use entity::file;
use poem::{
    Body, Endpoint, Response, Route, get, handler,
    http::header,
    web::{Data, Path},
};

use crate::{
    app::App,
    file::{link, read},
    http::{problem::Problem, surface},
};

/// The surface.
pub(super) fn endpoint(app: &Arc<App>) -> impl Endpoint<Output = Response> + use<> {
    surface::surface::<Problem, _>(app, Route::new().at("/:uid/:ticket", get(download)))
}

#[handler]
async fn download(app: Data<&Arc<App>>, Path((uid, ticket)): Path<(String, String)>) -> poem::Result<Response> {
    let id = link::check(&app, &uid, &ticket)?;
    let file = read::linked(&app, id).await?;
    let content = read::open(&app, &file).await?;
    Ok(Response::builder()
        .header(header::CONTENT_TYPE, &file.content_type)
        .header(header::CONTENT_LENGTH, file.size)
        .header(header::CONTENT_DISPOSITION, disposition(&file))
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header(header::REFERRER_POLICY, "no-referrer")
        .header(header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox")
        .header(header::CACHE_CONTROL, "private, no-store")
        .body(Body::from_bytes_stream(content)))
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
