//! What is sent to connect a channel, and to answer what a network asks.

use entity::{channel::Network, id::ChannelId};
use poem_openapi::Object;
use secrecy::SecretString;
use serde::Deserialize;

use crate::{
    channel::{
        answer::Answer,
        slot::{Connect, Force},
    },
    connector::target::Login,
    error::{Error, Result},
    http::connect_api::channel_of,
    phone::Phone,
};

/// The country of an account that names none.
const DEFAULT_COUNTRY: &str = "SA";

/// How a channel that is linked by a code is connected.
#[derive(Object, Deserialize)]
pub(super) struct ConnectCodeRequest {
    /// Whether the channel that was connected here is disconnected first; false where absent.
    force: Option<bool>,
    /// Another channel that is disconnected first too, as the status names it; with `force` only.
    account_id: Option<String>,
    /// The phone into which a code is typed in place of scanning one: `+` and 7 to 15 digits, WhatsApp only.
    pairing_phone_number: Option<String>,
}

/// What an Instagram account signs in with.
#[derive(Object, Deserialize)]
pub(super) struct ConnectInstagramRequest {
    /// Its user name or e-mail address.
    username: Option<String>,
    /// Its password.
    password: Option<String>,
    /// Where it seems to come from, ISO 3166-1 alpha-2; `SA` where absent.
    country: Option<String>,
    /// Whether the account that was connected here is disconnected first; false where absent.
    force: Option<bool>,
    /// Another channel that is disconnected first too, as the status names it; with `force` only.
    account_id: Option<String>,
}

/// An answer to what the network asks.
#[derive(Object, Deserialize)]
pub(super) struct AnswerRequest {
    /// As `connect` gave it.
    account_id: Option<String>,
    /// The code that the user received, or what else was asked for.
    code: Option<String>,
}

/// Which channel is meant.
#[derive(Default, Object, Deserialize)]
pub(super) struct AccountRequest {
    /// As `connect` or the status gave it; the same as in the query where it stands in both.
    pub(super) account_id: Option<String>,
}

/// Whose code is sent again.
#[derive(Object, Deserialize)]
pub(super) struct ResendRequest {
    /// As `connect` gave it.
    account_id: Option<String>,
}

/// Whether a campaign runs.
#[derive(Object, Deserialize)]
pub(super) struct CampaignRequest {
    /// Whether one runs on the channel.
    running: Option<bool>,
}

fn forced(network: Network, force: Option<bool>, account_id: Option<&str>) -> Result<Force> {
    let other = account_id.map(|id| channel_of(network, id)).transpose()?;
    match (force == Some(true), other) {
        (true, other) => Ok(Force::Yes(other)),
        (false, None) => Ok(Force::No),
        (false, Some(_)) => Err(Error::field("account_id", "names what force disconnects first; send force too")),
    }
}

fn required<T>(value: Option<T>, field: &'static str) -> Result<T> {
    value.ok_or_else(|| Error::field(field, "is required"))
}

impl ConnectCodeRequest {
    pub(super) fn into_command(self, network: Network) -> Result<Connect> {
        let pairing = match self.pairing_phone_number {
            Some(_) if network != Network::Whatsapp => {
                return Err(Error::field("pairing_phone_number", "is for WhatsApp only"));
            }
            Some(text) => Some(
                Phone::parse(&text)
                    .map_err(|_| Error::field("pairing_phone_number", "must be + and 7 to 15 digits"))?,
            ),
            None => None,
        };
        let force = forced(network, self.force, self.account_id.as_deref())?;
        Ok(Connect { network, login: None, pairing, force })
    }
}

impl ConnectInstagramRequest {
    pub(super) fn into_command(self) -> Result<Connect> {
        let login = Login {
            username: required(self.username, "username")?,
            password: SecretString::from(required(self.password, "password")?),
            country: Some(self.country.unwrap_or_else(|| DEFAULT_COUNTRY.to_owned())),
        };
        let network = Network::Instagram;
        let force = forced(network, self.force, self.account_id.as_deref())?;
        Ok(Connect { network, login: Some(login), pairing: None, force })
    }
}

impl AnswerRequest {
    pub(super) fn into_command(self) -> Result<(ChannelId, Answer)> {
        let answer = Answer::parse(&required(self.code, "code")?)?;
        Ok((channel_of(Network::Instagram, &required(self.account_id, "account_id")?)?, answer))
    }
}

impl ResendRequest {
    pub(super) fn into_command(self) -> Result<ChannelId> {
        channel_of(Network::Instagram, &required(self.account_id, "account_id")?)
    }
}

impl CampaignRequest {
    pub(super) fn into_command(self) -> Result<bool> {
        required(self.running, "running")
    }
}
