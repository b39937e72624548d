//! The meter's rules, in process and on Redis: the same verdicts on the same history, and those of a plain reference.

use entity::{
    credits::Credits,
    id::{PartnerId, TokenId, WorkspaceId},
    timestamp::Timestamp,
};
use proptest::{
    prelude::{Strategy, any, prop_oneof},
    strategy::ValueTree,
    test_runner::TestRunner,
};
use quartermaster::{
    clock::Clock,
    meter::{
        Ask, Local, Settlement, Shared, Snapshot, Subject, Verdict,
        rule::{HOLD_MICROS, SKEW_MICROS, Window},
    },
    quota::Period,
};

use crate::support::{START, database::Mode, database::redis_url};

/// What happens to a meter.
#[derive(Clone, Debug)]
enum Step {
    Ask {
        token: u8,
        credits: i64,
        counts: bool,
    },
    Learn {
        left: i64,
        revision: i64,
    },
    Settle {
        held: i64,
        left: Option<i64>,
    },
    Wait(i64),
    /// A period begins so far ahead of the clock.
    NextPeriod(i64),
    /// Somebody asks whose clock is still in the period before.
    AskLate {
        token: u8,
        credits: i64,
        learns: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0u8..3, 0i64..3, any::<bool>()).prop_map(|(token, credits, counts)| Step::Ask { token, credits, counts }),
        1 => (0i64..12, 0i64..6).prop_map(|(left, revision)| Step::Learn { left, revision }),
        2 => (0i64..4, proptest::option::of(0i64..12)).prop_map(|(held, left)| Step::Settle { held, left }),
        3 => (0i64..400_000).prop_map(Step::Wait),
        1 => (0i64..3 * HOLD_MICROS).prop_map(Step::Wait),
        1 => proptest::prelude::Just(Step::Wait(-700_000)),
        1 => (0i64..3 * SKEW_MICROS).prop_map(Step::NextPeriod),
        2 => (0u8..3, 0i64..3, any::<bool>())
            .prop_map(|(token, credits, learns)| Step::AskLate { token, credits, learns }),
    ]
}

/// A leaky bucket in the plainest words, in micros of places taken.
#[derive(Clone, Copy, Default)]
struct Bucket {
    taken: i64,
    at: i64,
}

impl Bucket {
    fn leak(&mut self, now: i64) {
        self.taken = (self.taken - (now - self.at)).max(0);
        self.at = now;
    }

    fn fits(self, window: Window) -> bool {
        self.taken + window.interval_micros <= window.interval_micros * window.capacity
    }
}

fn windows() -> [Window; 3] {
    [Window::new(5, 2), Window::new(7, 0), Window::new(9, 0)]
}

fn ask(now: i64, period: Period) -> Ask {
    Ask {
        now: Timestamp(now),
        period,
        windows: windows(),
        calls_limit: Some(40),
        credits: Credits::ZERO,
        snapshot: None,
    }
}

fn tokens() -> [TokenId; 3] {
    [1u128, 2, 3].map(|n| TokenId(uuid::Uuid::from_u128(n)))
}

#[test]
fn windows_let_in_what_a_leaky_bucket_lets_in() {
    let mut runner = TestRunner::deterministic();
    let strategy = proptest::collection::vec((0u8..3, 0i64..300_000), 1..200);
    let partner_id = PartnerId::parse("acme").expect("an id");
    let period = Period::containing(START).expect("a period");
    for _ in 0..500 {
        let history = strategy.new_tree(&mut runner).expect("a history").current();
        let meter = Local::default();
        let (mut of_tokens, mut workspace, mut partner) =
            ([Bucket::default(); 3], Bucket::default(), Bucket::default());
        let mut now = START.0;
        for (token, wait) in history {
            now += wait;
            let index = usize::from(token);
            let subject = Subject { partner_id: &partner_id, workspace_id: WorkspaceId(1), token_id: tokens()[index] };
            let snapshot = Some(Snapshot { revision: 0, left: Credits(0), calls: 0 });
            let asked = Ask { calls_limit: None, snapshot, ..ask(now, period) };
            let buckets = [&mut of_tokens[index], &mut workspace, &mut partner];
            let mut is_full = None;
            let places = windows();
            let mut buckets = buckets.into_iter().zip(places).collect::<Vec<_>>();
            for (position, (bucket, window)) in buckets.iter_mut().enumerate() {
                bucket.leak(now);
                if is_full.is_none() && !bucket.fits(*window) {
                    is_full = Some(position);
                }
            }
            match (meter.admit(subject, &asked), is_full) {
                (Verdict::Allowed { .. }, None) => {
                    buckets.iter_mut().for_each(|(bucket, window)| bucket.taken += window.interval_micros);
                }
                (Verdict::Limited { window, wait_micros }, Some(position)) => {
                    assert_eq!(window, position);
                    let (bucket, window) = &buckets[position];
                    let places = window.interval_micros * window.capacity;
                    assert_eq!(wait_micros, bucket.taken + window.interval_micros - places);
                }
                (verdict, expected) => panic!("{verdict:?}, expected {expected:?}"),
            }
        }
    }
}

