//! Parameters of queries that the handler reads: switches, numbers and words as leniently as clients write them, and
//! texts that are needed.

use std::{borrow::Cow, marker::PhantomData};

use poem_openapi::{
    registry::{MetaSchemaRef, Registry},
    types::{ParseFromParameter, ParseResult, Type},
};

use crate::error::{Error, Result};

/// A parameter as it was written, read by the handler once the call has been let in.
pub(super) struct Written<T, const NEEDED: bool = false> {
    text: Option<String>,
    kind: PhantomData<fn() -> T>,
}

/// What is read from a query.
pub(super) trait Readable: Type + Sized + 'static {
    /// How it has to be written.
    const FORM: &'static str;

    /// Reads it; `None` if it is written otherwise.
    fn from_text(text: &str) -> Option<Self>;
}

impl Readable for bool {
    const FORM: &'static str = "must be true or false";

    fn from_text(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        }
    }
}

impl Readable for i64 {
    const FORM: &'static str = "must be a whole number";

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Readable for String {
    const FORM: &'static str = "must be a text";

    fn from_text(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

/// A text that is needed.
pub(super) type Needed = Written<String, true>;

impl<T: Readable> Written<T> {
    /// The value, if there is one. An empty parameter counts as absent.
    ///
    /// # Errors
    /// `invalid_request` naming the parameter.
    pub(super) fn read(&self, name: &'static str) -> Result<Option<T>> {
        match self.text.as_deref().map(str::trim) {
            None | Some("") => Ok(None),
            Some(text) => T::from_text(text).map(Some).ok_or_else(|| Error::field(name, T::FORM)),
        }
    }
}

impl Needed {
    /// The text, possibly empty.
    ///
    /// # Errors
    /// `invalid_request` naming the parameter, where it is absent.
    pub(super) fn read(&self, name: &'static str) -> Result<&str> {
        self.text.as_deref().ok_or_else(|| Error::field(name, "is required"))
    }
}

/// The value of the first of two words for one thing that is there, and the word.
///
/// # Errors
/// `invalid_request` naming the parameter.
pub(super) fn either<T: Readable>(
    (one, name): (&Written<T>, &'static str),
    (other, other_name): (&Written<T>, &'static str),
) -> Result<(Option<T>, &'static str)> {
    Ok(match (one.read(name)?, other.read(other_name)?) {
        (None, Some(value)) => (Some(value), other_name),
        (value, _) => (value, name),
    })
}

impl<T: Readable, const NEEDED: bool> Type for Written<T, NEEDED> {
    const IS_REQUIRED: bool = NEEDED;

    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        T::name()
    }

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn as_raw_value(&self) -> Option<&Self::RawValueType> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self::RawElementValueType> + 'a> {
        Box::new(self.as_raw_value().into_iter())
    }
}

impl<T: Readable, const NEEDED: bool> ParseFromParameter for Written<T, NEEDED> {
    fn parse_from_parameter(value: &str) -> ParseResult<Self> {
        Ok(Self { text: Some(value.to_owned()), kind: PhantomData })
    }

    fn parse_from_parameters<I: IntoIterator<Item = A>, A: AsRef<str>>(values: I) -> ParseResult<Self> {
        let text = values.into_iter().next().map(|value| value.as_ref().to_owned());
        Ok(Self { text, kind: PhantomData })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: Readable>(text: &str) -> Result<Option<T>> {
        Written::<T>::parse_from_parameter(text).ok().expect("it is read later").read("switch")
    }

    #[test]
    fn switches_and_numbers_are_read_in_any_spelling() {
        for (text, expected) in [
            ("true", Some(true)),
            ("True", Some(true)),
            ("TRUE", Some(true)),
            ("1", Some(true)),
            ("false", Some(false)),
            ("False", Some(false)),
            ("0", Some(false)),
            (" true ", Some(true)),
            ("", None),
            (" ", None),
        ] {
            assert_eq!(read::<bool>(text).expect("a switch"), expected, "{text:?}");
        }
        for bad in ["yes", "2", "-1", "01", "on", "truefalse", "true,false"] {
            assert_eq!(read::<bool>(bad).expect_err(bad).to_string(), "switch: must be true or false");
        }
        assert_eq!(read::<i64>("7").expect("a number"), Some(7));
        assert_eq!(read::<i64>("").expect("nothing"), None);
        assert_eq!(read::<String>(" a b ").expect("a word").as_deref(), Some("a b"));
        assert_eq!(read::<String>(" ").expect("nothing"), None);
        for bad in ["x", "1.5", "9223372036854775808", "0x1"] {
            assert_eq!(read::<i64>(bad).expect_err(bad).to_string(), "switch: must be a whole number");
        }
    }
}
