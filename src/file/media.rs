//! Which types of files there are, how large each may be, and what their first bytes look like
//! (`contracts/timelines.md` §3.6).
//!
//! | types | most bytes |
//! |---|---|
//! | JPEG, PNG, GIF, WebP | 16 MiB |
//! | PDF, DOC, DOCX, XLS, XLSX | 100 MiB |
//! | MP3, OGG (OGA), AAC | 16 MiB |
//! | MP4, 3GP | 16 MiB |
//!
//! A content that is said to be one thing and begins like another is refused, and so is everything else. That is for what
//! a workspace uploads; what its customers send is kept whatever it is, as a document, and is called what they say that
//! it is unless it cannot be that.

use std::borrow::Cow;

use crate::{
    error::{Error, Result},
    file::MAX_CONTENT_TYPE_CHARS,
};

const MEBIBYTE: u64 = 1024 * 1024;
/// Most bytes of a document.
pub const DOCUMENT_LIMIT_BYTES: u64 = 100 * MEBIBYTE;
/// Most bytes of a picture, a sound or a film.
pub const MEDIA_LIMIT_BYTES: u64 = 16 * MEBIBYTE;
/// How many of the first bytes say what a content is.
pub const HEAD_BYTES: usize = 96;
/// What a content is called of which nothing is known.
const UNKNOWN: &str = "application/octet-stream";

/// A type of files that is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumIter)]
#[expect(missing_docs, reason = "the names say what they are")]
pub enum Media {
    Jpeg,
    Png,
    Gif,
    Webp,
    Pdf,
    Doc,
    Docx,
    Xls,
    Xlsx,
    Mp3,
    Ogg,
    Aac,
    Mp4,
    ThreeGp,
}

impl Media {
    /// Its media type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Gif => "image/gif",
            Self::Webp => "image/webp",
            Self::Pdf => "application/pdf",
            Self::Doc => "application/msword",
            Self::Docx => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            Self::Xls => "application/vnd.ms-excel",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Mp3 => "audio/mpeg",
            Self::Ogg => "audio/ogg",
            Self::Aac => "audio/aac",
            Self::Mp4 => "video/mp4",
            Self::ThreeGp => "video/3gpp",
        }
    }

    /// How names of such files end; the first is the usual one.
    #[must_use]
    pub const fn endings(self) -> &'static [&'static str] {
        match self {
            Self::Jpeg => &["jpg", "jpeg"],
            Self::Png => &["png"],
            Self::Gif => &["gif"],
            Self::Webp => &["webp"],
            Self::Pdf => &["pdf"],
            Self::Doc => &["doc"],
            Self::Docx => &["docx"],
            Self::Xls => &["xls"],
            Self::Xlsx => &["xlsx"],
            Self::Mp3 => &["mp3"],
            Self::Ogg => &["ogg", "oga"],
            Self::Aac => &["aac"],
            Self::Mp4 => &["mp4"],
            Self::ThreeGp => &["3gp"],
        }
    }

    /// Other names of its media type.
    const fn aliases(self) -> &'static [&'static str] {
        match self {
            Self::Jpeg => &["image/jpg", "image/pjpeg"],
            Self::Pdf => &["application/x-pdf"],
            Self::Mp3 => &["audio/mp3", "audio/mpeg3", "audio/x-mpeg"],
            Self::Ogg => &["application/ogg", "audio/oga", "audio/opus"],
            Self::Aac => &["audio/aacp", "audio/x-aac"],
            Self::ThreeGp => &["video/3gp"],
            _ => &[],
        }
    }

    /// Whether a voice message may be one.
    #[must_use]
    pub const fn is_voice(self) -> bool {
        matches!(self, Self::Ogg | Self::Mp3)
    }

    fn is_called(self, content_type: &str) -> bool {
        self.content_type() == content_type || self.aliases().contains(&content_type)
    }

    fn ends(self, filename: &str) -> bool {
        let ending = filename.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
        ending.is_some_and(|ending| self.endings().contains(&ending.as_str()))
    }
}

/// What the first bytes of a content say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape(&'static [Media]);

