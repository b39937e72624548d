//! Taking stored work and doing it.

use std::{collections::HashMap, sync::Arc};

use entity::job;

use crate::{
    app::App,
    connector::callback::perform as callback,
    db,
    error::{Error, Result},
    invitation,
    job::{
        store,
        turns::{Lane, Place, Turns},
    },
    message::reaction,
    onboarding,
    queue::Work,
    quota,
    webhook::subscription::warning,
};

const AT_ONCE: u64 = 50;
/// How many are looked through for some that need not wait for what has begun.
const LOOKED_THROUGH: u64 = 1000;
const LEASE_SECONDS: i64 = 30;
const LONGEST_BACKOFF_SECONDS: i64 = 300;
const MOST_TRIES: i32 = 300;
/// How often a session is asked to be removed at most: for a month. What stays at a provider rings and bills on, and nobody
/// else looks for it.
const MOST_TRIES_TO_END: i32 = 30 * 24 * 3600 / 300;

/// Does what is due, one after the other; returns how much that was.
pub(super) async fn run_due(app: &App) -> Result<usize> {
    let mut done = 0;
    for job in store::due(app.db.reader(), app.clock.now(), AT_ONCE, &[]).await? {
        if run(app, &job).await? {
            done += 1;
        }
    }
    Ok(done)
}

/// Begins what is due and need not wait for what has begun, each lane by itself and in its order; returns how many lanes
/// that were. What waits for a provider that has its share is not even looked through, however much it is.
pub(super) async fn begin_due(app: &Arc<App>, turns: &mut Turns) -> Result<usize> {
    let limit = if turns.is_empty() { AT_ONCE } else { LOOKED_THROUGH };
    let mut lanes: Vec<(Place, Vec<job::Model>)> = Vec::new();
    let mut known: HashMap<Lane, usize> = HashMap::new();
    for job in store::due(app.db.reader(), app.clock.now(), limit, &turns.full()).await? {
        let place = place_of(&job);
        if let Some(index) = known.get(&place.lane) {
            lanes[*index].1.push(job);
        } else if turns.has_room(place) {
            known.insert(place.lane, lanes.len());
            lanes.push((place, vec![job]));
        }
    }
    let begun = lanes.len();
    for (place, jobs) in lanes {
        let app = Arc::clone(app);
        // It may have become full meanwhile: what is left is still due.
        if turns.has_room(place) {
            turns.begin(place, async move { run_in_order(&app, &jobs).await });
        }
    }
    Ok(begun)
}

/// Does work of one lane. What another worker has taken, or what failed, leaves the rest for later.
async fn run_in_order(app: &App, jobs: &[job::Model]) {
    for job in jobs {
        match run(app, job).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::warn!(%error, job.id = %job.id, "what came of a job could not be written down");
                return;
            }
        }
    }
}

/// Does a job, unless another worker has it; tells whether it was ours.
async fn run(app: &App, job: &job::Model) -> Result<bool> {
    let lease = app.clock.now().plus_seconds(LEASE_SECONDS);
    let is_ours = db::write(&app.db, "job.lease", async |tx| store::lease(tx, job, lease).await).await?;
    if is_ours {
        let outcome = perform(app, job).await;
        settle(app, job, outcome).await?;
    }
    Ok(is_ours)
}

/// Where a job stands in line.
fn place_of(job: &job::Model) -> Place {
    let own = Place { lane: Lane::Own(job.id), connector: None };
    let Ok(work) = serde_json::from_str(&job.work) else { return own };
    match work {
        Work::EndSession { connector, session }
        | Work::SessionChanged { connector, session }
        | Work::ProviderEvent { connector, session, .. } => {
            Place { lane: Lane::Session(session), connector: Some(connector) }
        }
        Work::MessageStatus { receipt, .. } => Place { lane: Lane::Account(receipt.account_id), connector: None },
        Work::SendReaction { message, .. } => Place { lane: Lane::Message(message), connector: None },
        Work::PlanChanged { .. } | Work::SendInvitation { .. } | Work::WarnOfWebhook { .. } => own,
    }
}

async fn perform(app: &App, job: &job::Model) -> Result<()> {
    let work: Work =
        serde_json::from_str(&job.work).map_err(|error| Error::Internal(format!("job {}: {error}", job.id)))?;
    match work {
        Work::EndSession { connector, session } => app.connectors.get(connector).end(app, session).await,
        Work::SessionChanged { connector, session } => onboarding::session_changed(app, connector, session).await,
        Work::PlanChanged { plan } => quota::notify::plan_changed(app, plan).await,
        Work::MessageStatus { receipt, heard_at } => callback::receipt(app, &receipt, heard_at).await,
        Work::ProviderEvent { connector, session, event, happened_at, heard_at } => {
            let told = callback::Told { connector, session, event: *event, happened_at, heard_at };
            // In a place of its own: it is the deepest of all.
            Box::pin(callback::perform(app, &told)).await
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
        Err(error) if tries >= most_tries(job) => {
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

fn most_tries(job: &job::Model) -> i32 {
    match serde_json::from_str(&job.work) {
        Ok(Work::EndSession { .. }) => MOST_TRIES_TO_END,
        _ => MOST_TRIES,
    }
}

fn backoff_seconds(tries: i32) -> i64 {
    let doublings = u32::try_from(tries.clamp(1, 20) - 1).unwrap_or(0);
    (1i64 << doublings).min(LONGEST_BACKOFF_SECONDS)
}

#[cfg(test)]
mod tests {
    use entity::{
        channel::ConnectorKind,
        id::{AttemptId, JobId},
        timestamp::Timestamp,
    };
    use strum::IntoEnumIterator;
    use uuid::Uuid;

    use super::*;
    use crate::connector::callback::{Brought, Event};

    /// Who is waited for stands in the work in the same words that it is looked for.
    #[test]
    fn work_of_a_connector_is_told_from_its_text() {
        let session = AttemptId(Uuid::from_u128(1));
        let mark = store::mark_of(ConnectorKind::Waha);
        for kind in ConnectorKind::iter() {
            let brought = Brought {
                chat: "1@c.us".to_owned(),
                author: None,
                text: store::mark_of(ConnectorKind::Waha),
                media: None,
                provider_ref: "A".to_owned(),
                name: Some(mark.clone()),
                group_name: None,
                answers: vec![mark.clone()],
                told_at: None,
                after: None,
            };
            let at = Timestamp(0);
            for work in [
                Work::EndSession { connector: kind, session },
                Work::SessionChanged { connector: kind, session },
                Work::ProviderEvent {
                    connector: kind,
                    session,
                    event: Box::new(Event::Message(brought)),
                    happened_at: at,
                    heard_at: at,
                },
            ] {
                let work = serde_json::to_string(&work).expect("JSON");
                assert_eq!(work.contains(&mark), kind == ConnectorKind::Waha, "{work}");
                let (id, last_error) = (JobId(Uuid::from_u128(2)), None);
                let is_end = work.contains("end_session");
                let job = job::Model { id, work, due_at: at, tries: 0, last_error, created_at: at };
                assert_eq!(place_of(&job).connector, Some(kind));
                assert_eq!(most_tries(&job), if is_end { MOST_TRIES_TO_END } else { MOST_TRIES });
            }
        }
    }

    #[test]
    fn pauses_double_up_to_five_minutes() {
        assert_eq!([1, 2, 3, 9, 10, 300].map(backoff_seconds), [1, 2, 4, 256, 300, 300]);
    }
}
