//! The meter on Redis: one script, the same verdicts as [`crate::meter::rule`].
//!
//! A connection that fails is given up at once and sought again in the background, so that a Redis that is gone or
//! stuck holds up a request once, for one call's time-out. A Redis that has forgotten the script (`NOSCRIPT`) is given
//! it again with the call itself.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use entity::id::{PartnerId, WorkspaceId};
use redis::{Cmd, ErrorKind, RedisError, RedisResult, Script, ServerErrorKind, aio::MultiplexedConnection};
use rmp::decode;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Notify, watch};

use crate::meter::{
    Ask, Settlement, Subject, Verdict,
    gather::{self, Call, Gathering},
    rule::{HOLD_MICROS, Left},
};

/// Longest time to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Longest time for one call.
const CALL_TIMEOUT: Duration = Duration::from_millis(250);
/// Numbers of the longest answer to one ask.
const LONGEST_ANSWER: usize = 9;
const SEEK_EVERY: Duration = Duration::from_millis(200);

/// The meter of all replicas.
pub struct Shared {
    client: redis::Client,
    prefix: String,
    connection: RwLock<Option<MultiplexedConnection>>,
    is_lost: Notify,
    admit: Loaded,
    settle: Loaded,
    gathering: Gathering,
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
            gathering: Gathering::default(),
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
        self.connected()?;
        self.gathering.ask(subject, ask).await
    }

    /// Carries asks to Redis for as long as the meter lives.
    pub async fn carry(self: &Arc<Self>) {
        self.gathering.carry(self).await;
    }

    /// Answers the asks of one call, in their order.
    pub(super) async fn admit_all(&self, call: &Call) -> Option<Vec<Verdict>> {
        let [length, skew] = Call::constants();
        let (length, skew) = (length.to_string(), skew.to_string());
        let arguments = [&call.asks[..], length.as_bytes(), skew.as_bytes()];
        let answers: Vec<u8> = self.call(&self.admit, &call.keys, &arguments).await?;
        let verdicts = read_all(&answers);
        if verdicts.is_none() {
            tracing::error!("the meter's script answers what it should not");
        }
        verdicts
    }

    /// Ends holds of one workspace and says what the ledger knows; tells whether Redis has heard it. Where it has not,
    /// holds end by themselves.
    pub async fn settle(&self, partner_id: &PartnerId, workspace_id: WorkspaceId, settlement: &Settlement) -> bool {
        self.settle_all(partner_id, &[(workspace_id, *settlement)]).await
    }

    /// The same for several workspaces of a partner in one call.
    pub(super) async fn settle_all(&self, partner_id: &PartnerId, settlements: &[(WorkspaceId, Settlement)]) -> bool {
        let keys: Vec<String> = settlements.iter().map(|(id, _)| self.workspace_key(partner_id, *id)).collect();
        let told = gather::write_settlements(settlements.iter().map(|(_, settlement)| settlement));
        let length = HOLD_MICROS.to_string();
        self.call::<i64>(&self.settle, &keys, &[&told[..], length.as_bytes()]).await.is_some()
    }

    pub(super) fn workspace_key(&self, partner_id: &PartnerId, workspace_id: WorkspaceId) -> String {
        format!("{}:{{{partner_id}}}:workspace:{workspace_id}", self.prefix)
    }

    pub(super) fn partner_key(&self, partner_id: &PartnerId) -> String {
        format!("{}:{{{partner_id}}}:partner", self.prefix)
    }

    async fn call<T: redis::FromRedisValue>(
        &self,
        script: &Loaded,
        keys: &[String],
        arguments: &[impl redis::ToRedisArgs],
    ) -> Option<T> {
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

fn command(name: &str, script: &str, keys: &[String], arguments: &[impl redis::ToRedisArgs]) -> Cmd {
    let mut command = redis::cmd(name);
    command.arg(script).arg(keys.len());
    for key in keys {
        command.arg(key);
    }
    for argument in arguments {
        command.arg(argument);
    }
    command
}

/// Reads the script's answers: MessagePack, an array of integers for each ask.
fn read_all(mut bytes: &[u8]) -> Option<Vec<Verdict>> {
    let count = decode::read_array_len(&mut bytes).ok()?;
    (0..count).map(|_| read_one(&mut bytes)).collect()
}

fn read_one(bytes: &mut &[u8]) -> Option<Verdict> {
    let mut numbers = [0; LONGEST_ANSWER];
    let length = usize::try_from(decode::read_array_len(bytes).ok()?).ok()?;
    let answer = numbers.get_mut(..length)?;
    for number in answer.iter_mut() {
        *number = decode::read_int(bytes).ok()?;
    }
    read(answer)
}

fn read(answer: &[i64]) -> Option<Verdict> {
    let left = |places: &i64, full_in_micros: &i64| Left { places: *places, full_in_micros: *full_in_micros };
    Some(match answer {
        [0, a, b, c, d, e, f, calls, generation] => {
            Verdict::Allowed { left: [left(a, b), left(c, d), left(e, f)], calls: *calls, generation: *generation }
        }
        [1, window, wait_micros] => Verdict::Limited {
            window: usize::try_from(*window).ok().filter(|index| *index < 3)?,
            wait_micros: *wait_micros,
        },
        [2] => Verdict::CallsExhausted,
        [3, a, b, c, d, e, f] => Verdict::CreditsShort { left: [left(a, b), left(c, d), left(e, f)] },
        [4] => Verdict::Cold,
        _ => return None,
    })
}
