//! What connectors have in common that link accounts through a server which keeps their sessions: they differ in how
//! they call it and in how it calls back, which is a bridge; one driver makes connectors of bridges.
//!
//! A session that is being linked shows codes until it works or ends. One that has worked and is down, that starts for
//! too long, or that says that it works and takes no message, is restarted ([`REPAIR_PAUSES_SECONDS`]); if that does not
//! help, the account is disconnected and its session stays where it is: it is looked at as before, and one that works
//! again is connected again. One that asks for a code, or is banned, is removed by whoever writes down that its channel
//! has lost it, unless its provider keeps accounts that were logged out (`Bridge::keeps_accounts`). One that is gone, in
//! the provider's own words, is waited for as one that is down is, and is then as one that asks for a code. Between two
//! calls nothing is remembered but what [`crate::connector::session`] stores.

use async_trait::async_trait;
use entity::{
    channel::{ConnectorKind, Network},
    timestamp::Timestamp,
};
use reqwest::RequestBuilder;
use secrecy::ExposeSecret;

use crate::{
    app::App,
    connector::{
        Account, Outgoing, OutgoingReaction, Start,
        callback::{Callback, Heard},
        checkpoint::Checkpoint,
        refusal::{Class, Refusal},
        session::{self, Session},
        target::Target,
    },
    error::Result,
    message::Jid,
    phone::Phone,
};

mod doubt;
mod driver;
mod keeping;
mod observe;
mod test;

pub(super) use driver::Bridged;
pub(super) use keeping::Kept;
pub use observe::{CODE_SECONDS, FIRST_CODE_SECONDS, REPAIR_PAUSES_SECONDS};

/// How long a pairing code is shown, in seconds: no longer than the row of codes that it lives with.
pub const PAIRING_SECONDS: i64 = 120;
/// Longest id of a message that is kept, in characters.
const MAX_REFERENCE_CHARS: usize = 200;

/// What a session is to be linked to.
pub(super) struct Wanted<'a> {
    pub(super) network: Network,
    /// What the account signs in with; it waits for a phone where absent.
    pub(super) login: Option<Credentials<'a>>,
}

/// What an account signs in with.
pub(super) struct Credentials<'a> {
    pub(super) username: &'a str,
    pub(super) password: &'a str,
    /// Where it seems to come from, ISO 3166-1 alpha-2.
    pub(super) country: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    fn of_start(start: &'a Start<'a>) -> Self {
        let login = start.login.map(|login| Credentials {
            username: &login.username,
            password: login.password.expose_secret(),
            country: login.country.as_deref(),
        });
        Self { network: start.network, login }
    }

    fn of(target: &'a Target) -> Self {
        let login = target.text("username").zip(target.text("password"));
        let country = target.text("country");
        let login = login.map(|(username, password)| Credentials { username, password, country });
        Self { network: target.network, login }
    }
}

/// What came of making a session, or of answering what the network asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Made {
    /// The provider's own id of it, where the provider chooses one.
    pub(super) external_id: Option<String>,
    /// The code that it shows, where it shows one at once and never again.
    pub(super) code: Option<String>,
    /// What the network asks before it lets the account in.
    pub(super) checkpoint: Option<Checkpoint>,
}

/// What a session looks like at its provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// It is on its way.
    Starting,
    /// It is in a state that we do not know, or does not say whose it is.
    Unheard,
    /// It waits for a phone; `None` while the next code is not there yet.
    Scan(Option<String>),
    /// It waits for a phone into which a pairing code is typed, and has no other code to show.
    Pair,
    /// The network asks something first.
    Ask(Checkpoint),
    /// It works.
    Working(Account),
    /// It is linked, and does not work as it should.
    Impaired,
    /// It is linked, and looks for its way back to the network; with the code that it says it has, which may be an old one.
    Reconnecting(Option<String>),
    /// It was stopped.
    Stopped,
    /// It has failed.
    Failed,
    /// The network has banned the account.
    Banned,
    /// The account has removed it.
    LoggedOut,
    /// It waits for a passkey.
    Passkey,
    /// There is no such session.
    Gone,
}

/// How to get a file.
pub(super) struct Source {
    pub(super) request: RequestBuilder,
    pub(super) packing: Packing,
}

/// How a file comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    /// As it is.
    Plain,
    /// In base64, in this field of an object.
    InJson(&'static str),
}

/// How one kind of server is called, and what its callbacks say.
#[async_trait]
pub(super) trait Bridge: Send + Sync {
    /// Which connector it is.
    fn kind(&self) -> ConnectorKind;

    /// Until when the code with this place in the row is good (`contracts/channels.md` 1.3).
    fn code_lives_until(&self, app: &App, _session: &Session, seq: i32) -> Timestamp {
        session::in_seconds(app, if seq == 1 { FIRST_CODE_SECONDS } else { CODE_SECONDS })
    }

    /// Until when the network waits for an answer to what it asks.
    fn asks_until(&self, app: &App, _session: &Session) -> Timestamp {
        session::in_seconds(app, CODE_SECONDS)
    }

