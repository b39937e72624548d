//! The results: a section for each part, with every figure beside its target.

use std::{fmt::Write, fs, path::Path, time::Duration};

use quartermaster::clock::Clock;

use crate::{ALONE, PARTS, series::Series, surroundings};

const HEADING: &str = "\n## ";

/// What a series has to reach; whatever is not demanded is always reached.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

impl Target {
    pub(crate) const NONE: Self = Self { per_second: 0.0, p50_ms: f64::INFINITY, p99_ms: f64::INFINITY };

    fn words(self) -> String {
        let mut words = Vec::new();
        if self.per_second > 0.0 {
            words.push(format!("≥ {:.0}/s", self.per_second));
        }
        for (name, most) in [("p50", self.p50_ms), ("p99", self.p99_ms)] {
            if most.is_finite() {
                words.push(format!("{name} ≤ {most:.0} ms"));
            }
        }
        words.join(", ")
    }
}

pub(crate) struct Report {
    surroundings: String,
    sections: Vec<(&'static str, String)>,
}

impl Report {
    pub(crate) fn new(surroundings: String) -> Self {
        println!("{surroundings}");
        Self { surroundings, sections: Vec::new() }
    }

    /// What follows belongs to this part.
    pub(crate) fn begin(&mut self, part: &'static str) {
        println!("\n{part}");
        let now = jiff::Timestamp::from_microsecond(Clock::system().now().0).expect("now");
        let text = format!(
            "{part}\n\nMeasured on {}: {}, {}.\n\n| what | measured | target | reached |\n|---|---|---|---|\n",
            now.strftime("%Y-%m-%d"),
            surroundings::machine(),
            surroundings::build(),
        );
        self.sections.push((part, text));
    }

    /// The median of some runs with their spread. Errors reach no target.
    pub(crate) fn throughput(&mut self, series: &Series, target: Target) {
        let (run, (low, high)) = (series.median(), series.spread());
        let mut shown = format!("{:.0}/s ({low:.0}–{high:.0})", run.per_second);
        // Of what is only counted no times are taken.
        if run.p99_ms > 0.0 {
            let _ = write!(shown, ", p50 {:.1} ms, p99 {:.1} ms", run.p50_ms, run.p99_ms);
        }
        let _ = write!(shown, ", {} errors", run.errors);
        if let Some(micros) = run.server_us {
            let _ = write!(shown, ", server {micros:.0} µs each");
        }
        let is_reached = run.errors == 0
            && run.per_second >= target.per_second
            && run.p50_ms <= target.p50_ms
            && run.p99_ms <= target.p99_ms;
        self.row(&series.name, &shown, &target.words(), is_reached);
    }

    /// Throughput as a share of a floor's in the same turns.
    pub(crate) fn share(&mut self, series: &Series, floor: &Series, at_least: Option<f64>) {
        let (median, low, high) = series.share_of(floor);
        let name = format!("{} ÷ {}", series.name, floor.name.trim_start_matches("floor: "));
        let target = at_least.map(|least| format!("≥ {least}")).unwrap_or_default();
        let shown = format!("{median:.2} ({low:.2}–{high:.2})");
        self.row(&name, &shown, &target, at_least.is_none_or(|least| median >= least));
    }

    /// A duration.
    pub(crate) fn time(&mut self, name: &str, time: Duration, at_most: Option<Duration>) {
        let shown = |time: Duration| format!("{:.2} ms", time.as_secs_f64() * 1000.0);
        let target = at_most.map(|most| format!("≤ {}", shown(most))).unwrap_or_default();
        self.row(name, &shown(time), &target, at_most.is_none_or(|most| time <= most));
    }

    /// Memory.
    pub(crate) fn memory(&mut self, name: &str, mib: f64, at_most: Option<f64>) {
        let target = at_most.map(|most| format!("≤ {most:.0} MiB")).unwrap_or_default();
        self.row(name, &format!("{mib:.1} MiB"), &target, at_most.is_none_or(|most| mib <= most));
    }

    /// A figure without a target, in words.
    pub(crate) fn note(&mut self, name: &str, shown: &str) {
        self.row(name, shown, "", true);
    }

    fn row(&mut self, name: &str, shown: &str, target: &str, is_reached: bool) {
        let reached = match (target.is_empty(), is_reached) {
            (true, _) => "",
            (false, true) => "yes",
            (false, false) => "**no**",
        };
        println!("  {name}\n    {shown}   {target} {reached}");
        if let Some((_, text)) = self.sections.last_mut() {
            let _ = writeln!(text, "| {name} | {shown} | {target} | {reached} |");
        }
    }

    /// Writes the file; of parts that were not measured now it keeps the section that is there.
    pub(crate) fn write(&self, path: &Path) {
        let before = fs::read_to_string(path).unwrap_or_default();
        let old: Vec<&str> = before.split(HEADING).skip(1).collect();
        let mut text = format!("# Results\n\nWritten by `scripts/bench`.\n\n{}", self.surroundings);
        for part in PARTS.into_iter().chain([ALONE]) {
            let new = self.sections.iter().find(|(name, _)| *name == part).map(|(_, section)| section.as_str());
            let old = old.iter().find(|section| section.lines().next() == Some(part)).copied();
            if let Some(section) = new.or(old) {
                let _ = writeln!(text, "{HEADING}{}", section.trim_end());
            }
        }
        fs::write(path, text).expect("the results");
    }
}
