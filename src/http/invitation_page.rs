//! The page of an invitation: who opens it is asked, who accepts takes a seat.
//!
//! | address | what it does |
//! |---|---|
//! | `GET /invite/{token}` | the page; changes nothing, so link previews are harmless |
//! | `POST /invite/{token}` | accepts, and shows what came of it |
//!
//! The token is the credential; it is in the address, so nothing here is cached, referred or logged with it. The page
//! needs no script.

use std::sync::Arc;

use askama::Template;
use base64::{Engine, prelude::BASE64_STANDARD};
use poem::{
    Endpoint, EndpointExt, Request, Response, Route, get, handler,
    http::{StatusCode, header},
    web::{Data, Path},
};
use strum::Display;

use crate::{
    app::App,
    error::{Error, Result},
    http::{
        assets,
        edge::RequestId,
        failure,
        onboarding_page::{DEFAULT_COLOR, discreet, ink_on},
        problem::Problem,
        surface,
    },
    invitation::{
        Standing,
        accept::{self, Opened},
    },
};

/// Where the pages live.
pub(super) const BASE: &str = "/invite";
const NO_BRAND: &str = "Invitation";

/// The surface with its limits.
pub(super) fn endpoint(app: &Arc<App>) -> impl Endpoint<Output = Response> + use<> {
    let routes = Route::new().at("/:token", get(show_page).post(accept_invitation));
    surface::surface::<Problem, _>(app, routes)
        .after(|outcome: poem::Result<Response>| async { Ok::<_, poem::Error>(discreet(outcome?)) })
}

/// What failed before a route was found.
pub(super) fn fail(error: poem::Error) -> Response {
    discreet(failure::respond::<Problem>(error))
}

/// What the page says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Display)]
#[strum(serialize_all = "snake_case")]
enum Shown {
    Open,
    Accepted,
    Expired,
    SeatsFull,
    Suspended,
    Unknown,
}

impl Shown {
    const fn of(standing: Standing) -> Self {
        match standing {
            Standing::Pending => Self::Open,
            Standing::Accepted => Self::Accepted,
            Standing::Expired => Self::Expired,
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::Open | Self::Accepted => StatusCode::OK,
            Self::Expired => StatusCode::GONE,
            Self::SeatsFull => StatusCode::CONFLICT,
            Self::Suspended => StatusCode::FORBIDDEN,
            Self::Unknown => StatusCode::NOT_FOUND,
        }
    }

    fn words(self, workspace: &str) -> (&'static str, String) {
        match self {
            Self::Open => ("You are invited", format!("Accept to work in {workspace}. You take one of its seats.")),
            Self::Accepted => ("Welcome", format!("You are a member of {workspace} now.")),
            Self::Expired => {
                ("The invitation has expired", format!("Please ask whoever invited you to {workspace} for a new one."))
            }
            Self::SeatsFull => (
                "There is no free seat",
                format!("All seats of {workspace} are taken. Once there is a free one, you can accept here."),
            ),
            Self::Suspended => ("Not now", format!("{workspace} is not available at the moment.")),
            Self::Unknown => {
                ("There is no such invitation", "Please check the address, or ask for a new one.".to_owned())
            }
        }
    }
}

#[derive(Template)]
#[template(path = "invitation.html")]
struct InvitationPage<'a> {
    brand_name: &'a str,
    brand_color: &'a str,
    brand_ink: &'static str,
    nonce: &'a str,
    style: String,
    state: String,
    title: &'static str,
    text: String,
    is_open: bool,
}

#[handler]
async fn show_page(app: Data<&Arc<App>>, Path(token): Path<String>) -> poem::Result<Response> {
    let outcome = accept::open(&app, &token).await;
    Ok(page(&app, &token, outcome).await?)
}

#[handler]
async fn accept_invitation(
    app: Data<&Arc<App>>,
    Path(token): Path<String>,
    request: &Request,
) -> poem::Result<Response> {
    let outcome = accept::accept(&app, &token, &RequestId::of(request)).await;
    Ok(page(&app, &token, outcome).await?)
}

async fn page(app: &App, token: &str, outcome: Result<Opened>) -> Result<Response> {
    let shown = match &outcome {
        Ok(opened) => Shown::of(opened.standing),
        Err(Error::InvitationNotFound) => Shown::Unknown,
        Err(Error::InvitationExpired) => Shown::Expired,
        Err(Error::SeatsFull { .. }) => Shown::SeatsFull,
        Err(Error::WorkspaceSuspended) => Shown::Suspended,
        Err(_) => return outcome.map(|_| Response::default()),
    };
    let opened = match outcome {
        Ok(opened) => Some(opened),
        Err(_) if shown == Shown::Unknown => None,
        Err(_) => Some(accept::open(app, token).await?),
    };
    let partner = opened.as_ref().map(|opened| &opened.partner);
    let workspace = opened.as_ref().map_or("", |opened| opened.workspace.display_name.as_str());
    let color = partner.and_then(|partner| partner.brand_color.as_deref()).unwrap_or(DEFAULT_COLOR);
    let nonce = BASE64_STANDARD.encode(app.clock.random::<16>());
    let (title, text) = shown.words(workspace);
    let page = InvitationPage {
        brand_name: partner.map_or(NO_BRAND, |partner| partner.brand_name.as_deref().unwrap_or(&partner.name)),
        brand_color: color,
        brand_ink: ink_on(color),
        nonce: &nonce,
        style: assets::style_path(),
        state: shown.to_string(),
        title,
        text,
        is_open: matches!(shown, Shown::Open | Shown::SeatsFull),
    };
    let text = page.render().map_err(|error| Error::Internal(format!("page: {error}")))?;
    let policy = format!(
        "default-src 'none'; style-src 'self' 'nonce-{nonce}'; base-uri 'none'; form-action 'self'; \
         frame-ancestors 'none'"
    );
    Ok(Response::builder()
        .status(shown.status())
        .header(header::CONTENT_TYPE, "text/html; charset=utf-8")
        .header(header::CONTENT_SECURITY_POLICY, policy)
        .body(text))
}
