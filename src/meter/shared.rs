//! The meter on Redis: one script call per ask, the same verdicts as [`crate::meter::rule`].
//!
//! A connection that fails is given up at once and sought again in the background, so that a Redis that is gone or
//! stuck holds up a request once, for one call's time-out. A Redis that has forgotten the script (`NOSCRIPT`) is given
//! it again with the call itself.

use std::{
    sync::{PoisonError, RwLock},
    time::Duration,
};

use entity::id::{PartnerId, TokenId, WorkspaceId};
use redis::{Cmd, ErrorKind, RedisError, RedisResult, Script, ServerErrorKind, aio::MultiplexedConnection};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Notify, Semaphore, watch};

use crate::meter::{
    Ask, Settlement, Subject, Verdict,
    rule::{HOLD_MICROS, Left, SKEW_MICROS},
};

/// Longest time to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Longest time for one call.
const CALL_TIMEOUT: Duration = Duration::from_millis(250);
const SEEK_EVERY: Duration = Duration::from_millis(200);
/// Most settlements on their way at once; the holds of others end by themselves.
const SETTLING_AT_ONCE: usize = 64;

/// The meter of all replicas.
pub struct Shared {
    client: redis::Client,
    prefix: String,
    connection: RwLock<Option<MultiplexedConnection>>,
    is_lost: Notify,
    admit: Loaded,
    settle: Loaded,
    settling: Semaphore,
}

/// A script and the digest by which Redis knows it.
struct Loaded {
    text: &'static str,
    digest: String,
}

impl Loaded {
    fn new(text: &'static str) -> Self {
        Self { text, digest: Script::new(text).get_hash().to_owned() }
    }
}

impl Shared {
    /// A meter that is not connected yet; [`Shared::keep_connected`] does that.
    ///
    /// # Errors
    /// If the URL is not one.
    pub fn new(redis_url: &SecretString, prefix: &str) -> RedisResult<Self> {
        Ok(Self {
            client: redis::Client::open(redis_url.expose_secret())?,
            prefix: prefix.to_owned(),
            connection: RwLock::default(),
            is_lost: Notify::new(),
            admit: Loaded::new(include_str!("admit.lua")),
            settle: Loaded::new(include_str!("settle.lua")),
            settling: Semaphore::new(SETTLING_AT_ONCE),
        })
    }

    /// Connects, and connects again whenever the connection was given up, until `stop` says so.
    pub async fn keep_connected(&self, mut stop: watch::Receiver<bool>) {
        let mut is_known_away = false;
        while !*stop.borrow() {
            if self.connected().is_some() {
                tokio::select! {
                    () = self.is_lost.notified() => {}
                    _ = stop.changed() => {}
                }
                continue;
            }
            match self.connect().await {
                Ok(connection) => {
                    *self.connection.write().unwrap_or_else(PoisonError::into_inner) = Some(connection);
                    if std::mem::take(&mut is_known_away) {
                        tracing::info!("the meter is back on redis");
                    }
                }
                Err(error) => {
                    if !is_known_away {
                        tracing::warn!(%error, "redis does not answer; rates are limited in process, credits by the ledger");
                    }
                    is_known_away = true;
                    tokio::select! {
                        () = tokio::time::sleep(SEEK_EVERY) => {}
                        _ = stop.changed() => {}
                    }
                }
            }
        }
    }

