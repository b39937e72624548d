//! Files (`contracts/timelines.md` §3.6).

use std::sync::Arc;

use entity::{file::Kind, id::FileId};
use poem_openapi::{
    ApiResponse, Object, OpenApi,
    param::{Header, Path, Query},
    payload::Json,
};
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    caller::WorkspaceCaller,
    error::Result,
    file::{
        FileDetails, FileName, delete, fetch,
        keep::{self, NewFile},
        link, parse_content_type, read,
        upload::Stored,
    },
    http::{
        body::UnreadJson,
        formats::local_time,
        query::Written,
        workspace_api::{
            Envelope,
            auth::TokenAuth,
            dialect::WorkspaceFailure,
            ok,
            uploads::{UnreadForm, unnamed},
        },
    },
    idempotency::Repeatable,
    page::PageNumber,
    token::Scope,
};

/// What stands for whoever uploaded a file and is no user any more, or never was one.
const NOBODY: &str = "(removed)";

pub(super) struct FilesApi {
    pub(super) app: Arc<App>,
}

/// A file to be fetched.
#[derive(Object, Serialize, Deserialize)]
pub(super) struct FetchFileRequest {
    /// Where it is: a public address that gives the file itself, without a redirect.
    download_url: String,
    /// Its name, at most 1024 characters; as the address ends where absent.
    filename: Option<String>,
    /// Its media type, at most 140 characters; as its place says where absent.
    content_type: Option<String>,
}

/// A file.
#[derive(Object)]
#[oai(rename = "FileInfo", skip_serializing_if_is_none)]
pub(super) struct FileView {
    /// Its uid.
    uid: String,
    /// Its name.
    filename: String,
    /// Its length in bytes.
    size: i64,
    /// Its media type.
    mimetype: String,
    /// E-mail address of the user as whom it was uploaded, or `(removed)`.
    uploaded_by_email: String,
    /// When it was stored.
    uploaded_at: String,
    /// Where it can be read for 15 minutes, without credentials; not in lists.
    temporary_download_url: Option<String>,
}

impl FileView {
    fn new(details: &FileDetails, zone: &str) -> Self {
        let FileDetails { file, uploader } = details;
        Self {
            uid: file.id.to_string(),
            filename: file.filename.clone(),
            size: file.size,
            mimetype: file.content_type.clone(),
            uploaded_by_email: uploader.as_ref().map_or_else(|| NOBODY.to_owned(), |user| user.email.clone()),
            uploaded_at: local_time(file.created_at, zone),
            temporary_download_url: None,
        }
    }

    fn with_link(app: &App, details: &FileDetails, zone: &str) -> Result<Self> {
        Ok(Self { temporary_download_url: Some(link::to(app, details.file.id)?), ..Self::new(details, zone) })
    }
}

/// A deletion, which says nothing more.
#[derive(ApiResponse)]
pub(super) enum Deleted {
    /// It is deleted.
    #[oai(status = 200)]
    Done,
}

/// Everything that decides what an upload asks for.
#[derive(Serialize)]
struct Asked<'a> {
    sha256: &'a [u8],
    filename: Option<&'a str>,
    content_type: Option<&'a str>,
}

#[OpenApi]
impl FilesApi {
    /// Store a file from an address
    ///
    /// Pictures (jpg, png, gif, webp), sounds (mp3, ogg, oga, aac) and films (mp4, 3gp) of at most 16 MiB, documents
    /// (pdf, doc, docx, xls, xlsx) of at most 100 MiB; what a file is has to fit its first bytes. 413 for what is
    /// larger.
    #[oai(path = "/files", method = "post", operation_id = "fetch_file")]
    async fn fetch(
        &self,
        caller: TokenAuth,
        /// The same key and body returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: UnreadJson<FetchFileRequest>,
    ) -> Result<Json<Envelope<FileView>>, WorkspaceFailure> {
        let origin = caller.origin();
        let scope = caller.repeat_scope();
        let caller = caller.admit(Scope::FilesWrite).await?;
        let body = body.read()?;
        let request = Repeatable::new(scope, key.0.as_deref(), "fetch_file", &body)?;
        let FetchFileRequest { download_url, filename, content_type } = body;
        let filename = filename.filter(|name| !name.is_empty()).map(|name| FileName::parse(&name)).transpose()?;
        let content_type = parse_content_type(content_type)?;
        let fetched = fetch::fetch(&self.app, caller.workspace.id, &download_url).await?;
        let filename = filename.or(fetched.filename);
        // What a server says of a file is a hint; what the caller says is a claim that has to be true.
        let hint = fetched.content_type;
        let name = filename.as_ref().map(FileName::as_str);
        let shape = fetched.stored.shape;
        let decided = match content_type {
            Some(claim) => shape.decide(Some(&claim), name),
            None => shape.decide(hint.as_deref(), name),
        };
        let described = decided.and_then(|media| Ok((media, filename.map_or_else(|| unnamed(media), Ok)?)));
        self.keep(&origin, caller, fetched.stored, described, &request).await
    }

