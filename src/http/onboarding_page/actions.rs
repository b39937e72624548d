//! What the page asks for: an attempt, a pairing code, a way past what the network asks.

use std::sync::Arc;

use poem::{
    Request, handler,
    web::{Data, Json, Path},
};
use secrecy::SecretString;
use serde::Deserialize;

use crate::{
    channel::answer::Answer,
    connector::target::Login,
    error::{Error, Result},
    http::{
        body,
        edge::RequestId,
        onboarding_page::{Shared, view::PageState},
    },
    onboarding::{answer, open, pairing, start},
    phone::Phone,
};

/// The phone that the code is for.
#[derive(Deserialize)]
struct PairingRequest {
    /// Its number, `+` and 7 to 15 digits.
    phone: String,
}

/// What the account signs in with, where its network wants it.
#[derive(Deserialize)]
struct StartRequest {
    /// Its user name or address, 1 to 256 characters.
    username: Option<String>,
    /// Its password, 1 to 256 characters.
    password: Option<String>,
}

/// An answer to what the network asks.
#[derive(Deserialize)]
struct AnswerRequest {
    /// The number of the question.
    question: i32,
    /// The code, or what else was asked for, 1 to 200 characters.
    code: String,
}

impl StartRequest {
    fn into_login(self) -> Result<Option<Login>> {
        match (self.username, self.password) {
            (None, None) => Ok(None),
            (Some(username), Some(password)) => start::parse_login(&username, SecretString::from(password)).map(Some),
            (None, _) => Err(Error::field("username", "is required")),
            (_, None) => Err(Error::field("password", "is required")),
        }
    }
}

/// Starts an attempt; answers with what the page shows then.
#[handler]
pub(super) async fn start_attempt(
    shared: Data<&Arc<Shared>>,
    Path(token): Path<String>,
    request: &Request,
    body: Vec<u8>,
) -> poem::Result<Json<PageState>> {
    let link = open::open(&shared.app, &token).await?.link.id;
    shared.pace(link)?;
    let command: StartRequest = body::parse(if body.is_empty() { b"{}" } else { &body })?;
    let login = command.into_login()?;
    start::start(&shared.app, link, login.as_ref(), &RequestId::of(request)).await?;
    shown(&shared, link).await
}

/// Answers what the network asks; answers with what the page shows then.
#[handler]
pub(super) async fn answer_question(
    shared: Data<&Arc<Shared>>,
    Path(token): Path<String>,
    request: &Request,
    body: Vec<u8>,
) -> poem::Result<Json<PageState>> {
    let link = open::open(&shared.app, &token).await?.link.id;
    shared.pace(link)?;
    let command: AnswerRequest = body::parse(&body)?;
    let answer = Answer::parse(&command.code)?;
    answer::answer(&shared.app, link, command.question, &answer, &RequestId::of(request)).await?;
    shown(&shared, link).await
}

/// Has the network send its code again; answers with what the page shows then.
#[handler]
pub(super) async fn ask_again(shared: Data<&Arc<Shared>>, Path(token): Path<String>) -> poem::Result<Json<PageState>> {
    let link = open::open(&shared.app, &token).await?.link.id;
    shared.pace(link)?;
    answer::ask_again(&shared.app, link).await?;
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
