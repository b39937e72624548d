//! The demo's own endpoints: a partner's backend that checks the signature of each webhook and keeps what it was told,
//! and a customer's bot. They check signatures by hand ([`signatures`]), with nothing of the code that signs.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use entity::timestamp::Timestamp;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{cli::demo::signatures, clock::Clock};

const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(10);
const MOST_BYTES: usize = 64 * 1024;

/// A webhook that came, and why it was not believed, if it was not.
#[derive(Clone)]
struct Received {
    event: Value,
    doubt: Option<String>,
}

/// Listens until the demo ends.
pub(super) struct Receiver {
    pub(super) url: String,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Receiver {
    pub(super) async fn start(partner_id: String, secret: SecretString, clock: Clock) -> std::io::Result<Self> {
        let received = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&received);
        let origin = listen(move |headers, body| {
            let event = serde_json::from_slice(body).unwrap_or_default();
            let doubt = check(headers, body, (&partner_id, secret.expose_secret()), seconds(&clock)).err();
            kept.lock().unwrap_or_else(PoisonError::into_inner).push(Received { event, doubt });
            String::new()
        });
        Ok(Self { url: format!("{}/webhooks", origin.await?), received })
    }

    /// Waits for an event of this type that fits; says so if one that came could not be believed.
    pub(super) async fn wait_for(&self, event_type: &str, fits: impl Fn(&Value) -> bool) -> Result<Value, String> {
        let found = async {
            loop {
                let all = self.received.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let one = all.into_iter().find(|one| one.event["event_type"] == event_type && fits(&one.event));
                if let Some(one) = one {
                    return match one.doubt {
                        None => Ok(one.event),
                        Some(doubt) => Err(format!("the signature is not good: {doubt}")),
                    };
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::time::timeout(PATIENCE, found).await.unwrap_or_else(|_| Err(format!("no {event_type} came")))
    }
}

/// A customer's bot: repeats what somebody wrote, if the question is signed with its secret.
pub(super) struct Bot {
    pub(super) url: String,
    pub(super) secret: String,
}

impl Bot {
    pub(super) async fn start(clock: Clock) -> std::io::Result<Self> {
        const KEY: &str = "a secret of the demo's own bot";
        let secret = format!("whsec_{}", BASE64_STANDARD.encode(KEY));
        let origin = listen(move |headers, body| {
            let is_signed = signatures::check_standard(headers, body, KEY.as_bytes(), seconds(&clock)).is_ok();
            let question: Value = serde_json::from_slice(body).unwrap_or_default();
            let text = question["message"]["text"].as_str().filter(|_| is_signed);
            text.map(|text| json!({ "reply": format!("You wrote: {text}") }).to_string()).unwrap_or_default()
        });
        Ok(Self { url: format!("{}/bot", origin.await?), secret })
    }
}

/// Answers requests until the demo ends, each with the JSON that `respond` makes of it; where it listens.
async fn listen(respond: impl Fn(&HeaderMap, &[u8]) -> String + Send + Sync + 'static) -> std::io::Result<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let origin = format!("http://{}", listener.local_addr()?);
    let respond = Arc::new(respond);
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let respond = Arc::clone(&respond);
            tokio::spawn(async move {
                // A connection that breaks off is the sender's to try again.
                let _ = serve(connection, respond.as_ref()).await;
            });
        }
    });
    Ok(origin)
}

async fn serve(
    mut connection: TcpStream,
    respond: &(impl Fn(&HeaderMap, &[u8]) -> String + Sync),
) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    loop {
        while let Some((headers, body, length)) = request(&bytes) {
            let answer = respond(&headers, &body);
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ";
            connection.write_all(format!("{head}{}\r\n\r\n{answer}", answer.len()).as_bytes()).await?;
            bytes.drain(..length);
        }
        if bytes.len() > MOST_BYTES || connection.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
    }
}

/// The first request in what has been read, if it is there whole: headers, body, and how long both are.
fn request(bytes: &[u8]) -> Option<(HeaderMap, Vec<u8>, usize)> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let text = std::str::from_utf8(&bytes[..head]).ok()?;
    let lines = text.split("\r\n").skip(1).filter_map(|line| line.split_once(": "));
    let headers: HeaderMap = lines
        .filter_map(|(name, value)| {
            Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value).ok()?))
        })
        .collect();
    let length: usize = headers.get("content-length")?.to_str().ok()?.parse().ok()?;
    let body = bytes.get(head + 4..head + 4 + length)?;
    Some((headers, body.to_vec(), head + 4 + length))
}

/// Believes a webhook only if both of its signatures are the partner's.
fn check(headers: &HeaderMap, body: &[u8], (partner_id, secret): (&str, &str), now: i64) -> Result<(), String> {
    signatures::check_jwt(headers, body, (partner_id, secret.as_bytes()), now)?;
    signatures::check_standard(headers, body, secret.as_bytes(), now)
}

/// Now, in seconds.
fn seconds(clock: &Clock) -> i64 {
    clock.now().0 / Timestamp::SECOND
}
