//! From nothing to ready in embedded mode, beside the time that the same binary needs to say its version.

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::{Command, Stdio},
    time::Duration,
};

use quartermaster::clock::Clock;

use crate::{process::free_address, report::Report};

const BINARY: &str = env!("CARGO_BIN_EXE_quartermaster");
const RUNS: usize = 11;
const TARGET: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn measure(report: &mut Report) {
    let floor = median((0..RUNS).map(|_| version()).collect());
    let folder = || tempfile::tempdir().expect("a folder");
    let cold = median((0..RUNS).map(|_| until_ready(folder().path())).collect());
    let used = folder();
    until_ready(used.path());
    let warm = median((0..RUNS).map(|_| until_ready(used.path())).collect());
    report.time("floor: the same binary saying its version", floor, None);
    report.time("start to ready, embedded, new folder", cold, Some(TARGET));
    report.time("start to ready, embedded, used folder", warm, Some(TARGET));
}

fn version() -> Duration {
    let watch = Clock::system().stopwatch();
    let output = Command::new(BINARY).arg("--version").output().expect("the binary");
    assert!(output.status.success());
    watch.elapsed()
}

fn until_ready(folder: &std::path::Path) -> Duration {
    let address = free_address();
    let watch = Clock::system().stopwatch();
    let mut server = Command::new(BINARY)
        .args(["--listen", &address.to_string(), "--data-dir"])
        .arg(folder)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary");
    while !is_ready(&address.to_string()) {
        assert!(watch.elapsed() < PATIENCE, "not ready");
        std::thread::sleep(Duration::from_millis(1));
    }
    let took = watch.elapsed();
    let id = server.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill").success());
    server.wait().expect("an end");
    took
}

fn is_ready(address: &str) -> bool {
    let ask = || {
        let mut connection = TcpStream::connect(address)?;
        connection.write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        Ok::<bool, std::io::Error>(answer.starts_with("HTTP/1.1 200"))
    };
    ask().unwrap_or(false)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