    async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        let config = redis::AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(CALL_TIMEOUT));
        let connecting = self.client.get_multiplexed_async_connection_with_config(&config);
        let timed_out = |_| RedisError::from((ErrorKind::Io, "connecting timed out"));
        let mut connection = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await.map_err(timed_out)??;
        // One that is still loading, or may not be written to, says so here.
        redis::cmd("PING").query_async::<()>(&mut connection).await?;
        Ok(connection)
    }

    fn connected(&self) -> Option<MultiplexedConnection> {
        self.connection.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn give_up(&self, error: &RedisError) {
        tracing::debug!(%error, "a call of the meter failed");
        *self.connection.write().unwrap_or_else(PoisonError::into_inner) = None;
        self.is_lost.notify_one();
    }

    /// Answers an ask; `None` if Redis does not.
    pub async fn admit(&self, subject: Subject<'_>, ask: &Ask) -> Option<Verdict> {
        let keys = [
            self.workspace_key(subject.partner_id, subject.workspace_id),
            self.token_key(subject.partner_id, subject.token_id),
            self.partner_key(subject.partner_id),
        ];
        let answer: Vec<i64> = self.call(&self.admit, &keys, &admit_arguments(ask)).await?;
        let verdict = read(&answer);
        if verdict.is_none() {
            tracing::error!(?answer, "the meter's script answers what it should not");
        }
        verdict
    }

    /// Ends holds and says what the ledger knows. If too much is on its way already, holds are left to end by
    /// themselves.
    pub async fn settle(&self, partner_id: &PartnerId, workspace_id: WorkspaceId, settlement: &Settlement) {
        let Ok(_permit) = self.settling.try_acquire() else { return };
        let keys = [self.workspace_key(partner_id, workspace_id)];
        let mut arguments = vec![
            settlement.now.0,
            settlement.period.start.0,
            HOLD_MICROS,
            settlement.generation,
            settlement.held.0,
            settlement.held_before.0,
        ];
        if let Some(snapshot) = settlement.snapshot {
            arguments.extend([snapshot.revision, snapshot.left.0, snapshot.calls]);
        }
        self.call::<i64>(&self.settle, &keys, &arguments).await;
    }

    fn workspace_key(&self, partner_id: &PartnerId, workspace_id: WorkspaceId) -> String {
        format!("{}:{{{partner_id}}}:workspace:{workspace_id}", self.prefix)
    }

    fn token_key(&self, partner_id: &PartnerId, token_id: TokenId) -> String {
        format!("{}:{{{partner_id}}}:token:{}", self.prefix, token_id.0.simple())
    }

    fn partner_key(&self, partner_id: &PartnerId) -> String {
        format!("{}:{{{partner_id}}}:partner", self.prefix)
    }

    async fn call<T: redis::FromRedisValue>(&self, script: &Loaded, keys: &[String], arguments: &[i64]) -> Option<T> {
        let mut connection = self.connected()?;
        let known: RedisResult<T> =
            command("EVALSHA", &script.digest, keys, arguments).query_async(&mut connection).await;
        let outcome = match known {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                command("EVAL", script.text, keys, arguments).query_async(&mut connection).await
            }
            other => other,
        };
        outcome.inspect_err(|error| self.give_up(error)).ok()
    }
}

fn command(name: &str, script: &str, keys: &[String], arguments: &[i64]) -> Cmd {
    let mut command = redis::cmd(name);
    command.arg(script).arg(keys.len());
    for key in keys {
        command.arg(key);
    }
    for argument in arguments {
        command.arg(*argument);
    }
    command
}

fn admit_arguments(ask: &Ask) -> Vec<i64> {
    let mut arguments =
        vec![ask.now.0, ask.period.start.0, HOLD_MICROS, SKEW_MICROS, ask.calls_limit.unwrap_or(-1), ask.credits.0];
    for window in ask.windows {
        arguments.extend([window.interval_micros, window.capacity]);
    }
    // A hash outlives its period by nothing: the next period asks the ledger again.
    arguments.push(((ask.period.end.0 - ask.now.0) / 1000).max(1));
    if let Some(snapshot) = ask.snapshot {
        arguments.extend([snapshot.revision, snapshot.left.0, snapshot.calls]);
    }
    arguments
}

fn read(answer: &[i64]) -> Option<Verdict> {
    Some(match answer {
        [0, a, b, c, d, e, f, calls, generation] => {
            let left = |places: &i64, full_in_micros: &i64| Left { places: *places, full_in_micros: *full_in_micros };
            Verdict::Allowed { left: [left(a, b), left(c, d), left(e, f)], calls: *calls, generation: *generation }
        }
        [1, window, wait_micros] => Verdict::Limited {
            window: usize::try_from(*window).ok().filter(|index| *index < 3)?,
            wait_micros: *wait_micros,
        },
        [2] => Verdict::CallsExhausted,
        [3] => Verdict::CreditsShort,
        [4] => Verdict::Cold,
        _ => return None,
    })
}