impl Shape {
    /// The shape of a content that is of no type of ours.
    pub const OTHER: Self = Self(&[]);

    /// What a content with these first bytes may be, if it is anything that is stored.
    #[must_use]
    pub fn of(head: &[u8]) -> Option<Self> {
        let begins = |magic: &[u8]| head.starts_with(magic);
        let at = |place: usize, magic: &[u8]| head.get(place..).is_some_and(|rest| rest.starts_with(magic));
        let media: &'static [Media] = match () {
            () if begins(b"\xff\xd8\xff") => &[Media::Jpeg],
            () if begins(b"\x89PNG\r\n\x1a\n") => &[Media::Png],
            () if begins(b"GIF87a") || begins(b"GIF89a") => &[Media::Gif],
            () if begins(b"RIFF") && at(8, b"WEBP") => &[Media::Webp],
            () if begins(b"%PDF-") => &[Media::Pdf],
            () if begins(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") => &[Media::Doc, Media::Xls],
            () if is_office_zip(head) => &[Media::Docx, Media::Xlsx],
            () if begins(b"OggS") => &[Media::Ogg],
            () if begins(b"ADIF") || is_adts(head) => &[Media::Aac],
            () if begins(b"ID3") || is_mpeg_layer_3(head) => &[Media::Mp3],
            () if at(4, b"ftyp3g") => &[Media::ThreeGp, Media::Mp4],
            () if at(4, b"ftyp") && is_film(head) => &[Media::Mp4, Media::ThreeGp],
            () => return None,
        };
        Some(Self(media))
    }

    /// Most bytes of such a content.
    #[must_use]
    pub const fn limit_bytes(self) -> u64 {
        match self.0 {
            [] | [Media::Pdf | Media::Doc | Media::Docx, ..] => DOCUMENT_LIMIT_BYTES,
            _ => MEDIA_LIMIT_BYTES,
        }
    }

    /// What such a content is, by the type that it is said to have, or else by its name.
    ///
    /// # Errors
    /// `invalid_request` naming `content_type`.
    pub fn decide(self, declared: Option<&str>, filename: Option<&str>) -> Result<Media> {
        let named = filename.and_then(|name| self.0.iter().copied().find(|media| media.ends(name)));
        let Some(declared) = declared.map(essence).filter(|declared| !is_vague(declared)) else {
            let sole = (self.0.len() == 1).then(|| self.0[0]);
            let film = self.0.iter().copied().find(|media| matches!(media, Media::Mp4 | Media::ThreeGp));
            return named.or(sole).or(film).ok_or_else(|| {
                Error::field("content_type", "is needed, or a filename whose ending says what the file is")
            });
        };
        let fits = self.0.iter().copied().find(|media| media.is_called(&declared));
        fits.ok_or_else(|| Error::field("content_type", "is not what the file is"))
    }

    /// What such a content is, if it is of a type of ours, whatever it is said to be.
    #[must_use]
    pub fn recognise(self, declared: Option<&str>, filename: Option<&str>) -> Option<Media> {
        let found = self.decide(declared, filename).or_else(|_| self.decide(None, None));
        found.ok()
    }
}

/// What a content of no type of ours is called: as it is said to be, if that is a media type and none of ours.
#[must_use]
pub fn called(declared: Option<&str>) -> Cow<'static, str> {
    let declared = declared.map(essence).filter(|declared| is_media_type(declared) && !is_vague(declared));
    match declared.filter(|declared| !is_ours(declared)) {
        Some(declared) => Cow::Owned(declared),
        None => Cow::Borrowed(UNKNOWN),
    }
}

/// Whether a text is a type and a subtype, as RFC 6838 spells them.
fn is_media_type(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
    let is_name = |name: &str| name.starts_with(|first: char| first.is_ascii_alphanumeric()) && name.bytes().all(fits);
    let parts = text.split_once('/').filter(|_| text.len() <= MAX_CONTENT_TYPE_CHARS);
    parts.is_some_and(|(family, name)| is_name(family) && is_name(name))
}

