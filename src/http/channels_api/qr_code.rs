//! QR codes as pictures for programs.

use base64::{Engine, prelude::BASE64_STANDARD};
use entity::timestamp::Timestamp;
use qrcode::{Color, QrCode};

use crate::error::{Error, Result};

/// How wide a module is, in pixels.
const SCALE: usize = 6;
/// How wide the border is, in modules.
const QUIET: usize = 4;
/// How often to ask whether a phone has scanned, in milliseconds.
const POLL_MS: i64 = 3_000;

/// The code as a PNG in base64, black on white with its border.
pub(super) fn png(payload: &str) -> Result<String> {
    let code = QrCode::new(payload).map_err(|error| Error::Internal(format!("qr code: {error}")))?;
    let modules = code.width();
    let width = (modules + 2 * QUIET) * SCALE;
    let colours = code.to_colors();
    let is_dark = |x: usize, y: usize| {
        let place = |pixel: usize| (pixel / SCALE).checked_sub(QUIET).filter(|place| *place < modules);
        matches!((place(x), place(y)), (Some(x), Some(y)) if colours[y * modules + x] == Color::Dark)
    };
    let mut rows = Vec::with_capacity(width * width.div_ceil(8));
    for y in 0..width {
        for start in (0..width).step_by(8) {
            let bit = |offset: usize| u8::from(!is_dark(start + offset, y)) << (7 - offset);
            rows.push((0..8).map(bit).fold(0, |byte, bit| byte | bit));
        }
    }
    let broken = |error: png::EncodingError| Error::Internal(format!("qr code: {error}"));
    let mut picture = Vec::new();
    let size = u32::try_from(width).map_err(|_| Error::Internal("qr code: too wide".to_owned()))?;
    let mut encoder = png::Encoder::new(&mut picture, size, size);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    encoder.write_header().map_err(broken)?.write_image_data(&rows).map_err(broken)?;
    Ok(BASE64_STANDARD.encode(picture))
}

/// When to ask again: before the code is replaced, and often enough to hear of a scan.
pub(in crate::http) fn next_poll_ms(now: Timestamp, expires_at: Timestamp) -> i64 {
    now.millis_until(expires_at).clamp(1, POLL_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_shows_the_code() {
        let bytes = BASE64_STANDARD.decode(png("2@abc,def").expect("a picture")).expect("base64");
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().expect("a PNG");
        let (width, height) = (reader.info().width, reader.info().height);
        assert_eq!(width, height);
        let modules = QrCode::new("2@abc,def").expect("a code").width();
        assert_eq!(usize::try_from(width).expect("a width"), (modules + 2 * QUIET) * SCALE);
        let mut rows = vec![0; reader.output_buffer_size().expect("a size")];
        reader.next_frame(&mut rows).expect("rows");
        let line = reader.info().raw_row_length() - 1;
        let pixel = |x: usize, y: usize| rows[y * line + x / 8] >> (7 - x % 8) & 1;
        assert_eq!(pixel(0, 0), 1, "the border is white");
        assert_eq!(pixel(QUIET * SCALE, QUIET * SCALE), 0, "a corner is black");
    }
}
