//! What a reaction may be: one emoji, also written as JSON's `\u` escapes of four hexadecimal digits.

use crate::error::{Error, Result};

/// Longest reaction as it is written, in characters.
const MAX_CHARS: usize = 50;
const KEYCAP: char = '\u{20e3}';

/// One emoji.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emoji(String);

impl Emoji {
    /// Reads a reaction; nothing stands for taking one's own back. Whether the network knows the emoji is its own
    /// business: looked at is only that it could be one, so that new ones work on the day they appear.
    ///
    /// # Errors
    /// `invalid_request` naming `reaction`.
    pub fn parse(text: &str) -> Result<Option<Self>> {
        let wrong = |reason: &str| Error::field("reaction", reason);
        if text.chars().count() > MAX_CHARS {
            return Err(wrong("must be at most 50 characters"));
        }
        let text = unescaped(text).ok_or_else(|| wrong("has an escape that is none"))?;
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let is_keycap = text.ends_with(KEYCAP);
        let fits = |char: char| match char {
            '0'..='9' | '#' | '*' => is_keycap,
            // Variation selectors and joiners are no letters, and flags have letters of their own.
            _ => !char.is_ascii() && !char.is_alphanumeric() && !char.is_whitespace() && !char.is_control(),
        };
        let fits = |char: char| fits(char) || matches!(char, '\u{1f100}'..='\u{1f1ff}' | 'ℹ' | 'Ⓜ' | '㊗' | '㊙');
        if text.chars().all(fits) && is_one(text) {
            Ok(Some(Self(text.to_owned())))
        } else {
            Err(wrong("must be one emoji"))
        }
    }

    /// The emoji.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether there is one picture, whatever it is joined of.
fn is_one(text: &str) -> bool {
    let (mut pictures, mut halves_of_flags, mut is_joined) = (0usize, 0usize, false);
    for char in text.chars() {
        match char {
            // How the picture before is drawn, its skin, its keycap, which region's flag it is.
            '\u{fe0e}' | '\u{fe0f}' | KEYCAP | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0020}'..='\u{e007f}' => {}
            '\u{1f1e6}'..='\u{1f1ff}' => halves_of_flags += 1,
            '\u{200d}' => {}
            _ if is_joined => {}
            _ => pictures += 1,
        }
        is_joined = char == '\u{200d}';
    }
    pictures + halves_of_flags.div_ceil(2) <= 1
}

/// The text with its escapes read; `None` if one is broken. Two escapes may be the halves of one character.
fn unescaped(text: &str) -> Option<String> {
    let mut units = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\\u") {
        units.extend(before.encode_utf16());
        let digits = after.get(..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        units.push(u16::from_str_radix(digits, 16).ok()?);
        rest = &after[4..];
    }
    units.extend(rest.encode_utf16());
    String::from_utf16(&units).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_emoji_in_either_spelling() {
        let parse = |text: &str| Emoji::parse(text).map(|emoji| emoji.map(|emoji| emoji.0)).ok();
        for (text, expected) in [
            ("👍", Some("👍")),
            (" 👍 ", Some("👍")),
            ("❤️", Some("❤️")),
            ("👩‍👩‍👧‍👦", Some("👩‍👩‍👧‍👦")),
            ("👍🏽", Some("👍🏽")),
            ("🇫🇷", Some("🇫🇷")),
            ("1️⃣", Some("1️⃣")),
            ("🅰️", Some("🅰️")),
            ("\\ud83d\\udc4d", Some("👍")),
            ("\\u2764\\ufe0f", Some("❤️")),
            ("", None),
            (" ", None),
        ] {
            assert_eq!(parse(text), Some(expected.map(str::to_owned)), "{text}");
        }
        for bad in [
            "ok",
            "1",
            "+1",
            ":thumbsup:",
            "👍 👍",
            "👍👎",
            "🇫🇷🇩🇪",
            "ä",
            "a👍",
            "\\u12",
            "\\uzzzz",
            "\\ud83d",
            "\\",
            "\0",
            "中",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert!(Emoji::parse(&"👍".repeat(MAX_CHARS + 1)).is_err());
    }
}
