//! Servers in processes of their own, what is sent to them, and what they use.

use std::{
    cell::Cell,
    fs,
    io::Write,
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::Duration,
};

use quartermaster::clock::Clock;
use tempfile::NamedTempFile;

use crate::open_loop::Connection;

const PATIENCE: Duration = Duration::from_secs(30);
/// The unit of processor times on Linux, whatever the kernel's own tick is.
const TICKS_PER_SECOND: f64 = 100.0;

/// A server that listens, until it is dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Process {
    /// Starts what will listen on this address, and waits until it does.
    pub(crate) fn start(mut command: Command, address: SocketAddr) -> Self {
        let watch = Clock::system().stopwatch();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("a process");
        let mut process = Self { child, address };
        while TcpStream::connect(address).is_err() {
            assert!(process.child.try_wait().expect("a process").is_none(), "{command:?} ended");
            assert!(watch.elapsed() < PATIENCE, "{command:?} does not listen");
            std::thread::sleep(Duration::from_millis(2));
        }
        process
    }

    /// Processor time used so far, in seconds.
    pub(crate) fn processor_seconds(&self) -> f64 {
        processor_seconds(&self.child.id().to_string())
    }

    /// Memory in use, in MiB.
    pub(crate) fn resident_mib(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a running process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        let kib: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kib / 1024.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Processor time of a process, `self` for our own, in seconds.
pub(crate) fn processor_seconds(id: &str) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).expect("a running process");
    let (_, after_name) = stat.rsplit_once(") ").expect("a name in brackets");
    after_name.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<f64>().expect("ticks")).sum::<f64>()
        / TICKS_PER_SECOND
}

/// A port of ours that nobody listens on.
pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("an address")
}

/// Requests to one server, sent one after another and round and round. Both load generators send the same bytes.
pub(crate) struct Target<'a> {
    pub(crate) process: &'a Process,
    pub(crate) requests: Vec<Vec<u8>>,
    /// The requests for wrk, with a zero byte after each.
    pub(crate) file: NamedTempFile,
    answered: Cell<u64>,
}

impl<'a> Target<'a> {
    /// GET requests, one for each token.
    pub(crate) fn get(process: &'a Process, path: &str, tokens: &[String]) -> Self {
        let requests = tokens.iter().map(|token| render(process.address, "GET", path, Some(token), None));
        Self::new(process, requests.collect())
    }

    /// GET requests of one token, one for each path.
    pub(crate) fn paths(process: &'a Process, token: &str, paths: &[String]) -> Self {
        let requests = paths.iter().map(|path| render(process.address, "GET", path, Some(token), None));
        Self::new(process, requests.collect())
    }

    /// One GET request of somebody without a token.
    pub(crate) fn anonymous(process: &'a Process, path: &str) -> Self {
        Self::new(process, vec![render(process.address, "GET", path, None, None)])
    }

    /// POST requests: a token, if there is one, and a body.
    pub(crate) fn post(process: &'a Process, path: &str, requests: &[(Option<&str>, serde_json::Value)]) -> Self {
        let render = |(token, body): &(Option<&str>, serde_json::Value)| {
            render(process.address, "POST", path, *token, Some(&body.to_string()))
        };
        Self::new(process, requests.iter().map(render).collect())
    }

    /// Sends the first and the last request, and panics unless both are answered well: what is not let in must not be
    /// taken for fast.
    fn new(process: &'a Process, requests: Vec<Vec<u8>>) -> Self {
        let mut file = NamedTempFile::new().expect("a file");
        for request in &requests {
            file.write_all(request).and_then(|()| file.write_all(b"\0")).expect("a request");
        }
        let target = Self { process, requests, file, answered: Cell::new(0) };
        for request in [target.requests.first(), target.requests.last()].into_iter().flatten() {
            let answer = Connection::open(process.address).and_then(|mut one| one.ask(request)).expect("an answer");
            assert!(answer.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&answer));
            target.add_answered(1);
        }
        target
    }

    pub(crate) fn add_answered(&self, count: u64) {
        self.answered.set(self.answered.get() + count);
    }

    /// How many good answers there were in all.
    pub(crate) fn answered(&self) -> u64 {
        self.answered.get()
    }
}

fn render(address: SocketAddr, method: &str, path: &str, token: Option<&str>, body: Option<&str>) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\n");
    if let Some(token) = token {
        text.push_str(&format!("Authorization: Bearer {token}\r\n"));
    }
    if let Some(body) = body {
        text.push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    text.push_str(body.unwrap_or_default());
    text.into_bytes()
}
