//! What every surface is wrapped in: limits inside its dialect, and handlers that outlive their connection.
//!
//! A handler that may change something is not stopped half-way by a client that hangs up ([`unstoppable`]), so what a
//! request began is done or taken back whole.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use poem::{
    Body, Endpoint, EndpointExt, IntoEndpoint, IntoResponse, Request, Response,
    error::ReadBodyError,
    http::{Method, header},
};
use tokio::{sync::Mutex, time::Instant};

use crate::{
    app::App,
    error::Error,
    file::media::DOCUMENT_LIMIT_BYTES,
    http::{
        failure::{self, Dialect},
        unstoppable,
    },
};

/// What an upload may have besides its file: boundaries, headers, the other fields.
const ENVELOPE_BYTES: u64 = 64 * 1024;
/// Most bytes that a handler is given at once: readers of forms keep as much in a buffer of their own.
const PIECE_BYTES: usize = 16 * 1024;
/// How long the rest of a refused upload is read for, so that the client gets to read why.
const LINGER: Duration = Duration::from_secs(5);

/// How a request is read, and how long it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Course {
    /// Its body is small and read before its handler runs.
    Usual,
    /// The same, but the handler fetches a file.
    Fetch,
    /// Its body is a file, which the handler reads as it comes.
    Upload,
}

/// Gives routes the application, the configured limits and a dialect for whatever goes wrong.
pub(super) fn surface<D, R>(app: &Arc<App>, routes: R) -> impl Endpoint<Output = Response> + use<D, R>
where
    D: Dialect,
    R: IntoEndpoint<Endpoint: 'static>,
{
    surface_with::<D, R>(app, routes, |_| Course::Usual)
}

/// [`surface`], for routes that are not all usual.
pub(super) fn surface_with<D, R>(
    app: &Arc<App>,
    routes: R,
    course: fn(&Request) -> Course,
) -> impl Endpoint<Output = Response> + use<D, R>
where
    D: Dialect,
    R: IntoEndpoint<Endpoint: 'static>,
{
    limited(app, routes, course).catch_all_error(|error| async { failure::respond::<D>(error) })
}

/// The same without a dialect: whoever wraps it renders what goes wrong.
pub(super) fn limited<R>(
    app: &Arc<App>,
    routes: R,
    course: fn(&Request) -> Course,
) -> impl Endpoint<Output = Response> + use<R>
where
    R: IntoEndpoint<Endpoint: 'static>,
{
    let limits = Arc::clone(app);
    routes.into_endpoint().data(Arc::clone(app)).around(move |endpoint, request| {
        let course = course(&request);
        within_limits(Arc::clone(&limits), course, endpoint, request)
    })
}

/// Serves one request within the configured limits.
async fn within_limits<E>(
    app: Arc<App>,
    course: Course,
    endpoint: Arc<E>,
    mut request: Request,
) -> poem::Result<Response>
where
    E: Endpoint + 'static,
{
    let limit_bytes = match course {
        Course::Upload => usize::try_from(DOCUMENT_LIMIT_BYTES + ENVELOPE_BYTES).unwrap_or(usize::MAX),
        Course::Usual | Course::Fetch => app.config.body_limit_bytes,
    };
    let has_body =
        [header::CONTENT_LENGTH, header::TRANSFER_ENCODING].iter().any(|name| request.headers().contains_key(name));
    if declared_bytes(&request).is_some_and(|length| length > limit_bytes) {
        return Err(Error::BodyTooLarge { limit_bytes }.into());
    }
    let limit_ms = match course {
        Course::Usual => app.config.request_timeout_ms,
        Course::Fetch | Course::Upload => app.config.upload_timeout_ms,
    };
    let limit = Duration::from_millis(limit_ms);
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let limited = async move {
        if course == Course::Upload {
            return streamed(endpoint, request, limit_bytes, limit).await;
        }
        if has_body || !is_read {
            let body = whole_body(&mut request, limit_bytes).await?;
            request.set_body(Body::from_bytes(body));
        }
        endpoint.call(request).await.map(IntoResponse::into_response)
    };
    if is_read {
        // Nothing is half done when a read is dropped with its connection.
        let outcome = tokio::time::timeout(limit, Box::pin(limited)).await;
        return outcome.unwrap_or_else(|_| Err(Error::RequestTimeout { limit_ms }.into()));
    }
    unstoppable::answer(limit_ms, limited).await
}

