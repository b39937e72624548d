//! What the simulated Instagram asks of who signs in with user name and password, by the end of the password; see
//! [`crate::connector::sandbox`].

use entity::{
    attempt::Failure,
    id::AttemptId,
    sandbox_session::{Model, State},
    timestamp::Timestamp,
};
use sea_orm::DatabaseTransaction;
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    connector::{
        Account, Observation,
        checkpoint::{Asked, Checkpoint, Kind},
        sandbox::{accounts, store},
        target::{SignIn, Target},
    },
    db,
    error::{Error, Result},
};

/// How long the network waits for an answer, in seconds.
const PATIENCE_SECONDS: i64 = 300;
/// When an approval in the app is given, in seconds.
const APPROVED_AFTER_SECONDS: i64 = 10;
/// How long a code has to be waited for before it is sent again, in seconds.
const RESEND_SECONDS: i64 = 30;
/// The one answer that is wrong.
const WRONG: &str = "000000";

/// What is still asked.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Asks {
    /// One after the other.
    kinds: Vec<Kind>,
    /// Whether every answer comes too late.
    is_late: bool,
    /// When a code was last sent.
    sent_at: Timestamp,
}

impl Asks {
    fn read(row: &Model) -> Option<Self> {
        serde_json::from_str(row.checkpoint.as_deref()?).ok()
    }

    fn written(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|error| Error::Internal(format!("a checkpoint: {error}")))
    }
}

/// What a password has its account asked; nothing where it has no such end.
fn kinds_of(password: &str) -> &'static [Kind] {
    match password.rsplit_once('_') {
        Some((_, "otp" | "410")) => &[Kind::Otp],
        Some((_, "2fa")) => &[Kind::TwoFactor, Kind::Otp],
        Some((_, "app")) => &[Kind::InAppValidation],
        Some((_, "captcha")) => &[Kind::Captcha],
        _ => &[],
    }
}

/// Begins to ask; `None` where nothing is asked. A session that is there stays as it is.
pub(super) async fn begin(app: &App, target: &Target, account: &Account) -> Result<Option<SignIn>> {
    let Some(password) = target.text("password") else { return Ok(None) };
    let kinds = kinds_of(password);
    if kinds.is_empty() {
        return Ok(None);
    }
    let asks = Asks { kinds: kinds.to_vec(), is_late: password.ends_with("_410"), sent_at: app.clock.now() };
    let written = asks.written()?;
    db::write(&app.db, "sandbox.ask", async |tx| store::insert_asked(app, tx, target, account, &written).await).await?;
    let row = store::find(app.db.reader(), target.session).await?.ok_or(Error::ProviderUnavailable)?;
    match row.state {
        State::Linked => accounts::observed(&row).map(SignIn::from).map(Some),
        _ => waiting(app, &row).await.map(SignIn::from).map(Some),
    }
}

/// The question that is open, or what came of the last one.
pub(super) async fn waiting(app: &App, row: &Model) -> Result<Observation> {
    let asks = Asks::read(row).unwrap_or(Asks { kinds: Vec::new(), is_late: true, sent_at: row.created_at });
    let (now, expires_at) = (app.clock.now(), row.created_at.plus_seconds(PATIENCE_SECONDS));
    let Some(kind) = asks.kinds.first().copied() else { return accounts::observed(row) };
    if now >= expires_at {
        return Ok(Observation::Ended(Failure::ChallengeExpired));
    }
    let approved_at = row.created_at.plus_seconds(APPROVED_AFTER_SECONDS);
    if kind == Kind::InAppValidation && now >= approved_at {
        db::write(&app.db, "sandbox.approve", async |tx| go_on(tx, row, asks).await).await?;
        return accounts::observed(row);
    }
    let data = (kind == Kind::Captcha).then(|| serde_json::json!({ "public_key": "sandbox-captcha" }));
    let look_again_at = if kind == Kind::InAppValidation { approved_at } else { expires_at };
    Ok(Observation::Asking(Asked { checkpoint: Checkpoint { kind, data }, expires_at, look_again_at }))
}

/// Answers the question that is open.
///
/// # Errors
/// `nothing_asked`, `challenge_wrong`.
pub(super) async fn answer(app: &App, session: AttemptId, answer: &str) -> Result<()> {
    db::retried(|| async {
        db::write(&app.db, "sandbox.answer", async |tx| {
            let (row, asks) = open(app, tx, session).await?;
            match asks.kinds.first() {
                _ if asks.is_late => store::close(tx, session).await,
                Some(Kind::InAppValidation) | None => Err(Error::NothingAsked),
                Some(_) if answer == WRONG => Err(Error::ChallengeWrong),
                Some(_) => go_on(tx, &row, asks).await,
            }
        })
        .await
    })
    .await
}

/// Sends the code again that is asked for.
///
/// # Errors
/// `nothing_asked`, `resend_too_soon`, `resend_not_offered`.
pub(super) async fn ask_again(app: &App, session: AttemptId) -> Result<()> {
    db::retried(|| async {
        db::write(&app.db, "sandbox.ask_again", async |tx| {
            let (_, asks) = open(app, tx, session).await?;
            let now = app.clock.now();
            match asks.kinds.first() {
                Some(Kind::Otp | Kind::TwoFactor) if asks.sent_at.plus_seconds(RESEND_SECONDS) > now => {
                    Err(Error::ResendTooSoon)
                }
                Some(Kind::Otp | Kind::TwoFactor) => {
                    store::set_asked(tx, session, &Asks { sent_at: now, ..asks }.written()?).await
                }
                _ => Err(Error::ResendNotOffered),
            }
        })
        .await
    })
    .await
}

/// A session that asks something, and what.
async fn open(app: &App, tx: &DatabaseTransaction, session: AttemptId) -> Result<(Model, Asks)> {
    let row = store::find(tx, session).await?.filter(|row| row.state == State::Waiting);
    let row = row.filter(|row| row.created_at.plus_seconds(PATIENCE_SECONDS) > app.clock.now());
    let row = row.ok_or(Error::NothingAsked)?;
    let asks = Asks::read(&row).ok_or(Error::NothingAsked)?;
    Ok((row, asks))
}

/// Asks the next question, or lets the account in.
async fn go_on(tx: &DatabaseTransaction, row: &Model, asks: Asks) -> Result<()> {
    let left = Asks { kinds: asks.kinds.into_iter().skip(1).collect(), ..asks };
    store::set_asked(tx, row.id, &left.written()?).await?;
    if left.kinds.is_empty() {
        store::set_state(tx, row.id, State::Waiting, State::Linked, None).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_password_decides() {
        for (password, kinds) in [
            ("secret", &[][..]),
            ("secret_otp", &[Kind::Otp]),
            ("secret_2fa", &[Kind::TwoFactor, Kind::Otp]),
            ("secret_app", &[Kind::InAppValidation]),
            ("secret_captcha", &[Kind::Captcha]),
            ("secret_410", &[Kind::Otp]),
            ("secretotp", &[]),
        ] {
            assert_eq!(kinds_of(password), kinds, "{password}");
        }
    }
}
