//! The script that websites embed, and the page in the frame that it opens.
//!
//! The page may be framed by the channel's origins and by nobody else, whatever the browser sends. It talks to the
//! website around it only if that is one of these, by name.

use std::sync::{Arc, LazyLock};

use askama::Template;
use base64::{Engine, prelude::BASE64_STANDARD};
use poem::{
    Request, Response, handler,
    http::{StatusCode, header},
    web::{Data, Path, Query},
};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::{
    app::App,
    channel::widget::{self, Widget},
    error::{Error, Result},
    http::{
        assets,
        onboarding_page::ink_on,
        widget::{API, door, views::WidgetView},
    },
};

const SCRIPT: &str = include_str!("../../../assets/widget.js");
/// Its address is in customers' pages, so it never changes; what is there may.
const SCRIPT_CACHED: &str = "public, max-age=300";

static SCRIPT_TAG: LazyLock<String> = LazyLock::new(|| {
    let digest = Sha256::digest(SCRIPT);
    format!("\"{}\"", digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>())
});

/// The script that websites embed.
#[handler]
pub(super) fn script(request: &Request) -> Response {
    let answer = Response::builder()
        .header(header::ETAG, SCRIPT_TAG.as_str())
        .header(header::CACHE_CONTROL, SCRIPT_CACHED)
        .header("Cross-Origin-Resource-Policy", "cross-origin")
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    let known = request.header(header::IF_NONE_MATCH);
    if known.is_some_and(|known| known.split(',').any(|known| known.trim() == *SCRIPT_TAG)) {
        return answer.status(StatusCode::NOT_MODIFIED).finish();
    }
    answer.header(header::CONTENT_TYPE, "text/javascript; charset=utf-8").body(SCRIPT)
}

#[derive(Deserialize)]
struct FrameQuery {
    /// The website around it, as the script says.
    origin: Option<String>,
}

#[derive(Template)]
#[template(path = "widget.html")]
struct FramePage<'a> {
    view: &'a WidgetView,
    brand: &'a str,
    ink: &'a str,
    api: String,
    parent: &'a str,
    nonce: &'a str,
    script: String,
    style: String,
}

/// The page in the frame.
#[handler]
pub(super) async fn frame(
    app: Data<&Arc<App>>,
    Path(token): Path<String>,
    Query(query): Query<FrameQuery>,
) -> poem::Result<Response> {
    let widget = widget::find(&app, &token).await?;
    let website = query.origin.as_deref().filter(|origin| widget.allows(origin)).unwrap_or_default();
    Ok(show(&app, &widget, &token, website)?)
}

fn show(app: &App, widget: &Widget, token: &str, website: &str) -> Result<Response> {
    let view = WidgetView::from(widget);
    let nonce = BASE64_STANDARD.encode(app.clock.random::<16>());
    let page = FramePage {
        ink: view.text_color.as_deref().unwrap_or_else(|| ink_on(&view.primary_color)),
        brand: &widget.brand,
        api: format!("{API}/{token}"),
        parent: website,
        nonce: &nonce,
        script: assets::widget_script_path(),
        style: assets::widget_style_path(),
        view: &view,
    };
    let text = page.render().map_err(|error| Error::Internal(format!("page: {error}")))?;
    let pictures = view.avatar_url.as_deref().and_then(door::origin_of_url).filter(|origin| is_plain(origin));
    let pictures = pictures.unwrap_or_default();
    let websites = widget.origins().filter(|origin| is_plain(origin)).collect::<Vec<_>>().join(" ");
    let ancestors = if websites.is_empty() { "'none'" } else { &websites };
    let policy = format!(
        "default-src 'none'; style-src 'self' 'nonce-{nonce}'; script-src 'self'; connect-src 'self'; \
         img-src 'self' {pictures}; base-uri 'none'; form-action 'none'; frame-ancestors {ancestors}"
    );
    Ok(Response::builder()
        .header(header::CONTENT_TYPE, "text/html; charset=utf-8")
        .header(header::CONTENT_SECURITY_POLICY, policy)
        // Our own calls say where they come from with it, in browsers that say it in no other way.
        .header(header::REFERRER_POLICY, "same-origin")
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header("X-Robots-Tag", "noindex")
        .header(header::CACHE_CONTROL, "no-store")
        .body(text))
}

/// Whether an origin is nothing but one: what a customer sets must not become another part of a policy.
fn is_plain(origin: &str) -> bool {
    origin.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".:/-_[]".contains(&byte))
}
