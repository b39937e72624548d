//! What fakes of providers share: they are servers that accept one key, answer by what they have, remember what they
//! were asked for, and whose next answer may be troubled.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use poem::{
    Endpoint, IntoResponse, Request, Response,
    endpoint::make,
    http::{Method, StatusCode},
    listener::{Acceptor, Listener, TcpListener},
};
use serde_json::Value;
use tokio::sync::Notify;

/// How long a call may take in tests that wait for one that does not end.
pub(crate) const IMPATIENT: Duration = Duration::from_millis(150);

/// One kind of provider, with all that only it has.
pub(crate) trait Played: Default + Send + Sized + 'static {
    /// The header that carries the key.
    const KEY_HEADER: &str;
    /// The key that it accepts.
    const KEY: &str;
    /// What all its paths begin with.
    const ROOT: &str;
    /// Where sessions are made.
    const CREATES: &str;

    /// Whether a path is one that messages go to.
    fn is_sending(path: &str) -> bool;

    /// The answer to a key that is not accepted.
    fn unauthorized() -> Response;

    /// The answer to everything else.
    fn answer(kept: &mut Kept<Self>, asked: &Asked) -> Response;
}

/// What it was asked for.
pub(crate) struct Asked {
    pub(crate) method: Method,
    /// Without what all paths begin with.
    pub(crate) path: String,
    /// Empty without one.
    pub(crate) query: String,
    /// `null` if it was no JSON.
    pub(crate) body: Value,
    /// As it came.
    pub(crate) raw: Vec<u8>,
}

/// What it has.
#[derive(Default)]
pub(crate) struct Kept<P> {
    /// The name of what was made last.
    pub(crate) newest: String,
    /// Names of what was removed.
    pub(crate) removed: Vec<String>,
    /// Messages that it has taken.
    pub(crate) sent: Vec<Value>,
    pub(crate) reactions: Vec<Value>,
    /// What only this kind of provider has.
    pub(crate) own: P,
    refuses_key: bool,
    /// Where it is below its host, empty at its root.
    prefix: &'static str,
    /// What something else answers in its place.
    in_its_place: Option<(u16, &'static str)>,
}

/// A provider on a port of its own.
pub(crate) struct Fake<P> {
    address: SocketAddr,
    kept: Arc<Mutex<Kept<P>>>,
    /// With which it calls back.
    pub(crate) http: reqwest::Client,
    /// What goes wrong with messages.
    pub(crate) sending: Troubles,
    /// What goes wrong with everything else.
    pub(crate) asking: Troubles,
    /// What has to wait.
    pub(crate) gate: Gate,
}

impl<P: Played> Fake<P> {
    pub(crate) async fn start() -> Self {
        let kept: Arc<Mutex<Kept<P>>> = Arc::default();
        let (sending, asking, gate) = (Troubles::default(), Troubles::default(), Gate::default());
        let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.expect("a port");
        let address = *acceptor.local_addr()[0].as_socket_addr().expect("an address");
        let served = endpoint(Arc::clone(&kept), sending.clone(), asking.clone(), gate.clone());
        tokio::spawn(poem::Server::new_with_acceptor(acceptor).run(served));
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { address, kept, http, sending, asking, gate }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}{}", self.address, self.kept().prefix)
    }

    /// From now on it is below its host; something else answers everywhere else.
    pub(crate) fn move_to(&self, prefix: &'static str) {
        self.kept().prefix = prefix;
    }

    pub(crate) fn kept(&self) -> MutexGuard<'_, Kept<P>> {
        self.kept.lock().expect("a lock")
    }

    /// The name of what was made last.
    pub(crate) fn newest(&self) -> String {
        self.kept().newest.clone()
    }

    /// Names of what was removed.
    pub(crate) fn removed(&self) -> Vec<String> {
        self.kept().removed.clone()
    }

    /// Messages that it has taken.
    pub(crate) fn sent(&self) -> Vec<Value> {
        self.kept().sent.clone()
    }

    pub(crate) fn reactions(&self) -> Vec<Value> {
        self.kept().reactions.clone()
    }

    /// Accepts no key any more, or again.
    pub(crate) fn refuse_key(&self, refuses_key: bool) {
        self.kept().refuses_key = refuses_key;
    }

    /// Something else answers this to everything in its place, or nothing does any more.
    pub(crate) fn replace(&self, by: Option<(u16, &'static str)>) {
        self.kept().in_its_place = by;
    }
}

