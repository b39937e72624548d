//! What can be sent through channels of each type, and how much of it (`contracts/channels.md` 1.8).

use entity::channel::Network;

use crate::error::{Error, Result};

/// What a type of channel can do at its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say what each is")]
pub struct Capabilities {
    pub text: bool,
    pub image: bool,
    pub document: bool,
    pub audio: bool,
    pub video: bool,
    pub location: bool,
    pub buttons: bool,
    pub quick_replies: bool,
    pub templates: bool,
    pub delivery_receipts: bool,
    pub read_receipts: bool,
    pub typing_indicators: bool,
}

const ALL: Capabilities = Capabilities {
    text: true,
    image: true,
    document: true,
    audio: true,
    video: true,
    location: true,
    buttons: true,
    quick_replies: true,
    templates: true,
    delivery_receipts: true,
    read_receipts: true,
    typing_indicators: true,
};

/// What a text goes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum With {
    /// Nothing.
    Nothing,
    /// A file: it is the file's caption.
    File,
}

/// Longest text on a network that takes less than we do, in characters.
const fn most_chars(network: Network, with: With) -> Option<usize> {
    match (network, with) {
        (Network::Sms, _) => Some(1600),
        (Network::Instagram, _) => Some(1000),
        (Network::Telegram, With::File) => Some(1024),
        _ => None,
    }
}

/// Passes if a network takes this text; `field` is what the caller's surface calls it.
///
/// # Errors
/// `channel_refused` where it takes none; `invalid_request` naming `field` for one that is too long.
pub fn check_text(network: Network, text: &str, with: With, field: &'static str) -> Result<()> {
    if !Capabilities::of(network, true).text {
        return Err(Error::ChannelRefused(format!("a {network} channel takes no texts")));
    }
    match most_chars(network, with) {
        Some(most) if text.chars().count() > most => {
            Err(Error::field(field, format!("must be at most {most} characters on {network}")))
        }
        _ => Ok(()),
    }
}

impl Capabilities {
    /// What a channel can do; a number that is linked by a code can do less than one of Meta's own API.
    #[must_use]
    pub const fn of(network: Network, is_scanned: bool) -> Self {
        match network {
            Network::Whatsapp if is_scanned => Self { buttons: false, quick_replies: false, templates: false, ..ALL },
            Network::Whatsapp | Network::Rcs => ALL,
            Network::Telegram => Self { templates: false, delivery_receipts: false, read_receipts: false, ..ALL },
            Network::Sms => Self {
                location: false,
                buttons: false,
                quick_replies: false,
                templates: false,
                read_receipts: false,
                typing_indicators: false,
                ..ALL
            },
            Network::Email => Self {
                location: false,
                buttons: false,
                quick_replies: false,
                delivery_receipts: false,
                read_receipts: false,
                typing_indicators: false,
                ..ALL
            },
            Network::Voice => Self {
                text: false,
                image: false,
                document: false,
                video: false,
                location: false,
                buttons: false,
                quick_replies: false,
                templates: false,
                delivery_receipts: false,
                read_receipts: false,
                typing_indicators: false,
                ..ALL
            },
            Network::Webchat => Self {
                location: false,
                buttons: false,
                quick_replies: false,
                templates: false,
                typing_indicators: false,
                ..ALL
            },
            Network::Facebook | Network::Instagram => Self { location: false, ..ALL },
        }
    }
}
