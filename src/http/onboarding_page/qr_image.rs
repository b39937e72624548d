//! QR codes as SVG.

use base64::{Engine, prelude::BASE64_STANDARD};
use qrcode::{QrCode, render::svg};

use crate::error::{Error, Result};

/// The code as an address that an `<img>` shows: black on white with its quiet zone, whatever the page's colours.
pub(super) fn data_url(payload: &str) -> Result<String> {
    let code = QrCode::new(payload).map_err(|error| Error::Internal(format!("qr code: {error}")))?;
    let picture = code
        .render::<svg::Color>()
        .module_dimensions(1, 1)
        .quiet_zone(true)
        .dark_color(svg::Color("#000000"))
        .light_color(svg::Color("#ffffff"))
        .build();
    Ok(format!("data:image/svg+xml;base64,{}", BASE64_STANDARD.encode(picture)))
}
