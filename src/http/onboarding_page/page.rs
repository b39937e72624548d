//! The page itself, in the partner's brand.

use std::sync::Arc;

use askama::Template;
use base64::{Engine, prelude::BASE64_STANDARD};
use entity::channel::Network;
use poem::{
    IntoResponse, Response, handler,
    http::{StatusCode, header},
    web::{Data, Path, Query},
};
use serde::Deserialize;

use crate::{
    error::{Error, Result},
    http::{
        assets,
        onboarding_page::{
            Shared,
            view::{PageState, Shown, name_of},
        },
    },
    onboarding::{asks_for_login, open},
    partner::{self, brand},
};

pub(in crate::http) const DEFAULT_COLOR: &str = "#1f6f54";

#[derive(Deserialize)]
struct PageQuery {
    display_mode: Option<String>,
}

#[derive(Template)]
#[template(path = "onboarding.html")]
struct OnboardingPage<'a> {
    brand_name: &'a str,
    network: &'static str,
    asks_for_login: bool,
    is_whatsapp: bool,
    is_telegram: bool,
    brand_color: &'a str,
    brand_ink: &'static str,
    has_logo: bool,
    state: String,
    origins: String,
    is_embedded: bool,
    nonce: &'a str,
    script: String,
    style: String,
}

#[derive(Template)]
#[template(path = "no-link.html")]
struct NoLinkPage {
    style: String,
}

/// The page of a link, whatever its state: 200 while it can be used, 410 after, 404 for a token that was never given.
#[handler]
pub(super) async fn show_page(
    shared: Data<&Arc<Shared>>,
    Path(token): Path<String>,
    Query(query): Query<PageQuery>,
) -> poem::Result<Response> {
    match show(&shared, &token, &query).await {
        Ok(response) => Ok(response),
        Err(Error::LinkNotFound) => {
            let page = NoLinkPage { style: assets::style_path() };
            Ok(html(StatusCode::NOT_FOUND, &page, "style-src 'self'", "'none'")?)
        }
        Err(error) => Err(error.into()),
    }
}

async fn show(shared: &Shared, token: &str, query: &PageQuery) -> Result<Response> {
    let app = &shared.app;
    let opened = open::open(app, token).await?;
    let standing = open::standing(app, opened.link.id).await?;
    let state = PageState::of(&standing, app.clock.now())?.state;
    // Whoever opens a link that has connected already was not the one who connected it.
    let state = if state == Shown::Connected { Shown::Used } else { state };
    let is_embedded = query.display_mode.as_deref() == Some("embedding");
    let origins = partner::embedding_origins(&opened.partner);
    let frame_ancestors = match is_embedded && !origins.is_empty() {
        true => origins.join(" "),
        false => "'none'".to_owned(),
    };
    let nonce = BASE64_STANDARD.encode(app.clock.random::<16>());
    let color = opened.partner.brand_color.as_deref().unwrap_or(DEFAULT_COLOR);
    let network = opened.link.network;
    let page = OnboardingPage {
        network: name_of(network),
        asks_for_login: asks_for_login(network),
        is_whatsapp: network == Network::Whatsapp,
        is_telegram: network == Network::Telegram,
        brand_name: opened.partner.brand_name.as_deref().unwrap_or(&opened.partner.name),
        brand_color: color,
        brand_ink: ink_on(color),
        has_logo: brand::logo(app, &opened.partner.id).await?.is_some(),
        state: state.to_string(),
        origins: if is_embedded { origins.join(" ") } else { String::new() },
        is_embedded,
        nonce: &nonce,
        script: assets::script_path(),
        style: assets::style_path(),
    };
    let status = if state.is_final() { StatusCode::GONE } else { StatusCode::OK };
    let policy =
        format!("style-src 'self' 'nonce-{nonce}'; script-src 'self'; connect-src 'self'; img-src 'self' data:");
    html(status, &page, &policy, &frame_ancestors)
}

fn html(status: StatusCode, page: &impl Template, policy: &str, frame_ancestors: &str) -> Result<Response> {
    let text = page.render().map_err(|error| Error::Internal(format!("page: {error}")))?;
    let policy =
        format!("default-src 'none'; {policy}; base-uri 'none'; form-action 'none'; frame-ancestors {frame_ancestors}");
    Ok(Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "text/html; charset=utf-8")
        .header(header::CONTENT_SECURITY_POLICY, policy)
        .body(text))
}

/// Black or white, whichever reads better on the colour (WCAG relative luminance, in integers).
pub(in crate::http) fn ink_on(color: &str) -> &'static str {
    let channel = |range| color.get(range).and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or(0);
    // The square is close enough to the curve of sRGB to choose between two inks.
    let luminance = 2126 * channel(1..3).pow(2) + 7152 * channel(3..5).pow(2) + 722 * channel(5..7).pow(2);
    if luminance > 10_000 * 255 * 255 * 2 / 10 { "#000000" } else { "#ffffff" }
}

/// The partner's logo.
#[handler]
pub(super) async fn show_logo(shared: Data<&Arc<Shared>>, Path(token): Path<String>) -> poem::Result<Response> {
    let opened = open::open(&shared.app, &token).await?;
    Ok(match brand::logo(&shared.app, &opened.partner.id).await? {
        Some(logo) => Response::builder()
            .header(header::CONTENT_TYPE, logo.content_type)
            .header(header::CACHE_CONTROL, "private, max-age=300")
            .header(header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox")
            .body(logo.bytes),
        None => StatusCode::NOT_FOUND.into_response(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ink_reads_on_its_colour() {
        for (color, ink) in
            [("#ffffff", "#000000"), ("#000000", "#ffffff"), ("#1f6f54", "#ffffff"), ("#ffd400", "#000000")]
        {
            assert_eq!(ink_on(color), ink, "{color}");
        }
    }
}
