//! Work that a request began and that goes on whoever hangs up.
//!
//! It is done where it is waited for, which costs nothing. Only when whoever waits goes away half-way does it get a task
//! of its own for the rest.

use std::{
    panic::AssertUnwindSafe,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::{FutureExt, future::CatchUnwind};
use poem::Response;
use tokio::runtime::Handle;
use tracing::{Instrument, Span};

use crate::error::Error;

/// Answers within a time, and does what it began in any case.
///
/// # Errors
/// What `answering` says; `request_timeout` where it takes longer than `limit_ms`; `internal` where it panics.
pub(super) async fn answer<F>(limit_ms: u64, answering: F) -> poem::Result<Response>
where
    F: Future<Output = poem::Result<Response>> + Send + 'static,
{
    let work = Unstoppable { rest: Some(Box::pin(AssertUnwindSafe(answering).catch_unwind())), span: Span::current() };
    match tokio::time::timeout(Duration::from_millis(limit_ms), work).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(Error::Internal("a handler panicked".to_owned()).into()),
        Err(_) => Err(Error::RequestTimeout { limit_ms }.into()),
    }
}

struct Unstoppable<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    /// What is left to do; nothing once it has ended.
    rest: Option<Pin<Box<CatchUnwind<AssertUnwindSafe<F>>>>>,
    span: Span,
}

impl<F> Future for Unstoppable<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    type Output = std::thread::Result<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(rest) = &mut self.rest else { return Poll::Pending };
        let outcome = ready!(rest.as_mut().poll(context));
        self.rest = None;
        Poll::Ready(outcome)
    }
}

impl<F> Drop for Unstoppable<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    fn drop(&mut self) {
        // Without a runtime the process is about to end, and takes everything with it.
        if let (Some(rest), Ok(runtime)) = (self.rest.take(), Handle::try_current()) {
            runtime.spawn(rest.map(drop).instrument(self.span.clone()));
        }
    }
}
