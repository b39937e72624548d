//! Messages: accepted, charged and stored in one transaction, sent in order by each channel, received once.
//!
//! What is accepted exists once, is charged once and goes out at most once; what fails gives its credits back.

use entity::{
    credits::Credits,
    id::{ChatId, FileId, MessageId},
};
use serde::Serialize;

use crate::{
    error::{Error, Result},
    phone::Phone,
};

pub mod aim;
pub mod dispatch;
pub mod note;
pub mod reaction;
pub mod read;
pub mod receive;
pub mod send;
pub mod state;
pub mod status;
pub mod writer;

/// Longest text, in characters.
pub const MAX_TEXT_CHARS: usize = 2000;
/// Longest text that is received, in characters (`contracts/channels.md` 1.8).
pub const MAX_OUTSIDE_CHARS: usize = 65_536;
/// Longest label, in characters.
pub const MAX_LABEL_CHARS: usize = 64;
/// Longest name of a chat, in characters.
pub const MAX_CHAT_NAME_CHARS: usize = 256;

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Destination {
    /// To a number; the chat is made if there is none.
    Phone {
        /// The number.
        phone: Phone,
        /// Through the account of this number; the one that was connected last where absent.
        account: Option<Phone>,
    },
    /// To an id on the network; the chat is made if there is none.
    Jid {
        /// The id.
        jid: Jid,
        /// Through the account of this number; the one that was connected last where absent.
        account: Option<Phone>,
    },
    /// To a chat that exists, through its own account.
    Chat(ChatId),
}

/// A message to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SendMessage {
    /// Where it goes.
    pub destination: Destination,
    /// Its text; absent only where there is a file.
    pub text: Option<Text>,
    /// The file that it carries.
    #[serde(skip_serializing_if = "Option::is_none")] // keys of requests without one stay what they were
    pub file: Option<FileId>,
    /// A label for the chat.
    pub label: Option<String>,
    /// A name for the chat.
    pub chat_name: Option<String>,
    /// The message that it answers, in the same chat's account.
    pub reply_to: Option<MessageId>,
}

impl SendMessage {
    /// What it costs: 1 for a text or a file, 2 for both (`contracts/timelines.md` §3.4).
    #[must_use]
    pub const fn cost(&self) -> Credits {
        match (&self.text, self.file) {
            (Some(_), Some(_)) => Credits(2),
            _ => Credits(1),
        }
    }
}

/// A text of 1 to 2000 characters without U+0000.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Text(String);

impl Text {
    /// Reads a text.
    ///
    /// # Errors
    /// `invalid_request` naming `text`.
    pub fn parse(text: String) -> Result<Self> {
        check("text", &text, MAX_TEXT_CHARS)?;
        if text.trim().is_empty() {
            return Err(Error::field("text", "must not be empty"));
        }
        Ok(Self(text))
    }

    /// Makes a text of what somebody outside wrote, as long as networks let it be; `None` if that is nothing.
    #[must_use]
    pub fn from_outside(text: &str) -> Option<Self> {
        let text: String = text.chars().filter(|char| *char != '\0').take(MAX_OUTSIDE_CHARS).collect();
        (!text.trim().is_empty()).then_some(Self(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Reads an optional word for a chat: absent and empty are the same.
///
/// # Errors
/// `invalid_request` naming the field.
pub fn optional(field: &'static str, text: Option<String>, most_chars: usize) -> Result<Option<String>> {
    let Some(text) = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()) else { return Ok(None) };
    check(field, &text, most_chars)?;
    Ok(Some(text))
}

fn check(field: &'static str, text: &str, most_chars: usize) -> Result<()> {
    if text.chars().count() > most_chars {
        return Err(Error::field(field, format!("must be at most {most_chars} characters")));
    }
    if text.contains('\0') {
        return Err(Error::field(field, "must not contain U+0000"));
    }
    Ok(())
}

/// An id on the network: `<digits>@s.whatsapp.net` for people, `<digits>@lid` for people whose number the network does
/// not tell, `<id>@g.us` for groups.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Jid(String);

impl Jid {
    /// Reads an id. `<digits>@c.us` is an old spelling of `<digits>@s.whatsapp.net` and becomes that.
    ///
    /// # Errors
    /// `invalid_request` naming `jid`.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || Error::field("jid", "must be <digits>@s.whatsapp.net or <id>@g.us");
        let (id, server) = text.trim().split_once('@').ok_or_else(wrong)?;
        match server {
            "s.whatsapp.net" | "c.us" => {
                let phone = Phone::parse(id).map_err(|_| wrong())?;
                Ok(Self(phone.whatsapp_id()))
            }
            "lid" => {
                let fits = (1..=20).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit());
                if fits { Ok(Self(format!("{id}@lid"))) } else { Err(wrong()) }
            }
            "g.us" => {
                let fits = (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
                if fits { Ok(Self(format!("{id}@g.us"))) } else { Err(wrong()) }
            }
            _ => Err(wrong()),
        }
    }

    /// The id of a number.
    #[must_use]
    pub fn of(phone: &Phone) -> Self {
        Self(phone.whatsapp_id())
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a group's.
    #[must_use]
    pub fn is_group(&self) -> bool {
        self.0.ends_with("@g.us")
    }

    /// The number behind it; `None` for a group, and for whoever hides it.
    #[must_use]
    pub fn phone(&self) -> Option<Phone> {
        self.0.strip_suffix("@s.whatsapp.net").and_then(|digits| Phone::parse(digits).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_people_and_groups_are_told_apart() {
        let jid = |text: &str| Jid::parse(text).map(|jid| jid.as_str().to_owned()).ok();
        assert_eq!(jid("15550001111@s.whatsapp.net").as_deref(), Some("15550001111@s.whatsapp.net"));
        assert_eq!(jid("15550001111@c.us").as_deref(), Some("15550001111@s.whatsapp.net"));
        assert_eq!(jid("120363041234567890@g.us").as_deref(), Some("120363041234567890@g.us"));
        assert_eq!(jid("123456789012345@lid").as_deref(), Some("123456789012345@lid"));
        assert_eq!(Jid::parse("123456789012345@lid").expect("a person").phone(), None);
        for bad in ["", "15550001111", "x@lid", "@lid", "x@s.whatsapp.net", "@g.us", "1@broadcast", "1 2@g.us"] {
            assert_eq!(jid(bad), None, "{bad}");
        }
        assert!(Jid::parse("1-2@g.us").expect("a group").is_group());
        assert_eq!(Jid::parse("1-2@g.us").expect("a group").phone(), None);
    }

    #[test]
    fn texts_have_a_length_and_no_null() {
        assert!(Text::parse("ä".repeat(MAX_TEXT_CHARS)).is_ok());
        for bad in ["", " \n", "a\0b", &"x".repeat(MAX_TEXT_CHARS + 1)] {
            assert!(Text::parse(bad.to_owned()).is_err());
        }
        let outside = |text: &str| Text::from_outside(text).map(|text| text.0);
        assert_eq!(outside("a\0b").as_deref(), Some("ab"));
        assert_eq!(outside(" \n\0"), None);
        assert_eq!(outside(&"x".repeat(MAX_OUTSIDE_CHARS + 1)).map(|text| text.len()), Some(MAX_OUTSIDE_CHARS));
        assert_eq!(optional("label", Some("  ".to_owned()), 64).expect("none"), None);
        assert!(optional("label", Some("x".repeat(65)), 64).is_err());
    }
}
