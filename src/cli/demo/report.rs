//! What the demo prints: each step with request, answer and time, and a table at the end.

use std::{net::SocketAddr, time::Duration};

use serde_json::{Value, json};

use crate::clock::{Clock, Stopwatch};

const SHOWN_CHARS: usize = 240;

/// Collects the steps.
pub(super) struct Report {
    json: bool,
    clock: Clock,
    steps: Vec<Step>,
}

struct Step {
    title: &'static str,
    is_good: bool,
    took: Duration,
}

impl Report {
    pub(super) fn new(json: bool, clock: Clock) -> Self {
        Self { json, clock, steps: Vec::new() }
    }

    pub(super) fn clock(&self) -> Clock {
        self.clock.clone()
    }

    pub(super) fn stopwatch(&self) -> Stopwatch {
        self.clock.stopwatch()
    }

    fn say(&self, line: &str) {
        if !self.json {
            println!("{line}");
        }
    }

    pub(super) fn started(&self, address: SocketAddr, took: Duration) {
        self.say(&format!("Quartermaster serves on {address}, ready after {} ms\n", took.as_millis()));
    }

    /// Prints a step: what was asked, what came back, and whether that is what should.
    pub(super) fn step(
        &mut self,
        title: &'static str,
        asked: &str,
        answered: &str,
        took: Duration,
        verdict: &Result<(), String>,
    ) {
        let number = self.steps.len() + 1;
        self.say(&format!("{number:2}. {title}"));
        self.say(&format!("    → {asked}"));
        self.say(&format!("    ← {}  ({:.1} ms)", short(answered), took.as_secs_f64() * 1000.0));
        if let Err(why) = verdict {
            self.say(&format!("    ✗ {why}"));
        }
        self.say("");
        self.steps.push(Step { title, is_good: verdict.is_ok(), took });
    }

    /// Prints the table; tells whether every step did what it should.
    pub(super) fn summary(&self, page: Option<&str>) -> bool {
        let failed = self.steps.iter().filter(|step| !step.is_good).count();
        if self.json {
            let steps: Vec<Value> = self
                .steps
                .iter()
                .map(|step| json!({ "title": step.title, "ok": step.is_good, "took_us": step.took.as_micros() }))
                .collect();
            println!("{}", json!({ "steps": steps, "failed": failed, "page": page }));
            return failed == 0 && page.is_some();
        }
        println!("  {:<58}  {:>9}  ", "step", "ms");
        for step in &self.steps {
            let mark = if step.is_good { "✓" } else { "✗" };
            println!("{mark} {:<58}  {:>9.1}", step.title, step.took.as_secs_f64() * 1000.0);
        }
        println!("\n{} steps, {failed} failed", self.steps.len());
        if let Some(page) = page {
            println!("\nAn onboarding page to open in a browser:\n  {page}");
        }
        failed == 0 && page.is_some()
    }

    pub(super) fn keeps_serving(&self, base: &str) {
        self.say(&format!(
            "\nServing until Ctrl-C. To play the phone, read the page's QR code with any reader and send what it says:\n  \
             curl -X POST {base}/sandbox/scan -H 'Content-Type: application/json' -d '{{\"qr\": \"2@…\", \"phone\": \"+15550002222\"}}'"
        ));
    }
}

fn short(text: &str) -> String {
    if text.chars().count() <= SHOWN_CHARS {
        return text.to_owned();
    }
    text.chars().take(SHOWN_CHARS).chain("…".chars()).collect()
}
