//! Files of a workspace: uploaded by its systems or received with a message, attached to messages, read through links
//! that run out.
//!
//! A content is streamed into the [`storage`] while its digest and length are taken, and is looked at: its first bytes
//! have to be of the type that it is said to have, if the workspace uploads it ([`media`]). Equal contents of a workspace
//! are stored once. An upload that ends early leaves nothing behind: what is written to the storage is a stray, noted in
//! the database before the first byte, until a file claims it; strays are removed when their time is over ([`purge`]).
//!
//! What messages and files owe each other:
//!
//! - A message refers to its file; it does not copy it. A file that is deleted while messages carry it is shown by
//!   these only: it is not listed, found or attached any more.
//! - A file goes when it has been kept for as long as is configured, counted from its upload or from the newest message
//!   that carries it, and never while one of these waits to be sent. The message stays and shows no link then.
//! - What came with a message that was then refused goes within two hours, at once where nothing has crashed.

use entity::{
    file::{Kind, Model},
    id::{FileId, WorkspaceId},
    user,
};
use sea_orm::ConnectionTrait;

use crate::{
    config::{Config, ConfigError},
    error::{Error, Result},
    file::{places::Places, storage::Storage},
};

pub mod delete;
pub mod fetch;
pub mod keep;
pub mod link;
pub mod media;
mod pass;
pub mod places;
pub mod purge;
pub mod read;
pub mod storage;
mod store;
mod strays;
pub mod upload;

pub(crate) use store::{attachable, by_ids};

/// Longest name of a file, in characters.
pub const MAX_FILENAME_CHARS: usize = 1024;
/// Longest media type, in characters.
pub const MAX_CONTENT_TYPE_CHARS: usize = 140;
/// Most files of one list.
pub const MAX_LISTED: u64 = 1000;

/// Where the contents are, and how many are being taken.
pub struct Files {
    storage: Storage,
    places: Places,
}

impl Files {
    /// The configured storage.
    ///
    /// # Errors
    /// Names the key of the configuration that is unfit.
    pub fn open(config: &Config) -> Result<Self, ConfigError> {
        Ok(Self { storage: Storage::open(config)?, places: Places::default() })
    }

    /// Whether the contents lie in a folder of this machine.
    #[must_use]
    pub const fn is_local(&self) -> bool {
        self.storage.is_folder()
    }
}

/// A file with what it is shown with.
#[derive(Clone, Debug)]
pub struct FileDetails {
    /// The file.
    pub file: Model,
    /// The user as whom it was uploaded, as long as there is one.
    pub uploader: Option<user::Model>,
}

/// What goes out with a message. Connectors read the content with [`read::open`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The file.
    pub file: Model,
}

impl Attachment {
    /// How it is to be shown.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.file.kind
    }
}

/// The file of a message, as long as it is kept.
///
/// # Errors
/// What the database says.
pub(crate) async fn of_message(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    file_id: Option<FileId>,
) -> Result<Option<Model>> {
    let Some(id) = file_id else { return Ok(None) };
    Ok(by_ids(db, workspace_id, [id]).await?.remove(&id))
}

/// A name without folders and control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName(String);

impl FileName {
    /// Reads a name that a caller has chosen. Folders before it are dropped.
    ///
    /// # Errors
    /// `invalid_request` naming `filename`.
    pub fn parse(text: &str) -> Result<Self> {
        if text.chars().count() > MAX_FILENAME_CHARS {
            return Err(Error::field("filename", format!("must be at most {MAX_FILENAME_CHARS} characters")));
        }
        if text.chars().any(char::is_control) {
            return Err(Error::field("filename", "must not contain control characters"));
        }
        let name = last_part(text);
        if name.is_empty() { Err(Error::field("filename", "must not be empty")) } else { Ok(Self(name.to_owned())) }
    }

    /// Makes a name of what came along with a file; `None` if nothing is left of it.
    #[must_use]
    pub fn cleaned(text: &str) -> Option<Self> {
        let name: String = last_part(text).chars().filter(|char| !char.is_control()).take(MAX_FILENAME_CHARS).collect();
        let name = name.trim();
        (!name.is_empty()).then(|| Self(name.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn last_part(text: &str) -> &str {
    let name = text.rsplit(['/', '\\']).next().unwrap_or_default().trim();
    if name.chars().all(|char| char == '.') { "" } else { name }
}

/// Reads a media type that a caller has chosen: absent and empty are the same.
///
/// # Errors
/// `invalid_request` naming `content_type`.
pub fn parse_content_type(text: Option<String>) -> Result<Option<String>> {
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return Ok(None) };
    if text.chars().count() > MAX_CONTENT_TYPE_CHARS {
        return Err(Error::field("content_type", format!("must be at most {MAX_CONTENT_TYPE_CHARS} characters")));
    }
    Ok(Some(text))
}

/// Reads a uid as it stands in a path or a body.
///
/// # Errors
/// `file_not_found`: what is no uuid is nobody's file.
pub fn parse_uid(text: &str) -> Result<FileId> {
    text.parse().map_err(|_| Error::FileNotFound(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_no_folders() {
        let name = |text: &str| FileName::parse(text).map(|name| name.0).ok();
        assert_eq!(name("menu.pdf").as_deref(), Some("menu.pdf"));
        assert_eq!(name("/etc/../menu.pdf").as_deref(), Some("menu.pdf"));
        assert_eq!(name("C:\\menu.pdf").as_deref(), Some("menu.pdf"));
        assert_eq!(name(&"x".repeat(MAX_FILENAME_CHARS)).map(|name| name.len()), Some(MAX_FILENAME_CHARS));
        for bad in ["", " ", "..", "folder/", "a\0b", "a\nb", &"x".repeat(MAX_FILENAME_CHARS + 1)] {
            assert_eq!(name(bad), None, "{bad:?}");
        }
        let cleaned = |text: &str| FileName::cleaned(text).map(|name| name.0);
        assert_eq!(cleaned("a\r\nb.png").as_deref(), Some("ab.png"));
        assert_eq!(cleaned("../.."), None);
    }
}
