//! Objects as files of a folder. Names are `<workspace>/<uuid>`, all made by us.

use std::{
    io::{ErrorKind, Result as IoResult, SeekFrom},
    ops::Range,
    path::{Path, PathBuf},
};

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use tokio::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, Take},
};

use crate::{
    error::Result,
    file::storage::{Content, missing, unavailable},
};

const CHUNK_BYTES: usize = 64 * 1024;
/// Only the owner reads and writes.
const FILE_MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;

/// A folder, made when the first object is.
pub struct Folder(PathBuf);

/// A file that is being written.
pub struct Opened {
    file: File,
    folder: PathBuf,
}

impl Folder {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self(path)
    }

    fn path(&self, key: &str) -> PathBuf {
        self.0.join(key)
    }

    pub(super) async fn create(&self, key: &str) -> IoResult<Opened> {
        let path = self.path(key);
        let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(&folder).await?;
        let file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(&path).await?;
        Ok(Opened { file, folder })
    }

    pub(super) async fn read(&self, key: &str, part: Option<Range<u64>>) -> Result<Content> {
        let mut file = match File::open(self.path(key)).await {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(missing(key)),
            Err(error) => return Err(unavailable(&error)),
        };
        let most = match part {
            None => u64::MAX,
            Some(part) => {
                file.seek(SeekFrom::Start(part.start)).await.map_err(|error| unavailable(&error))?;
                part.end.saturating_sub(part.start)
            }
        };
        Ok(Box::pin(stream::try_unfold(file.take(most), next_chunk)))
    }

    pub(super) async fn remove(&self, key: &str) -> IoResult<()> {
        match fs::remove_file(self.path(key)).await {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

async fn next_chunk(mut file: Take<File>) -> IoResult<Option<(Bytes, Take<File>)>> {
    let mut chunk = BytesMut::with_capacity(CHUNK_BYTES);
    let length = file.read_buf(&mut chunk).await?;
    Ok((length > 0).then(|| (chunk.freeze(), file)))
}

impl Opened {
    pub(super) async fn write(&mut self, chunk: &[u8]) -> IoResult<()> {
        self.file.write_all(chunk).await
    }

    pub(super) async fn finish(mut self) -> IoResult<()> {
        self.file.flush().await?;
        self.file.sync_all().await?;
        // The name of the file is in the folder, which is written by itself.
        File::open(&self.folder).await?.sync_all().await
    }
}
