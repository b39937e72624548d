//! What can be sent through channels of each type, and how much of it (`contracts/channels.md` 1.8).
//!
//! A web chat, which is ours, has no typing indicators: no surface tells us that somebody is writing an answer, so there
//! is nothing that the widget could show.

use entity::{
    channel::{ConnectorKind, Network},
    file,
};

use crate::{
    connector,
    error::{Error, Result},
};

const MIB: i64 = 1024 * 1024;

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

/// What a file is to a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "snake_case")]
enum Content {
    Image,
    Video,
    Audio,
    Document,
}

impl Content {
    /// What a file is sent as.
    fn of(file: &file::Model) -> Self {
        match (file.kind, file.content_type.split('/').next()) {
            (file::Kind::Voice, _) | (file::Kind::Media, Some("audio")) => Self::Audio,
            (file::Kind::Media, Some("image")) => Self::Image,
            (file::Kind::Media, Some("video")) => Self::Video,
            (file::Kind::Media | file::Kind::Document, _) => Self::Document,
        }
    }

    /// Whether a network takes such files at all.
    const fn is_taken(self, network: Network) -> bool {
        let can = Capabilities::of(network, true);
        match self {
            Self::Image => can.image,
            Self::Video => can.video,
            Self::Audio => can.audio,
            Self::Document => can.document,
        }
    }
}

/// Most bytes of a file on a network. The table's MB are taken as MiB, so that nothing is refused that may pass; of
/// WhatsApp this is the limit of numbers that are linked by a code, which all connectors of ours do.
const fn most_bytes(network: Network, content: Content) -> Option<i64> {
    match (network, content) {
        (Network::Whatsapp, _) => Some(100 * MIB),
        (Network::Telegram, _) => Some(50 * MIB),
        (Network::Sms, _) => Some(5 * MIB),
        (Network::Instagram, Content::Image | Content::Document) => Some(8 * MIB),
        (Network::Instagram, Content::Video | Content::Audio) | (Network::Facebook | Network::Email, _) => {
            Some(25 * MIB)
        }
        (Network::Rcs | Network::Webchat, _) => Some(10 * MIB),
        (Network::Voice, _) => None,
    }
}

/// Passes if a network takes such a file, and whoever speaks to it too; `field` is what the caller's surface calls it.
///
/// # Errors
/// `channel_refused` where none such is taken; `invalid_request` naming `field` for one that is too large.
pub(crate) fn check_file(
    network: Network,
    connector: ConnectorKind,
    file: &file::Model,
    field: &'static str,
) -> Result<()> {
    let content = Content::of(file);
    if !content.is_taken(network) {
        return Err(Error::ChannelRefused(format!("a {network} channel takes no files of the kind {content}")));
    }
    let too_large = |most: Option<i64>| most.filter(|most| file.size > *most);
    if let Some(most) = too_large(most_bytes(network, content)) {
        return Err(Error::field(field, format!("must be at most {most} bytes on {network}")));
    }
    if let Some(most) = too_large(connector::most_file_bytes(connector)) {
        return Err(Error::field(field, format!("must be at most {most} bytes through {connector}")));
    }
    Ok(())
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