#[tokio::test]
async fn redis_and_the_process_come_to_the_same_verdicts() {
    if Mode::current() == Mode::Embedded {
        return;
    }
    let url = redis_url().into();
    let shared = std::sync::Arc::new(Shared::new(&url, "meter-test").expect("a URL"));
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let connecting = std::sync::Arc::clone(&shared);
    tokio::spawn(async move { connecting.keep_connected(stopped).await });
    let carrying = std::sync::Arc::clone(&shared);
    tokio::spawn(async move { carrying.carry().await });
    let (first, period) = (PartnerId::parse("first").expect("an id"), Period::containing(START).expect("a period"));
    let subject = Subject { partner_id: &first, workspace_id: WorkspaceId(1), token_id: tokens()[0] };
    until_connected(&shared, subject, &ask(START.0, period)).await;
    let mut runner = TestRunner::deterministic();
    let strategy = proptest::collection::vec(step(), 1..80);
    let mut allowed = 0;
    for round in 0..150 {
        let steps = strategy.new_tree(&mut runner).expect("steps").current();
        // Nobody else's keys, not even of an earlier run.
        let unique = Clock::system().uuid().simple().to_string();
        let partner_id = PartnerId::parse(&format!("p-{}", &unique[12..])).expect("an id");
        allowed += compare(&shared, &partner_id, WorkspaceId(round + 1), &steps).await;
    }
    for _ in 0..20 {
        let unique = Clock::system().uuid().simple().to_string();
        compare_together(&shared, &PartnerId::parse(&format!("p-{}", &unique[12..])).expect("an id")).await;
    }
    assert!(allowed > 1000, "{allowed} calls were let in");
}

async fn compare(shared: &Shared, partner_id: &PartnerId, workspace_id: WorkspaceId, steps: &[Step]) -> usize {
    let mut period = Period::containing(START).expect("a period");
    let mut before = period;
    let (local, mut now, mut generation, mut allowed) = (Local::default(), START.0, 0, 0);
    let mut snapshot = Some(Snapshot { revision: 1, left: Credits(10), calls: 0 });
    for step in steps {
        match step {
            Step::Wait(micros) => now += micros,
            Step::Learn { left, revision } => {
                snapshot = Some(Snapshot { revision: *revision, left: Credits(*left), calls: *left });
            }
            Step::NextPeriod(ahead) => {
                before = period;
                // Also where the clock went back since the last one began.
                period = Period { start: Timestamp((now + ahead).max(period.start.0 + 1)), end: period.end };
                let subject = Subject { partner_id, workspace_id, token_id: tokens()[0] };
                let asked = ask(now, period);
                let both = (local.admit(subject, &asked), until_connected(shared, subject, &asked).await);
                assert_eq!(both, (Verdict::Cold, Verdict::Cold), "what is known is of another period");
                snapshot = Some(Snapshot { revision: 0, left: Credits(10), calls: 0 });
            }
            Step::Ask { token, credits, counts } => {
                let subject = Subject { partner_id, workspace_id, token_id: tokens()[usize::from(*token)] };
                let mut asked = Ask { credits: Credits(*credits), snapshot, ..ask(now, period) };
                asked.calls_limit = counts.then_some(40);
                let (here, there) = (local.admit(subject, &asked), until_connected(shared, subject, &asked).await);
                assert_eq!(here, there, "at {step:?} of {steps:?}");
                if let Verdict::Allowed { generation: of_hold, .. } = here {
                    (generation, allowed) = (of_hold, allowed + 1);
                }
                // Somebody whose clock was behind may have begun the period before anew.
                snapshot = (here == Verdict::Cold).then_some(Snapshot { revision: 0, left: Credits(10), calls: 0 });
            }
            Step::AskLate { token, credits, learns } => {
                let subject = Subject { partner_id, workspace_id, token_id: tokens()[usize::from(*token)] };
                let learnt = Snapshot { revision: 99, left: Credits(99), calls: 99 };
                let snapshot = Some(learnt).filter(|_| *learns && before != period);
                let asked = Ask { credits: Credits(*credits), snapshot, ..ask(now, before) };
                let (here, there) = (local.admit(subject, &asked), until_connected(shared, subject, &asked).await);
                assert_eq!(here, there, "at {step:?} of {steps:?}");
                allowed += usize::from(matches!(here, Verdict::Allowed { .. }));
            }
            Step::Settle { held, left } => {
                let learnt = left.map(|left| Snapshot { revision: left, left: Credits(left), calls: 0 });
                let settlement = Settlement {
                    now: Timestamp(now),
                    period,
                    snapshot: learnt,
                    generation,
                    held: Credits(*held),
                    held_before: Credits(*held / 2),
                    calls: *held * 9,
                };
                local.settle(workspace_id, &settlement);
                assert!(shared.settle(partner_id, workspace_id, &settlement).await);
            }
        }
    }
    allowed
}

