//! Doing what a callback calls for.

use entity::{
    channel::{self, ConnectorKind},
    id::AttemptId,
    timestamp::Timestamp,
};

use crate::{
    app::App,
    channel as channels,
    connector::{
        bridge::Bridge,
        callback::{Brought, Event, media},
        session::{self, Session},
    },
    error::{Error, Result},
    file::delete,
    message::{
        Jid, Text,
        reaction::{self, Emoji},
        receive::{self, Incoming},
        status::{self, GoneOut},
    },
    phone::Phone,
    secret,
    signal::Signal,
};

/// How long something may be about an account or a message that is just being stored, in seconds.
const SETTLING_SECONDS: i64 = 120;
/// What stands for what a message has besides a text and files that we keep.
const UNSHOWN: &str = "(something that cannot be shown here)";

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
}

/// Does what follows. Repeating it is harmless.
///
/// # Errors
/// `provider_unavailable`, `busy`, or what the database says: it is then to be repeated.
pub async fn perform(app: &App, told: &Told) -> Result<()> {
    let Some(bridge) = app.connectors.bridge(told.connector) else { return Ok(()) };
    let Some(session) = session::find(app, told.connector, told.session).await? else { return Ok(()) };
    let Some(channel) = channels::connected_by_session(app.db.reader(), session.id()).await? else {
        // It may be recorded in a moment; later than that there is no account for it.
        return if is_settling(app, told) { Err(not_yet()) } else { Ok(()) };
    };
    if channel.deactivated {
        // What comes to a channel that is switched off is not for us.
        return Ok(());
    }
    let scene = Scene { app, bridge, session: &session, channel: &channel, told };
    match &told.event {
        Event::Message(brought) => scene.message(brought).await,
        Event::GoneOut { chat, text, provider_ref } => scene.gone_out(chat, text, provider_ref).await,
        Event::Reaction { provider_ref, from, emoji } => scene.reaction(provider_ref, from, emoji.as_deref()).await,
        // These two are work of their own.
        Event::SessionChanged | Event::Receipt { .. } => Ok(()),
    }
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
        let file = match &brought.media {
            Some(media) => media::keep(self, media).await?,
            None => None,
        };
        let text = Text::from_outside(&brought.text);
        let text = if text.is_none() && file.is_none() { Text::from_outside(UNSHOWN) } else { text };
        let provider_ref = brought.provider_ref.clone();
        let incoming =
            Incoming { session: self.session.id(), from, author, author_name: None, text, file, provider_ref };
        let received = receive::receive(self.app, &incoming).await;
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

    async fn gone_out(&self, chat: &str, text: &str, provider_ref: &str) -> Result<()> {
        let Some(jid) = self.resolve(chat).await? else { return Ok(()) };
        let gone = GoneOut { account_id: self.channel.account_id, jid: jid.as_str(), text, provider_ref };
        status::recognised(self.app, &gone).await?;
        Ok(())
    }

    async fn reaction(&self, provider_ref: &str, from: &str, emoji: Option<&str>) -> Result<()> {
        let Some(about) = self.told.event.about() else { return Ok(()) };
        let (db, happened_at) = (self.app.db.reader(), self.told.happened_at);
        if session::is_overtaken(db, self.session.id(), &secret::digest(&about), happened_at).await? {
            return Ok(());
        }
        let Some(who) = self.resolve(from).await? else { return Ok(()) };
        let Ok(emoji) = Emoji::parse(emoji.unwrap_or_default()) else { return Ok(()) };
        let provider_ref = provider_ref.to_owned();
        let incoming = reaction::Incoming { session: self.session.id(), provider_ref, from: who, name: None, emoji };
        match reaction::received(self.app, &incoming).await {
            Ok(_) => {
                self.app.signals.publish(Signal::Event);
                Ok(())
            }
            Err(Error::MessageNotFound(_)) if is_settling(self.app, self.told) => Err(not_yet()),
            // It is about something that was written before the account was linked, or on the phone itself.
            Err(Error::MessageNotFound(_) | Error::ChannelNotConnected) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