fn endpoint<P: Played>(
    kept: Arc<Mutex<Kept<P>>>,
    sending: Troubles,
    asking: Troubles,
    gate: Gate,
) -> impl Endpoint<Output = Response> {
    make(move |mut request: Request| {
        let (kept, sending, asking, gate) = (Arc::clone(&kept), sending.clone(), asking.clone(), gate.clone());
        async move {
            let is_known = request.header(P::KEY_HEADER) == Some(P::KEY);
            let body = request.take_body().into_bytes().await.expect("a body");
            let prefix = kept.lock().expect("a lock").prefix;
            let Some(path) = request.uri().path().strip_prefix(prefix) else {
                return Ok(said(404, "404 page not found"));
            };
            let asked = Asked {
                method: request.method().clone(),
                path: path.trim_start_matches(P::ROOT).to_owned(),
                query: request.uri().query().unwrap_or_default().to_owned(),
                body: serde_json::from_slice(&body).unwrap_or_default(),
                raw: body.into(),
            };
            let in_its_place = kept.lock().expect("a lock").in_its_place;
            if let Some((status, body)) = in_its_place {
                return Ok(said(status, body));
            }
            if !is_known || kept.lock().expect("a lock").refuses_key {
                return Ok::<_, poem::Error>(P::unauthorized());
            }
            gate.pass(&asked).await;
            let trouble = if P::is_sending(&asked.path) { sending.next() } else { asking.next() };
            let answer = || P::answer(&mut kept.lock().expect("a lock"), &asked);
            Ok(match trouble {
                None => answer(),
                Some(trouble) => {
                    if trouble.is_done() {
                        drop(answer());
                    }
                    trouble.answer().await
                }
            })
        }
    })
}

/// An answer in JSON.
pub(crate) fn answered(status: u16, body: &Value) -> Response {
    said(status, &body.to_string())
}

fn said(status: u16, body: &str) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    Response::builder().status(status).content_type("application/json").body(body.to_owned())
}

/// How an answer goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Too many requests, with or without a word on how long to wait.
    Limited(Option<u64>),
    /// 503: nothing was taken.
    Unavailable,
    /// 500: nobody knows.
    Broken,
    /// It is taken, and the answer does not come.
    AnswerLost,
    /// It is not taken, and the answer does not come.
    RequestLost,
    /// It is taken, and the answer is cut off.
    CutOff,
    /// 400.
    Refused,
    /// It says this.
    Says(u16, &'static str),
}

impl Trouble {
    /// Whether the provider does what it was asked in spite of it.
    pub(crate) const fn is_done(&self) -> bool {
        matches!(self, Self::AnswerLost | Self::CutOff)
    }

    /// The answer.
    pub(crate) async fn answer(&self) -> Response {
        let status = |code: u16| Response::builder().status(StatusCode::from_u16(code).expect("a status"));
        match self {
            Self::Limited(None) => status(429).finish(),
            Self::Limited(Some(seconds)) => status(429).header("Retry-After", seconds.to_string()).finish(),
            Self::Unavailable => status(503).finish(),
            Self::Broken => status(500).body("{\"statusCode\":500}"),
            Self::AnswerLost | Self::RequestLost => {
                tokio::time::sleep(Duration::from_secs(3600)).await;
                status(200).finish()
            }
            Self::CutOff => "{\"id\":".into_response(),
            Self::Refused => status(400).body("{\"statusCode\":400}"),
            Self::Says(code, body) => said(*code, body),
        }
    }
}

/// Holds up what it is asked with one method and path, before it does anything, from when it is closed until it is opened.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<Mutex<Option<(Method, String)>>>, Arc<(Notify, Notify)>);

impl Gate {
    pub(crate) fn close(&self, method: Method, path: &str) {
        *self.0.lock().expect("a lock") = Some((method, path.to_owned()));
    }

    pub(crate) fn open(&self) {
        *self.0.lock().expect("a lock") = None;
        self.1.1.notify_waiters();
    }

    /// Waits until something stands before it.
    pub(crate) async fn until_reached(&self) {
        self.1.0.notified().await;
    }

    async fn pass(&self, asked: &Asked) {
        let opened = self.1.1.notified();
        let is_held = self
            .0
            .lock()
            .expect("a lock")
            .as_ref()
            .is_some_and(|held| *held == (asked.method.clone(), asked.path.clone()));
        if is_held {
            self.1.0.notify_one();
            opened.await;
        }
    }
}

/// Troubles to come.
#[derive(Clone, Default)]
pub(crate) struct Troubles(Arc<Mutex<VecDeque<Trouble>>>);

impl Troubles {
    pub(crate) fn add(&self, trouble: Trouble) {
        self.0.lock().expect("a lock").push_back(trouble);
    }

    /// How many there are.
    pub(crate) fn left(&self) -> usize {
        self.0.lock().expect("a lock").len()
    }

    pub(crate) fn next(&self) -> Option<Trouble> {
        self.0.lock().expect("a lock").pop_front()
    }
}