/// What is said about contents that are of no type that is stored.
#[must_use]
pub fn refused() -> Error {
    Error::field(
        "content_type",
        "files are jpg, png, gif, webp, pdf, doc, docx, xls, xlsx, mp3, ogg, oga, aac, mp4 or 3gp",
    )
}

/// What is said about a content that is said to be of a type of ours and begins like none.
#[must_use]
pub fn damaged() -> Error {
    Error::field("content_type", "is not what the file is, which is damaged or of another type")
}

/// Whether a content is said to be of a type that is stored.
#[must_use]
pub fn is_ours(declared: &str) -> bool {
    use strum::IntoEnumIterator;
    let declared = essence(declared);
    Media::iter().any(|media| media.is_called(&declared))
}

/// A media type without its parameters.
fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Types that say nothing.
fn is_vague(content_type: &str) -> bool {
    matches!(
        content_type,
        "" | "application/octet-stream" | "binary/octet-stream" | "application/x-www-form-urlencoded"
    )
}

/// An archive that begins like those of office programs.
fn is_office_zip(head: &[u8]) -> bool {
    const FIRST: [&[u8]; 6] = [b"[Content_Types].xml", b"_rels/", b"docProps/", b"word/", b"xl/", b"customXml/"];
    let name = head.get(30..).unwrap_or_default();
    head.starts_with(b"PK\x03\x04") && FIRST.iter().any(|first| name.starts_with(first))
}

fn is_adts(head: &[u8]) -> bool {
    matches!(head, [0xff, second, ..] if second & 0xf6 == 0xf0)
}

/// A frame of MPEG audio, layer III, with a bit rate and a sampling rate that exist.
fn is_mpeg_layer_3(head: &[u8]) -> bool {
    matches!(head, [0xff, second, third, ..]
        if second & 0xe0 == 0xe0 && second & 0x06 == 0x02 && third & 0xf0 != 0xf0 && third & 0x0c != 0x0c)
}

