//! Static files of the pages and the picture of chats without one, built into the binary. Their names carry a digest, so browsers may keep them for ever.

use std::sync::LazyLock;

use poem::{
    IntoResponse, Response, handler,
    http::{StatusCode, header},
    web::Path,
};
use sha2::{Digest, Sha256};

struct Asset {
    name: String,
    content_type: &'static str,
    content: &'static str,
}

impl Asset {
    fn new(stem: &str, ending: &str, content_type: &'static str, content: &'static str) -> Self {
        let digest: String = Sha256::digest(content).iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        Self { name: format!("{stem}.{digest}.{ending}"), content_type, content }
    }
}

static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("onboarding", "js", "text/javascript; charset=utf-8", include_str!("../../assets/onboarding.js"))
});
static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("onboarding", "css", "text/css; charset=utf-8", include_str!("../../assets/onboarding.css"))
});
static AVATAR: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("avatar", "svg", "image/svg+xml", include_str!("../../assets/avatar.svg")));

static WIDGET_SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("widget", "js", "text/javascript; charset=utf-8", include_str!("../../assets/widget-frame.js"))
});
static WIDGET_STYLE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("widget", "css", "text/css; charset=utf-8", include_str!("../../assets/widget-frame.css"))
});

/// Address of the onboarding page's script.
pub(super) fn script_path() -> String {
    format!("/assets/{}", SCRIPT.name)
}

/// Address of the onboarding page's style sheet.
pub(super) fn style_path() -> String {
    format!("/assets/{}", STYLE.name)
}

/// Address of the picture of those who have none.
pub(super) fn avatar_path() -> String {
    format!("/assets/{}", AVATAR.name)
}

/// Address of the script of the widget's frame.
pub(super) fn widget_script_path() -> String {
    format!("/assets/{}", WIDGET_SCRIPT.name)
}

/// Address of its style sheet.
pub(super) fn widget_style_path() -> String {
    format!("/assets/{}", WIDGET_STYLE.name)
}

/// One static file.
#[handler]
pub(super) fn asset(Path(name): Path<String>) -> Response {
    match [&*SCRIPT, &*STYLE, &*AVATAR, &*WIDGET_SCRIPT, &*WIDGET_STYLE].into_iter().find(|asset| asset.name == name) {
        Some(asset) => Response::builder()
            .header(header::CONTENT_TYPE, asset.content_type)
            .header(header::CACHE_CONTROL, "public, max-age=31536000, immutable")
            .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
            .body(asset.content),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
