//! A wire that can be cut: TCP to a server, dropped and refused while it is cut.

use std::net::SocketAddr;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    is_cut: watch::Sender<bool>,
}

impl Proxy {
    /// A wire to the server that a URL names.
    pub(crate) async fn to(url: &str) -> Self {
        let authority = url.split("://").nth(1).and_then(|rest| rest.split('/').next()).expect("a server");
        let server = authority.rsplit('@').next().expect("a server").to_owned();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (is_cut, wire) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let (server, mut wire) = (server.clone(), wire.clone());
                tokio::spawn(async move {
                    if *wire.borrow() {
                        return;
                    }
                    let Ok(mut upstream) = TcpStream::connect(server).await else { return };
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut upstream) => {}
                        _ = wire.wait_for(|is_cut| *is_cut) => {}
                    }
                });
            }
        });
        Self { address, is_cut }
    }

    /// The URL with the wire in place of its server.
    pub(crate) fn url(&self, url: &str) -> String {
        let (scheme, rest) = url.split_once("://").expect("a URL");
        let (authority, path) = rest.split_once('/').expect("a path");
        let user = authority.rsplit_once('@').map_or(String::new(), |(user, _)| format!("{user}@"));
        format!("{scheme}://{user}{}/{path}", self.address)
    }

    pub(crate) fn cut(&self) {
        self.is_cut.send_replace(true);
    }

    pub(crate) fn mend(&self) {
        self.is_cut.send_replace(false);
    }
}