/// How long a body is, as its request says.
pub(super) fn declared_bytes(request: &Request) -> Option<usize> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The body of a request, whole.
pub(super) async fn whole_body(request: &mut Request, limit_bytes: usize) -> Result<Bytes, Error> {
    request.take_body().into_bytes_limit(limit_bytes).await.map_err(|error| match error {
        ReadBodyError::PayloadTooLarge => Error::BodyTooLarge { limit_bytes },
        _ => Error::InvalidBody { field: None, reason: "the body broke off".to_owned() },
    })
}

/// A body on its way in. The handler and whoever lingers afterwards share it.
struct Incoming {
    chunks: Mutex<BoxStream<'static, std::io::Result<Bytes>>>,
    is_too_large: AtomicBool,
    limit_bytes: usize,
    until: Instant,
}

impl Incoming {
    /// What comes next, with how many bytes there have been with it.
    async fn next(&self, before: usize) -> Option<(std::io::Result<Bytes>, usize)> {
        let next = async { self.chunks.lock().await.next().await };
        let chunk = match tokio::time::timeout_at(self.until, next).await {
            Ok(chunk) => chunk?,
            Err(_) => return Some((Err(std::io::ErrorKind::TimedOut.into()), before)),
        };
        let after = before + chunk.as_ref().map_or(0, Bytes::len);
        if after > self.limit_bytes {
            self.is_too_large.store(true, Ordering::Relaxed);
            return Some((Err(std::io::ErrorKind::FileTooLarge.into()), after));
        }
        Some((chunk, after))
    }

    /// Reads on for a while and forgets it.
    async fn linger(&self) {
        let reading = async {
            let mut bytes = 0;
            while let Some((Ok(_), after)) = self.next(bytes).await {
                bytes = after;
            }
        };
        let _ = tokio::time::timeout(LINGER, reading).await;
    }
}

/// Serves a request whose handler reads the body as it comes, within a length and a time.
async fn streamed<E: Endpoint>(
    endpoint: Arc<E>,
    mut request: Request,
    limit_bytes: usize,
    limit: Duration,
) -> poem::Result<Response> {
    let until = Instant::now() + limit;
    let incoming = Arc::new(Incoming {
        chunks: Mutex::new(request.take_body().into_bytes_stream().boxed()),
        is_too_large: AtomicBool::new(false),
        limit_bytes,
        until,
    });
    let pieces =
        stream::unfold((Arc::clone(&incoming), 0, Bytes::new()), |(incoming, mut bytes, mut chunk)| async move {
            // The reader of forms takes all that is ready before it hands anything on; so nothing is ever ready twice.
            tokio::task::yield_now().await;
            if chunk.is_empty() {
                let (next, after) = incoming.next(bytes).await?;
                bytes = after;
                chunk = match next {
                    Ok(next) => next,
                    Err(error) => return Some((Err(error), (incoming, bytes, chunk))),
                };
            }
            let piece = chunk.split_to(chunk.len().min(PIECE_BYTES));
            Some((Ok(piece), (incoming, bytes, chunk)))
        });
    request.set_body(Body::from_bytes_stream(pieces));
    let outcome = endpoint.call(request).await.map(IntoResponse::into_response);
    let is_fine = outcome.as_ref().is_ok_and(|response| response.status().is_success());
    if incoming.is_too_large.load(Ordering::Relaxed) {
        return Err(Error::BodyTooLarge { limit_bytes }.into());
    }
    if !is_fine {
        incoming.linger().await;
    }
    outcome
}
