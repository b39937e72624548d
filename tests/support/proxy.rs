//! A wire that can be cut: TCP to a server, dropped and refused while it is cut. It can be made to break in the middle of
//! something, before the server hears of it or after it has answered, as a whole or on one connection.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    wire: Arc<Wire>,
}

/// What all connections share.
#[derive(Default)]
struct Wire {
    is_cut: watch::Sender<bool>,
    is_silent: AtomicBool,
    trap: Mutex<Option<Trap>>,
    counted: Mutex<Counted>,
    delayed: Mutex<Option<Delayed>>,
}

/// What was said and has not reached the server yet.
struct Delayed {
    said: Vec<u8>,
    server: TcpStream,
}

/// Something that may be said to the server, and how often it was.
#[derive(Default)]
struct Counted {
    bytes: Vec<u8>,
    times: usize,
}

/// Where the wire breaks.
struct Trap {
    /// What is said to the server on one connection, one after the other; it breaks at the last.
    texts: Vec<String>,
    loses: Loses,
    breaks: Breaks,
}

/// How much breaks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Breaks {
    Wire,
    Connection,
}

/// What is lost when the wire breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loses {
    /// What was said to the server.
    Request,
    /// What it answers.
    Answer,
    /// Nothing but time: the server hears what was said once that is delivered.
    Time,
}

/// What PostgreSQL says last when it has answered, before one byte more.
const READY: &[u8] = b"Z\0\0\0\x05";

impl Proxy {
    /// A wire to the server that a URL names.
    pub(crate) async fn to(url: &str) -> Self {
        let authority = url.split("://").nth(1).and_then(|rest| rest.split('/').next()).expect("a server");
        let server = authority.rsplit('@').next().expect("a server").to_owned();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let wire = Arc::<Wire>::default();
        let shared = Arc::clone(&wire);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (server, wire) = (server.clone(), Arc::clone(&shared));
                tokio::spawn(async move {
                    if *wire.is_cut.borrow() {
                        return;
                    }
                    if wire.is_silent.load(Ordering::SeqCst) {
                        std::future::pending::<()>().await;
                    }
                    let Ok(upstream) = TcpStream::connect(server).await else { return };
                    let mut cut = wire.is_cut.subscribe();
                    // Nothing that is said after the cut gets through.
                    tokio::select! {
                        biased;
                        _ = cut.wait_for(|is_cut| *is_cut) => {}
                        _ = carry(client, upstream, &wire) => {}
                    }
                });
            }
        });
        Self { address, wire }
    }

    /// The URL with the wire in place of its server.
    pub(crate) fn url(&self, url: &str) -> String {
        let (scheme, rest) = url.split_once("://").expect("a URL");
        let (authority, path) = rest.split_once('/').expect("a path");
        let user = authority.rsplit_once('@').map_or(String::new(), |(user, _)| format!("{user}@"));
        format!("{scheme}://{user}{}/{path}", self.address)
    }

    pub(crate) fn cut(&self) {
        self.wire.is_cut.send_replace(true);
    }

    /// Takes connections from now on, and never answers on those.
    pub(crate) fn silence(&self) {
        self.wire.is_silent.store(true, Ordering::SeqCst);
    }

    pub(crate) fn mend(&self) {
        self.wire.is_silent.store(false, Ordering::SeqCst);
        self.wire.is_cut.send_replace(false);
    }

    /// Cuts the wire, once, when these texts have been said to the server on one connection, one after the other.
    pub(crate) fn cut_at(&self, texts: &[&str], loses: Loses) {
        self.set_trap(texts, loses, Breaks::Wire);
    }

    /// Breaks the connection on which these texts have been said, likewise, and leaves the others alone.
    pub(crate) fn break_at(&self, texts: &[&str], loses: Loses) {
        self.set_trap(texts, loses, Breaks::Connection);
    }

    fn set_trap(&self, texts: &[&str], loses: Loses, breaks: Breaks) {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        *self.wire.trap.lock().expect("a lock") = Some(Trap { texts, loses, breaks });
    }

    /// Whether nothing has been said yet at which the wire is to break.
    pub(crate) fn is_set(&self) -> bool {
        self.wire.trap.lock().expect("a lock").is_some()
    }

    /// Has PostgreSQL hear what took its time, and waits until it has answered.
    pub(crate) async fn deliver(&self) {
        let delayed = self.wire.delayed.lock().expect("a lock").take();
        let Delayed { said, mut server } = delayed.expect("something was said");
        server.write_all(&said).await.expect("a server");
        let (mut answer, mut part) = (Vec::<u8>::new(), vec![0; 64 * 1024]);
        while answer.split_last().is_none_or(|(_, before)| !before.ends_with(READY)) {
            let count = server.read(&mut part).await.expect("an answer");
            assert!(count > 0, "the server has hung up");
            answer.extend_from_slice(&part[..count]);
        }
        assert!(!answer.windows(5).any(|part| part == b"ERROR"), "it was not understood");
    }

    /// Counts from now on how often this is said to the server.
    pub(crate) fn count(&self, bytes: &[u8]) {
        *self.wire.counted.lock().expect("a lock") = Counted { bytes: bytes.to_vec(), times: 0 };
    }

    /// How often it was said.
    pub(crate) fn counted(&self) -> usize {
        self.wire.counted.lock().expect("a lock").times
    }

    /// Waits until the wire is cut.
    pub(crate) async fn until_cut(&self) {
        self.wire.is_cut.subscribe().wait_for(|is_cut| *is_cut).await.expect("a wire");
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
async fn carry(mut client: TcpStream, mut server: TcpStream, wire: &Wire) -> std::io::Result<()> {
    let (mut said, mut answered) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    let mut heard = 0;
    loop {
        tokio::select! {
            count = client.read(&mut said) => {
                let said = &said[..count?];
                wire.counted.lock().expect("a lock").hear(said);
                if let Some(trap) = sprung(&wire.trap, said, &mut heard) {
                    return lose(&trap, wire, said, server).await;
                }
                if said.is_empty() {
                    return Ok(());
                }
                server.write_all(said).await?;
            }
            count = server.read(&mut answered) => match count? {
                0 => return Ok(()),
                count => client.write_all(&answered[..count]).await?,
            },
        }
    }
}

/// Loses what a trap is to lose. The connection ends with it.
async fn lose(trap: &Trap, wire: &Wire, said: &[u8], mut server: TcpStream) -> std::io::Result<()> {
    match trap.loses {
        Loses::Request => {}
        Loses::Answer => {
            server.write_all(said).await?;
            // Any part of the answer says that it was done.
            let _ = server.read(&mut [0; 1024]).await?;
        }
        Loses::Time => {
            *wire.delayed.lock().expect("a lock") = Some(Delayed { said: said.to_vec(), server });
        }
    }
    if trap.breaks == Breaks::Wire {
        wire.is_cut.send_replace(true);
    }
    Ok(())
}

/// The trap, if what is said now completes its texts, of which so many were heard on this connection.
fn sprung(trap: &Mutex<Option<Trap>>, said: &[u8], heard: &mut usize) -> Option<Trap> {
    let mut trap = trap.lock().expect("a lock");
    let set = trap.as_ref()?;
    let is_said = |text: &String| said.windows(text.len()).any(|part| part == text.as_bytes());
    while set.texts.get(*heard).is_some_and(is_said) {
        *heard += 1;
    }
    if *heard < set.texts.len() {
        return None;
    }
    trap.take()
}
