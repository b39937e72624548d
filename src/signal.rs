//! Short messages between tasks and replicas: "this link changed", "there is work".
//!
//! Signals only make things faster. Whoever waits for one also looks at the database on a period, so a lost signal,
//! or a Redis that is gone, costs a second and nothing else. With `redis_url` every replica hears every signal.

use std::time::Duration;

use entity::id::{LinkId, VisitorId};
use futures_util::StreamExt;
use redis::AsyncCommands;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, mpsc};

const HEARD_AT_ONCE: usize = 4096;
const SENT_AT_ONCE: usize = 4096;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(250);
const RECONNECT_PAUSE: Duration = Duration::from_millis(500);

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// The link, or an attempt on it, changed.
    Link(LinkId),
    /// A job, an attempt or an event waits for a worker.
    Work,
    /// Tokens of this stripe must be checked again; see [`crate::token::access`].
    Access(usize),
    /// An event waits to be told, nothing else.
    Event,
    /// A visitor of a web chat gets to see something.
    Visitor(VisitorId),
}

/// Publishes and hears signals.
#[derive(Clone)]
pub struct Signals {
    heard: broadcast::Sender<Signal>,
    redis: Option<RedisSide>,
}

#[derive(Clone)]
struct RedisSide {
    client: redis::Client,
    outgoing: mpsc::Sender<Signal>,
}

impl Signals {
    /// Signals within this process only.
    #[must_use]
    pub fn local() -> Self {
        Self { heard: broadcast::Sender::new(HEARD_AT_ONCE), redis: None }
    }

    /// Signals among all replicas that share a Redis. It need not answer now: the tasks that this starts keep trying.
    ///
    /// # Errors
    /// If the URL is not one.
    pub fn shared(redis_url: &SecretString, prefix: &str) -> Result<Self, redis::RedisError> {
        let client = redis::Client::open(redis_url.expose_secret())?;
        let heard = broadcast::Sender::new(HEARD_AT_ONCE);
        let (outgoing, queue) = mpsc::channel(SENT_AT_ONCE);
        let topic = format!("{prefix}:signals");
        tokio::spawn(send(client.clone(), topic.clone(), queue));
        tokio::spawn(listen(client.clone(), topic, heard.clone()));
        Ok(Self { heard, redis: Some(RedisSide { client, outgoing }) })
    }

    /// Tells everybody. Never waits: where too much is queued the signal is dropped.
    pub fn publish(&self, signal: Signal) {
        // Nobody listening is no error.
        let _ = self.heard.send(signal);
        if let Some(redis) = &self.redis
            && redis.outgoing.try_send(signal).is_err()
        {
            tracing::debug!("a signal to other replicas was dropped");
        }
    }

    /// Hears what is published from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Signal> {
        self.heard.subscribe()
    }

    /// Whether Redis answers; true where none is configured.
    pub async fn is_healthy(&self) -> bool {
        let Some(redis) = &self.redis else { return true };
        let ping = async {
            let mut connection = redis.client.get_multiplexed_async_connection_with_config(&async_config()).await?;
            connection.ping::<String>().await
        };
        matches!(tokio::time::timeout(CONNECT_TIMEOUT, ping).await, Ok(Ok(_)))
    }
}

fn async_config() -> redis::AsyncConnectionConfig {
    redis::AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(Some(RESPONSE_TIMEOUT))
}

/// Sends what is queued until the queue's senders are gone. While Redis is away signals are dropped, and that is said
/// once, not for each.
async fn send(client: redis::Client, topic: String, mut queue: mpsc::Receiver<Signal>) {
    let mut connection: Option<redis::aio::MultiplexedConnection> = None;
    let mut is_known_away = false;
    while let Some(signal) = queue.recv().await {
        let Ok(message) = serde_json::to_string(&signal) else { continue };
        let sent = async {
            if connection.is_none() {
                connection = Some(client.get_multiplexed_async_connection_with_config(&async_config()).await?);
            }
            match &mut connection {
                Some(open) => open.publish::<_, _, ()>(topic.as_str(), message).await,
                None => Ok(()),
            }
        };
        match sent.await {
            Ok(()) => is_known_away = false,
            Err(error) => {
                connection = None;
                if !is_known_away {
                    tracing::warn!(%error, "redis does not answer; other replicas look for themselves");
                }
                is_known_away = true;
                // What waits meanwhile is old news.
                tokio::time::sleep(RECONNECT_PAUSE).await;
                while queue.try_recv().is_ok() {}
            }
        }
    }
}

/// Hears the other replicas, and ourselves again, which does no harm.
async fn listen(client: redis::Client, topic: String, heard: broadcast::Sender<Signal>) {
    let mut is_known_away = false;
    loop {
        let Err(error) = listen_once(&client, &topic, &heard, &mut is_known_away).await else { continue };
        if !is_known_away {
            tracing::warn!(%error, "redis does not answer; looking at the database every second");
        }
        is_known_away = true;
        tokio::time::sleep(RECONNECT_PAUSE).await;
    }
}

async fn listen_once(
    client: &redis::Client,
    topic: &str,
    heard: &broadcast::Sender<Signal>,
    is_known_away: &mut bool,
) -> Result<(), redis::RedisError> {
    let opened = tokio::time::timeout(CONNECT_TIMEOUT, client.get_async_pubsub()).await;
    let mut pubsub = opened.map_err(|_| redis::RedisError::from((redis::ErrorKind::Io, "connecting timed out")))??;
    pubsub.subscribe(topic).await?;
    if std::mem::take(is_known_away) {
        tracing::info!("redis is back");
    }
    let mut messages = pubsub.on_message();
    while let Some(message) = messages.next().await {
        let text: String = message.get_payload()?;
        if let Ok(signal) = serde_json::from_str(&text) {
            let _ = heard.send(signal);
        }
    }
    Err(redis::RedisError::from((redis::ErrorKind::Io, "the connection ended")))
}
