//! Which chats a list holds (`contracts/timelines.md` §3.6). Filters narrow one another down; the values of one filter
//! are alternatives. An empty value filters nothing.

use entity::timestamp::Timestamp;

use crate::{
    chat::visibility::View,
    error::{Error, Result},
    message::MAX_LABEL_CHARS,
    phone::Phone,
    timespan::TimeSpan,
    workspace::{composed, fold},
};

const MAX_VALUES: usize = 100;
const MAX_VALUE_CHARS: usize = 256;
const MAX_PHONE_DIGITS: usize = 15;

/// A filter as the caller wrote it.
#[derive(Clone, Debug, Default)]
pub struct FilterText {
    /// Parts of names, separated by commas.
    pub name: Option<String>,
    /// A number or a part of one.
    pub phone: Option<String>,
    /// Numbers, separated by commas.
    pub whatsapp_phone: Option<String>,
    /// Labels, separated by commas; or one with commas in it.
    pub label: Option<String>,
    /// Ids of accounts on WhatsApp, separated by commas.
    pub whatsapp_account_id: Option<String>,
    /// E-mail addresses of users, separated by commas.
    pub responsible: Option<String>,
    /// Not before.
    pub created_after: Option<String>,
    /// Not after.
    pub created_before: Option<String>,
}

/// Which chats.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// One of these is part of the folded name.
    pub names: Vec<String>,
    /// The other side's number; leaves groups out.
    pub phone: Option<PhoneFilter>,
    /// The other side's number is one of these, or one of them is a known member of the group.
    pub phones: Vec<Phone>,
    /// One of these is on the chat.
    pub labels: Vec<String>,
    /// The account's id on the network is one of these.
    pub account_ids: Vec<String>,
    /// The address of who looks after it is one of these.
    pub responsible: Vec<String>,
    /// Whether it is closed.
    pub closed: Option<bool>,
    /// Whether it has been read.
    pub read: Option<bool>,
    /// Whether it is a group.
    pub group: Option<bool>,
    /// Whether it is answered automatically now.
    pub autoresponse: Option<bool>,
    /// Which chats the caller sees.
    pub view: View,
    /// Made at this instant or later.
    pub created_from: Option<Timestamp>,
    /// Made at this instant or earlier.
    pub created_until: Option<Timestamp>,
}

impl Filter {
    /// Reads what is written; switches are left for the caller to set. Times without an offset are in `zone`.
    ///
    /// # Errors
    /// `invalid_request` naming the parameter.
    pub fn parse(text: &FilterText, zone: &str) -> Result<Self> {
        let names = values("name", text.name.as_deref())?;
        let responsible = values("responsible", text.responsible.as_deref())?;
        let span = |field, text: &Option<String>| {
            given(text.as_deref()).map(|text| TimeSpan::parse(field, text, zone)).transpose()
        };
        let phones = values("whatsapp_phone", text.whatsapp_phone.as_deref())?;
        Ok(Self {
            names: names.iter().map(|name| fold(&composed(name))).collect(),
            phone: given(text.phone.as_deref()).map(PhoneFilter::parse).transpose()?,
            phones: phones.iter().map(|phone| whole_phone(phone)).collect::<Result<_>>()?,
            labels: labels(text.label.as_deref())?,
            account_ids: values("whatsapp_account_id", text.whatsapp_account_id.as_deref())?,
            responsible: responsible.iter().map(|email| fold(email)).collect(),
            created_from: span("created_after", &text.created_after)?.map(|span| span.first),
            created_until: span("created_before", &text.created_before)?.map(|span| span.last),
            ..Self::default()
        })
    }
}

/// The other side's number, or a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PhoneFilter {
    /// This number.
    Whole(Phone),
    /// These digits are in it.
    Part(String),
}

impl PhoneFilter {
    /// Reads a number: whole with a `+` before it, else a part, without its leading zeros. A `+` that was not escaped
    /// in a query arrives as a space.
    ///
    /// # Errors
    /// `invalid_request` naming `phone`.
    pub fn parse(text: &str) -> Result<Self> {
        if text.starts_with(['+', ' ']) {
            return Phone::parse(text).map(Self::Whole);
        }
        let digits = text.trim_end().trim_start_matches('0');
        let fits = (1..=MAX_PHONE_DIGITS).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        if fits {
            Ok(Self::Part(digits.to_owned()))
        } else {
            Err(Error::field("phone", "must be + and 7 to 15 digits, or a part of them without +"))
        }
    }
}

