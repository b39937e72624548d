//! Doing what a callback calls for.

use entity::{
    channel::{self, ConnectorKind},
    id::{AttemptId, FileId},
    timestamp::Timestamp,
};

use crate::{
    app::App,
    channel as channels,
    connector::{
        bridge::Bridge,
        callback::{
            Brought, Event, Gone, Media,
            media::{self, Fetched},
        },
        session::{self, Session},
    },
    error::{Error, Result},
    file::delete,
    message::{
        Jid, Text,
        reaction::{self, Emoji, OwnReaction},
        receive::{
            self, Incoming, Received,
            own::{self, Own},
        },
        status::{self, GoneOut, Receipt},
    },
    phone::Phone,
    secret,
    signal::Signal,
};

/// How long something may be about an account or a message that is just being stored, in seconds.
const SETTLING_SECONDS: i64 = 120;
/// How long a receipt may be about a message that is still to be stored, in seconds: longer than what came before that
/// holds it up.
const UNSTORED_SECONDS: i64 = 180;
/// What stands for what a message has besides a text and files that we keep.
const UNSHOWN: &str = "(something that cannot be shown here)";
/// What stands for a file that is larger than what we keep, after what is written with it.
const TOO_LARGE: &str = "(a file that is too large to be received)";

/// What a provider told.
#[derive(Clone, Debug)]
pub struct Told {
    /// Who speaks to it.
    pub connector: ConnectorKind,
    /// The session.
    pub session: AttemptId,
    /// What happened.
    pub event: Event,
    /// When, as the provider says.
    pub happened_at: Timestamp,
    /// When we heard of it.
    pub heard_at: Timestamp,
    /// How often something was begun about it, this time included.
    pub tries: i32,
}

/// Does what follows. Repeating it is harmless.
///
/// # Errors
/// `channel_not_connected` while the account may still be recorded, `provider_unavailable`, `busy`, or what the database
/// says: it is then to be repeated.
pub async fn perform(app: &App, told: &Told) -> Result<()> {
    let Some(bridge) = app.connectors.bridge(told.connector) else { return Ok(()) };
    let Some(session) = session::find(app, told.connector, told.session).await? else { return Ok(()) };
    let Some(channel) = channels::connected_by_session(app.db.reader(), session.id()).await? else {
        // It may be recorded in a moment; later than that there is no account for it.
        return if is_settling(app, told) { Err(Error::ChannelNotConnected) } else { Ok(()) };
    };
    if channel.deactivated {
        // What comes to a channel that is switched off is not for us.
        return Ok(());
    }
    let scene = Scene { app, bridge, session: &session, channel: &channel, told };
    match &told.event {
        Event::Message(brought) => scene.message(brought).await,
        Event::GoneOut(gone) => scene.gone_out(gone).await,
        Event::Reaction { provider_ref, from, emoji } => {
            scene.reaction(provider_ref, Some(from.as_str()), emoji.as_deref()).await
        }
        Event::OwnReaction { provider_ref, emoji } => scene.reaction(provider_ref, None, emoji.as_deref()).await,
        // These two are work of their own.
        Event::SessionChanged | Event::Receipt { .. } => Ok(()),
    }
}

/// Writes down what a provider says of a message. What is about none may be about one that was written on the phone,
/// of which the provider has told just before.
///
/// # Errors
/// As [`perform`].
pub async fn receipt(app: &App, receipt: &Receipt, heard_at: Option<Timestamp>) -> Result<()> {
    let received = status::received(app, receipt).await?;
    let may_come = heard_at.is_some_and(|at| at.plus_seconds(UNSTORED_SECONDS) > app.clock.now());
    if received == status::Received::Stray && may_come { Err(not_yet()) } else { Ok(()) }
}

fn is_settling(app: &App, told: &Told) -> bool {
    told.heard_at.plus_seconds(SETTLING_SECONDS) > app.clock.now()
}

const fn not_yet() -> Error {
    Error::Busy { retry_after: std::time::Duration::from_secs(1) }
}

/// What all of it needs.
pub(super) struct Scene<'a> {
    pub(super) app: &'a App,
    pub(super) bridge: &'a dyn Bridge,
    pub(super) session: &'a Session,
    pub(super) channel: &'a channel::Model,
    pub(super) told: &'a Told,
}

