//! A wire that can be cut: TCP to a server, dropped and refused while it is cut. It can be made to break in the middle of
//! something, before the server hears of it or after it has answered.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    is_cut: watch::Sender<bool>,
    trap: Arc<Mutex<Option<Trap>>>,
    counted: Arc<Mutex<Counted>>,
}

/// Something that may be said to the server, and how often it was.
#[derive(Default)]
struct Counted {
    bytes: Vec<u8>,
    times: usize,
}

/// Where the wire breaks.
#[derive(Clone)]
struct Trap {
    /// What is said to the server on one connection, one after the other; it breaks at the last.
    texts: Vec<String>,
    loses: Loses,
}

/// What is lost when the wire breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loses {
    /// What was said to the server.
    Request,
    /// What it answers.
    Answer,
}

impl Proxy {
    /// A wire to the server that a URL names.
    pub(crate) async fn to(url: &str) -> Self {
        let authority = url.split("://").nth(1).and_then(|rest| rest.split('/').next()).expect("a server");
        let server = authority.rsplit('@').next().expect("a server").to_owned();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (is_cut, trap) = (watch::Sender::new(false), Arc::new(Mutex::new(None)));
        let (cut, traps) = (is_cut.clone(), Arc::clone(&trap));
        let counted = Arc::<Mutex<Counted>>::default();
        let counts = Arc::clone(&counted);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (server, cut, trap) = (server.clone(), cut.clone(), Arc::clone(&traps));
                let counted = Arc::clone(&counts);
                tokio::spawn(async move {
                    if *cut.borrow() {
                        return;
                    }
                    let Ok(upstream) = TcpStream::connect(server).await else { return };
                    let mut wire = cut.subscribe();
                    tokio::select! {
                        _ = carry(client, upstream, (&trap, &counted), &cut) => {}
                        _ = wire.wait_for(|is_cut| *is_cut) => {}
                    }
                });
            }
        });
        Self { address, is_cut, trap, counted }
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

    /// Cuts the wire, once, when these texts have been said to the server on one connection, one after the other.
    pub(crate) fn cut_at(&self, texts: &[&str], loses: Loses) {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        *self.trap.lock().expect("a lock") = Some(Trap { texts, loses });
    }

    /// Counts from now on how often this is said to the server.
    pub(crate) fn count(&self, bytes: &[u8]) {
        *self.counted.lock().expect("a lock") = Counted { bytes: bytes.to_vec(), times: 0 };
    }

    /// How often it was said.
    pub(crate) fn counted(&self) -> usize {
        self.counted.lock().expect("a lock").times
    }

    /// Waits until the wire is cut.
    pub(crate) async fn until_cut(&self) {
        self.is_cut.subscribe().wait_for(|is_cut| *is_cut).await.expect("a wire");
    }
}

impl Counted {
    fn hear(&mut self, said: &[u8]) {
        if !self.bytes.is_empty() {
            self.times += said.windows(self.bytes.len()).filter(|part| *part == self.bytes).count();
        }
    }
}

/// Carries both ways until either end hangs up, or the trap springs.
async fn carry(
    mut client: TcpStream,
    mut server: TcpStream,
    (trap, counted): (&Mutex<Option<Trap>>, &Mutex<Counted>),
    cut: &watch::Sender<bool>,
) -> std::io::Result<()> {
    let (mut said, mut answered) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    let mut heard = 0;
    loop {
        tokio::select! {
            count = client.read(&mut said) => {
                let count = count?;
                counted.lock().expect("a lock").hear(&said[..count]);
                match springs(trap, &said[..count], &mut heard) {
                    Some(Loses::Request) => drop(cut.send_replace(true)),
                    Some(Loses::Answer) => {
                        server.write_all(&said[..count]).await?;
                        // Any part of the answer says that it was done.
                        let _ = server.read(&mut answered).await?;
                        cut.send_replace(true);
                    }
                    None if count > 0 => {
                        server.write_all(&said[..count]).await?;
                        continue;
                    }
                    None => {}
                }
                return Ok(());
            }
            count = server.read(&mut answered) => match count? {
                0 => return Ok(()),
                count => client.write_all(&answered[..count]).await?,
            },
        }
    }
}

/// Whether what is said now completes the trap's texts, of which so many were heard on this connection.
fn springs(trap: &Mutex<Option<Trap>>, said: &[u8], heard: &mut usize) -> Option<Loses> {
    let mut trap = trap.lock().expect("a lock");
    let set = trap.as_ref()?;
    let is_said = |text: &String| said.windows(text.len()).any(|part| part == text.as_bytes());
    while set.texts.get(*heard).is_some_and(is_said) {
        *heard += 1;
    }
    if *heard < set.texts.len() {
        return None;
    }
    trap.take().map(|sprung| sprung.loses)
}
