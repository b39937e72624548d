//! The open loop, for tails: requests leave on time, whether the ones before were answered or not.
//!
//! Each connection is a thread that takes the next due time, sleeps until then, asks, and reads. A request's time
//! begins when it should have left, so a server that falls behind is not spared, nor is a generator that does. Threads
//! sleep to within some 60 µs; the timers of tokio round to milliseconds, which would be in every figure.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

use quartermaster::clock::{Clock, Stopwatch};

use crate::{
    process::{Target, processor_seconds},
    series::Run,
};

const CONNECTIONS: usize = 256;
const STACK_BYTES: usize = 64 * 1024;
const TIMEOUT: Duration = Duration::from_secs(10);

/// What a run measured, and how many processors the generator itself took.
pub(crate) struct Paced {
    pub(crate) run: Run,
    pub(crate) generator_cores: f64,
}

/// Sends the target's requests at this rate for so long.
pub(crate) fn run(target: &Target, per_second: f64, length: Duration) -> Paced {
    let due = |number: u32| Duration::from_secs_f64(f64::from(number) / per_second);
    drive(target, due, |number| due(number) < length)
}

/// Sends each of the target's requests once, as fast as they are answered.
pub(crate) fn each_once(target: &Target) -> Run {
    let count = u32::try_from(target.requests.len()).expect("a number of requests");
    drive(target, |_| Duration::ZERO, |number| number < count).run
}

fn drive(target: &Target, due: impl Fn(u32) -> Duration + Sync, is_wanted: impl Fn(u32) -> bool + Sync) -> Paced {
    let (generator, server) = (processor_seconds("self"), target.process.processor_seconds());
    let next = AtomicU32::new(0);
    let watch = Clock::system().stopwatch();
    let (address, requests) = (target.process.address, &target.requests);
    let client = || {
        let mut client = Client { address, connection: None, took: Vec::new(), errors: 0 };
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if !is_wanted(number) {
                return client;
            }
            let index = usize::try_from(number).expect("an index") % requests.len();
            client.ask(&requests[index], due(number), watch);
        }
    };
    let clients = thread::scope(|scope| {
        let start = |_| thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, client).expect("a thread");
        let started: Vec<_> = (0..CONNECTIONS).map(start).collect();
        started.into_iter().map(|one| one.join().expect("a client")).collect::<Vec<Client>>()
    });
    let elapsed = watch.elapsed();
    let errors = clients.iter().map(|client| client.errors).sum();
    let took: Vec<Duration> = clients.into_iter().flat_map(|client| client.took).collect();
    target.add_answered(u64::try_from(took.len()).expect("a number of answers"));
    let generator_cores = (processor_seconds("self") - generator) / elapsed.as_secs_f64();
    let server_us = (target.process.processor_seconds() - server) * 1e6
        / u32::try_from(took.len()).map_or(f64::INFINITY, f64::from);
    Paced { run: Run { server_us: Some(server_us), ..Run::of(took, elapsed, errors) }, generator_cores }
}

struct Client {
    address: SocketAddr,
    connection: Option<Connection>,
    took: Vec<Duration>,
    errors: u64,
}

impl Client {
    fn ask(&mut self, request: &[u8], due: Duration, watch: Stopwatch) {
        thread::sleep(due.saturating_sub(watch.elapsed()));
        match self.answer(request) {
            Ok(true) => self.took.push(watch.elapsed().saturating_sub(due)),
            Ok(false) => self.errors += 1,
            Err(_) => {
                self.errors += 1;
                self.connection = None;
            }
        }
    }

    fn answer(&mut self, request: &[u8]) -> io::Result<bool> {
        if self.connection.is_none() {
            self.connection = Some(Connection::open(self.address)?);
        }
        let connection = self.connection.as_mut().ok_or(ErrorKind::NotConnected)?;
        Ok(connection.ask(request)?.starts_with(b"HTTP/1.1 2"))
    }
}

/// A connection that is kept for the next request.
pub(crate) struct Connection(TcpStream);

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        Ok(Self(stream))
    }

    /// Sends a request and reads the whole answer, which must say how long it is.
    pub(crate) fn ask(&mut self, request: &[u8]) -> io::Result<Vec<u8>> {
        self.0.write_all(request)?;
        let (mut answer, mut part) = (Vec::with_capacity(1024), [0; 4096]);
        loop {
            let count = self.0.read(&mut part)?;
            if count == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            answer.extend_from_slice(&part[..count]);
            if let Some(length) = whole_length(&answer)?
                && answer.len() >= length
            {
                return Ok(answer);
            }
        }
    }
}

/// How long the answer is with its head, once the head is there.
fn whole_length(answer: &[u8]) -> io::Result<Option<usize>> {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&answer[..end]).map_err(|_| ErrorKind::InvalidData)?;
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find_map(|(name, value)| name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>()));
    let length = length.ok_or(ErrorKind::InvalidData)?.map_err(|_| ErrorKind::InvalidData)?;
    Ok(Some(end + 4 + length))
}