fn whole_phone(text: &str) -> Result<Phone> {
    let digits = text.strip_prefix('+').unwrap_or(text).trim_start_matches('0');
    Phone::parse(digits)
        .ok()
        .filter(|_| !digits.starts_with('+'))
        .ok_or_else(|| Error::field("whatsapp_phone", "must be numbers of 7 to 15 digits, separated by commas"))
}

fn given(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

/// Labels separated by commas. A label may have commas in it, so that the whole is one more alternative.
fn labels(text: Option<&str>) -> Result<Vec<String>> {
    let mut labels = values("label", text)?;
    let whole = text.unwrap_or_default().trim();
    if whole.contains(',') && whole.chars().count() <= MAX_LABEL_CHARS && !labels.is_empty() {
        labels.push(whole.to_owned());
    }
    Ok(labels)
}

/// Values separated by commas.
fn values(field: &'static str, text: Option<&str>) -> Result<Vec<String>> {
    let parts = text.unwrap_or_default().split(',').map(str::trim).filter(|part| !part.is_empty());
    let values: Vec<String> = parts.map(str::to_owned).collect();
    if values.len() > MAX_VALUES {
        return Err(Error::field(field, format!("must be at most {MAX_VALUES} values")));
    }
    if values.iter().any(|value| value.chars().count() > MAX_VALUE_CHARS || value.contains('\0')) {
        let reason = format!("must be values of at most {MAX_VALUE_CHARS} characters, without U+0000");
        return Err(Error::field(field, reason));
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_whole_with_a_plus_and_parts_without() {
        let whole = |text: &str| PhoneFilter::Whole(Phone::parse(text).expect("a phone"));
        let part = |text: &str| PhoneFilter::Part(text.to_owned());
        for (text, expected) in [
            ("+15550001111", whole("+15550001111")),
            (" 15550001111", whole("+15550001111")),
            ("15550001111", part("15550001111")),
            ("0015550001111", part("15550001111")),
            ("5550 ", part("5550")),
            ("7", part("7")),
        ] {
            assert_eq!(PhoneFilter::parse(text).expect("a phone"), expected, "{text}");
        }
        for bad in ["0", "+", " ", "+123", "1-2", "1 2", "++15550001111", "1234567890123456", "٣", "1\0", "%"] {
            assert!(PhoneFilter::parse(bad).is_err(), "{bad:?}");
        }
        for text in ["+15550001111", "15550001111", "0015550001111", "+015550001111"] {
            assert_eq!(whole_phone(text).expect("a phone").as_str(), "+15550001111");
        }
        for bad in ["++15550001111", "0+15550001111", "123", "x"] {
            assert!(whole_phone(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn lists_are_separated_by_commas_and_bounded() {
        assert_eq!(values("name", None).expect("values"), Vec::<String>::new());
        assert_eq!(values("name", Some(" ,,")).expect("values"), Vec::<String>::new());
        assert_eq!(values("name", Some("ann lee, bo ,")).expect("values"), ["ann lee", "bo"]);
        assert!(values("name", Some(&"x,".repeat(MAX_VALUES))).is_ok());
        assert!(values("name", Some(&"x,".repeat(MAX_VALUES + 1))).is_err());
        assert!(values("name", Some(&"ä".repeat(MAX_VALUE_CHARS))).is_ok());
        assert!(values("name", Some(&"ä".repeat(MAX_VALUE_CHARS + 1))).is_err());
        assert!(values("name", Some("a\0")).is_err());
    }

    #[test]
    fn labels_may_have_commas_in_them() {
        assert_eq!(labels(Some("vip")).expect("labels"), ["vip"]);
        assert_eq!(labels(Some(" a, b ")).expect("labels"), ["a", "b", "a, b"]);
        assert_eq!(labels(Some(",")).expect("labels"), Vec::<String>::new());
        let long = "x,".repeat(40);
        assert_eq!(labels(Some(&long)).expect("labels").len(), 40, "no label is so long");
    }
}
