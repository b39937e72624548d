//! JSON bodies, read with a clear word about the field that does not fit.

use poem::{FromRequest, Request, RequestBody};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    error::ContentTypeError,
    payload::{Json, Payload},
    registry::{MetaMediaType, MetaRequest, Registry},
    types::Type,
};
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::{error::Error, http::failure};

/// A JSON object. An empty body counts as `{}` and needs no Content-Type, so that operations whose fields are all
/// optional can be called without one. Unknown fields are ignored, as clients of the contracts rely on.
pub(super) struct JsonBody<T>(pub(super) T);

impl<'a, T: Type + DeserializeOwned + Send> ApiExtractor<'a> for JsonBody<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        Some(MetaRequest {
            description: None,
            content: vec![MetaMediaType { content_type: "application/json", schema: T::schema_ref() }],
            // Whether a body is needed follows from the fields of its schema that are required.
            required: serde_json::from_str::<T>("{}").is_err(),
        })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let bytes = <Vec<u8> as FromRequest>::from_request(request, body).await?;
        if bytes.is_empty() {
            return parse(b"{}").map(Self).map_err(Into::into);
        }
        if !request.content_type().is_some_and(Json::<T>::check_content_type) {
            return Err(ContentTypeError::ExpectContentType.into());
        }
        parse(&bytes).map(Self).map_err(Into::into)
    }
}

/// A JSON object that is read when the handler asks for it, so that a caller is metered first.
pub(super) struct UnreadJson<T>(Result<T, Error>);

impl<T> UnreadJson<T> {
    /// The object, or why it is none.
    pub(super) fn read(self) -> Result<T, Error> {
        self.0
    }
}

impl<'a, T: Type + DeserializeOwned + Send> ApiExtractor<'a> for UnreadJson<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        <JsonBody<T> as ApiExtractor<'a>>::request_meta()
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        options: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let read = <JsonBody<T> as ApiExtractor<'a>>::from_request(request, body, options).await;
        Ok(Self(read.map(|body| body.0).map_err(|error| failure::ours(error, || Error::MissingCredentials))))
    }
}

/// A JSON object, or plain text in its place; read when the handler asks for it.
pub(super) struct JsonOrText<T>(Result<Either<T>, Error>);

/// What was sent.
pub(super) enum Either<T> {
    /// A JSON object.
    Object(T),
    /// Plain text.
    Text(String),
}

impl<T> JsonOrText<T> {
    /// What was sent, or why it is neither.
    pub(super) fn read(self) -> Result<Either<T>, Error> {
        self.0
    }
}

impl<'a, T: Type + DeserializeOwned + Send> ApiExtractor<'a> for JsonOrText<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let content = vec![
            MetaMediaType { content_type: "application/json", schema: T::schema_ref() },
            MetaMediaType { content_type: "text/plain", schema: String::schema_ref() },
        ];
        Some(MetaRequest { description: None, content, required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        options: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let is_text = request.content_type().is_some_and(|kind| {
            kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/plain"))
        });
        if !is_text {
            let UnreadJson(read) = UnreadJson::<T>::from_request(request, body, options).await?;
            return Ok(Self(read.map(Either::Object)));
        }
        let bytes = <Vec<u8> as FromRequest>::from_request(request, body).await?;
        let text = String::from_utf8(bytes).map_err(|_| {
            let reason = "the body is not text in UTF-8".to_owned();
            Error::InvalidBody { field: None, reason }
        });
        Ok(Self(text.map(Either::Text)))
    }
}

/// Reads an object; the error names the field that does not fit, or that is missing.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    let whole = |reason: String| Error::InvalidBody { field: None, reason };
    let not_json = |error: serde_json::Error| whole(format!("the body is not JSON: {error}"));
    // A list would be taken for the fields in their order, which nobody knows.
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        serde_json::from_slice::<IgnoredAny>(bytes).map_err(not_json)?;
        return Err(whole("the body must be a JSON object".to_owned()));
    }
    // Keeping the path to what does not fit costs more than reading what fits.
    if let Ok(value) = serde_json::from_slice(bytes) {
        return Ok(value);
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = Some(error.path().to_string()).filter(|path| path != ".");
        let inner = error.into_inner();
        if inner.is_data() { unfit(path, &without_position(&inner)) } else { not_json(inner) }
    })?;
    reader.end().map_err(not_json)?;
    Ok(value)
}

/// What serde says about the value at this path. A field that is missing is named by itself, not by what lacks it.
fn unfit(path: Option<String>, reason: &str) -> Error {
    let missing = reason.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
    let (field, reason) = match (path, missing) {
        (Some(path), Some(name)) => (Some(format!("{path}.{name}")), format!("{path}: {reason}")),
        (None, Some(name)) => (Some(name.to_owned()), reason.to_owned()),
        (Some(path), None) => (Some(path.clone()), format!("{path}: {reason}")),
        (None, None) => (None, reason.to_owned()),
    };
    Error::InvalidBody { field, reason }
}

/// What serde says, without line and column, which help nobody in a one-line body.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or_else(|| text.clone(), |(text, _)| text.to_owned())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Example {
        #[expect(dead_code, reason = "only its reading is looked at")]
        count: u32,
        #[serde(default)]
        #[expect(dead_code, reason = "only its reading is looked at")]
        inner: Option<Box<Self>>,
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let reason = |body: &str| parse::<Example>(body.as_bytes()).expect_err("an error").to_string();
        assert_eq!(reason(r#"{"count":"three"}"#), r#"count: invalid type: string "three", expected u32"#);
        assert_eq!(reason(r#"{"count":-1}"#), "count: invalid value: integer `-1`, expected u32");
        assert_eq!(reason("{}"), "missing field `count`");
        for other in ["[]", "[1,null]", " [3]", "null", "\"x\"", "1"] {
            assert_eq!(reason(other), "the body must be a JSON object", "{other}");
        }
        assert!(reason(&"[".repeat(100_000)).starts_with("the body is not JSON"));
        assert!(reason("{").starts_with("the body is not JSON"));
        assert!(reason(r#"{"count":1} x"#).starts_with("the body is not JSON"));
        assert!(reason("\u{fffd}").starts_with("the body is not JSON"));
        assert!(parse::<Example>(br#"{"count":1,"unknown":[{}]}"#).is_ok());
        for (body, named) in
            [("{}", "count"), (r#"{"count":1,"inner":{}}"#, "inner.count"), (r#"{"count":-1}"#, "count")]
        {
            let Err(Error::InvalidBody { field, .. }) = parse::<Example>(body.as_bytes()) else { panic!("{body}") };
            assert_eq!(field.as_deref(), Some(named));
        }
    }
}
