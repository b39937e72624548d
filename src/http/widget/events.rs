//! A visitor's messages as server-sent events.
//!
//! A signal brings a message at once, from any replica; a look every second brings what no signal did. The stream ends
//! after half an hour, when the visitor has too many others, when the widget's token is replaced, and when the process
//! stops; browsers then come back with the number of the last message that they have.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use entity::id::VisitorId;
use futures_util::{StreamExt, stream, stream::BoxStream};
use poem::web::sse::Event;
use poem_openapi::{payload::EventStream, types::ToJSON};
use tokio::sync::{broadcast, watch};

use crate::{
    app::App,
    channel::widget::{self, Widget},
    clock::Stopwatch,
    connector::webchat::history,
    error::Result,
    http::{
        streams::Permit,
        widget::{Shared, views::MessageView},
    },
    signal::Signal,
};

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often it is looked whether the widget's token still opens it.
const CHECK_EVERY: Duration = Duration::from_secs(5);
const LONGEST_STREAM: Duration = Duration::from_secs(30 * 60);
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A visitor's window at a widget.
pub(super) struct Window {
    pub(super) widget: Arc<Widget>,
    /// The public token with which it was opened.
    pub(super) token: String,
    pub(super) visitor: VisitorId,
}

struct Watcher {
    app: Arc<App>,
    window: Window,
    signals: broadcast::Receiver<Signal>,
    stop: watch::Receiver<bool>,
    /// Number of the last entry that was taken.
    last: i64,
    taken: VecDeque<MessageView>,
    is_over: bool,
    since: Stopwatch,
    checked: Stopwatch,
    permit: Permit<VisitorId>,
}

/// Opens a stream of what comes after a number, or from now on.
pub(super) async fn open(
    shared: &Shared,
    window: Window,
    last: Option<i64>,
) -> Result<EventStream<BoxStream<'static, MessageView>>> {
    // Signals are heard from before the first look, so that no message falls between.
    let signals = shared.app.signals.subscribe();
    let last = match last {
        Some(last) => last,
        None => history::last(&shared.app, &window.widget, window.visitor).await?,
    };
    let watcher = Watcher {
        app: Arc::clone(&shared.app),
        signals,
        stop: shared.app.stop.subscribe(),
        last,
        taken: VecDeque::new(),
        is_over: false,
        since: shared.app.clock.stopwatch(),
        checked: shared.app.clock.stopwatch(),
        permit: shared.streams.take(window.visitor)?,
        window,
    };
    let messages = stream::unfold(watcher, |mut watcher| async move {
        match watcher.next().await {
            Ok(message) => message.map(|message| (message, watcher)),
            Err(error) => {
                tracing::warn!(%error, "a visitor's stream broke; the browser comes back");
                None
            }
        }
    });
    let told = |message: MessageView| {
        Event::message(message.to_json_string()).event_type("message").id(message.number.to_string())
    };
    Ok(EventStream::new(messages.boxed()).keep_alive(KEEP_ALIVE).to_event(told))
}

impl Watcher {
    /// The next message; `None` when the stream is over.
    async fn next(&mut self) -> Result<Option<MessageView>> {
        loop {
            if let Some(message) = self.taken.pop_front() {
                return Ok(Some(message));
            }
            if self.is_over || *self.stop.borrow() || self.since.elapsed() >= LONGEST_STREAM || !self.is_open().await? {
                return Ok(None);
            }
            if !self.look().await? {
                self.wait().await;
            }
        }
    }

    /// Takes what is new; tells whether there was anything.
    async fn look(&mut self) -> Result<bool> {
        let (app, window) = (&self.app, &self.window);
        if history::last(app, &window.widget, window.visitor).await? <= self.last {
            return Ok(false);
        }
        for entry in history::after(app, &window.widget, window.visitor, self.last).await? {
            self.last = entry.number;
            self.taken.push_back(MessageView::new(app, entry)?);
        }
        Ok(!self.taken.is_empty())
    }

    /// Whether the token with which it was opened still opens the widget, looked at now and then.
    async fn is_open(&mut self) -> Result<bool> {
        if self.checked.elapsed() < CHECK_EVERY {
            return Ok(true);
        }
        self.checked = self.app.clock.stopwatch();
        widget::is_current(&self.app, &self.window.widget, &self.window.token).await
    }

    async fn wait(&mut self) {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = heard_of(&mut self.signals, self.window.visitor) => {}
            () = self.permit.ended() => self.is_over = true,
            _ = self.stop.changed() => {}
        }
    }
}

async fn heard_of(signals: &mut broadcast::Receiver<Signal>, visitor: VisitorId) {
    loop {
        match signals.recv().await {
            Ok(Signal::Visitor(told)) if told == visitor => return,
            Ok(_) => {}
            Err(broadcast::error::RecvError::Lagged(_)) => return,
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}
