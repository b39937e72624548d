//! From a name for people to an id for addresses.

use deunicode::deunicode;
use entity::id::WorkspaceSlug;
use sha2::{Digest, Sha256};

use crate::workspace::DisplayName;

/// Derives the id: transliterated, lower case, dashes between words, at most 30 characters. A name of which nothing is
/// left, such as one of punctuation only, gets an id from its digest, so that the same name still collides with itself.
#[must_use]
pub fn derive(name: &DisplayName) -> WorkspaceSlug {
    let mut slug = String::new();
    for letter in deunicode(name.as_str()).to_lowercase().chars() {
        match letter {
            'a'..='z' | '0'..='9' => slug.push(letter),
            // Apostrophes join: "Ann's" is "anns".
            '\'' => {}
            _ if !slug.is_empty() && !slug.ends_with('-') => slug.push('-'),
            _ => {}
        }
    }
    slug.truncate(WorkspaceSlug::MAX);
    WorkspaceSlug::parse(slug.trim_end_matches('-')).unwrap_or_else(|_| of_digest(name))
}

fn of_digest(name: &DisplayName) -> WorkspaceSlug {
    let digest = Sha256::digest(name.as_str());
    let hexadecimal: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    WorkspaceSlug::parse(&format!("ws-{hexadecimal}")).expect("15 characters of a-z, 0-9 and a dash are a slug")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn slug(name: &str) -> String {
        derive(&DisplayName::parse(name).expect("a name")).to_string()
    }

    #[test]
    fn names_become_slugs() {
        for (name, expected) in [
            ("Bakery North", "bakery-north"),
            ("  Café -- Zürich!  ", "cafe-zurich"),
            ("Ann's Shop", "anns-shop"),
            ("北京", "bei-jing"),
            ("Пекарня", "pekarnia"),
            ("a234567890123456789012345678901", "a23456789012345678901234567890"),
            ("abcdefghijklmnopqrstuvwxyz12 three", "abcdefghijklmnopqrstuvwxyz12-t"),
            ("abcdefghijklmnopqrstuvwxyz123 x", "abcdefghijklmnopqrstuvwxyz123"),
        ] {
            assert_eq!(slug(name), expected);
        }
        assert_eq!(slug("!!!"), slug("!!!"));
        assert_ne!(slug("!!!"), slug("???"));
        assert!(slug("!!!").starts_with("ws-"));
    }

    proptest! {
        #[test]
        fn every_name_has_a_slug(name in "\\PC{1,100}") {
            if let Ok(name) = DisplayName::parse(&name) {
                let slug = derive(&name);
                prop_assert!(WorkspaceSlug::parse(slug.as_str()).is_ok());
                prop_assert_eq!(derive(&name), slug);
            }
        }
    }
}
