//! Ten thousand random histories of a workspace's credits against a simple model: grants, adjustments, sends, refunds,
//! seat changes, period ends, and transactions that die half-way. After each step the figures are the model's; at the
//! end everything adds up.
//!
//! Histories are played many at a time on one database, because that is how they happen: their sends end up in the
//! same batches. The calendar is everybody's, so all of a group see a period end at once.

use std::{sync::Arc, time::Duration};

use entity::{
    credits::Credits,
    id::{AccountId, MessageId, PartnerId},
    workspace,
};
use futures_util::{FutureExt, StreamExt, future::poll_fn, stream};
use proptest::{
    prelude::{Strategy, any, prop_oneof},
    strategy::ValueTree,
    test_runner::TestRunner,
};
use quartermaster::{
    app::App,
    caller::{Origin, PartnerCaller, WorkspaceCaller},
    credit::change::{self, ChangeBalance},
    error::{Error, ErrorCode},
    idempotency::Repeatable,
    message::{
        Destination, SendMessage, Text,
        send::{self, Author, Sending},
        status::{self, Receipt, ReceiptEvent},
    },
    partner::admin,
    phone::Phone,
    plan::{self, SetPlan},
    quota::{Period, close, figures, threshold::Thresholds},
    token::Scopes,
    workspace::{
        DisplayName, Seats, TimeZoneName,
        create::{self, CreateWorkspace},
        update::{self, UpdateWorkspace},
    },
};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};

use crate::{
    ledger::audited,
    support::{Setup, TestApp, database::Mode, sender::unlimited},
};

/// On the embedded store; a tenth on PostgreSQL, where what is told apart is how rows are locked.
const HISTORIES: usize = 10_000;
const AT_ONCE: usize = 1000;
const ROUNDS: usize = 4;
const PER_SEAT: i64 = 3;

fn histories() -> usize {
    if Mode::current() == Mode::Embedded { HISTORIES } else { HISTORIES / 10 }
}

/// What happens in one round of one history.
#[derive(Clone, Debug)]
enum Step {
    Send(u8),
    Fail(u8),
    Grant(i64),
    Adjust(i64),
    Seats(i64),
    /// A grant whose process dies after so many moments.
    DyingGrant(i64, u8),
    Nothing,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (1u8..5).prop_map(Step::Send),
        4 => any::<u8>().prop_map(Step::Fail),
        1 => (1i64..4).prop_map(Step::Grant),
        1 => (-3i64..4).prop_map(Step::Adjust),
        1 => (1i64..4).prop_map(Step::Seats),
        1 => ((1i64..4), any::<u8>()).prop_map(|(credits, moments)| Step::DyingGrant(credits, moments % 24)),
        1 => proptest::prelude::Just(Step::Nothing),
    ]
}

/// What the ledger should say, in the plainest words.
#[derive(Clone, Debug)]
struct Model {
    seats: i64,
    granted_seats: i64,
    recurring_used: i64,
    non_recurring_used: i64,
    balance: i64,
    month: i64,
    /// Of each message: its month, whether its credit was a recurring one, whether it has failed.
    messages: Vec<(i64, bool, bool)>,
}

impl Model {
    const fn new() -> Self {
        Self {
            seats: 1,
            granted_seats: 1,
            recurring_used: 0,
            non_recurring_used: 0,
            balance: 0,
            month: 0,
            messages: Vec::new(),
        }
    }

    fn send(&mut self) -> bool {
        let is_recurring = self.recurring_used < self.granted_seats * PER_SEAT;
        if !is_recurring && self.balance == 0 {
            return false;
        }
        if is_recurring {
            self.recurring_used += 1;
        } else {
            self.balance -= 1;
            self.non_recurring_used += 1;
        }
        self.messages.push((self.month, is_recurring, false));
        true
    }

    fn fail(&mut self, index: usize) {
        let (month, is_recurring, is_failed) = &mut self.messages[index];
        if std::mem::replace(is_failed, true) {
            return;
        }
        let is_current = *month == self.month;
        match *is_recurring {
            true => self.recurring_used -= i64::from(is_current),
            false => {
                self.balance += 1;
                self.non_recurring_used -= i64::from(is_current);
            }
        }
    }

