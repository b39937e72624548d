//! The Connect API (seed 003, `contracts/channels.md` B2): one channel of each type, linked by a code or by user name
//! and password, for portals that show the code themselves.
//!
//! It is a thin dialect over [`crate::channel::slot`]. Beyond its contract it tells when a code expires and when to ask
//! again, why an attempt failed, gives a pairing code where one is asked for, replaces a channel that is connected where
//! that is forced, and shows the code that is good now in every status while a phone is waited for.
//!
//! A question of the network is answered with 200 where `contracts/channels.md` 1.4 has 202: clients of seed 003, which
//! names no other status than 200 for it, tell it from the rest by `requires_2fa`.

use std::sync::Arc;

use entity::{channel::Network, id::ChannelId};
use poem::{Endpoint, EndpointExt, Response};
use poem_openapi::{OpenApi, OpenApiService};

use crate::{
    app::App,
    error::{Error, Result},
    http::{
        connect_api::dialect::ConnectError,
        failure::{self, Failure},
        limits,
        required::Required,
        surface,
    },
};

mod any;
mod codes;
mod dialect;
mod instagram;
mod requests;
mod views;

pub(super) const BASE: &str = "/api/v1";

/// What the operations demand of their bodies.
pub(super) const REQUIRED: &[Required] = &[
    Required { operation: "connect_instagram", schema: "ConnectInstagramRequest", fields: &["username", "password"] },
    Required { operation: "answer_instagram", schema: "AnswerRequest", fields: &["account_id", "code"] },
    Required { operation: "resend_instagram_code", schema: "ResendRequest", fields: &["account_id"] },
    Required { operation: "set_campaign", schema: "CampaignRequest", fields: &["running"] },
];

/// The way out of a handler.
type ConnectFailure = Failure<ConnectError>;

/// The surface.
pub(super) fn endpoint(app: &Arc<App>) -> impl Endpoint<Output = Response> + use<> {
    surface::surface::<ConnectError, _>(app, OpenApiService::new(operations(app), "", "")).around(limits::tell)
}

/// What failed before a route was found.
pub(super) fn fail(error: poem::Error) -> Response {
    failure::respond::<ConnectError>(error)
}

fn operations(app: &Arc<App>) -> impl OpenApi + use<> {
    (
        codes::CodesApi { app: Arc::clone(app) },
        instagram::InstagramApi { app: Arc::clone(app) },
        any::AnyApi { app: Arc::clone(app) },
    )
}

/// The operations, for the document.
pub(super) fn service(app: &Arc<App>) -> OpenApiService<impl OpenApi + use<>, ()> {
    OpenApiService::new(operations(app), "Quartermaster Connect API", "1")
        .description(
            "One WhatsApp, one Telegram and one Instagram account of a workspace, linked by a code that the portal shows, or by user \
             name and password with as many questions as the network asks. The workspace's token is sent as X-Api-Key or as \
             Authorization: Bearer. Answers are {success, data, message}, errors {success, message, code, errors}.",
        )
        .server(BASE)
}

/// The network that a path means.
fn network_of(channel: &str) -> Result<Network> {
    match channel {
        "whatsapp" => Ok(Network::Whatsapp),
        "telegram" => Ok(Network::Telegram),
        "instagram" => Ok(Network::Instagram),
        _ => Err(Error::RouteNotFound),
    }
}

/// What account ids of a network begin with.
const fn prefix(network: Network) -> &'static str {
    match network {
        Network::Telegram => "tg_",
        Network::Instagram => "ig_",
        _ => "wa_",
    }
}

/// A channel as the Connect API names it.
fn account_id(network: Network, id: ChannelId) -> String {
    format!("{}{}", prefix(network), id.0.simple())
}

/// The channel that is meant. What cannot be one of ours is nobody's.
fn channel_of(network: Network, account_id: &str) -> Result<ChannelId> {
    let id = account_id.strip_prefix(prefix(network)).and_then(|id| id.parse().ok());
    id.ok_or_else(|| Error::ChannelNotFound(account_id.chars().take(100).collect()))
}

/// A network's name as people write it.
const fn title(network: Network) -> &'static str {
    match network {
        Network::Telegram => "Telegram",
        Network::Instagram => "Instagram",
        _ => "WhatsApp",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_named_by_their_network() {
        let id: ChannelId = "01990000-0000-7000-8000-000000000001".parse().expect("an id");
        for (network, expected) in [
            (Network::Whatsapp, "wa_01990000000070008000000000000001"),
            (Network::Telegram, "tg_01990000000070008000000000000001"),
            (Network::Instagram, "ig_01990000000070008000000000000001"),
        ] {
            assert_eq!(account_id(network, id), expected);
            assert_eq!(channel_of(network, expected).expect("an id"), id);
        }
        for bad in ["", "wa_", "wa_x", "tg_01990000000070008000000000000001", "01990000000070008000000000000001"] {
            assert!(matches!(channel_of(Network::Whatsapp, bad), Err(Error::ChannelNotFound(_))), "{bad}");
        }
        assert!(network_of("sms").is_err());
    }
}
