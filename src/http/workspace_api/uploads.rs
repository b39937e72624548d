//! Forms with a file in them, read as they come: the file goes on to the storage piece by piece.

use entity::id::WorkspaceId;
use poem::{
    FromRequest, Request, RequestBody,
    error::ParseMultipartError,
    http::Method,
    web::{Field, Multipart},
};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaMediaType, MetaRequest, MetaSchema, MetaSchemaRef, Registry},
};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::{
    app::App,
    error::{Error, Result},
    file::{
        FileName,
        media::Media,
        parse_content_type,
        upload::{Stored, Upload},
    },
    http::surface::Course,
};

const CHUNK_BYTES: usize = 64 * 1024;
/// Most bytes of a field that is not the file: the longest text, in the longest spelling of its characters.
const MAX_FIELD_BYTES: usize = 8 * 1024;

/// How requests of this surface are read.
pub(super) fn course(request: &Request) -> Course {
    let path = request.uri().path();
    let is_of_chat =
        path.starts_with("/chats/") && ["/file_message", "/voice_message"].iter().any(|end| path.ends_with(end));
    match (request.method() == Method::POST, path) {
        (true, "/files") => Course::Fetch,
        (true, "/files_upload") => Course::Upload,
        (true, _) if is_of_chat => Course::Upload,
        _ => Course::Usual,
    }
}

/// A form with a file that is read when the handler asks for it.
pub(super) struct UnreadForm(Result<Multipart>);

/// What was in it.
pub(super) struct Form {
    /// The file, stored.
    pub(super) stored: Stored,
    pub(super) filename: Option<FileName>,
    pub(super) content_type: Option<String>,
    pub(super) caption: Option<String>,
}

impl Form {
    /// What the file is, and its name: the given one, or one that says what it is.
    pub(super) fn described(&self) -> Result<(Media, FileName)> {
        let name = self.filename.as_ref().map(FileName::as_str);
        let media = self.stored.shape.decide(self.content_type.as_deref(), name)?;
        Ok((media, self.filename.clone().map_or_else(|| unnamed(media), Ok)?))
    }
}

/// A name for a file that has none.
pub(super) fn unnamed(media: Media) -> Result<FileName> {
    FileName::parse(&format!("file.{}", media.endings()[0]))
}

impl UnreadForm {
    /// Reads the form; the file is in the storage afterwards, or nothing is.
    pub(super) async fn read(self, app: &App, workspace_id: WorkspaceId) -> Result<Form> {
        let mut fields = Fields::default();
        let mut form = self.0?;
        match read_all(app, workspace_id, &mut form, &mut fields).await {
            Ok(()) => {}
            Err(error) => {
                fields.discard(app).await;
                return Err(error);
            }
        }
        let Some(stored) = fields.stored else { return Err(Error::field("file", "is required")) };
        Ok(Form {
            stored,
            filename: fields.filename.or(fields.own_filename),
            content_type: fields.content_type.or(fields.own_content_type),
            caption: fields.caption,
        })
    }
}

/// The fields so far.
#[derive(Default)]
struct Fields {
    stored: Option<Stored>,
    /// As the part itself says.
    own_filename: Option<FileName>,
    own_content_type: Option<String>,
    filename: Option<FileName>,
    content_type: Option<String>,
    caption: Option<String>,
}

impl Fields {
    async fn discard(self, app: &App) {
        if let Some(stored) = self.stored {
            stored.discard(app).await;
        }
    }
}

async fn read_all(app: &App, workspace_id: WorkspaceId, form: &mut Multipart, fields: &mut Fields) -> Result<()> {
    while let Some(field) = form.next_field().await.map_err(|error| unreadable(&error))? {
        match field.name().unwrap_or_default() {
            "file" if fields.stored.is_some() => return Err(Error::field("file", "must be one file")),
            "file" => {
                fields.own_filename = field.file_name().and_then(FileName::cleaned);
                fields.own_content_type = field.content_type().map(str::to_owned);
                let said = fields.content_type.as_deref().or(fields.own_content_type.as_deref());
                fields.stored = Some(take(app, workspace_id, field, said).await?);
            }
            "filename" => {
                let text = text_of(field, "filename").await?;
                fields.filename = if text.is_empty() { None } else { Some(FileName::parse(&text)?) };
            }
            "content_type" => fields.content_type = parse_content_type(Some(text_of(field, "content_type").await?))?,
            "caption" => fields.caption = Some(text_of(field, "caption").await?),
            // Unknown fields are ignored, as they are everywhere here.
            _ => {}
        }
    }
    Ok(())
}

async fn take(app: &App, workspace_id: WorkspaceId, field: Field, content_type: Option<&str>) -> Result<Stored> {
    let mut upload = Upload::begin(app, workspace_id).await?.said_to_be(content_type);
    let reader = std::pin::pin!(field.into_async_read());
    match pass_on(reader, &mut upload).await {
        Ok(()) => upload.finish().await,
        Err(error) => {
            upload.discard().await;
            Err(error)
        }
    }
}

async fn pass_on(mut reader: std::pin::Pin<&mut impl AsyncRead>, upload: &mut Upload<'_>) -> Result<()> {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let length = reader.read(&mut buffer).await.map_err(|_| broken_off())?;
        if length == 0 {
            return Ok(());
        }
        upload.write(&buffer[..length]).await?;
    }
}

async fn text_of(field: Field, name: &'static str) -> Result<String> {
    let reader = std::pin::pin!(field.into_async_read());
    let mut reader = reader.take(MAX_FIELD_BYTES as u64 + 1);
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).await.map_err(|_| broken_off())?;
    if bytes.len() > MAX_FIELD_BYTES {
        return Err(Error::field(name, "is too long"));
    }
    String::from_utf8(bytes).map_err(|_| Error::field(name, "must be UTF-8"))
}

fn unreadable(error: &ParseMultipartError) -> Error {
    match error {
        ParseMultipartError::ContentTypeRequired | ParseMultipartError::InvalidContentType(_) => {
            Error::InvalidBody { field: None, reason: "send the body as multipart/form-data".to_owned() }
        }
        _ => broken_off(),
    }
}

fn broken_off() -> Error {
    Error::InvalidBody { field: None, reason: "the form cannot be read to its end".to_owned() }
}

impl<'a> ApiExtractor<'a> for UnreadForm {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(_registry: &mut Registry) {}

    fn request_meta() -> Option<MetaRequest> {
        let text = || MetaSchemaRef::Inline(Box::new(MetaSchema::new("string")));
        let schema = MetaSchema {
            required: vec!["file"],
            properties: vec![
                ("file", MetaSchemaRef::Inline(Box::new(MetaSchema::new_with_format("string", "binary")))),
                ("filename", text()),
                ("content_type", text()),
                ("caption", text()),
            ],
            ..MetaSchema::new("object")
        };
        Some(MetaRequest {
            description: Some(
                "A file. Its name and type may be given beside it. A caption is read by `file_message` and ignored \
                 by others.",
            ),
            content: vec![MetaMediaType {
                content_type: "multipart/form-data",
                schema: MetaSchemaRef::Inline(Box::new(schema)),
            }],
            required: true,
        })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let form = <Multipart as FromRequest>::from_request(request, body).await;
        Ok(Self(form.map_err(|error| match error.downcast_ref::<ParseMultipartError>() {
            Some(error) => unreadable(error),
            None => broken_off(),
        })))
    }
}