    fn set_seats(&mut self, seats: i64) {
        self.seats = seats;
        self.granted_seats = self.granted_seats.max(seats);
    }

    fn next_month(&mut self) {
        self.month += 1;
        self.granted_seats = self.seats;
        (self.recurring_used, self.non_recurring_used) = (0, 0);
    }

    /// Total, used, and left of what does not expire.
    fn figures(&self) -> (i64, i64, i64) {
        let total = self.granted_seats * PER_SEAT + self.non_recurring_used + self.balance;
        (total, self.recurring_used + self.non_recurring_used, self.balance)
    }
}

/// One workspace with its model.
struct History {
    caller: Arc<WorkspaceCaller>,
    partner: PartnerCaller,
    account_id: AccountId,
    model: Model,
    ids: Vec<MessageId>,
    steps: Vec<Step>,
}

impl History {
    fn begin(workspace: workspace::Model, first: &First, steps: Vec<Step>) -> Self {
        let caller = WorkspaceCaller {
            user: first.user.clone(),
            scopes: Scopes::all(),
            token_id: entity::id::TokenId(uuid::Uuid::nil()),
            plan: first.plan.clone(),
            thresholds: Thresholds::from_stored("50,90,100"),
            workspace,
        };
        Self {
            account_id: AccountId(caller.workspace.id.0),
            caller: Arc::new(caller),
            partner: first.partner.clone(),
            model: Model::new(),
            ids: Vec::new(),
            steps,
        }
    }

    async fn play(&mut self, app: &App, round: usize) {
        let step = self.steps[round].clone();
        match &step {
            Step::Send(count) => {
                for _ in 0..*count {
                    self.send(app).await;
                }
            }
            Step::Fail(n) if !self.ids.is_empty() => self.fail(app, usize::from(*n) % self.ids.len()).await,
            Step::Fail(_) | Step::Nothing | Step::Adjust(0) => {}
            Step::Grant(credits) => {
                self.change(app, ChangeBalance::grant(*credits, None)).await.expect("a grant");
                self.model.balance += credits;
            }
            Step::Adjust(credits) => {
                let adjusted = self.change(app, ChangeBalance::adjust(*credits, None)).await;
                assert_eq!(adjusted.is_ok(), self.model.balance + credits >= 0);
                self.model.balance += if adjusted.is_ok() { *credits } else { 0 };
            }
            Step::Seats(seats) => {
                let command =
                    UpdateWorkspace { seats: Some(Seats::parse(*seats).expect("seats")), ..UpdateWorkspace::default() };
                let slug = self.caller.workspace.slug.as_str();
                update::update(app, &self.partner, slug, &command).await.expect("an update");
                self.model.set_seats(*seats);
            }
            Step::DyingGrant(credits, moments) => self.grant_and_die(app, *credits, *moments).await,
        }
        let shown = self.figures(app).await;
        assert_eq!(shown, self.model.figures(), "after {step:?}, round {round} of {:?}", self.steps);
    }

    async fn figures(&self, app: &App) -> (i64, i64, i64) {
        let shown = figures::figures(app, app.db.reader(), self.caller.workspace.id).await.expect("figures");
        (shown.messages_total.0, shown.messages_used.0, shown.non_recurring_balance.0)
    }

    async fn send(&mut self, app: &App) {
        let phone = Phone::parse("+15550002222").expect("a number");
        let sending = Sending {
            caller: Arc::clone(&self.caller),
            hold: None,
            command: SendMessage {
                destination: Destination::Phone { phone, account: None },
                text: Some(Text::parse("hello".to_owned()).expect("a text")),
                file: None,
                label: None,
                chat_name: None,
                reply_to: None,
            },
            request: Repeatable::never(),
            author: Author::Caller,
        };
        let outcome = send::send(app, sending).await;
        match outcome {
            Ok(id) => {
                assert!(self.model.send(), "there was a credit");
                self.ids.push(id);
            }
            Err(error) => {
                assert_eq!(error.code(), ErrorCode::QuotaExceeded, "{error}");
                assert!(!self.model.send(), "there was none");
            }
        }
    }

