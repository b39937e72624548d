//! What the page asks for: an attempt, a pairing code.

use std::sync::Arc;

use poem::{
    Request, handler,
    web::{Data, Json, Path},
};
use serde::Deserialize;

use crate::{
    http::{
        body,
        edge::RequestId,
        onboarding_page::{Shared, view::PageState},
    },
    onboarding::{open, pairing, start},
    phone::Phone,
};

/// The phone that the code is for.
#[derive(Deserialize)]
struct PairingRequest {
    /// Its number, `+` and 7 to 15 digits.
    phone: String,
}

/// Starts an attempt; answers with what the page shows then.
#[handler]
pub(super) async fn start_attempt(
    shared: Data<&Arc<Shared>>,
    Path(token): Path<String>,
    request: &Request,
) -> poem::Result<Json<PageState>> {
    let link = open::open(&shared.app, &token).await?.link.id;
    shared.pace(link)?;
    start::start(&shared.app, link, &RequestId::of(request)).await?;
    shown(&shared, link).await
}

/// Asks for a pairing code; answers with what the page shows then.
#[handler]
pub(super) async fn request_pairing_code(
    shared: Data<&Arc<Shared>>,
    Path(token): Path<String>,
    request: &Request,
    body: Vec<u8>,
) -> poem::Result<Json<PageState>> {
    let link = open::open(&shared.app, &token).await?.link.id;
    shared.pace(link)?;
    let command: PairingRequest = body::parse(&body)?;
    let phone = Phone::parse(&command.phone)?;
    pairing::request(&shared.app, link, &phone, &RequestId::of(request)).await?;
    shown(&shared, link).await
}

async fn shown(shared: &Shared, link: entity::id::LinkId) -> poem::Result<Json<PageState>> {
    let standing = open::standing(&shared.app, link).await?;
    Ok(Json(PageState::of(&standing, shared.app.clock.now())?))
}