    /// Makes and starts a session.
    async fn create(&self, app: &App, session: &Session, wanted: &Wanted<'_>) -> Result<Made, Refusal>;

    /// Answers what the network asks.
    async fn answer(&self, _app: &App, _session: &Session, _answer: &str) -> Result<Made, Refusal> {
        Err(Refusal::of(Class::NotFound))
    }

    /// Has the network send its code again.
    async fn ask_again(&self, _app: &App, _session: &Session) -> Result<(), Refusal> {
        Err(Refusal::of(Class::PermissionMissing))
    }

    /// Looks at a session.
    async fn look(&self, app: &App, session: &Session) -> Result<Look, Refusal>;

    /// Has the server tell us of a session that works, where it does not any more, or tells somebody who was us before.
    /// It is asked for from time to time ([`Kept`]).
    async fn keep_callbacks(&self, app: &App, session: &Session) -> Result<(), Refusal>;

    /// Has the server tell us nothing more where it calls back at an address of a key: this was its last session. Of
    /// sessions with addresses of their own nothing is left once they are removed.
    async fn drop_callbacks(&self, _app: &App, _session: &Session) -> Result<(), Refusal> {
        Ok(())
    }

    /// Asks for a pairing code; without separators.
    async fn pairing_code(&self, app: &App, session: &Session, phone: &Phone) -> Result<String, Refusal>;

    /// Hands a message over; the provider's id of it in our form.
    async fn send(&self, app: &App, session: &Session, outgoing: &Outgoing) -> Result<String, Refusal>;

    /// Sets the account's own reaction.
    async fn react(&self, app: &App, session: &Session, outgoing: &OutgoingReaction) -> Result<(), Refusal>;

    /// Whether an account that the network has let go stays there, where its owner may have it let in again.
    fn keeps_accounts(&self) -> bool {
        false
    }

    /// Starts a session that is down anew.
    async fn restart(&self, app: &App, session: &Session) -> Result<(), Refusal>;

    /// Logs the account out and removes the session.
    async fn remove(&self, app: &App, session: &Session) -> Result<(), Refusal>;

    /// The id on the network behind a provider's address; `None` for what is no conversation of ours.
    async fn resolve(&self, app: &App, session: &Session, address: &str) -> Result<Option<Jid>, Refusal>;

    /// How to get a file that the provider keeps, by what its callback said of where it is.
    fn media(&self, app: &App, session: &Session, place: &str) -> Result<Source>;

    /// Whether a callback is the provider's.
    fn is_genuine(&self, app: &App, session: &Session, callback: &Callback) -> bool;

    /// Whether it calls back at an address of each session, as most do, and not at one of its key.
    fn has_own_addresses(&self) -> bool {
        true
    }

    /// Whether a callback that comes to the address of a key is the provider's, by the secret of that key. Most
    /// providers have an address for each session.
    fn is_genuine_for_all(&self, _secret: &str, _callback: &Callback) -> bool {
        false
    }

    /// The provider's id of the session that such a callback is about.
    ///
    /// # Errors
    /// `invalid_request` if it cannot be read.
    fn account_of(&self, _callback: &Callback) -> Result<Option<String>> {
        Ok(None)
    }

    /// What a genuine callback says.
    ///
    /// # Errors
    /// `invalid_request` if it cannot be read, or is about another session.
    fn read(&self, app: &App, session: &Session, callback: &Callback) -> Result<Heard>;
}

/// A pairing code without the separators that providers write it with; `None` if nothing is left.
pub(super) fn plain_code(said: &str) -> Option<String> {
    let code: String = said.chars().filter(char::is_ascii_alphanumeric).collect();
    (!code.is_empty()).then_some(code)
}

/// The ids under which we may know a message that is answered, from the provider's bare id of it and the address of who
/// wrote it: messages that others wrote in a group have that behind theirs, in one of two spellings.
pub(super) fn answered_as(id: &str, author: Option<&str>) -> Vec<String> {
    let mut ids = vec![kept(id)];
    if let Some((who, server)) = author.and_then(|author| author.split_once('@')) {
        let who = who.split(':').next().unwrap_or(who);
        let has_number = matches!(server, "c.us" | "s.whatsapp.net");
        let servers = if has_number { vec!["c.us", "s.whatsapp.net"] } else { vec![server] };
        ids.extend(servers.iter().map(|server| kept(&format!("{id}_{who}@{server}"))));
    }
    ids
}

/// The id of a message as it is kept: whoever writes one chooses what it says that it answers.
pub(super) fn kept(id: &str) -> String {
    id.chars().filter(|char| !char.is_control()).take(MAX_REFERENCE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_answered_may_be_known_under_several_ids() {
        assert_eq!(answered_as("A", None), ["A"]);
        assert_eq!(answered_as("A", Some("49:3@lid")), ["A", "A_49@lid"]);
        assert_eq!(answered_as("A", Some("49@c.us")), ["A", "A_49@c.us", "A_49@s.whatsapp.net"]);
        // They come from whoever writes.
        assert_eq!(answered_as("A\u{0}\n", Some("4\u{0}9@lid")), ["A", "A_49@lid"]);
        let long = answered_as(&"x".repeat(500), Some("49@lid"));
        assert!(long.iter().all(|id| id.len() == MAX_REFERENCE_CHARS), "{long:?}");
    }
}
