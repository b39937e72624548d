//! Answering what a network asks of an attempt before it lets the account in. An answer goes to the connector and is
//! forgotten. One at a time is on its way, and each names the question that it is for, so that a second click answers
//! nothing that was asked since.

use std::time::Duration;

use entity::{
    attempt::{self, Failure},
    id::LinkId,
};

use crate::{
    app::App,
    audit,
    caller::{Actor, Origin},
    channel::answer::Answer,
    connector::SIGN_IN_SECONDS,
    db,
    error::{Error, Result},
    onboarding::{
        MAX_WRONG_ANSWERS,
        advance::{self, After},
        end_of, open, store,
    },
    signal::Signal,
};

/// When somebody may ask again whose answer met another one on its way.
const BUSY: Duration = Duration::from_secs(1);

/// Answers the question with this number.
///
/// # Errors
/// `link_…` as for starting; `nothing_asked` if this question is not open; `challenge_wrong`, after which another answer
/// may be given, up to five times; `challenge_expired`; `busy` while another answer is on its way;
/// `provider_unavailable`.
pub async fn answer(app: &App, link_id: LinkId, question: i32, answer: &Answer, request_id: &str) -> Result<()> {
    let attempt = db::retried(|| take(app, link_id, question, request_id)).await?;
    let connector = app.connectors.get(attempt.connector.ok_or(Error::NothingAsked)?);
    match connector.answer(app, attempt.id, answer.as_str()).await {
        Ok(observation) => advance::apply(app, &attempt, &observation, After::Answer).await,
        Err(Error::ChallengeWrong) => {
            let is_over = db::retried(|| count_wrong(app, &attempt)).await?;
            app.signals.publish(Signal::Link(link_id));
            app.signals.publish(Signal::Work);
            if is_over { Ok(()) } else { Err(Error::ChallengeWrong) }
        }
        Err(error) => {
            db::retried(|| release(app, &attempt)).await?;
            // It may have been heard all the same.
            if let Err(unseen) = advance::advance(app, attempt.id).await {
                tracing::warn!(error = %unseen, attempt.id = %attempt.id, "an attempt is looked at again later");
            }
            Err(error)
        }
    }
}

/// Has the network send its code again.
///
/// # Errors
/// `link_…` as for starting; `nothing_asked`, `challenge_expired`; `resend_too_soon`, `resend_not_offered`;
/// `provider_unavailable`.
pub async fn ask_again(app: &App, link_id: LinkId) -> Result<()> {
    let db = app.db.reader();
    let link = store::by_id(db, link_id).await?.ok_or(Error::LinkNotFound)?;
    if let Some(end) = end_of(&link, app.clock.now()) {
        return Err(Error::LinkClosed(end));
    }
    open::check_served(db, &link).await?;
    let attempt = asked(app, store::live_attempt(db, link_id).await?)?;
    app.connectors.get(attempt.connector.ok_or(Error::NothingAsked)?).ask_again(app, attempt.id).await
}

/// The attempt, if it is asked something that can still be answered.
fn asked(app: &App, attempt: Option<attempt::Model>) -> Result<attempt::Model> {
    let attempt = attempt.filter(|attempt| attempt.checkpoint.is_some()).ok_or(Error::NothingAsked)?;
    if attempt.checkpoint_expires_at.is_some_and(|at| at <= app.clock.now()) {
        return Err(Error::ChallengeExpired);
    }
    Ok(attempt)
}

/// Takes the question for one answer.
async fn take(app: &App, link_id: LinkId, question: i32, request_id: &str) -> Result<attempt::Model> {
    db::write(&app.db, "attempt.take_answer", async |tx| {
        let link = store::lock(tx, link_id).await?.ok_or(Error::LinkNotFound)?;
        let now = app.clock.now();
        if let Some(end) = end_of(&link, now) {
            return Err(Error::LinkClosed(end));
        }
        let (workspace, _) = open::check_served(tx, &link).await?;
        let attempt = asked(app, store::live_attempt(tx, link_id).await?)?;
        if attempt.question_seq != question {
            return Err(Error::NothingAsked);
        }
        if attempt.answering_until.is_some_and(|until| until > now) {
            return Err(Error::Busy { retry_after: BUSY });
        }
        let origin = Origin { actor: Actor::Link(link_id), request_id: Some(request_id.to_owned()) };
        audit::record(app, tx, &origin, audit::Entry::in_workspace("attempt.answer", &workspace, attempt.id)).await?;
        store::take_answer(tx, &attempt, now.plus_seconds(SIGN_IN_SECONDS)).await
    })
    .await
}

/// Counts a wrong answer; tells whether it was one too many.
async fn count_wrong(app: &App, seen: &attempt::Model) -> Result<bool> {
    db::write(&app.db, "attempt.wrong_answer", async |tx| {
        let link = store::lock(tx, seen.link_id).await?.ok_or(Error::LinkNotFound)?;
        let alive = store::live_attempt(tx, link.id).await?.filter(|alive| alive.id == seen.id);
        let Some(alive) = alive else { return Ok(false) };
        let wrong = alive.wrong_answers + 1;
        let alive = store::release_answer(app, tx, &alive, wrong).await?;
        let is_over = wrong >= MAX_WRONG_ANSWERS;
        if is_over {
            advance::ended(app, tx, &link, &alive, Failure::TooManyAnswers).await?;
        }
        Ok(is_over)
    })
    .await
}

/// Lets another answer be given.
async fn release(app: &App, seen: &attempt::Model) -> Result<()> {
    db::write(&app.db, "attempt.release_answer", async |tx| {
        store::lock(tx, seen.link_id).await?.ok_or(Error::LinkNotFound)?;
        let alive = store::live_attempt(tx, seen.link_id).await?.filter(|alive| alive.id == seen.id);
        if let Some(alive) = alive {
            store::release_answer(app, tx, &alive, alive.wrong_answers).await?;
        }
        Ok(())
    })
    .await
}
