//! Ten thousand random histories of a workspace's credits against a simple model: grants, adjustments, sends, refunds,
//! seat changes, period ends, and each of them dying half-way: whoever does it is gone in the middle, or the
//! transaction is taken back. After each step the figures are the model's; at the end everything adds up, and partners
//! were told of what the model tells of.
//!
//! Histories are played many at a time on one database, because that is how they happen: their sends end up in the
//! same batches. The calendar is everybody's; they begin one after the other, so a period ends for some when they have
//! just begun and for others when they are nearly over.

use std::{collections::HashMap, sync::Arc, time::Duration};

use entity::{
    credits::Credits,
    event,
    id::{AccountId, MessageId, PartnerId, WorkspaceId},
    workspace,
};
use futures_util::{StreamExt, stream};
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
        send,
        status::{self, Receipt, ReceiptEvent, Received},
    },
    partner::admin,
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
    histories::{
        deaths::Deaths,
        model::{Model, PER_SEAT, THRESHOLDS, Told},
    },
    ledger::audited,
    support::{
        Setup, TestApp,
        database::Mode,
        sender::{self, unlimited},
    },
};

mod deaths;
mod model;

/// On the embedded store; a tenth on PostgreSQL, where what is told apart is how rows are locked.
const HISTORIES: usize = 10_000;
/// How many begin at once; four times as many are under way.
const COHORT: usize = 250;
const ROUNDS: usize = 4;
/// After so many rounds of everybody a period ends: not after as many as a history has.
const ROUNDS_OF_PERIOD: usize = 3;

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
    /// Dies after so many moments.
    Dying(Death, u8),
    /// A message that takes its whole batch down with it.
    SendInVain,
    Nothing,
}

