//! Messages: accepted, charged and stored in one transaction, sent in order by each channel, received once.
//!
//! What is accepted exists once, is charged once and goes out at most once; what fails gives its credits back.

use entity::{
    channel::Network,
    credits::Credits,
    id::{AccountId, ChatId, FileId, MessageId},
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
    /// To an id on the network, through this channel; the chat is made if there is none.
    Channel {
        /// The channel.
        account_id: AccountId,
        /// The id.
        jid: Jid,
    },
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

/// Reads an optional label of a chat, on one line: absent and empty are the same.
///
/// # Errors
/// `invalid_request` naming the field.
pub fn optional_label(field: &'static str, text: Option<String>) -> Result<Option<String>> {
    let Some(text) = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()) else { return Ok(None) };
    check(field, &text, MAX_LABEL_CHARS)?;
    if text.chars().any(is_unprintable) {
        return Err(Error::field(field, "must not contain line breaks and control characters"));
    }
    Ok(Some(text))
}

/// Whether a character has no place in a name or a label, which are shown on one line.
#[must_use]
pub(crate) fn is_unprintable(char: char) -> bool {
    char.is_control() || matches!(char, '\u{2028}' | '\u{2029}')
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

/// Longest id of somebody on a network, in bytes.
const MAX_ID_BYTES: usize = 200;

/// An id on the network: `<digits>@s.whatsapp.net` for people on WhatsApp, `<digits>@lid` for those whose number it does
/// not tell, `<id>@g.us` for groups there, and `<id>@<network>` everywhere else.
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

    /// The id of somebody on a network, as a caller names it: a number, an address, or the network's own id. On all
    /// networks but WhatsApp it is followed by the network's name.
    ///
    /// # Errors
    /// `invalid_request` naming `to`.
    pub fn on(network: Network, to: &str) -> Result<Self> {
        let to = to.trim();
        match network {
            Network::Whatsapp => Phone::parse(to).map(|phone| Self::of(&phone)).or_else(|_| {
                Self::parse(to).map_err(|_| Error::field("to", "must be + and 7 to 15 digits, or an id on WhatsApp"))
            }),
            Network::Sms | Network::Voice | Network::Rcs => {
                let phone = Phone::parse(to).map_err(|_| Error::field("to", "must be + and 7 to 15 digits"))?;
                Ok(Self(format!("{}@{network}", &phone.as_str()[1..])))
            }
            Network::Email => {
                let parts = to.split_once('@').filter(|(name, host)| !name.is_empty() && host.contains('.'));
                let fits = parts.is_some_and(|(_, host)| !host.contains('@'))
                    && to.len() <= MAX_ID_BYTES
                    && to.bytes().all(|byte| byte.is_ascii_graphic());
                let address = fits.then(|| to.to_lowercase());
                let address = address.ok_or_else(|| Error::field("to", "must be an e-mail address"))?;
                Ok(Self(format!("{address}@{network}")))
            }
            Network::Telegram | Network::Webchat | Network::Facebook | Network::Instagram => {
                let fits = (1..=MAX_ID_BYTES).contains(&to.len())
                    && to.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.@".contains(&byte));
                if fits {
                    Ok(Self(format!("{to}@{network}")))
                } else {
                    Err(Error::field("to", "must be an id of 1 to 200 letters, digits, '_', '-', '.' and '@'"))
                }
            }
        }
    }

    /// Reads an id as it is stored with a chat, on whatever network.
    ///
    /// # Errors
    /// `internal_error` for what no network of ours has.
    pub fn from_stored(text: &str) -> Result<Self> {
        let is_named = |text: &str| text.rsplit_once('@').is_some_and(|(_, name)| name.parse::<Network>().is_ok());
        match Self::parse(text) {
            Ok(jid) => Ok(jid),
            Err(_) if is_named(text) => Ok(Self(text.to_owned())),
            Err(_) => Err(Error::Internal("a chat has no id on a network".to_owned())),
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

    /// The number behind it; `None` for a group, for whoever hides it, and on networks without numbers.
    #[must_use]
    pub fn phone(&self) -> Option<Phone> {
        let (id, server) = self.0.rsplit_once('@')?;
        let has_numbers = matches!(server, "s.whatsapp.net" | "sms" | "voice" | "rcs");
        Phone::parse(id).ok().filter(|_| has_numbers)
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
    fn people_on_other_networks_have_ids_too() {
        let on =
            |network, to: &str| Jid::on(network, to).map(|jid| (jid.as_str().to_owned(), jid.phone().is_some())).ok();
        for (network, to, expected) in [
            (Network::Whatsapp, "+15550001111", Some(("15550001111@s.whatsapp.net", true))),
            (Network::Whatsapp, "120363041234567890@g.us", Some(("120363041234567890@g.us", false))),
            (Network::Sms, "15550001111", Some(("15550001111@sms", true))),
            (Network::Rcs, "Ann", None),
            (Network::Email, "Ann@Example.com", Some(("ann@example.com@email", false))),
            (Network::Email, "ann", None),
            (Network::Email, "a@b.c@d.e", None),
            (Network::Telegram, "12345678", Some(("12345678@telegram", false))),
            (Network::Telegram, "a b", None),
            (Network::Instagram, "", None),
        ] {
            let expected = expected.map(|(jid, has_phone)| (jid.to_owned(), has_phone));
            assert_eq!(on(network, to), expected, "{network} {to}");
            if let Some((jid, _)) = expected {
                assert_eq!(Jid::from_stored(&jid).expect("stored").as_str(), jid);
            }
        }
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
        let label = |text: &str| optional_label("label", Some(text.to_owned()));
        assert_eq!(label("  ").expect("none"), None);
        assert_eq!(label(&"x".repeat(64)).expect("a label"), Some("x".repeat(64)));
        for bad in ["a\0", "a\nb", "a\u{2029}b", &"x".repeat(65)] {
            assert!(label(bad).is_err(), "{bad:?}");
        }
    }
}
