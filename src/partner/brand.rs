//! What a partner's customers see on its pages, and where those pages may be embedded.

use entity::{id::PartnerId, partner::Model, partner_logo};

use crate::{
    app::App,
    audit,
    caller::Origin,
    db,
    error::{Error, Result},
    partner::store,
};

/// Largest logo, in bytes.
pub const MAX_LOGO_BYTES: usize = 256 * 1024;
const MAX_ORIGINS: usize = 20;

/// What to change; absent members stay as they are.
#[derive(Default)]
pub struct SetBrand {
    /// Name on the pages.
    pub name: Option<String>,
    /// Accent colour, `#rrggbb`.
    pub color: Option<String>,
    /// A picture: PNG, JPEG or WebP.
    pub logo: Option<Vec<u8>>,
}

/// Changes name, colour or logo.
///
/// # Errors
/// `partner_not_found`, or `invalid_request` naming `color` or `logo`.
pub async fn set(app: &App, origin: &Origin, id: &PartnerId, command: &SetBrand) -> Result<Model> {
    let name = command.name.as_deref().map(crate::partner::parse_name).transpose()?;
    let color = command.color.as_deref().map(parse_color).transpose()?;
    let logo = command.logo.as_ref().map(|bytes| Ok::<_, Error>((logo_type(bytes)?, bytes))).transpose()?;
    db::write(&app.db, "partner.set_brand", async |tx| {
        store::find(tx, id).await?.ok_or(Error::PartnerNotFound)?;
        let after = store::set_brand(app, tx, id, name, color).await?;
        if let Some((content_type, bytes)) = logo {
            store::put_logo(app, tx, id, content_type, bytes.clone()).await?;
        }
        let entry = audit::Entry::of_partner("partner.set_brand", id).after(serde_json::json!({
            "name": after.brand_name, "color": after.brand_color, "logo_changed": logo.is_some(),
        }));
        audit::record(app, tx, origin, entry).await?;
        Ok(after)
    })
    .await
}

/// Replaces the origins that may embed the partner's pages: exact `scheme://host[:port]`, at most 20.
///
/// # Errors
/// `partner_not_found`, or `invalid_request` naming `origins`.
pub async fn set_embedding_origins(app: &App, origin: &Origin, id: &PartnerId, origins: &[String]) -> Result<Model> {
    if origins.len() > MAX_ORIGINS {
        return Err(Error::field("origins", format!("must be at most {MAX_ORIGINS}")));
    }
    let mut parsed = origins.iter().map(|text| parse_origin(text)).collect::<Result<Vec<String>>>()?;
    parsed.sort();
    parsed.dedup();
    db::write(&app.db, "partner.set_embedding_origins", async |tx| {
        let before = store::find(tx, id).await?.ok_or(Error::PartnerNotFound)?;
        let after = store::set_origins(app, tx, id, &parsed).await?;
        let entry = audit::Entry::of_partner("partner.set_embedding_origins", id)
            .before(crate::partner::embedding_origins(&before))
            .after(&parsed);
        audit::record(app, tx, origin, entry).await?;
        Ok(after)
    })
    .await
}

/// A partner's logo, if it has one.
///
/// # Errors
/// What the database says.
pub async fn logo(app: &App, id: &PartnerId) -> Result<Option<partner_logo::Model>> {
    store::logo(app.db.reader(), id).await
}

fn parse_color(text: &str) -> Result<String> {
    let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6);
    match digits {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => Ok(text.to_ascii_lowercase()),
        _ => Err(Error::field("color", "must be #rrggbb")),
    }
}

/// Finds the media type from the first bytes; SVG, which can carry scripts, is not among them.
fn logo_type(bytes: &[u8]) -> Result<&'static str> {
    if bytes.len() > MAX_LOGO_BYTES {
        return Err(Error::field("logo", format!("must be at most {MAX_LOGO_BYTES} bytes")));
    }
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        Ok("image/png")
    } else if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
        Ok("image/jpeg")
    } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        Ok("image/webp")
    } else {
        Err(Error::field("logo", "must be a PNG, JPEG or WebP picture"))
    }
}

/// Reads an origin as browsers write it: lower case, no path, no default port.
fn parse_origin(text: &str) -> Result<String> {
    let refuse = || Error::field("origins", format!("{text:?} must be http(s)://host[:port], nothing else"));
    let url: reqwest::Url = text.parse().map_err(|_| refuse())?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.username().is_empty()
        && url.password().is_none()
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.host_str().is_some_and(is_host);
    let origin = url.origin().ascii_serialization();
    if plain && !text.ends_with('/') { Ok(origin) } else { Err(refuse()) }
}

/// A name or an address, of characters that cannot end a header's directive.
fn is_host(host: &str) -> bool {
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_address = inner.is_some_and(|inner| inner.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':'));
    is_address || host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_exact() {
        assert_eq!(parse_origin("https://Portal.Example.com:443").expect("origin"), "https://portal.example.com");
        assert_eq!(parse_origin("http://[::1]:9000").expect("origin"), "http://[::1]:9000");
        assert_eq!(parse_origin("http://127.0.0.1:9000").expect("origin"), "http://127.0.0.1:9000");
        for bad in [
            "https://example.com/",
            "https://example.com/x",
            "https://*.example.com",
            "https://u@example.com",
            "javascript:alert(1)",
            "example.com",
            "null",
            "https://example.com; script-src *",
            "https://example.com;script-src",
            "https://example.com,b",
            "https://example.com'x",
            "https://$x",
        ] {
            assert!(parse_origin(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn logos_are_known_by_their_bytes() {
        assert_eq!(logo_type(b"\x89PNG\r\n\x1a\nrest").expect("png"), "image/png");
        assert_eq!(logo_type(b"RIFF0000WEBPrest").expect("webp"), "image/webp");
        assert!(logo_type(b"<svg onload='x'>").is_err());
        assert!(logo_type(&vec![0xff; MAX_LOGO_BYTES + 1]).is_err());
    }

    #[test]
    fn colours_are_six_hexadecimal_digits() {
        assert_eq!(parse_color("#A1b2C3").expect("colour"), "#a1b2c3");
        for bad in ["a1b2c3", "#abc", "#12345g", "#1234567", "#é1234"] {
            assert!(parse_color(bad).is_err(), "{bad}");
        }
    }
}