/// What dies half-way.
#[derive(Clone, Debug)]
enum Death {
    Send,
    Fail(u8),
    Grant(i64),
    Seats(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let death = prop_oneof![
        proptest::prelude::Just(Death::Send),
        any::<u8>().prop_map(Death::Fail),
        (1i64..4).prop_map(Death::Grant),
        (1i64..4).prop_map(Death::Seats),
    ];
    prop_oneof![
        400 => (1u8..5).prop_map(Step::Send),
        200 => any::<u8>().prop_map(Step::Fail),
        50 => (1i64..4).prop_map(Step::Grant),
        50 => (-3i64..4).prop_map(Step::Adjust),
        50 => (1i64..4).prop_map(Step::Seats),
        100 => (death, 0..deaths::MOMENTS).prop_map(|(death, moments)| Step::Dying(death, moments)),
        2 => proptest::prelude::Just(Step::SendInVain),
        50 => proptest::prelude::Just(Step::Nothing),
    ]
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
            thresholds: Thresholds::from_stored(&first.partner.partner.thresholds),
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

    async fn play(&mut self, app: &App, deaths: &Deaths) {
        let Some(step) = self.steps.pop() else { return };
        match &step {
            Step::Send(count) => {
                for _ in 0..*count {
                    self.send(app, deaths).await;
                }
            }
            Step::Fail(n) if !self.ids.is_empty() => self.fail(app, usize::from(*n) % self.ids.len()).await,
            Step::Fail(_) | Step::Nothing | Step::Adjust(0) => {}
            Step::Grant(credits) => {
                self.change(app, ChangeBalance::grant(*credits, None)).await.expect("a grant");
                assert!(self.model.change(*credits));
            }
            Step::Adjust(credits) => {
                let adjusted = self.change(app, ChangeBalance::adjust(*credits, None)).await;
                assert_eq!(adjusted.is_ok(), self.model.change(*credits));
            }
            Step::Seats(seats) => {
                self.set_seats(app, *seats).await.expect("an update");
                self.model.set_seats(*seats);
            }
            Step::Dying(death, moments) => self.die(app, death, *moments, deaths).await,
            Step::SendInVain => {
                let outcome = self.accept(app, deaths::FATAL).await;
                outcome.expect_err("nobody can store it");
            }
        }
        let shown = self.figures(app).await;
        assert_eq!(shown, self.model.figures(), "after {step:?}, before {:?}: {:?}", self.steps, self.model);
    }

    async fn figures(&self, app: &App) -> (i64, i64, i64) {
        let shown = figures::figures(app, app.db.reader(), self.caller.workspace.id).await.expect("figures");
        (shown.messages_total.0, shown.messages_used.0, shown.non_recurring_balance.0)
    }

    async fn accept(&self, app: &App, text: &str) -> Result<MessageId, Error> {
        send::send(app, sender::text(&self.caller, "+15550002222", text)).await
    }

    async fn send(&mut self, app: &App, deaths: &Deaths) {
        let outcome = self.accept(app, "hello").await;
        self.take(outcome, deaths);
    }

    fn take(&mut self, outcome: Result<MessageId, Error>, deaths: &Deaths) {
        match outcome {
            Ok(id) => {
                assert!(self.model.send(), "there was a credit");
                self.ids.push(id);
            }
            // It was in the batch of a message that nobody can store.
            Err(Error::Internal(_)) => deaths.taken_along(),
            Err(error) => {
                assert_eq!(error.code(), ErrorCode::QuotaExceeded, "{error}");
                assert!(!self.model.send(), "there was none");
            }
        }
    }

    /// The provider gets the message and says that it will not arrive.
    async fn fail(&mut self, app: &App, index: usize) {
        match self.receipt(app, index).await {
            Ok(_) => self.model.fail(index),
            // It has not been handed over yet; whoever says so says it again later.
            Err(Error::Busy { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }

    async fn receipt(&self, app: &App, index: usize) -> Result<Received, Error> {
        let receipt = Receipt {
            account_id: self.account_id,
            message_id: Some(self.ids[index]),
            provider_ref: None,
            event: ReceiptEvent::Failed { reason: "gone".to_owned() },
        };
        status::received(app, &receipt).await
    }

    async fn set_seats(&self, app: &App, seats: i64) -> Result<(), Error> {
        let command =
            UpdateWorkspace { seats: Some(Seats::parse(seats).expect("seats")), ..UpdateWorkspace::default() };
        let slug = self.caller.workspace.slug.as_str();
        update::update(app, &self.partner, slug, &command).await.map(|_| ())
    }

    async fn change(&self, app: &App, command: Result<ChangeBalance, Error>) -> Result<(), Error> {
        let workspace = &self.caller.workspace;
        let (origin, never) = (Origin::operator(), Repeatable::never());
        let slug = workspace.slug.as_str();
        change::change(app, &origin, &workspace.partner_id, slug, &command?, &never).await.map(|_| ())
    }
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

/// Ends the month for everybody. Whoever closes it dies on the way; the rest is closed a round later.
async fn end_month(app: &TestApp, histories: &mut [History], deaths: &Deaths) {
    let now = app.clock.now();
    let end = Period::containing(now).expect("a period").end;
    app.clock.advance(Duration::from_micros(u64::try_from(end.0 - now.0).expect("the future")));
    histories.iter_mut().for_each(|history| history.model.next_month());
    deaths.of_closing(app).await;
}

/// What partners were told of the credits of each workspace.
async fn told(app: &App) -> HashMap<WorkspaceId, Told> {
    let mut told: HashMap<WorkspaceId, Told> = HashMap::new();
    for event in event::Entity::find().all(app.db.reader()).await.expect("events") {
        let of = told.entry(event.workspace_id.expect("a workspace")).or_default();
        match event.kind.as_str() {
            "workspace:quota_near_full:messaging" => of.near += 1,
            "workspace:quota_full:messaging" => of.full += 1,
            "workspace:quota_recovered:messaging" => of.recovered += 1,
            _ => {}
        }
    }
    told
}

async fn start() -> (TestApp, PartnerCaller) {
    let app = Setup::default().configured(|config| config.sandbox_receipt_ms = 0).start().await;
    let plan = SetPlan { credits_per_seat: Some(Credits(PER_SEAT)), pacing_ms: Some(0), ..unlimited() };
    plan::set(&app.app, &Origin::operator(), &plan).await.expect("a plan");
    app.partner("acme").await;
    let id = PartnerId::parse("acme").expect("an id");
    let percentages = THRESHOLDS.into_iter().map(|one| i32::try_from(one).expect("a percentage")).collect();
    let thresholds = Thresholds::new(percentages).expect("thresholds");
    admin::set_thresholds(&app.app, &Origin::operator(), &id, &thresholds).await.expect("thresholds");
    let partner = admin::show(&app.app, &id).await.expect("a partner");
    (app, PartnerCaller { partner, request_id: "histories".to_owned() })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_histories_and_no_drift() {
    let (app, partner) = start().await;
    let first = make_workspaces(&app.app, &partner).await;
    let deaths = Deaths::prepare(&app.app).await;
    let query = workspace::Entity::find().filter(workspace::Column::Id.gt(10_000)).order_by_asc(workspace::Column::Id);
    let mut workspaces = query.all(app.app.db.reader()).await.expect("workspaces");
    assert_eq!(workspaces.len(), histories());
    let mut runner = TestRunner::deterministic();
    let strategy = proptest::collection::vec(step(), ROUNDS);
    let mut expected = HashMap::new();
    let mut histories: Vec<History> = Vec::new();
    for round in 1.. {
        for workspace in workspaces.split_off(workspaces.len().saturating_sub(COHORT)) {
            let steps = strategy.new_tree(&mut runner).expect("steps").current();
            histories.push(History::begin(workspace, &first, steps));
        }
        if histories.is_empty() {
            break;
        }
        stream::iter(&mut histories).for_each_concurrent(64, |history| history.play(&app.app, &deaths)).await;
        hand_over(&app.app).await;
        close::close_ended(&app.app).await.expect("closed");
        for ended in histories.extract_if(.., |history| history.steps.is_empty()) {
            expected.insert(ended.caller.workspace.id, ended.model.told);
        }
        if round % ROUNDS_OF_PERIOD == 0 {
            end_month(&app, &mut histories, &deaths).await;
        }
    }
    close::close_ended(&app.app).await.expect("closed");
    let report = audited(&app).await;
    assert!(usize::try_from(report.messages).is_ok_and(|messages| messages > expected.len()), "{report:?}");
    let told = told(&app.app).await;
    for (id, expected) in expected {
        assert_eq!(told.get(&id).copied().unwrap_or_default(), expected, "{id}");
    }
    deaths.were_of_all_kinds();
}
