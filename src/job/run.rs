//! Taking stored work and doing it.

use entity::job;

use crate::{
    app::App,
    connector::callback::perform as callback,
    db,
    error::{Error, Result},
    invitation,
    job::store,
    message::{reaction, status},
    onboarding,
    queue::Work,
    quota,
    webhook::subscription::warning,
};

const AT_ONCE: u64 = 50;
const LEASE_SECONDS: i64 = 30;
const LONGEST_BACKOFF_SECONDS: i64 = 300;
const MOST_TRIES: i32 = 300;

pub(super) async fn run_due(app: &App) -> Result<usize> {
    let mut done = 0;
    for job in store::due(app.db.reader(), app.clock.now(), AT_ONCE).await? {
        let lease = app.clock.now().plus_seconds(LEASE_SECONDS);
        let is_ours = db::write(&app.db, "job.lease", async |tx| store::lease(tx, &job, lease).await).await?;
        if is_ours {
            done += 1;
            let outcome = perform(app, &job).await;
            settle(app, &job, outcome).await?;
        }
    }
    Ok(done)
}

async fn perform(app: &App, job: &job::Model) -> Result<()> {
    let work: Work =
        serde_json::from_str(&job.work).map_err(|error| Error::Internal(format!("job {}: {error}", job.id)))?;
    match work {
        Work::EndSession { connector, session } => app.connectors.get(connector).end(app, session).await,
        Work::SessionChanged { connector, session } => onboarding::session_changed(app, connector, session).await,
        Work::PlanChanged { plan } => quota::notify::plan_changed(app, plan).await,
        Work::MessageStatus { receipt } => status::received(app, &receipt).await.map(|_| ()),
        Work::ProviderEvent { connector, session, event, happened_at, heard_at } => {
            let told = callback::Told { connector, session, event, happened_at, heard_at };
            callback::perform(app, &told).await
        }
        Work::SendReaction { workspace, message } => reaction::send_own(app, workspace, message).await,
        Work::SendInvitation { workspace, user } => invitation::mail::send(app, workspace, user).await,
        Work::WarnOfWebhook { workspace, user, subscription } => {
            warning::send(app, workspace, user, subscription).await
        }
    }
}

/// Removes work that is done, keeps what failed for later, and gives up aloud.
async fn settle(app: &App, job: &job::Model, outcome: Result<()>) -> Result<()> {
    let tries = job.tries + 1;
    db::write(&app.db, "job.settle", async |tx| match outcome {
        Ok(()) => store::remove(tx, job.id).await,
        Err(error) if tries >= MOST_TRIES => {
            tracing::error!(%error, job.id = %job.id, tries, "a job is given up");
            store::remove(tx, job.id).await
        }
        Err(error) => {
            tracing::warn!(%error, job.id = %job.id, tries, "a job is tried again later");
            let due_at = app.clock.now().plus_seconds(backoff_seconds(tries));
            store::postpone(tx, job.id, tries, due_at, &error.description()).await
        }
    })
    .await
}

fn backoff_seconds(tries: i32) -> i64 {
    let doublings = u32::try_from(tries.clamp(1, 20) - 1).unwrap_or(0);
    (1i64 << doublings).min(LONGEST_BACKOFF_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_five_minutes() {
        assert_eq!([1, 2, 3, 9, 10, 300].map(backoff_seconds), [1, 2, 4, 256, 300, 300]);
    }
}
