//! Listening, and stopping gently: no new connections, open requests are finished, then the process may go.
//!
//! poem's own server is not used: it wakes a task of its own for each read and each write of a connection that may be
//! idle only for so long, which was a tenth of what a short request cost.

use std::{convert::Infallible, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use poem::{
    Addr,
    http::uri::Scheme,
    web::{LocalAddr, RemoteAddr},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

use crate::{app::App, http::routes};

/// Where the machine has no room for another connection, it is asked again after this.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A listener that is bound but serves nothing yet.
pub struct Server {
    app: Arc<App>,
    listener: TcpListener,
    address: SocketAddr,
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct ServeError {
    address: SocketAddr,
    source: std::io::Error,
}

impl Server {
    /// Binds the configured address; port 0 takes a free one.
    ///
    /// # Errors
    /// If the address is taken or not ours.
    pub async fn bind(app: Arc<App>) -> Result<Self, ServeError> {
        let listen = app.config.listen;
        let failed = |source| ServeError { address: listen, source };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { app, listener, address })
    }

    /// The address that was bound.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` says so, and then as long as open requests need, at most the configured grace.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let Self { app, listener, address } = self;
        let grace = Duration::from_millis(app.config.shutdown_grace_ms);
        let connections = Connections::new(&app);
        let routes = Arc::new(routes(&app));
        let graceful = GracefulShutdown::new();
        // Dropping it ends what is still open then.
        let mut open = JoinSet::new();
        // An error means that nobody can say stop any more, which is a stop.
        let mut stopped = pin!(async move { drop(stop.wait_for(|is_stopping| *is_stopping).await) });
        tracing::info!(%address, "listening");
        loop {
            let accepted = tokio::select! {
                () = &mut stopped => break,
                Some(_) = open.join_next() => continue,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((socket, remote)) => {
                    let ends = (Addr::from(address), Addr::from(remote));
                    open.spawn(connections.serve(socket, ends, Arc::clone(&routes), &graceful));
                }
                Err(error) => {
                    tracing::warn!(%error, "no connection was accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(listener);
        if tokio::time::timeout(grace, graceful.shutdown()).await.is_err() {
            tracing::warn!(connections = open.len(), "open requests were cut off");
        }
    }
}

/// How connections are served: as HTTP/1.1, which every proxy in front of us speaks, without upgrades.
struct Connections(http1::Builder);

impl Connections {
    fn new(app: &App) -> Self {
        let idle = Duration::from_millis(app.config.idle_timeout_ms);
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(idle);
        Self(builder)
    }

    /// Serves one connection until either side ends it.
    fn serve<E>(
        &self,
        socket: TcpStream,
        (local, remote): (Addr, Addr),
        routes: Arc<E>,
        graceful: &GracefulShutdown,
    ) -> impl Future<Output = ()> + Send + use<E>
    where
        E: poem::Endpoint + 'static,
    {
        let service = service_fn(move |request: Request<Incoming>| {
            let (local, remote) = (LocalAddr(local.clone()), RemoteAddr(remote.clone()));
            let routes = Arc::clone(&routes);
            async move {
                let request = (request, local, remote, Scheme::HTTP).into();
                Ok::<Response<_>, Infallible>(routes.get_response(request).await.into())
            }
        });
        // Answers leave when they are ready. Where a socket refuses that, they leave later.
        let _ = socket.set_nodelay(true);
        let connection = graceful.watch(self.0.serve_connection(TokioIo::new(socket), service));
        async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection broke off");
            }
        }
    }
}
