//! Listening, and stopping gently: no new connections, open requests are finished, then the process may go.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use poem::{
    Server as PoemServer,
    listener::{Acceptor, Listener, TcpAcceptor, TcpListener},
};
use tokio::sync::watch;

use crate::{app::App, http::routes};

const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// A listener that is bound but serves nothing yet.
pub struct Server {
    app: Arc<App>,
    acceptor: TcpAcceptor,
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
        let acceptor = TcpListener::bind(listen).into_acceptor().await.map_err(failed)?;
        let local = acceptor.local_addr().first().and_then(|address| address.as_socket_addr().copied());
        Ok(Self { app, acceptor, address: local.unwrap_or(listen) })
    }

    /// The address that was bound.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` says so, and then as long as open requests need, at most the configured grace.
    ///
    /// # Errors
    /// If accepting fails for good.
    pub async fn run(self, mut stop: watch::Receiver<bool>) -> Result<(), ServeError> {
        let address = self.address;
        let grace = Duration::from_millis(self.app.config.shutdown_grace_ms);
        let routes = routes(&self.app);
        let stopped = async move {
            // An error means that nobody can say stop any more, which is a stop.
            let _ = stop.wait_for(|is_stopping| *is_stopping).await;
        };
        PoemServer::new_with_acceptor(self.acceptor)
            .idle_timeout(KEEP_ALIVE)
            .run_with_graceful_shutdown(routes, stopped, Some(grace))
            .await
            .map_err(|source| ServeError { address, source })
    }
}
