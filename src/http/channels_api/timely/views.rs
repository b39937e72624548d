//! Channels as they are shown.

use entity::channel::Network;
use poem_openapi::{Enum, Object};

use crate::{
    channel::{
        list::Listed,
        show::{Shown, Status},
    },
    http::formats::IsoTime,
};

/// The type of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename = "TimelyChannelType", rename_all = "lowercase")]
enum TypeView {
    /// WhatsApp.
    Whatsapp,
    /// Instagram.
    Instagram,
    /// Telegram.
    Telegram,
    /// A chat on the customer's own website.
    Widget,
    /// E-mail.
    Email,
    /// Text messages.
    Sms,
    /// Telephone calls.
    Voice,
    /// Facebook Messenger.
    Facebook,
    /// Rich messages of telephone networks.
    Rcs,
}

impl From<Network> for TypeView {
    fn from(network: Network) -> Self {
        match network {
            Network::Whatsapp => Self::Whatsapp,
            Network::Instagram => Self::Instagram,
            Network::Telegram => Self::Telegram,
            Network::Webchat => Self::Widget,
            Network::Email => Self::Email,
            Network::Sms => Self::Sms,
            Network::Voice => Self::Voice,
            Network::Facebook => Self::Facebook,
            Network::Rcs => Self::Rcs,
        }
    }
}

/// How a channel stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename = "TimelyChannelStatus", rename_all = "lowercase")]
enum StatusView {
    /// It sends and receives.
    Connected,
    /// It does not.
    Disconnected,
    /// Its connection is lost, does not work as it should, or could not be made when it was last tried.
    Error,
}

impl From<Status> for StatusView {
    fn from(status: Status) -> Self {
        match status {
            Status::Active => Self::Connected,
            Status::Inactive | Status::Pending => Self::Disconnected,
            Status::Error => Self::Error,
        }
    }
}

/// A channel.
#[derive(Object)]
#[oai(rename = "TimelyChannel")]
pub(super) struct ChannelView {
    /// Its id.
    id: String,
    /// Id of the agent that answers on it; `null` where none does.
    #[oai(nullable)]
    agent_id: Option<String>,
    /// Its type.
    r#type: TypeView,
    /// Its name.
    name: String,
    /// How it stands.
    status: StatusView,
    /// Its number; `null` where it has none, or before it is known.
    #[oai(nullable)]
    phone_number: Option<String>,
    /// The account's name on its network; `null` where it has none, or before it is known.
    #[oai(nullable)]
    username: Option<String>,
    /// Public token with which a website opens its widget; for widgets only.
    #[oai(nullable)]
    widget_token: Option<String>,
    /// When it was made.
    created_at: IsoTime,
    /// When it was last connected; `null` if it never was.
    #[oai(nullable)]
    last_connected_at: Option<IsoTime>,
}

impl From<Shown> for ChannelView {
    fn from(shown: Shown) -> Self {
        Self {
            id: shown.id.to_string(),
            agent_id: shown.bot.map(|(id, _)| id.to_string()),
            r#type: shown.network.into(),
            name: shown.name,
            status: shown.status.into(),
            phone_number: shown.phone,
            username: shown.username,
            widget_token: shown.widget_token,
            created_at: shown.created_at.into(),
            last_connected_at: shown.connected_at.map(IsoTime::from),
        }
    }
}

/// One page of channels.
#[derive(Object)]
#[oai(rename = "TimelyChannelPage")]
pub(super) struct Page {
    /// The channels, in the order in which they were made.
    data: Vec<ChannelView>,
    /// Which page it is.
    pagination: Pagination,
}

/// Which page it is.
#[derive(Object)]
#[oai(rename = "TimelyChannelPagination")]
struct Pagination {
    /// Its number, from 1.
    page: u64,
    /// Channels on a page.
    limit: u64,
    /// How many channels there are.
    total: u64,
    /// How many pages there are.
    total_pages: u64,
}

impl From<Listed> for Page {
    fn from(listed: Listed) -> Self {
        let pagination = Pagination {
            page: listed.place.page,
            limit: listed.place.limit,
            total: listed.total,
            total_pages: listed.pages(),
        };
        Self { data: listed.channels.into_iter().map(ChannelView::from).collect(), pagination }
    }
}
