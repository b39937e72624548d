//! Answering what a network asks before it lets a channel's account in.

use entity::channel::{Model, State};

use crate::{
    app::App,
    caller::{Origin, WorkspaceCaller},
    channel::{
        link::{self, Linked},
        named::{self, Named},
        store::settings,
    },
    connector::target::SignIn,
    db,
    error::{Error, Result},
    signal::Signal,
};

/// Longest answer, in characters.
const MAX_ANSWER_CHARS: usize = 200;

/// What somebody answers: 1 to 200 characters, no control characters. It is a secret for as long as it is good, so it
/// has no `Debug`.
pub struct Answer(String);

impl Answer {
    /// Reads an answer; white space around it is dropped.
    ///
    /// # Errors
    /// `invalid_request` naming `code`.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let fits = !text.is_empty() && text.chars().count() <= MAX_ANSWER_CHARS && !text.contains(char::is_control);
        if fits { Ok(Self(text.to_owned())) } else { Err(Error::field("code", "must be 1 to 200 characters")) }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Answers; the network may ask something else then.
///
/// # Errors
/// `channel_not_found`; `nothing_asked`; `challenge_wrong`, after which another answer may be given; `busy` while another
/// one is on its way; `provider_unavailable`, `provider_limited`.
pub async fn answer(
    app: &App,
    caller: &WorkspaceCaller,
    origin: &Origin,
    named: &Named,
    answer: &Answer,
) -> Result<Linked> {
    let channel = asked(app, caller, named).await?;
    let observation = app.connectors.get(channel.connector).answer(app, channel.session, &answer.0).await?;
    let seen = SignIn::from(observation);
    let linked = db::retried(|| link::apply_once(app, origin, channel.session, &seen)).await?;
    app.signals.publish(Signal::Work);
    Ok(linked)
}

/// Has the network send its code again.
///
/// # Errors
/// `channel_not_found`; `nothing_asked`, `resend_too_soon`, `resend_not_offered`, `provider_unavailable`.
pub async fn ask_again(app: &App, caller: &WorkspaceCaller, named: &Named) -> Result<()> {
    let channel = asked(app, caller, named).await?;
    app.connectors.get(channel.connector).ask_again(app, channel.session).await
}

/// The channel, if its window is open.
async fn asked(app: &App, caller: &WorkspaceCaller, named: &Named) -> Result<Model> {
    let db = app.db.reader();
    let channel = named::find(db, caller.workspace.id, named).await?;
    let row = settings::find(db, caller.workspace.id, channel.account_id).await?;
    let is_open = row.and_then(|row| row.connecting_until).is_some_and(|until| until > app.clock.now());
    if is_open && channel.state != State::Connected { Ok(channel) } else { Err(Error::NothingAsked) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_short_lines() {
        assert_eq!(Answer::parse(" 123456 ").map(|answer| answer.0).ok().as_deref(), Some("123456"));
        for bad in ["", "  ", "1\n2", &"1".repeat(MAX_ANSWER_CHARS + 1)] {
            assert!(Answer::parse(bad).is_err(), "{bad}");
        }
    }
}
