//! The connector over a bridge: what all that keep sessions of phones have in common.

use std::time::Duration;

use async_trait::async_trait;
use entity::{
    attempt::Failure,
    id::{AttemptId, PartnerId},
};

use crate::{
    app::App,
    connector::{
        Connector, Delivery, Observation, Outgoing, OutgoingReaction, PairingCode, Start,
        bridge::{Bridge, Made, PAIRING_SECONDS, Wanted, observe, test},
        refusal::{Class, Refusal},
        session::{self, Noted, Session},
        target::{Check, SignIn, Target},
    },
    db,
    error::{Error, Result},
    phone::Phone,
};

/// When somebody may answer again whose answer met another one on its way.
const ANSWERED_MEANWHILE: Duration = Duration::from_secs(1);

/// The connector over a bridge.
pub(in crate::connector) struct Bridged<B>(pub(in crate::connector) B);

/// Whether a session that a provider does not make now is begun again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    /// By whoever looks next.
    Later,
    /// What it signs in with is not kept.
    Never,
}

#[async_trait]
impl<B: Bridge> Connector for Bridged<B> {
    async fn start(&self, app: &App, start: &Start<'_>) -> Result<Observation> {
        self.begin(app, start.session, start.partner_id, &Wanted::of_start(start), Again::Later).await
    }

    async fn sign_in(&self, app: &App, target: &Target) -> Result<SignIn> {
        self.begin(app, target.session, &target.partner_id, &Wanted::of(target), Again::Never).await.map(SignIn::from)
    }

    async fn observe(&self, app: &App, session: AttemptId) -> Result<Observation> {
        match session::find_any(app, self.0.kind(), session).await? {
            None if session::is_to_begin(app, session) => Ok(observe::being_made(app)),
            Some(found) if found.row.ended_at.is_none() => {
                let is_being_made = found.is_unseen() && found.is_taken(app);
                if is_being_made { Ok(observe::being_made(app)) } else { observe::observe(&self.0, app, &found).await }
            }
            _ => Ok(Observation::Ended(Failure::ProviderUnavailable)),
        }
    }

    async fn pairing_code(&self, app: &App, session: AttemptId, phone: &Phone) -> Result<PairingCode> {
        let session = session::find(app, self.0.kind(), session).await?.ok_or(Error::PairingRefused)?;
        match self.0.pairing_code(app, &session, phone).await {
            Ok(code) => Ok(PairingCode { code, expires_at: session::in_seconds(app, PAIRING_SECONDS) }),
            Err(refusal) => Err(match refusal.class {
                Class::AuthInvalid
                | Class::PermissionMissing
                | Class::RateLimited
                | Class::ProviderUnavailable
                | Class::TimeoutUnknown => refusal.into(),
                _ => Error::PairingRefused,
            }),
        }
    }

    async fn test(&self, app: &App, target: &Target) -> Result<Vec<Check>> {
        test::test(&self.0, app, target).await
    }

    async fn send(&self, app: &App, outgoing: &Outgoing) -> Delivery {
        let not_now = |reason: &str| Delivery::TryLater { after: None, reason: reason.to_owned() };
        let session = match session::find(app, self.0.kind(), outgoing.session).await {
            Ok(Some(session)) => session,
            Ok(None) => return not_now("not_linked"),
            Err(error) => {
                tracing::warn!(%error, message.id = %outgoing.message_id, "a session could not be read");
                return not_now("not_begun");
            }
        };
        match self.0.send(app, &session, outgoing).await {
            Ok(provider_ref) => {
                if session.row.refused_at.is_some() {
                    heard(&session, session::note_sending(app, &session, None).await);
                }
                Delivery::Accepted { provider_ref }
            }
            Err(refusal) => {
                let class = refusal.class;
                tracing::warn!(%class, message.id = %outgoing.message_id, "a provider did not take a message");
                if class == Class::SessionLost {
                    heard(&session, session::note_sending(app, &session, Some(app.clock.now())).await);
                } else if refusal.is_about_the_session() {
                    heard(&session, session::look_soon(app, self.0.kind(), outgoing.session).await);
                }
                refusal.delivery()
            }
        }
    }

    async fn react(&self, app: &App, outgoing: &OutgoingReaction) -> Result<()> {
        let Some(session) = session::find(app, self.0.kind(), outgoing.session).await? else { return Ok(()) };
        match self.0.react(app, &session, outgoing).await {
            Ok(()) => Ok(()),
            Err(refusal) if matches!(refusal.class, Class::ContentRejected | Class::NotFound) => {
                tracing::warn!(class = %refusal.class, message.id = %outgoing.message_id, "a reaction is not taken");
                Ok(())
            }
            Err(refusal) => Err(refusal.into()),
        }
    }

    async fn answer(&self, app: &App, session: AttemptId, answer: &str) -> Result<Observation> {
        let asking = self.asking(app, session).await?;
        let turn = session::take_turn(app, &asking).await?;
        let busy = Err(Error::Busy { retry_after: ANSWERED_MEANWHILE });
        let Some(until) = turn else { return self.asking(app, session).await.and(busy) };
        let answered = match self.asking(app, session).await {
            Ok(found) if found.row.checkpoint == asking.row.checkpoint => self.answer_alone(app, &asking, answer).await,
            // Somebody else has answered just before, and something else is asked.
            Ok(_) => busy,
            Err(error) => Err(error),
        };
        if let Err(error) = session::end_turn(app, &asking, until).await {
            tracing::warn!(%error, session.id = %session, "a question can be answered again later");
        }
        answered
    }

