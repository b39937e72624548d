//! JSON answers that are written straight from their fields.
//!
//! poem-openapi's `Json` first builds a tree of values and then writes that; for the answers that are asked for most
//! often this was a tenth of what a request cost. The document is the same.

use poem::{IntoResponse, Response, http::header};
use poem_openapi::{
    ApiResponse,
    payload::{Json, Payload},
    registry::{MetaResponses, Registry},
    types::{ToJSON, Type},
};
use serde::Serialize;

/// A JSON answer whose type is written by serde and documented by poem-openapi. Both have to agree on its names.
pub(super) struct Rendered<T>(pub(super) T);

impl<T: Type> Payload for Rendered<T> {
    const CONTENT_TYPE: &'static str = Json::<T>::CONTENT_TYPE;

    fn check_content_type(content_type: &str) -> bool {
        Json::<T>::check_content_type(content_type)
    }

    fn schema_ref() -> poem_openapi::registry::MetaSchemaRef {
        T::schema_ref()
    }
}

impl<T: ToJSON + Serialize> IntoResponse for Rendered<T> {
    fn into_response(self) -> Response {
        // None of these types holds a map whose keys are not text, which is all that could fail.
        let body = serde_json::to_vec(&self.0).unwrap_or_default();
        Response::builder().header(header::CONTENT_TYPE, Self::CONTENT_TYPE).body(body)
    }
}

impl<T: ToJSON + Serialize> ApiResponse for Rendered<T> {
    fn meta() -> MetaResponses {
        Json::<T>::meta()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}