#[tokio::test]
async fn what_an_older_script_has_left_is_understood() {
    if Mode::current() == Mode::Embedded {
        return;
    }
    let url: secrecy::SecretString = redis_url().into();
    let unique = Clock::system().uuid().simple().to_string();
    let shared = std::sync::Arc::new(Shared::new(&url, &unique).expect("a URL"));
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let connecting = std::sync::Arc::clone(&shared);
    tokio::spawn(async move { connecting.keep_connected(stopped).await });
    let carrying = std::sync::Arc::clone(&shared);
    tokio::spawn(async move { carrying.carry().await });
    let period = Period::containing(START).expect("a period");
    let client = redis::Client::open(redis_url()).expect("a URL");
    let mut connection = client.get_multiplexed_async_connection().await.expect("redis");
    let script = "redis.call('SET', KEYS[1], cmsgpack.pack({tonumber(ARGV[1]), 1, 5, 7, 0, 0, 0, 0}))";
    let mut call = redis::cmd("EVAL");
    call.arg(script).arg(1).arg(format!("{unique}:{{acme}}:workspace:1")).arg(period.start.0);
    call.query_async::<()>(&mut connection).await.expect("an older state");
    let partner_id = PartnerId::parse("acme").expect("an id");
    let subject = Subject { partner_id: &partner_id, workspace_id: WorkspaceId(1), token_id: tokens()[0] };
    let verdict = until_connected(&shared, subject, &ask(START.0, period)).await;
    assert!(matches!(verdict, Verdict::Allowed { calls: 8, .. }), "{verdict:?}");
}

/// Asks that go to Redis together are answered as if they had come one after the other.
async fn compare_together(shared: &Shared, partner_id: &PartnerId) {
    let period = Period::containing(START).expect("a period");
    let local = Local::default();
    let snapshot = Some(Snapshot { revision: 1, left: Credits(9), calls: 0 });
    let asks: Vec<(usize, Ask)> = (0..60usize)
        .map(|n| {
            let now = START.0 + i64::try_from(n).expect("a number") * 20_000;
            let credits = Credits(i64::from(n % 3 == 0));
            (n % 3, Ask { snapshot: snapshot.filter(|_| n < 2), credits, calls_limit: Some(30), ..ask(now, period) })
        })
        .collect();
    let subject = |token: usize| Subject {
        partner_id,
        workspace_id: WorkspaceId(i64::try_from(token % 2).expect("a number")),
        token_id: tokens()[token],
    };
    let there =
        futures_util::future::join_all(asks.iter().map(|(token, ask)| shared.admit(subject(*token), ask))).await;
    let here: Vec<Option<Verdict>> = asks.iter().map(|(token, ask)| Some(local.admit(subject(*token), ask))).collect();
    assert_eq!(there, here);
    assert!(here.iter().any(|verdict| matches!(verdict, Some(Verdict::Limited { .. }))));
}

/// The first call may come before the connection.
async fn until_connected(shared: &Shared, subject: Subject<'_>, asked: &Ask) -> Verdict {
    loop {
        match shared.admit(subject, asked).await {
            Some(verdict) => return verdict,
            None => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
        }
    }
}

#[test]
fn a_clock_that_was_ahead_locks_nobody_out() {
    let meter = Local::default();
    let partner_id = PartnerId::parse("acme").expect("an id");
    let period = Period::containing(START).expect("a period");
    let subject = Subject { partner_id: &partner_id, workspace_id: WorkspaceId(1), token_id: tokens()[0] };
    let snapshot = Some(Snapshot { revision: 0, left: Credits(0), calls: 0 });
    let day_ahead = Ask { snapshot, ..ask(START.0 + 24 * 3600 * 1_000_000, period) };
    assert!(matches!(meter.admit(subject, &day_ahead), Verdict::Allowed { .. }));
    assert!(matches!(meter.admit(subject, &ask(START.0, period)), Verdict::Allowed { .. }));
}

