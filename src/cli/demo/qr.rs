//! Reading a QR code from the picture that a page shows, as a phone's camera does.

use base64::{Engine, prelude::BASE64_STANDARD};

/// Decodes a `data:image/svg+xml;base64,…` picture of one QR code.
pub(super) fn read(data_url: &str) -> Result<String, String> {
    let encoded = data_url.strip_prefix("data:image/svg+xml;base64,").ok_or("not an SVG data URL")?;
    let bytes = BASE64_STANDARD.decode(encoded).map_err(|error| error.to_string())?;
    let svg = String::from_utf8(bytes).map_err(|error| error.to_string())?;
    let modules = dark_modules(&svg).ok_or("the picture has no modules")?;
    let (low, high) = (*modules.iter().flatten().min().unwrap_or(&0), *modules.iter().flatten().max().unwrap_or(&0));
    let size = high - low + 1;
    let is_dark = |x: usize, y: usize| modules.contains(&[x + low, y + low]);
    let grid = rqrr::SimpleGrid::from_func(size, is_dark);
    rqrr::Grid::new(grid).decode().map(|(_, text)| text).map_err(|error| error.to_string())
}

/// Coordinates of the dark squares: the path draws each row's runs as `M<x> <y>h<width>v<height>…`.
fn dark_modules(svg: &str) -> Option<Vec<[usize; 2]>> {
    let path = svg.split(" d=\"").nth(1)?.split('"').next()?;
    let mut modules = Vec::new();
    for part in path.split('M').filter(|part| !part.is_empty()) {
        let (place, rest) = part.split_once('h')?;
        let (x, y) = place.split_once([' ', ','])?;
        let (x, y): (usize, usize) = (x.trim().parse().ok()?, y.trim().parse().ok()?);
        let width: usize = rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
        modules.extend((x..x + width).map(|x| [x, y]));
    }
    (!modules.is_empty()).then_some(modules)
}
