//! Cutting texts into words.

use std::collections::BTreeSet;

use crate::{
    error::{Error, Result},
    workspace::fold,
};

/// Longest word that is told apart, in characters; what is longer is cut off.
const MAX_WORD_CHARS: usize = 64;
/// Fewest characters before a `*`.
const MIN_PREFIX_CHARS: usize = 3;

/// A word that is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Letters and digits, folded.
    pub text: String,
    /// Whether words that only begin so are meant too.
    pub is_prefix: bool,
}

/// The words of a text, each once.
pub(super) fn of_text(text: &str) -> BTreeSet<String> {
    cut(text).into_iter().map(|(word, _)| word).collect()
}

/// The words of a question, each once.
pub(super) fn of_question(text: &str) -> Result<Vec<Word>> {
    let mut words: Vec<Word> = Vec::new();
    for (text, is_prefix) in cut(text) {
        if is_prefix && text.chars().count() < MIN_PREFIX_CHARS {
            return Err(Error::field("q", format!("must have at least {MIN_PREFIX_CHARS} characters before a *")));
        }
        let word = Word { text, is_prefix };
        if !words.contains(&word) {
            words.push(word);
        }
    }
    Ok(words)
}

/// Words in order, with whether a `*` follows.
fn cut(text: &str) -> Vec<(String, bool)> {
    let mut words: Vec<(String, bool)> = Vec::new();
    let mut word = String::new();
    let folded = fold(text);
    let mut end = |word: &mut String, is_prefix: bool| {
        if !word.is_empty() {
            let kept: String = word.chars().take(MAX_WORD_CHARS).collect();
            words.push((kept, is_prefix));
            word.clear();
        }
    };
    for char in folded.chars() {
        if stands_alone(char) {
            end(&mut word, false);
            word.push(char);
            end(&mut word, false);
        } else if char.is_alphanumeric() {
            word.push(char);
        } else {
            end(&mut word, char == '*');
        }
    }
    end(&mut word, false);
    words
}

/// Characters of scripts that put no spaces between words.
const fn stands_alone(char: char) -> bool {
    matches!(
        char,
        '\u{2e80}'..='\u{2fdf}' | '\u{3005}'..='\u{3007}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}'
            | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_runs_of_letters_and_digits() {
        let words = |text: &str| of_text(text).into_iter().collect::<Vec<_>>().join(" ");
        for (text, expected) in [
            ("Hello, hello WORLD!", "hello world"),
            ("it's e-mail@example.com", "com e example it mail s"),
            ("ÄPFEL & 12,50€", "12 50 äpfel"),
            ("東京へ2人", "2 へ 京 人 東"),
            ("ИВАН иван", "иван"),
            ("' \" & | ! ( ) : @5 \\", "5"),
            ("👍 …", ""),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
        assert_eq!(words(&"x".repeat(MAX_WORD_CHARS + 9)).len(), MAX_WORD_CHARS);
    }

    #[test]
    fn a_star_stands_for_the_rest() {
        let words = of_question("del* Berlin delivery*").expect("words");
        let shown: Vec<_> = words.iter().map(|word| (word.text.as_str(), word.is_prefix)).collect();
        assert_eq!(shown, [("del", true), ("berlin", false), ("delivery", true)]);
        assert!(of_question("de*").is_err());
        assert!(of_question("*").expect("words").is_empty());
    }
}