    /// Upload a file
    ///
    /// The same types and limits as of `POST /files`.
    #[oai(path = "/files_upload", method = "post", operation_id = "upload_file")]
    async fn upload(
        &self,
        caller: TokenAuth,
        /// The same key and body returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: UnreadForm,
    ) -> Result<Json<Envelope<FileView>>, WorkspaceFailure> {
        let (origin, scope) = (caller.origin(), caller.repeat_scope());
        let caller = caller.admit(Scope::FilesWrite).await?;
        let form = body.read(&self.app, caller.workspace.id).await?;
        let asked = Asked {
            sha256: &form.stored.sha256,
            filename: form.filename.as_ref().map(FileName::as_str),
            content_type: form.content_type.as_deref(),
        };
        let request = Repeatable::new(scope, key.0.as_deref(), "upload_file", &asked);
        let (request, described) = match request {
            Ok(request) => (request, form.described()),
            Err(error) => (Repeatable::never(), Err(error)),
        };
        self.keep(&origin, caller, form.stored, described, &request).await
    }

    /// List files
    ///
    /// The newest first, in pages of 1000: where a page has fewer, it is the last.
    #[oai(path = "/files", method = "get", operation_id = "list_files")]
    async fn list(
        &self,
        caller: TokenAuth,
        /// A part of their names, without regard to case.
        filename: Query<Option<String>>,
        /// Number of the page, from 1. An extension.
        page: Query<Written<i64>>,
    ) -> Result<Json<Envelope<Vec<FileView>>>, WorkspaceFailure> {
        let workspace = &caller.admit(Scope::FilesRead).await?.workspace;
        let page = PageNumber::parse(page.read("page")?)?;
        let files = read::list(&self.app, workspace.id, filename.0.as_deref(), page).await?;
        Ok(ok(files.iter().map(|details| FileView::new(details, &workspace.time_zone)).collect()))
    }

    /// Get a file
    #[oai(path = "/files/:file_uid", method = "get", operation_id = "get_file")]
    async fn get(
        &self,
        caller: TokenAuth,
        /// Uid of the file.
        file_uid: Path<String>,
    ) -> Result<Json<Envelope<FileView>>, WorkspaceFailure> {
        let workspace = &caller.admit(Scope::FilesRead).await?.workspace;
        let details = read::get(&self.app, workspace.id, &file_uid.0).await?;
        Ok(ok(FileView::with_link(&self.app, &details, &workspace.time_zone)?))
    }

    /// Delete a file
    ///
    /// Messages that carry it go on showing it until it has been kept as long as files are; nobody else does.
    #[oai(path = "/files/:file_uid", method = "delete", operation_id = "delete_file")]
    async fn delete(
        &self,
        caller: TokenAuth,
        /// Uid of the file.
        file_uid: Path<String>,
    ) -> Result<Deleted, WorkspaceFailure> {
        let workspace = &caller.admit(Scope::FilesWrite).await?.workspace;
        delete::delete(&self.app, workspace, &caller.origin(), &file_uid.0).await?;
        Ok(Deleted::Done)
    }
}

impl FilesApi {
    /// Makes a file of what was stored, and shows it.
    async fn keep(
        &self,
        origin: &crate::caller::Origin,
        caller: &WorkspaceCaller,
        stored: Stored,
        described: Result<(crate::file::media::Media, FileName)>,
        request: &Repeatable,
    ) -> Result<Json<Envelope<FileView>>, WorkspaceFailure> {
        let app = &self.app;
        let (media, filename) = match described {
            Ok(described) => described,
            Err(error) => {
                stored.discard(app).await;
                return Err(error.into());
            }
        };
        let new = NewFile {
            workspace: &caller.workspace,
            user_id: Some(caller.user.id),
            filename,
            content_type: media.content_type().into(),
            kind: Kind::Media,
            is_provisional: false,
        };
        let id: FileId = keep::keep(app, origin, stored, &new, request).await?;
        let details = read::get(app, caller.workspace.id, &id.to_string()).await?;
        Ok(ok(FileView::with_link(app, &details, &caller.workspace.time_zone)?))
    }
}
