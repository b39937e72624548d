//! Runs of one thing, and how several things take turns.

use std::time::Duration;

const WARM_UP: Duration = Duration::from_secs(2);
/// How long one run is.
pub(crate) const LENGTH: Duration = Duration::from_secs(5);
/// How many runs there are of each thing.
pub(crate) const RUNS: usize = 3;

/// What one run measured.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) errors: u64,
    /// Processor time of the serving process for one good answer, in microseconds, where it is a process of its own.
    pub(crate) server_us: Option<f64>,
}

impl Run {
    /// Sums up what took so long each and was done in `elapsed`.
    pub(crate) fn of(mut took: Vec<Duration>, elapsed: Duration, errors: u64) -> Self {
        took.sort_unstable();
        let millis = |per_mille| at(&took, per_mille).as_secs_f64() * 1000.0;
        let count = u32::try_from(took.len()).map_or(f64::INFINITY, f64::from);
        Self {
            per_second: count / elapsed.as_secs_f64(),
            p50_ms: millis(500),
            p99_ms: millis(990),
            errors,
            server_us: None,
        }
    }
}

/// The duration below which so many of a thousand lie; `sorted` is sorted. Zero of none.
pub(crate) fn at(sorted: &[Duration], per_mille: usize) -> Duration {
    let last = sorted.len().saturating_sub(1);
    sorted.get((sorted.len() * per_mille / 1000).min(last)).copied().unwrap_or_default()
}

/// The runs of one thing, in the order of the turns.
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) runs: Vec<Run>,
}

impl Series {
    /// The run in the middle by throughput, with the errors of all.
    pub(crate) fn median(&self) -> Run {
        let mut runs = self.runs.clone();
        runs.sort_by(|a, b| a.per_second.total_cmp(&b.per_second));
        Run { errors: runs.iter().map(|run| run.errors).sum(), ..runs[runs.len() / 2] }
    }

    /// The lowest and the highest throughput.
    pub(crate) fn spread(&self) -> (f64, f64) {
        let all = || self.runs.iter().map(|run| run.per_second);
        (all().fold(f64::INFINITY, f64::min), all().fold(0.0, f64::max))
    }

    /// Throughput as a share of a floor's: each turn by itself, so that a machine that drifts drifts under both.
    /// Median, lowest, highest.
    pub(crate) fn share_of(&self, floor: &Self) -> (f64, f64, f64) {
        let turns = self.runs.iter().zip(&floor.runs);
        let mut shares: Vec<f64> = turns.map(|(own, floor)| own.per_second / floor.per_second).collect();
        shares.sort_by(f64::total_cmp);
        (shares[shares.len() / 2], shares[0], shares[shares.len() - 1])
    }
}

/// Something that can be run for so long.
pub(crate) struct Contender<'a> {
    name: String,
    run: Box<dyn FnMut(Duration) -> Run + 'a>,
}

impl<'a> Contender<'a> {
    pub(crate) fn new(name: impl Into<String>, run: impl FnMut(Duration) -> Run + 'a) -> Self {
        Self { name: name.into(), run: Box::new(run) }
    }
}

/// Warms all up, then runs them in turns.
pub(crate) fn in_turns<const N: usize>(mut contenders: [Contender; N]) -> [Series; N] {
    for contender in &mut contenders {
        (contender.run)(WARM_UP);
    }
    let mut series = contenders.each_ref().map(|one| Series { name: one.name.clone(), runs: Vec::new() });
    for _ in 0..RUNS {
        for (series, contender) in series.iter_mut().zip(&mut contenders) {
            series.runs.push((contender.run)(LENGTH));
        }
    }
    series
}
