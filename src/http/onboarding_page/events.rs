//! The state of a link as server-sent events: once at the start, then on every change.
//!
//! A signal brings changes at once, from any replica; a look every second brings what no signal did. The stream ends
//! with a final state, after half an hour, when the link has too many others, or when the process stops; browsers then
//! come back by themselves.

use std::{sync::Arc, time::Duration};

use entity::id::LinkId;
use futures_util::{Stream, stream};
use poem::{
    IntoResponse, Response, handler,
    http::HeaderValue,
    web::{
        Data, Path,
        sse::{Event, SSE},
    },
};
use tokio::sync::{broadcast, watch};

use crate::{
    app::App,
    clock::Stopwatch,
    error::Result,
    http::{
        onboarding_page::{Shared, view::PageState},
        streams::Permit,
    },
    onboarding::open::{self, Standing},
    signal::Signal,
};

const LOOK_EVERY: Duration = Duration::from_secs(1);
const LONGEST_STREAM: Duration = Duration::from_secs(30 * 60);
const KEEP_ALIVE: Duration = Duration::from_secs(15);

struct Watcher {
    app: Arc<App>,
    link: LinkId,
    signals: broadcast::Receiver<Signal>,
    stop: watch::Receiver<bool>,
    seen: Option<Standing>,
    is_over: bool,
    since: Stopwatch,
    permit: Permit<LinkId>,
}

/// Streams the state of a link.
#[handler]
pub(super) async fn events(shared: Data<&Arc<Shared>>, Path(token): Path<String>) -> poem::Result<Response> {
    // Signals are heard from before the first look, so that no change falls between.
    let signals = shared.app.signals.subscribe();
    let link = open::open(&shared.app, &token).await?.link.id;
    let permit = shared.streams.take(link)?;
    let watcher = Watcher {
        app: Arc::clone(&shared.app),
        link,
        signals,
        stop: shared.app.stop.subscribe(),
        seen: None,
        is_over: false,
        since: shared.app.clock.stopwatch(),
        permit,
    };
    let mut response = SSE::new(changes(watcher)).keep_alive(KEEP_ALIVE).into_response();
    // Proxies that buffer would hold the codes back.
    response.headers_mut().insert("X-Accel-Buffering", HeaderValue::from_static("no"));
    Ok(response)
}

fn changes(watcher: Watcher) -> impl Stream<Item = Event> {
    stream::unfold(watcher, |mut watcher| async move {
        match watcher.next().await {
            Ok(Some(state)) => {
                let text = serde_json::to_string(&state).ok()?;
                Some((Event::message(text).event_type("state"), watcher))
            }
            Ok(None) => None,
            Err(error) => {
                tracing::warn!(%error, "a page's stream broke; the browser comes back");
                None
            }
        }
    })
}

impl Watcher {
    /// The next state that differs from the last; `None` when the stream is over.
    async fn next(&mut self) -> Result<Option<PageState>> {
        while !self.is_over && !*self.stop.borrow() && self.since.elapsed() < LONGEST_STREAM {
            let standing = open::standing(&self.app, self.link).await?;
            if self.seen.as_ref() != Some(&standing) {
                let state = PageState::of(&standing, self.app.clock.now())?;
                self.seen = Some(standing);
                self.is_over = state.state.is_final();
                return Ok(Some(state));
            }
            self.wait().await;
        }
        Ok(None)
    }

    async fn wait(&mut self) {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = heard_of(&mut self.signals, self.link) => {}
            () = self.permit.ended() => self.is_over = true,
            _ = self.stop.changed() => {}
        }
    }
}

async fn heard_of(signals: &mut broadcast::Receiver<Signal>, link: LinkId) {
    loop {
        match signals.recv().await {
            Ok(Signal::Link(changed)) if changed == link => return,
            Ok(_) => {}
            Err(broadcast::error::RecvError::Lagged(_)) => return,
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}
