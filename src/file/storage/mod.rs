//! Where contents are kept: a folder of this machine, or a bucket of an S3-compatible service.
//!
//! An object is written once, in order, under a name that nobody else has, and is read only by those who find its name
//! in the database. So neither place needs to hide what is half written.

use std::{ops::Range, time::Duration};

use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::{
    config::{Config, ConfigError},
    error::{Error, Result},
    file::storage::{
        bucket::{Bucket, Parts},
        folder::{Folder, Opened},
    },
};

mod bucket;
mod folder;

pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A content on its way to somebody.
pub type Content = BoxStream<'static, std::io::Result<Bytes>>;

/// The place.
pub enum Storage {
    /// A folder.
    Folder(Folder),
    /// A bucket.
    Bucket(Box<Bucket>),
}

/// An object that is being written.
pub enum Draft {
    /// A file.
    Folder(Opened),
    /// Parts of an object.
    Bucket(Box<Parts>),
}

impl Storage {
    /// The configured place.
    ///
    /// # Errors
    /// Names the key of the configuration that is unfit.
    pub fn open(config: &Config) -> Result<Self, ConfigError> {
        match &config.s3_bucket {
            Some(name) => Ok(Self::Bucket(Box::new(Bucket::open(config, name)?))),
            None => Ok(Self::Folder(Folder::new(config.data_dir.join("files")))),
        }
    }

    /// Whether it is a folder of this machine.
    #[must_use]
    pub const fn is_folder(&self) -> bool {
        matches!(self, Self::Folder(_))
    }

    /// Begins an object.
    ///
    /// # Errors
    /// `busy` if the place does not answer.
    pub async fn begin(&self, key: &str) -> Result<Draft> {
        match self {
            Self::Folder(folder) => folder.create(key).await.map(Draft::Folder).map_err(|error| unavailable(&error)),
            Self::Bucket(bucket) => Ok(Draft::Bucket(Box::new(bucket.begin(key)))),
        }
    }

    /// Reads an object, or some of its bytes.
    ///
    /// # Errors
    /// `busy` if the place does not answer, `internal_error` if the object is not there.
    pub async fn read(&self, key: &str, part: Option<Range<u64>>) -> Result<Content> {
        match self {
            Self::Folder(folder) => folder.read(key, part).await,
            Self::Bucket(bucket) => bucket.read(key, part).await,
        }
    }

    /// Removes an object, and what there is of its upload in parts; one that is gone stays so.
    ///
    /// # Errors
    /// `busy` if the place does not answer.
    pub async fn remove(&self, key: &str, upload_id: Option<&str>) -> Result<()> {
        match self {
            Self::Folder(folder) => folder.remove(key).await.map_err(|error| unavailable(&error)),
            Self::Bucket(bucket) => bucket.remove(key, upload_id).await,
        }
    }
}

impl Draft {
    /// Writes on. Tells the name of an upload in parts when it has just begun, so that it can be noted before there
    /// is anything in it.
    ///
    /// # Errors
    /// `busy` if the place does not answer.
    pub async fn write(&mut self, chunk: &[u8]) -> Result<Option<String>> {
        match self {
            Self::Folder(file) => file.write(chunk).await.map(|()| None).map_err(|error| unavailable(&error)),
            Self::Bucket(parts) => parts.write(chunk).await,
        }
    }

    /// Sends what is ready to be sent; called after [`Draft::write`] once the name that it told is noted.
    ///
    /// # Errors
    /// `busy` if the place does not answer.
    pub async fn flush(&mut self) -> Result<()> {
        match self {
            Self::Folder(_) => Ok(()),
            Self::Bucket(parts) => parts.flush().await,
        }
    }

    /// Ends the object: from now on it outlives a crash.
    ///
    /// # Errors
    /// `busy` if the place does not answer.
    pub async fn finish(self) -> Result<()> {
        match self {
            Self::Folder(file) => file.finish().await.map_err(|error| unavailable(&error)),
            Self::Bucket(parts) => parts.finish().await,
        }
    }
}

/// The place does not do what it should; callers come back later, the operator reads why.
fn unavailable(error: &impl std::fmt::Display) -> Error {
    tracing::error!(%error, "the storage of files does not answer");
    Error::Busy { retry_after: RETRY_AFTER }
}

fn missing(key: &str) -> Error {
    Error::Internal(format!("the storage has no object {key}"))
}
