//! A partner's endpoint: records what it is sent and answers as it is told.

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use poem::{
    Endpoint, IntoResponse, Request, Response,
    endpoint::make,
    http::StatusCode,
    listener::{Acceptor, Listener, TcpListener},
};
use tokio::sync::watch;

const PATIENCE: Duration = Duration::from_secs(20);

/// What it received.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}

/// How it answers.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// With this status.
    Status(u16),
    /// With a status and a header.
    With(u16, &'static str, String),
    /// With 200 and this body.
    Body(String),
    /// With 200, but not before it is released.
    Hold,
    /// The same with this body.
    HoldBody(String),
}

pub(crate) struct Receiver {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    received: Mutex<Vec<Received>>,
    next: Mutex<VecDeque<Reply>>,
    usual: Mutex<Reply>,
    arrived: watch::Sender<usize>,
    is_released: watch::Sender<bool>,
    /// Open now, and most that were open at once.
    open: watch::Sender<(usize, usize)>,
}

/// Counts a request as open until it is answered or given up.
struct Open<'a>(&'a State);

impl<'a> Open<'a> {
    fn new(state: &'a State) -> Self {
        state.open.send_modify(|(open, most)| {
            *open += 1;
            *most = (*most).max(*open);
        });
        Self(state)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.send_modify(|(open, _)| *open -= 1);
    }
}

impl Receiver {
    /// One that answers 200.
    pub(crate) async fn start() -> Self {
        let state = Arc::new(State {
            received: Mutex::default(),
            next: Mutex::default(),
            usual: Mutex::new(Reply::Status(200)),
            arrived: watch::Sender::new(0),
            is_released: watch::Sender::new(false),
            open: watch::Sender::new((0, 0)),
        });
        let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.expect("a port");
        let address = *acceptor.local_addr()[0].as_socket_addr().expect("an address");
        tokio::spawn(poem::Server::new_with_acceptor(acceptor).run(endpoint(Arc::clone(&state))));
        Self { address, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Its address by a name.
    pub(crate) fn url_by_name(&self) -> String {
        format!("http://localhost:{}/hook", self.address.port())
    }

    /// Answers so, once what [`Receiver::next`] said is used up.
    pub(crate) fn usually(&self, reply: Reply) {
        *self.state.usual.lock().expect("a lock") = reply;
    }

    /// Answers the next requests so.
    pub(crate) fn next(&self, replies: impl IntoIterator<Item = Reply>) {
        self.state.next.lock().expect("a lock").extend(replies);
    }

    /// Answers what is held.
    pub(crate) fn release(&self) {
        self.state.is_released.send_replace(true);
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.state.received.lock().expect("a lock").clone()
    }

    /// The only thing that it received.
    #[track_caller]
    pub(crate) fn only(&self) -> Received {
        let mut received = self.received();
        assert_eq!(received.len(), 1, "{received:?}");
        received.remove(0)
    }

    /// Types of the events that it received, in order.
    pub(crate) fn types(&self) -> Vec<String> {
        let told = |one: &Received| one.json()["event_type"].as_str().expect("a type").to_owned();
        self.received().iter().map(told).collect()
    }

    pub(crate) fn forget(&self) {
        self.state.received.lock().expect("a lock").clear();
        self.state.arrived.send_replace(0);
    }

    /// Waits until so many requests have arrived.
    pub(crate) async fn until_received(&self, count: usize) {
        let mut arrived = self.state.arrived.subscribe();
        let enough = tokio::time::timeout(PATIENCE, arrived.wait_for(|arrived| *arrived >= count)).await;
        assert!(enough.is_ok(), "{} of {count} arrived", *self.state.arrived.borrow());
    }

    /// Requests that wait for an answer now.
    pub(crate) fn open(&self) -> usize {
        self.state.open.borrow().0
    }

    /// Most requests that waited at once.
    pub(crate) fn most_open(&self) -> usize {
        self.state.open.borrow().1
    }
}

fn endpoint(state: Arc<State>) -> impl Endpoint<Output = Response> {
    make(move |mut request: Request| {
        let state = Arc::clone(&state);
        async move {
            let text = |value: &poem::http::HeaderValue| value.to_str().expect("text").to_owned();
            let headers = request.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
            let path = request.uri().path().to_owned();
            let body = request.take_body().into_string().await.expect("a body");
            let _open = Open::new(&state);
            let reply = state.next.lock().expect("a lock").pop_front();
            let reply = reply.unwrap_or_else(|| state.usual.lock().expect("a lock").clone());
            state.received.lock().expect("a lock").push(Received { path, headers, body });
            state.arrived.send_modify(|arrived| *arrived += 1);
            Ok::<_, poem::Error>(answer(&state, reply).await)
        }
    })
}

async fn answer(state: &State, reply: Reply) -> Response {
    let status = |code: u16| StatusCode::from_u16(code).expect("a status");
    match reply {
        Reply::Status(code) => status(code).into_response(),
        Reply::Body(body) => body.into_response(),
        Reply::With(code, name, value) => Response::builder().status(status(code)).header(name, value).finish(),
        Reply::Hold => {
            let mut is_released = state.is_released.subscribe();
            let _ = is_released.wait_for(|is_released| *is_released).await;
            StatusCode::OK.into_response()
        }
        Reply::HoldBody(body) => {
            let mut is_released = state.is_released.subscribe();
            let _ = is_released.wait_for(|is_released| *is_released).await;
            body.into_response()
        }
    }
}