impl Scene<'_> {
    async fn resolve(&self, address: &str) -> Result<Option<Jid>> {
        Ok(self.bridge.resolve(self.app, self.session, address).await?)
    }

    async fn message(&self, brought: &Brought) -> Result<()> {
        let Some(from) = self.resolve(&brought.chat).await? else { return Ok(()) };
        let author: Option<Phone> = match &brought.author {
            Some(address) => self.resolve(address).await?.and_then(|jid| jid.phone()),
            None => None,
        };
        let (text, file) = self.content(&brought.text, brought.media.as_ref()).await?;
        let provider_ref = brought.provider_ref.clone();
        let incoming = Incoming {
            session: self.session.id(),
            from,
            author,
            author_name: brought.name.clone(),
            group_name: brought.group_name.clone(),
            answers: brought.answers.clone(),
            text,
            file,
            provider_ref,
            told_at: brought.told_at,
        };
        let received = receive::receive(self.app, &incoming).await;
        self.finish(file, received.map(Some)).await
    }

    /// What a message says, or what stands for it, and its file, which is kept.
    async fn content(&self, text: &str, media: Option<&Media>) -> Result<(Option<Text>, Option<FileId>)> {
        let fetched = match media {
            Some(media) => media::keep(self, media).await?,
            None => Fetched::Nothing,
        };
        let text = Text::from_outside(text);
        Ok(match (fetched, text) {
            (Fetched::File(file), text) => (text, Some(file)),
            (Fetched::Nothing, Some(text)) => (Some(text), None),
            (Fetched::Nothing, None) => (Text::from_outside(UNSHOWN), None),
            (Fetched::TooLarge, Some(text)) => (Text::from_outside(&format!("{}\n{TOO_LARGE}", text.as_str())), None),
            (Fetched::TooLarge, None) => (Text::from_outside(TOO_LARGE), None),
        })
    }

    /// Ends with what became of a message and its file.
    async fn finish(&self, file: Option<FileId>, received: Result<Option<Received>>) -> Result<()> {
        if let Some(id) = file {
            // One that was known already, or that failed, has not used it.
            delete::discard_unless_carried(self.app, self.channel.workspace_id, id).await;
        }
        match received {
            Ok(_) => {
                self.app.signals.publish(Signal::Event);
                Ok(())
            }
            // The account was ended meanwhile.
            Err(Error::ChannelNotConnected) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn gone_out(&self, told: &Gone) -> Result<()> {
        let Some(to) = self.resolve(&told.chat).await? else { return Ok(()) };
        let gone = GoneOut {
            account_id: self.channel.account_id,
            jid: to.as_str(),
            text: &told.text,
            has_file: told.media.is_some(),
            provider_ref: &told.provider_ref,
            is_typed: told.is_typed,
            heard_at: self.told.heard_at,
        };
        // Most are ours, and nothing is to be fetched for these.
        if status::recognised(self.app, &gone).await? != status::Received::Stray {
            return Ok(());
        }
        let (text, file) = self.content(&told.text, told.media.as_ref()).await?;
        let (session, since) = (self.session.id(), told.receipt.clone());
        let own = Own { session, gone, to: &to, text, file, answers: &told.answers, told_at: told.told_at, since };
        let received = own::receive(self.app, &own).await;
        self.finish(file, received).await
    }

    /// A reaction of somebody, or of the account itself.
    async fn reaction(&self, provider_ref: &str, from: Option<&str>, emoji: Option<&str>) -> Result<()> {
        let Some(about) = self.told.event.about() else { return Ok(()) };
        let (db, happened_at) = (self.app.db.reader(), self.told.happened_at);
        if session::is_overtaken(db, self.session.id(), &secret::digest(&about), happened_at).await? {
            return Ok(());
        }
        let Ok(emoji) = Emoji::parse(emoji.unwrap_or_default()) else { return Ok(()) };
        let (session, provider_ref) = (self.session.id(), provider_ref.to_owned());
        let received = match from {
            Some(from) => {
                let Some(from) = self.resolve(from).await? else { return Ok(()) };
                let happened_at = Some(happened_at);
                let incoming = reaction::Incoming { session, provider_ref, from, name: None, emoji, happened_at };
                reaction::received(self.app, &incoming).await
            }
            None => reaction::received_own(self.app, &OwnReaction { session, provider_ref, emoji, happened_at }).await,
        };
        match received {
            Ok(_) => {
                self.app.signals.publish(Signal::Event);
                Ok(())
            }
            Err(Error::MessageNotFound(_)) if is_settling(self.app, self.told) => Err(not_yet()),
            // It is about something that was written before the account was linked.
            Err(Error::MessageNotFound(_) | Error::ChannelNotConnected) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