#[test]
fn the_turn_of_a_period_carries_rates_over_and_nothing_else() {
    let meter = Local::default();
    let partner_id = PartnerId::parse("acme").expect("an id");
    let subject = Subject { partner_id: &partner_id, workspace_id: WorkspaceId(1), token_id: tokens()[0] };
    let old = Period::containing(START).expect("a period");
    let new = Period::containing(old.end).expect("a period");
    let turn = old.end.0;
    let held = || meter.held(WorkspaceId(1));
    let known = |revision, left, calls| Some(Snapshot { revision, left: Credits(left), calls });
    let asked = |now, period, credits, snapshot| {
        let asked = Ask { credits: Credits(credits), snapshot, ..ask(now, period) };
        match meter.admit(subject, &asked) {
            Verdict::Allowed { left, calls, generation } => (calls, left[1].places, generation),
            verdict => panic!("{verdict:?}"),
        }
    };
    let (calls, places, of_old) = asked(turn - 2000, old, 3, known(9, 10, 30));
    assert_eq!((calls, places, held()), (31, 6, 3));
    assert_eq!(meter.admit(subject, &ask(turn, new)), Verdict::Cold, "nothing is known of the new period");
    let (calls, places, _) = asked(turn, new, 1, known(1, 2, 0));
    assert_eq!((calls, places, held()), (1, 5, 1), "what was counted and held is left behind, rates are not");
    // A replica whose clock is a few milliseconds behind neither counts nor holds, and brings nothing back.
    let (_, places, of_late) = asked(turn - 1000, old, 3, None);
    assert_eq!((places, held()), (4, 1));
    asked(turn - 900, old, 3, known(99, 1000, 500));
    for generation in [of_old, of_late] {
        let ending = Settlement { calls: 500, ..Settlement::ending(Timestamp(turn + 1), old, generation, Credits(3)) };
        meter.settle(WorkspaceId(1), &ending);
    }
    assert_eq!(held(), 1, "what was held in the old period ends without touching the new one");
    let (calls, ..) = asked(turn + 1, new, 1, None);
    assert_eq!((calls, held()), (2, 2));
    let short = Ask { credits: Credits(1), ..ask(turn + 2, new) };
    assert!(
        matches!(meter.admit(subject, &short), Verdict::CreditsShort { .. }),
        "credits are those of the new period"
    );
    // A clock that was ahead by more than clocks may differ has begun a period too early: it is begun anew.
    assert_eq!(meter.admit(subject, &ask(turn - 60_000_000, old)), Verdict::Cold);
}

#[test]
fn holds_end_by_themselves_and_are_given_back_once() {
    let meter = Local::default();
    let partner_id = PartnerId::parse("acme").expect("an id");
    let period = Period::containing(START).expect("a period");
    let subject = Subject { partner_id: &partner_id, workspace_id: WorkspaceId(1), token_id: tokens()[0] };
    let snapshot = Some(Snapshot { revision: 0, left: Credits(3), calls: 0 });
    let hold = |now| Ask { credits: Credits(2), snapshot, ..ask(now, period) };
    let Verdict::Allowed { generation, .. } = meter.admit(subject, &hold(START.0)) else { panic!("not allowed") };
    assert_eq!(meter.held(WorkspaceId(1)), 2);
    assert!(matches!(meter.admit(subject, &hold(START.0)), Verdict::CreditsShort { .. }));
    let settlement = |now: i64| Settlement {
        now: Timestamp(now),
        period,
        snapshot: None,
        generation,
        held: Credits(2),
        held_before: Credits::ZERO,
        calls: 0,
    };
    meter.settle(WorkspaceId(1), &settlement(START.0));
    meter.settle(WorkspaceId(1), &settlement(START.0));
    assert_eq!(meter.held(WorkspaceId(1)), 0);
    assert!(matches!(meter.admit(subject, &hold(START.0)), Verdict::Allowed { .. }));
    // A process dies here: two generations later its hold is gone.
    let later = START.0 + 2 * HOLD_MICROS;
    assert!(matches!(meter.admit(subject, &hold(later)), Verdict::Allowed { .. }));
    assert_eq!(meter.held(WorkspaceId(1)), 2);
}
