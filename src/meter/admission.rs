//! Letting one call in: the meter is asked, and the ledger where the meter does not know enough.

use std::time::Duration;

use entity::credits::Credits;

use crate::{
    app::App,
    caller::WorkspaceCaller,
    error::{Error, Result},
    meter::{Ask, Meter, Snapshot, Subject, Verdict, rule, rule::Window, windows},
    quota::{Period, figures::Figures},
};

/// Names of the windows, as the answer's headers tell them.
pub const WINDOW_NAMES: [&str; 3] = ["token", "workspace", "partner"];
/// Name of the quota of API calls, as the answer's headers tell it.
pub const CALLS_NAME: &str = "api-calls";
/// How often the ledger is read for one call: a meter that was emptied in between is told again.
const MOST_LOOKS: usize = 3;

/// What a call needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing but to be counted; it is let in even when the API calls are used up.
    Counted,
    /// One API call.
    Call,
    /// One API call and credits.
    Credits {
        /// How many.
        credits: Credits,
        /// Whether it may have been answered before: then only the ledger can refuse it for want of credits.
        is_repeatable: bool,
    },
}

impl Need {
    const fn credits(self) -> Credits {
        match self {
            Self::Credits { credits, .. } => credits,
            _ => Credits::ZERO,
        }
    }
}

/// Credits that the meter holds until the message is committed or refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The period that it was made in.
    pub period: Period,
    /// When it was made, as the meter counts.
    pub generation: i64,
    /// How many.
    pub credits: Credits,
}

/// A call that was let in.
#[derive(Clone, Copy, Debug)]
pub struct Admitted {
    /// Credits on hold; absent if none were needed, or if only the ledger decides.
    pub hold: Option<Hold>,
    /// API calls counted in the period, with this one.
    pub calls: i64,
}

/// What is left of the limit that is nearest, for the answer's headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The windows of token, workspace and partner.
    pub windows: [Window; 3],
    /// API calls of the period: limit, and seconds until it ends.
    pub calls: (i64, i64),
    /// Name of the limit that is nearest.
    pub name: &'static str,
    /// Its size.
    pub quota: i64,
    /// What is left of it.
    pub remaining: i64,
    /// Seconds until it is whole again, or until the next call may come.
    pub reset_seconds: i64,
}

/// Lets a call in, or says why not; either way what is left.
pub async fn admit(app: &App, caller: &WorkspaceCaller, need: Need) -> (Result<Admitted>, Option<Limits>) {
    let now = app.clock.now();
    let period = match Period::containing(now) {
        Ok(period) => period,
        Err(error) => return (Err(error), None),
    };
    let ask = Ask {
        now,
        period,
        windows: windows(&caller.plan),
        calls_limit: (need != Need::Counted).then_some(caller.plan.api_calls_per_period),
        credits: need.credits(),
        snapshot: None,
    };
    match decide(app, caller, need, ask).await {
        Ok(decision) => conclude(app, caller, &ask, decision),
        Err(error) => (Err(error), None),
    }
}

/// What the meter and the ledger say together.
enum Decision {
    /// The meter decides. The second part is what the hold is of: nothing if only the ledger decides.
    Meter(Verdict, Credits),
    /// The ledger has too few credits.
    Short { left: [rule::Left; 3], available: Credits },
}

/// Asks until there is an answer.
async fn decide(app: &App, caller: &WorkspaceCaller, need: Need, mut ask: Ask) -> Result<Decision> {
    let subject = Subject::from(caller);
    for _ in 0..MOST_LOOKS {
        let (verdict, held) = app.meter.admit(subject, &ask).await;
        match verdict {
            Verdict::Cold => ask.snapshot = Some(app.meter.snapshot(&ledger(app, caller).await?, caller)),
            Verdict::CreditsShort { left } => {
                let figures = ledger(app, caller).await?;
                let required = need.credits();
                let is_repeatable = matches!(need, Need::Credits { is_repeatable: true, .. });
                if figures.messages_left < required && !is_repeatable {
                    return Ok(Decision::Short { left, available: figures.messages_left });
                }
                // The ledger has more than the meter can hold: it decides alone.
                let is_news = ask.snapshot.is_none();
                ask.snapshot = Some(app.meter.snapshot(&figures, caller));
                if !is_news || figures.messages_left < required {
                    ask.credits = Credits::ZERO;
                }
            }
            verdict => return Ok(Decision::Meter(verdict, held)),
        }
    }
    Err(Error::Busy { retry_after: Duration::from_secs(1) })
}

async fn ledger(app: &App, caller: &WorkspaceCaller) -> Result<Figures> {
    // On the heap, because most calls do not ask.
    Ok(Box::pin(app.figures.read(caller.workspace.id)).await?.figures)
}

fn conclude(app: &App, caller: &WorkspaceCaller, ask: &Ask, decision: Decision) -> (Result<Admitted>, Option<Limits>) {
    let until_end = rule::up_to_seconds(ask.period.end.0 - ask.now.0);
    let limit = caller.plan.api_calls_per_period;
    let limits = |name, quota, remaining, reset_seconds| {
        let calls = (limit, until_end);
        Some(Limits { windows: ask.windows, calls, name, quota, remaining, reset_seconds })
    };
    let of_windows = |left: &[rule::Left; 3]| {
        let (index, nearest) = nearest(left);
        let reset = rule::up_to_seconds(nearest.full_in_micros);
        limits(WINDOW_NAMES[index], ask.windows[index].capacity, nearest.places, reset)
    };
    let (verdict, held) = match decision {
        Decision::Meter(verdict, held) => (verdict, held),
        Decision::Short { left, available } => {
            return (Err(Error::QuotaExceeded { required: ask.credits, available }), of_windows(&left));
        }
    };
    match verdict {
        Verdict::Allowed { left, calls, generation } => {
            app.meter.count(caller.workspace.id, ask.period.start);
            let hold = Hold { period: ask.period, generation, credits: held };
            let hold = (held > Credits::ZERO).then_some(hold);
            (Ok(Admitted { hold, calls }), of_windows(&left))
        }
        Verdict::Limited { window, wait_micros } => {
            let wait = rule::up_to_seconds(wait_micros);
            let retry_after = Duration::from_secs(u64::try_from(wait).unwrap_or(1));
            let told = limits(WINDOW_NAMES[window], ask.windows[window].capacity, 0, wait);
            (Err(Error::TooManyRequests { retry_after }), told)
        }
        Verdict::CallsExhausted => {
            let retry_after = Duration::from_secs(u64::try_from(until_end).unwrap_or(1));
            (Err(Error::ApiCallsExhausted { retry_after }), limits(CALLS_NAME, limit, 0, until_end))
        }
        Verdict::CreditsShort { .. } | Verdict::Cold => {
            (Err(Error::Internal("the meter did not decide".to_owned())), None)
        }
    }
}

/// The window with the fewest places; of equals the narrowest.
fn nearest(left: &[rule::Left; 3]) -> (usize, rule::Left) {
    let mut found = (0, left[0]);
    for (index, one) in left.iter().enumerate() {
        if one.places < found.1.places {
            found = (index, *one);
        }
    }
    found
}

impl Meter {
    /// What the ledger knows, and what was counted here since.
    fn snapshot(&self, figures: &Figures, caller: &WorkspaceCaller) -> Snapshot {
        let pending = self.calls.pending(caller.workspace.id, figures.period.start);
        Snapshot { revision: figures.revision, left: figures.messages_left, calls: figures.api_calls_used + pending }
    }
}