/// Brands of films; those of pictures, sounds and QuickTime are others.
fn is_film(head: &[u8]) -> bool {
    const BRANDS: [&[u8]; 8] = [b"iso", b"mp4", b"avc1", b"M4V", b"MSNV", b"dash", b"mmp4", b"f4v"];
    let brand = head.get(8..12).unwrap_or_default();
    BRANDS.iter().any(|known| brand.starts_with(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn film(brand: &str) -> Vec<u8> {
        [b"\0\0\0\x18ftyp", brand.as_bytes(), b"\0\0\0\0"].concat()
    }

    fn zip(first: &str) -> Vec<u8> {
        [b"PK\x03\x04".as_slice(), &[0; 26], first.as_bytes()].concat()
    }

    #[test]
    fn first_bytes_say_what_a_file_is() {
        let table: Vec<(Vec<u8>, &[Media])> = vec![
            (b"\xff\xd8\xff\xe0\0\x10JFIF".to_vec(), &[Media::Jpeg]),
            (b"\x89PNG\r\n\x1a\n".to_vec(), &[Media::Png]),
            (b"GIF89a".to_vec(), &[Media::Gif]),
            (b"RIFF\x10\0\0\0WEBPVP8 ".to_vec(), &[Media::Webp]),
            (b"%PDF-1.7".to_vec(), &[Media::Pdf]),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec(), &[Media::Doc, Media::Xls]),
            (zip("[Content_Types].xml"), &[Media::Docx, Media::Xlsx]),
            (zip("xl/workbook.xml"), &[Media::Docx, Media::Xlsx]),
            (b"ID3\x04".to_vec(), &[Media::Mp3]),
            (b"\xff\xfb\x90\x44".to_vec(), &[Media::Mp3]),
            (b"OggS\0".to_vec(), &[Media::Ogg]),
            (b"\xff\xf1\x50\x80".to_vec(), &[Media::Aac]),
            (film("isom"), &[Media::Mp4, Media::ThreeGp]),
            (film("3gp4"), &[Media::ThreeGp, Media::Mp4]),
        ];
        for (head, media) in table {
            assert_eq!(Shape::of(&head), Some(Shape(media)), "{head:?}");
        }
        let others: Vec<Vec<u8>> = vec![
            b"".to_vec(),
            b"MZ\x90\0".to_vec(),
            b"\x7fELF".to_vec(),
            b"<html><script>".to_vec(),
            b"<?xml version='1.0'?><svg/>".to_vec(),
            b"#!/bin/sh".to_vec(),
            b"hello".to_vec(),
            b"\xff\xfeh\0i\0".to_vec(),
            b"RIFF\x10\0\0\0AVI ".to_vec(),
            zip("evil.exe"),
            film("heic"),
            film("qt  "),
            film("M4A "),
        ];
        for head in others {
            assert_eq!(Shape::of(&head), None, "{head:?}");
        }
    }

    #[test]
    fn what_is_declared_must_be_what_it_is() {
        let decide = |head: &[u8], declared: Option<&str>, name: Option<&str>| {
            Shape::of(head).expect("a shape").decide(declared, name).ok()
        };
        let (png, ole) = (b"\x89PNG\r\n\x1a\n".as_slice(), b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".as_slice());
        assert_eq!(decide(png, None, None), Some(Media::Png));
        assert_eq!(decide(png, Some("image/PNG; x=1"), Some("a.jpg")), Some(Media::Png));
        assert_eq!(decide(png, Some("application/octet-stream"), None), Some(Media::Png));
        assert_eq!(decide(png, Some("image/jpeg"), Some("a.png")), None);
        assert_eq!(decide(png, Some("text/html"), None), None);
        assert_eq!(decide(ole, None, None), None);
        assert_eq!(decide(ole, None, Some("Table.XLS")), Some(Media::Xls));
        assert_eq!(decide(ole, Some("application/msword"), Some("a.xls")), Some(Media::Doc));
        assert_eq!(decide(&zip("_rels/.rels"), None, Some("a.docx")), Some(Media::Docx));
        assert_eq!(decide(&film("isom"), None, None), Some(Media::Mp4));
        assert_eq!(decide(&film("3gp5"), None, None), Some(Media::ThreeGp));
        assert_eq!(decide(b"\xff\xfb\x90\x44", Some("audio/mp3"), None), Some(Media::Mp3));
    }

    #[test]
    fn what_customers_send_is_called_what_it_may_be() {
        let recognise =
            |head: &[u8], declared: Option<&str>| Shape::of(head).expect("a shape").recognise(declared, Some("a.pptx"));
        assert_eq!(recognise(b"\x89PNG\r\n\x1a\n", Some("text/csv")), Some(Media::Png));
        assert_eq!(recognise(&zip("_rels/.rels"), Some("application/vnd.ms-powerpoint")), None);
        assert_eq!(Shape::OTHER.recognise(Some("image/png"), Some("a.png")), None);
        for (declared, expected) in [
            (Some("text/csv; charset=utf-8"), "text/csv"),
            (Some("Application/ZIP"), "application/zip"),
            (Some("image/svg+xml"), "image/svg+xml"),
            (Some("image/png"), UNKNOWN),
            (Some("binary/octet-stream"), UNKNOWN),
            (Some("text"), UNKNOWN),
            (Some("text/"), UNKNOWN),
            (Some("text/a/b"), UNKNOWN),
            (Some("text/a\r\nX: y"), UNKNOWN),
            (Some("text/ä"), UNKNOWN),
            (Some(""), UNKNOWN),
            (None, UNKNOWN),
        ] {
            assert_eq!(called(declared), expected, "{declared:?}");
        }
        assert_eq!(called(Some(&format!("text/{}", "x".repeat(200)))), UNKNOWN);
    }

    #[test]
    fn documents_may_be_larger() {
        let limit = |head: &[u8]| Shape::of(head).expect("a shape").limit_bytes();
        assert_eq!(limit(b"%PDF-1.7"), 104_857_600);
        assert_eq!(limit(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), 104_857_600);
        assert_eq!(limit(&zip("word/document.xml")), 104_857_600);
        assert_eq!(limit(b"GIF87a"), 16_777_216);
        assert_eq!(limit(b"OggS\0"), 16_777_216);
        assert_eq!(Shape::OTHER.limit_bytes(), 104_857_600);
    }
}