    /// The provider gets the message and says that it will not arrive.
    async fn fail(&mut self, app: &App, index: usize) {
        let receipt = Receipt {
            account_id: self.account_id,
            message_id: Some(self.ids[index]),
            provider_ref: None,
            event: ReceiptEvent::Failed { reason: "gone".to_owned() },
        };
        match status::received(app, &receipt).await {
            Ok(_) => self.model.fail(index),
            // It has not been handed over yet; whoever says so says it again later.
            Err(Error::Busy { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }

    async fn change(&self, app: &App, command: Result<ChangeBalance, Error>) -> Result<(), Error> {
        let workspace = &self.caller.workspace;
        let (origin, never) = (Origin::operator(), Repeatable::never());
        let slug = workspace.slug.as_str();
        change::change(app, &origin, &workspace.partner_id, slug, &command?, &never).await.map(|_| ())
    }

    /// The grant is done whole or not at all, wherever it dies.
    async fn grant_and_die(&mut self, app: &App, credits: i64, moments: u8) {
        let before = self.figures(app).await.2;
        let mut left = moments;
        {
            let mut granting = Box::pin(self.change(app, ChangeBalance::grant(credits, None)));
            poll_fn(|context| {
                if left == 0 || granting.poll_unpin(context).is_ready() {
                    return std::task::Poll::Ready(());
                }
                left -= 1;
                std::task::Poll::Pending
            })
            .await;
        }
        let after = settled(app, self, before).await;
        assert!(after == before || after == before + credits, "{before} became {after} by {credits}");
        self.model.balance += after - before;
    }
}

/// The balance once a dropped transaction is gone: the next write on the workspace waits for it.
async fn settled(app: &App, history: &History, _before: i64) -> i64 {
    history.change(app, ChangeBalance::grant(1, None)).await.expect("a grant");
    history.change(app, ChangeBalance::adjust(-1, None)).await.expect("an adjustment");
    history.figures(app).await.2
}

/// What all histories share.
struct First {
    partner: PartnerCaller,
    plan: entity::plan::Model,
    user: entity::user::Model,
}

/// Copies of the first workspace, which is made as partners make them, each with an account: `10000 + n` is the number
/// of both.
async fn make_workspaces(app: &App, partner: &PartnerCaller) -> First {
    let command = CreateWorkspace {
        display_name: DisplayName::parse("first").expect("a name"),
        seats: Seats::parse(1).expect("a seat"),
        time_zone: TimeZoneName::default(),
    };
    let created = create::create(app, partner, &command, &Repeatable::never()).await.expect("a workspace").workspace;
    let db = app.db.reader();
    let found = quartermaster::workspace::find(db, &partner.partner.id, created.slug.as_str()).await;
    let found = found.expect("a workspace");
    let owner = created.owner_user_id.expect("an owner");
    let user = quartermaster::workspace::find_user(db, &found, owner).await.expect("a user");
    let numbers = format!(
        "WITH RECURSIVE n(n) AS (SELECT 10001 UNION ALL SELECT n + 1 FROM n WHERE n < {})",
        10_000 + histories()
    );
    let uuid = match app.db.is_sqlite() {
        true => "randomblob(16)",
        false => "gen_random_uuid()",
    };
    let statements = [
        format!(
            "INSERT INTO workspaces (id, partner_id, slug, display_name, display_name_folded, plan_id, status, \
             seats_total, seats_used, owner_user_id, group_id, time_zone, created_at, updated_at) {numbers} \
             SELECT n, partner_id, 'w-' || n, display_name, display_name_folded, plan_id, status, seats_total, \
             seats_used, owner_user_id, group_id, time_zone, created_at, updated_at FROM workspaces, n \
             WHERE slug = 'first'"
        ),
        "INSERT INTO wallets (workspace_id, balance) SELECT id, 0 FROM workspaces WHERE id > 10000".to_owned(),
        "INSERT INTO users (id, workspace_id, group_id, role, display_name, email, status, created_at, updated_at) \
         SELECT w.id, w.id, u.group_id, u.role, u.display_name, u.email, u.status, u.created_at, u.updated_at \
         FROM workspaces w, users u WHERE w.id > 10000"
            .to_owned(),
        "UPDATE workspaces SET owner_user_id = id WHERE id > 10000".to_owned(),
        format!(
            "INSERT INTO channels (account_id, id, workspace_id, user_id, network, connector, session, state, \
             suspended, external_id, phone, account_name, connected_at, created_at, updated_at) \
             SELECT id, {uuid}, id, owner_user_id, 'whatsapp', 'sandbox', {uuid}, 'connected', FALSE, \
             '1555' || id || '@s.whatsapp.net', '+1555' || id, '', created_at, created_at, created_at \
             FROM workspaces WHERE id > 10000"
        ),
        "INSERT INTO send_queues (account_id, workspace_id, queued) SELECT account_id, workspace_id, 0 FROM channels"
            .to_owned(),
    ];
    execute(app, &statements).await;
    let plan = plan::by_id(db, found.plan_id).await.expect("a plan");
    First { partner: partner.clone(), plan, user }
}

async fn execute(app: &App, statements: &[String]) {
    let done = quartermaster::db::write(&app.db, "test", async |tx| {
        for statement in statements {
            tx.execute_unprepared(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
        Ok(())
    });
    done.await.expect("a commit");
}

/// Everything that waits is with the provider, as if its workers had had all night.
async fn hand_over(app: &App) {
    let statements = [
        "UPDATE send_queues SET queued = 0, due_at = NULL WHERE queued > 0".to_owned(),
        "UPDATE messages SET status = 'sent' WHERE status = 'queued'".to_owned(),
    ];
    execute(app, &statements).await;
}

async fn end_month(app: &TestApp) {
    let now = app.clock.now();
    let end = Period::containing(now).expect("a period").end;
    app.clock.advance(Duration::from_micros(u64::try_from(end.0 - now.0).expect("the future")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_histories_and_no_drift() {
    let app = Setup::default().configured(|config| config.sandbox_receipt_ms = 0).start().await;
    let plan = SetPlan { credits_per_seat: Some(Credits(PER_SEAT)), pacing_ms: Some(0), ..unlimited() };
    plan::set(&app.app, &Origin::operator(), &plan).await.expect("a plan");
    app.partner("acme").await;
    let partner = admin::show(&app.app, &PartnerId::parse("acme").expect("an id")).await.expect("a partner");
    let partner = PartnerCaller { partner, request_id: "histories".to_owned() };
    let first = make_workspaces(&app.app, &partner).await;
    let query = workspace::Entity::find().filter(workspace::Column::Id.gt(10_000)).order_by_asc(workspace::Column::Id);
    let mut workspaces = query.all(app.app.db.reader()).await.expect("workspaces");
    assert_eq!(workspaces.len(), histories());
    let mut runner = TestRunner::deterministic();
    let strategy = proptest::collection::vec(step(), ROUNDS);
    while !workspaces.is_empty() {
        let group = workspaces.split_off(workspaces.len() - AT_ONCE);
        let mut begin = |workspace| {
            let steps = strategy.new_tree(&mut runner).expect("steps").current();
            History::begin(workspace, &first, steps)
        };
        let mut histories: Vec<History> = group.into_iter().map(&mut begin).collect();
        for round in 0..ROUNDS {
            stream::iter(&mut histories).for_each_concurrent(64, |history| history.play(&app.app, round)).await;
            hand_over(&app.app).await;
            if round == ROUNDS / 2 {
                end_month(&app).await;
                histories.iter_mut().for_each(|history| history.model.next_month());
                close::close_ended(&app.app).await.expect("closed");
            }
        }
    }
    let report = audited(&app).await;
    assert!(usize::try_from(report.messages).is_ok_and(|messages| messages > histories()), "{report:?}");
}
