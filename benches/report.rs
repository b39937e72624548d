//! The table of results, with the machine and the settings it was made on.

use std::{fmt::Write, fs, path::Path, process::Command, time::Duration};

use quartermaster::clock::Clock;

use crate::load::Run;

pub(crate) struct Report {
    rows: String,
}

impl Report {
    pub(crate) fn new() -> Self {
        Self { rows: String::new() }
    }

    /// A row of throughput: product beside floor, both with the spread of their runs.
    pub(crate) fn compare(
        &mut self,
        name: &str,
        floor_name: &str,
        floor: (Run, f64, f64),
        product: (Run, f64, f64),
        target: &str,
    ) {
        let shown = |(run, low, high): (Run, f64, f64)| {
            format!(
                "{:.0}/s ({low:.0}–{high:.0}), p50 {:.1} ms, p99 {:.1} ms, {} errors",
                run.per_second, run.p50_ms, run.p99_ms, run.errors
            )
        };
        let ratio = product.0.per_second / floor.0.per_second;
        self.row(name, &format!("{} — {floor_name}", shown(floor)), &shown(product), &format!("{ratio:.2}"), target);
    }

    /// A row of the product at a given rate, where the floor says nothing.
    pub(crate) fn paced(&mut self, name: &str, product: (Run, f64, f64), target: &str) {
        let run = product.0;
        let shown = format!(
            "{:.0}/s, p50 {:.1} ms, p99 {:.1} ms, {} errors",
            run.per_second, run.p50_ms, run.p99_ms, run.errors
        );
        self.row(name, "–", &shown, "–", target);
    }

    /// A row of durations.
    pub(crate) fn times(&mut self, name: &str, floor_name: &str, floor: Duration, product: Duration, target: &str) {
        let shown = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1000.0);
        let ratio = product.as_secs_f64() / floor.as_secs_f64();
        self.row(name, &format!("{} — {floor_name}", shown(floor)), &shown(product), &format!("{ratio:.1}"), target);
    }

    fn row(&mut self, name: &str, floor: &str, product: &str, ratio: &str, target: &str) {
        println!("{name}\n  floor    {floor}\n  product  {product}\n  ratio    {ratio}\n  target   {target}");
        let _ = writeln!(self.rows, "| {name} | {floor} | {product} | {ratio} | {target} |");
    }

    pub(crate) fn write(&self, path: &Path) {
        let now = jiff::Timestamp::from_microsecond(Clock::system().now().0).expect("now");
        let mut text = format!("# Results\n\nWritten by `scripts/bench` on {}.\n\n", now.strftime("%Y-%m-%d"));
        for (name, value) in surroundings() {
            let _ = writeln!(text, "- {name}: {value}");
        }
        text.push_str("\n| what | floor | product | product ÷ floor | target |\n|---|---|---|---|---|\n");
        text.push_str(&self.rows);
        fs::write(path, text).expect("the results");
        println!("\nwritten to {}", path.display());
    }
}

fn surroundings() -> Vec<(&'static str, String)> {
    let first_line = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().ok();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        text.and_then(|text| text.lines().next().map(str::to_owned)).unwrap_or_else(|| "unknown".to_owned())
    };
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processor.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    vec![
        ("machine", format!("{cores} cores, {}", model.map_or("unknown", |(_, model)| model.trim()))),
        ("everything on it", "load generator, product, floor and database".to_owned()),
        ("compiler", first_line("rustc", &["--version"])),
        ("PostgreSQL", std::env::var("QMBENCH_POSTGRES").unwrap_or_else(|_| "not measured".to_owned())),
        ("SQLite", "WAL, synchronous=FULL, one writer connection".to_owned()),
        ("runs", "three of 5 s after a warm-up of 2 s, floor and product in turns; median (lowest–highest)".to_owned()),
    ]
}
