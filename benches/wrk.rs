//! The closed loop, for maxima: wrk with one thread; each connection sends its next request when it has its answer.

use std::{process::Command, time::Duration};

use serde::Deserialize;

use crate::{process::Target, series::Run};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/wrk.lua");

/// What the script prints.
#[derive(Deserialize)]
struct Printed {
    micros: u32,
    requests: u32,
    refused: u32,
    lost: u32,
    p50_us: f64,
    p99_us: f64,
}

/// Sends the target's requests over so many connections for so long. Times run from a request to its answer.
pub(crate) fn run(target: &Target, connections: u32, length: Duration) -> Run {
    let before = target.process.processor_seconds();
    let output = Command::new("wrk")
        .args(["--threads", "1", "--connections", &connections.to_string()])
        .args(["--duration", &format!("{}s", length.as_secs()), "--timeout", "10s", "--script", SCRIPT])
        .args([&format!("http://{}/", target.process.address), "--"])
        .arg(target.file.path())
        .output()
        .expect("wrk");
    let text = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "wrk failed: {text}{complaint}");
    let line = text.lines().rfind(|line| line.starts_with('{')).expect("a line of JSON");
    let printed: Printed = serde_json::from_str(line).expect("what the script prints");
    let good = printed.requests - printed.refused;
    target.add_answered(u64::from(good));
    let used = target.process.processor_seconds() - before;
    Run {
        per_second: f64::from(good) / (f64::from(printed.micros) / 1e6),
        p50_ms: printed.p50_us / 1000.0,
        p99_ms: printed.p99_us / 1000.0,
        errors: u64::from(printed.refused) + u64::from(printed.lost),
        server_us: Some(used * 1e6 / f64::from(good)),
    }
}