    async fn ask_again(&self, app: &App, session: AttemptId) -> Result<()> {
        let asking = self.asking(app, session).await?;
        self.0.ask_again(app, &asking).await.map_err(|refusal| match refusal.class {
            Class::ContentRejected | Class::RateLimited => Error::ResendTooSoon,
            Class::PermissionMissing => Error::ResendNotOffered,
            Class::NotFound | Class::ChallengeExpired => Error::NothingAsked,
            _ => refusal.into(),
        })
    }

    async fn end(&self, app: &App, session: AttemptId) -> Result<()> {
        let Some(session) = session::find_any(app, self.0.kind(), session).await? else {
            // Whoever is about to make it would not know that it is over.
            let is_to_begin = session::is_to_begin(app, session);
            return if is_to_begin { Err(Error::Busy { retry_after: ANSWERED_MEANWHILE }) } else { Ok(()) };
        };
        // Before it is removed, so that whoever makes it at this moment has what it has made removed too.
        db::write(&app.db, "connector.end", async |tx| session::end(app, tx, session.id()).await).await?;
        match self.0.remove(app, &session).await {
            Ok(()) | Err(Refusal { class: Class::NotFound, .. }) => self.leave_key(app, &session).await,
            Err(refusal) => Err(refusal.into()),
        }
    }
}

impl<B: Bridge> Bridged<B> {
    /// Leaves nothing at a provider of a key whose last session is over.
    async fn leave_key(&self, app: &App, session: &Session) -> Result<()> {
        let key = session.access.credential_id;
        if self.0.has_own_addresses() || session::is_key_used(app, key).await? {
            return Ok(());
        }
        match self.0.drop_callbacks(app, session).await {
            // Somebody may have begun another one meanwhile.
            Ok(()) if session::is_key_used(app, key).await? => Ok(self.0.keep_callbacks(app, session).await?),
            Ok(()) => Ok(()),
            // With a key that is not accepted any more nobody can.
            Err(Refusal { class: class @ (Class::AuthInvalid | Class::PermissionMissing), .. }) => {
                tracing::warn!(%class, session.id = %session.id(), "a provider may go on to call back for nobody");
                Ok(())
            }
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// A session whose network asks something.
    async fn asking(&self, app: &App, id: AttemptId) -> Result<Session> {
        let found = session::find(app, self.0.kind(), id).await?;
        found.filter(|found| found.row.checkpoint.is_some()).ok_or(Error::NothingAsked)
    }

    /// Answers while nobody else does.
    async fn answer_alone(&self, app: &App, asking: &Session, answer: &str) -> Result<Observation> {
        match self.0.answer(app, asking, answer).await {
            Ok(made) => match session::made(app, self.0.kind(), asking.id(), &made).await? {
                Noted::Kept => self.observe(app, asking.id()).await,
                Noted::Duplicate => Ok(Observation::Ended(Failure::DuplicateAccount)),
                Noted::Ended => Ok(Observation::Ended(Failure::ProviderUnavailable)),
            },
            Err(refusal) => match refusal.class {
                Class::ChallengeWrong => Err(Error::ChallengeWrong),
                // Nothing is asked any more: an answer before this one, whose outcome was lost, may have let it in.
                Class::ChallengeExpired | Class::NotFound | Class::Duplicate => {
                    match self.observe(app, asking.id()).await? {
                        Observation::Asking(_) | Observation::Ended(_) => {
                            Ok(Observation::Ended(Failure::ChallengeExpired))
                        }
                        let_in => Ok(let_in),
                    }
                }
                Class::AccountRestricted => Ok(Observation::Ended(Failure::Banned)),
                // Unless it says that it was too much, it may have been heard: whoever looks next sees what became of it.
                _ => Err(refusal.into()),
            },
        }
    }

    /// Makes a session, or finds it made, and looks at it.
    async fn begin(
        &self,
        app: &App,
        id: AttemptId,
        partner_id: &PartnerId,
        wanted: &Wanted<'_>,
        again: Again,
    ) -> Result<Observation> {
        let Some((mut session, is_ours)) = session::begin(app, self.0.kind(), id, partner_id).await? else {
            return Ok(Observation::Ended(Failure::NoConnector));
        };
        if session.row.ended_at.is_some() {
            return Ok(Observation::Ended(Failure::ProviderUnavailable));
        }
        if session.is_unseen() {
            if !is_ours {
                return Ok(observe::being_made(app));
            }
            let created = self.0.create(app, &session, wanted).await;
            // One whose answer is lost, or which a try before this one has made, is there too.
            let made = created.as_ref().map_or_else(|_| Made::default(), Made::clone);
            match session::made(app, self.0.kind(), id, &made).await? {
                Noted::Kept => {}
                Noted::Duplicate => return Ok(Observation::Ended(Failure::DuplicateAccount)),
                Noted::Ended => return Ok(Observation::Ended(Failure::ProviderUnavailable)),
            }
            if let Err(refusal) = created {
                match refusal.class {
                    Class::Duplicate => {}
                    Class::ChallengeWrong => return Ok(Observation::Ended(Failure::LoginRefused)),
                    Class::AccountRestricted => return Ok(Observation::Ended(Failure::Banned)),
                    Class::RateLimited if again == Again::Never => return Err(refusal.into()),
                    _ => return observe::unanswered(app, &session, refusal),
                }
            }
            match session::find(app, self.0.kind(), id).await? {
                Some(again) => session = again,
                None => return Ok(Observation::Ended(Failure::ProviderUnavailable)),
            }
        }
        observe::observe(&self.0, app, &session).await
    }
}

/// Whoever sends a message is not kept from it by what could not be noted of its session.
fn heard(session: &Session, noted: Result<()>) {
    if let Err(error) = noted {
        tracing::warn!(%error, session.id = %session.id(), "a session is looked at later");
    }
}
