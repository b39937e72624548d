//! The chat on customers' websites (`contracts/channels.md` A7): ours on both sides, so nothing leaves the process.
//!
//! A visitor is a person in front of one browser, or whom the customer's own system names with a signature
//! ([`visitor`]); their chat's id on the network is their id and `@webchat`. What they write is received as from any
//! provider ([`inbound`], [`upload`]). What is sent to them becomes an entry of their window ([`history`]); the entries of a window
//! are numbered in the order in which they become visible, so whoever knows the last number misses nothing. Their
//! browser tells how far it has them and how far they were seen, which are the receipts ([`receipts`]).
//!
//! A visitor has a row from their first word, or from when they say who they are; whoever only looks leaves nothing.

use async_trait::async_trait;
use entity::{
    attempt::Failure,
    channel::{self, State},
    id::{AttemptId, ChannelId, VisitorId},
};
use serde_json::Value;

use crate::{
    app::App,
    channel as channels,
    connector::{
        Account, Connector, Delivery, Observation, Outgoing, PairingCode, Start,
        target::{Check, SignIn, Target},
    },
    db,
    error::{Error, Result},
    message::Jid,
    phone::Phone,
    signal::Signal,
};

pub mod history;
pub mod inbound;
pub mod receipts;
mod store;
pub mod upload;
pub mod visitor;

/// Longest text that a visitor writes, in characters (`contracts/channels.md` 1.8).
pub const MAX_TEXT_CHARS: usize = 4096;
/// What ids of visitors end in on the network.
const SERVER: &str = "@webchat";

/// The connector of web chats.
#[derive(Default)]
pub struct Webchat;

/// The account of a web chat: the channel itself.
#[must_use]
pub fn account(id: ChannelId) -> Account {
    Account { external_id: id.to_string(), phone: None, username: None, name: String::new() }
}

/// Whose id on the network this is; `None` if it is no visitor's.
fn visitor_of(jid: &Jid) -> Option<VisitorId> {
    jid.as_str().strip_suffix(SERVER)?.parse().ok()
}

#[async_trait]
impl Connector for Webchat {
    async fn start(&self, app: &App, start: &Start<'_>) -> Result<Observation> {
        self.observe(app, start.session).await
    }

    async fn sign_in(&self, _: &App, target: &Target) -> Result<SignIn> {
        Ok(SignIn::Connected(account(target.channel_id)))
    }

    async fn test(&self, app: &App, target: &Target) -> Result<Vec<Check>> {
        let taken = app.clock.stopwatch();
        let channel = channels::by_session(app.db.reader(), target.session).await?;
        let origins = target.config.get("allowedOrigins").and_then(Value::as_array).map_or(0, Vec::len);
        let checks = [check_origins(origins), check_widget(app, target, channel.as_ref()).await?, switched(channel)];
        Ok(checks.map(|check| check.after(taken.elapsed_ms())).into())
    }

    async fn observe(&self, app: &App, session: AttemptId) -> Result<Observation> {
        let channel = channels::by_session(app.db.reader(), session).await?;
        Ok(match channel {
            Some(channel) => Observation::Connected(account(channel.id)),
            None => Observation::Ended(Failure::ProviderUnavailable),
        })
    }

    async fn pairing_code(&self, _: &App, _: AttemptId, _: &Phone) -> Result<PairingCode> {
        Err(Error::PairingRefused)
    }

    async fn send(&self, app: &App, outgoing: &Outgoing) -> Delivery {
        let Some(visitor) = visitor_of(&outgoing.recipient) else { return no_such_visitor() };
        let sent = db::write(&app.db, "webchat.send", async |tx| {
            if store::find(tx, outgoing.account_id, visitor).await?.is_none() {
                return Ok(no_such_visitor());
            }
            store::push(app, tx, visitor, outgoing.message_id).await?;
            Ok(Delivery::Accepted { provider_ref: format!("webchat-{}", outgoing.message_id) })
        })
        .await;
        app.signals.publish(Signal::Visitor(visitor));
        sent.unwrap_or_else(|error| {
            tracing::warn!(%error, message.id = %outgoing.message_id, "a message was not put into its window");
            // The entry of a message is made once, so a second try is safe whatever came of this one.
            Delivery::TryLater { after: None, reason: "temporary_error".to_owned() }
        })
    }

    async fn end(&self, _: &App, _: AttemptId) -> Result<()> {
        Ok(())
    }
}

fn no_such_visitor() -> Delivery {
    Delivery::Rejected { reason: "no_such_visitor".to_owned() }
}

/// Which of them are origins was checked when they were set.
fn check_origins(count: usize) -> Check {
    match count {
        0 => Check::failed("origins", "No website may show the widget"),
        1 => Check::passed("origins", "1 website may show the widget"),
        count => Check::passed("origins", format!("{count} websites may show the widget")),
    }
}

/// Whether the public token leads back to the channel, as it does for a visitor.
async fn check_widget(app: &App, target: &Target, channel: Option<&channel::Model>) -> Result<Check> {
    let Some(channel) = channel else { return Ok(Check::failed("widget", "The channel is not there")) };
    let Some(token) = channels::widget::token_of(app, channel).await? else {
        return Ok(Check::failed("widget", "The widget has no token"));
    };
    Ok(match channels::widget::find(app, &token).await {
        Ok(widget) if widget.channel.id == target.channel_id => Check::passed("widget", "The widget's token opens it"),
        Ok(_) | Err(Error::WidgetNotFound) => Check::failed("widget", "The widget's token does not open it"),
        Err(error) => return Err(error),
    })
}

/// Whether visitors can write.
fn switched(channel: Option<channel::Model>) -> Check {
    match channel {
        Some(channel) if channel.is_open() => Check::passed("session", "Visitors can write"),
        Some(channel) if channel.state == State::Disconnected && !channel.was_connected() => {
            Check::skipped("session", "Nobody has visited it yet")
        }
        Some(channel) if channel.state == State::Connected => {
            Check::skipped("session", "The channel is switched off, so visitors see its offline message")
        }
        _ => Check::failed("session", "The channel is disconnected, so visitors see its offline message"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_of_visitors_are() {
        let jid = |text: &str| Jid::from_stored(text).expect("an id");
        let id = "01930000-0000-7000-8000-000000000001";
        assert_eq!(visitor_of(&jid(&format!("{id}@webchat"))), Some(id.parse().expect("a uuid")));
        for other in ["ann@webchat", "15550001111@s.whatsapp.net", "01930000-0000-7000-8000-000000000001@telegram"] {
            assert_eq!(visitor_of(&jid(other)), None, "{other}");
        }
    }
}
