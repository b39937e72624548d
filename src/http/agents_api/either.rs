//! Bodies and answers of which each dialect has its own form.

use std::marker::PhantomData;

use poem::{FromRequest, IntoResponse, Request, RequestBody, Response, http::header};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ApiResponse, ExtractParamOptions,
    error::ContentTypeError,
    payload::{Json, Payload},
    registry::{MetaMediaType, MetaRequest, MetaResponse, MetaResponses, Registry},
    types::{ToJSON, Type},
};
use serde::de::DeserializeOwned;

use crate::{
    error::{Error, Result},
    http::{
        agents_api::dialect::{Spoken, any_of},
        body, failure,
    },
};

const CONTENT_TYPE: &str = "application/json; charset=utf-8";

/// A JSON object of the caller's dialect, read when the handler asks for it, so that the caller is metered first.
pub(super) struct EitherJson<L, T> {
    bytes: Result<Vec<u8>>,
    spoken: Spoken,
    forms: PhantomData<fn() -> (L, T)>,
}

impl<L, T> EitherJson<L, T>
where
    L: DeserializeOwned,
    T: DeserializeOwned,
{
    /// What was sent, or why it cannot be read.
    pub(super) fn read<C: From<L> + From<T>>(self) -> Result<C> {
        let bytes = self.bytes?;
        match self.spoken {
            Spoken::Linktor => body::parse::<L>(&bytes).map(C::from),
            Spoken::Timely => body::parse::<T>(&bytes).map(C::from),
        }
    }
}

impl<'a, L: Type, T: Type> ApiExtractor<'a> for EitherJson<L, T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        L::register(registry);
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let schema = any_of([L::schema_ref(), T::schema_ref()]);
        let content = vec![MetaMediaType { content_type: "application/json", schema }];
        Some(MetaRequest { description: None, content, required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let bytes = <Vec<u8> as FromRequest>::from_request(request, body).await?;
        let is_json = request.content_type().is_some_and(Json::<L>::check_content_type);
        let unfit = || failure::ours(ContentTypeError::ExpectContentType.into(), || Error::MissingCredentials);
        let bytes = if is_json { Ok(bytes) } else { Err(unfit()) };
        Ok(Self { bytes, spoken: Spoken::of(request), forms: PhantomData })
    }
}

/// An answer in the caller's dialect.
pub(super) enum Answer<const STATUS: u16, L, T> {
    /// In Linktor's.
    Linktor(L),
    /// In Timely's.
    Timely(T),
}

impl<const STATUS: u16, L, T> Answer<STATUS, L, T> {
    /// Something, as the caller speaks.
    pub(super) fn of<V>(spoken: Spoken, value: V) -> Self
    where
        L: From<V>,
        T: From<V>,
    {
        match spoken {
            Spoken::Linktor => Self::Linktor(value.into()),
            Spoken::Timely => Self::Timely(value.into()),
        }
    }
}

impl<const STATUS: u16, L: ToJSON, T: ToJSON> IntoResponse for Answer<STATUS, L, T> {
    fn into_response(self) -> Response {
        let body = match self {
            Self::Linktor(answer) => answer.to_json(),
            Self::Timely(answer) => answer.to_json(),
        };
        let status = poem::http::StatusCode::from_u16(STATUS).unwrap_or_default();
        let response = Response::builder().status(status).header(header::CONTENT_TYPE, CONTENT_TYPE);
        response.body(body.unwrap_or_default().to_string())
    }
}

impl<const STATUS: u16, L: Type + ToJSON, T: Type + ToJSON> ApiResponse for Answer<STATUS, L, T> {
    fn meta() -> MetaResponses {
        let schema = any_of([L::schema_ref(), T::schema_ref()]);
        let response = MetaResponse {
            description: "As the caller speaks",
            status: Some(STATUS),
            status_range: None,
            content: vec![MetaMediaType { content_type: CONTENT_TYPE, schema }],
            headers: vec![],
        };
        MetaResponses { responses: vec![response] }
    }

    fn register(registry: &mut Registry) {
        L::register(registry);
        T::register(registry);
    }
}
