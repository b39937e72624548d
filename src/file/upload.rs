//! Taking a content in: written to the storage as it comes, never whole in memory.

use entity::id::WorkspaceId;
use sha2::{Digest, Sha256};

use crate::{
    app::App,
    error::{Error, Result},
    file::{
        media::{self, DOCUMENT_LIMIT_BYTES, HEAD_BYTES, Shape},
        places::Place,
        storage::Draft,
        strays,
    },
};

/// A content that is coming in.
pub struct Upload<'a> {
    app: &'a App,
    key: String,
    draft: Draft,
    digest: Sha256,
    /// The first bytes, until there are enough to tell what they begin.
    head: Vec<u8>,
    shape: Option<Shape>,
    /// Whether it may be of any type, and as long as a document.
    is_brought: bool,
    /// Whether it is said to be of a type that is stored.
    is_claimed: bool,
    size: u64,
    _place: Place,
}

/// A content that is stored and belongs to no file yet. Whoever does not [`crate::file::keep`] it gives it back with
/// [`Stored::discard`].
#[derive(Debug)]
pub struct Stored {
    pub(super) key: String,
    /// Its digest.
    pub sha256: Vec<u8>,
    /// What it begins like.
    pub shape: Shape,
    /// Its length in bytes.
    pub size: u64,
    _place: Place,
}

impl<'a> Upload<'a> {
    /// Begins an upload of a workspace.
    ///
    /// # Errors
    /// `busy` if too many are under way or the storage does not answer.
    pub async fn begin(app: &'a App, workspace_id: WorkspaceId) -> Result<Self> {
        let place = app.files.places.take(workspace_id)?;
        let key = format!("{workspace_id}/{}", app.clock.uuid());
        strays::note(app, &key).await?;
        let draft = match app.files.storage.begin(&key).await {
            Ok(draft) => draft,
            Err(error) => {
                strays::discard(app, &key).await;
                return Err(error);
            }
        };
        let (digest, head) = (Sha256::new(), Vec::new());
        let (shape, is_brought, is_claimed) = (None, false, false);
        Ok(Self { app, key, draft, digest, head, shape, is_brought, is_claimed, size: 0, _place: place })
    }

    /// The same with the type that the content is said to have, so that a refusal can say what is wrong.
    #[must_use]
    pub fn said_to_be(self, content_type: Option<&str>) -> Self {
        Self { is_claimed: content_type.is_some_and(media::is_ours), ..self }
    }

    /// Begins the upload of what a customer of the workspace has sent: it may be of any type.
    ///
    /// # Errors
    /// As [`Upload::begin`].
    pub async fn begin_brought(app: &'a App, workspace_id: WorkspaceId) -> Result<Self> {
        Ok(Self { is_brought: true, ..Self::begin(app, workspace_id).await? })
    }

    /// Writes on.
    ///
    /// # Errors
    /// `invalid_request` naming `content_type` if it is of no type that is stored; `file_too_large`; `busy` if the
    /// storage does not answer. The upload is then to be discarded.
    pub async fn write(&mut self, chunk: &[u8]) -> Result<()> {
        self.size += u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        match self.shape {
            Some(shape) => self.pass_on(shape, chunk).await,
            None => {
                self.head.extend_from_slice(chunk);
                if self.head.len() >= HEAD_BYTES { self.look().await } else { Ok(()) }
            }
        }
    }

    /// Finds out what the first bytes begin, and passes them on.
    async fn look(&mut self) -> Result<()> {
        let other = self.is_brought.then_some(Shape::OTHER);
        let refused = if self.is_claimed { media::damaged } else { media::refused };
        let shape = Shape::of(&self.head).or(other).ok_or_else(refused)?;
        self.shape = Some(shape);
        let head = std::mem::take(&mut self.head);
        self.pass_on(shape, &head).await
    }

    async fn pass_on(&mut self, shape: Shape, chunk: &[u8]) -> Result<()> {
        let limit_bytes = if self.is_brought { DOCUMENT_LIMIT_BYTES } else { shape.limit_bytes() };
        if self.size > limit_bytes {
            return Err(Error::FileTooLarge { limit_bytes });
        }
        self.digest.update(chunk);
        if let Some(upload_id) = self.draft.write(chunk).await? {
            strays::note_parts(self.app, &self.key, &upload_id).await?;
        }
        self.draft.flush().await
    }

    /// Most bytes of the content, once it is known what it is.
    #[must_use]
    pub fn limit_bytes(&self) -> Option<u64> {
        self.shape.map(Shape::limit_bytes)
    }

    /// Ends the upload.
    ///
    /// # Errors
    /// As [`Upload::write`], and `invalid_request` naming `file` if there is nothing in it. Nothing is left then.
    pub async fn finish(mut self) -> Result<Stored> {
        let looked = match (self.size, self.shape) {
            (0, _) => Err(Error::field("file", "must not be empty")),
            (_, None) => self.look().await,
            (_, Some(_)) => Ok(()),
        };
        let app = self.app;
        let finished = match looked {
            Ok(()) => self.draft.finish().await,
            Err(error) => Err(error),
        };
        match (finished, self.shape) {
            (Ok(()), Some(shape)) => Ok(Stored {
                key: self.key,
                sha256: self.digest.finalize().to_vec(),
                shape,
                size: self.size,
                _place: self._place,
            }),
            (finished, _) => {
                strays::discard(app, &self.key).await;
                Err(finished.err().unwrap_or_else(media::refused))
            }
        }
    }

    /// Takes back what was written.
    pub async fn discard(self) {
        drop(self.draft);
        strays::discard(self.app, &self.key).await;
    }
}

impl Stored {
    /// Takes back what was written.
    pub async fn discard(self, app: &App) {
        strays::discard(app, &self.key).await;
    }
}
