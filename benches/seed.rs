//! Customers by the thousand, written straight into the tables: each with an owner, a token and a connected channel.
//!
//! Their plan refuses nothing, and pauses so long between two messages that a worker would have none to send.

use entity::{
    channel::{self, ConnectorKind, Network},
    credits::Credits,
    group,
    id::{AccountId, AttemptId, ChannelId, GroupId, PartnerId, PlanId, TokenId, UserId, WorkspaceId, WorkspaceSlug},
    send_queue,
    timestamp::Timestamp,
    token, user, wallet, workspace,
};
use quartermaster::{
    app::App,
    caller::Origin,
    db,
    partner::{
        WithSecret,
        admin::{self, CreatePartner},
    },
    plan::{self, SetPlan},
    secret,
    token::Scopes,
};
use sea_orm::{DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel};
use secrecy::ExposeSecret;

pub(crate) const PARTNER: &str = "acme";
/// Above what the databases number by themselves.
pub(crate) const FIRST_ID: i64 = 1_000_000;
/// Rows for one statement: with the widest table this stays below the most parameters that SQLite takes.
const ROWS: usize = 1000;
const PLAN: &str = "bench";
const PLENTY: i64 = 1_000_000_000;
const MANY_PER_SECOND: i32 = 1_000_000;
const PAUSE_MS: i64 = 3_600_000;

/// Who was made.
pub(crate) struct Seeded {
    pub(crate) secret: String,
    /// Of each workspace one.
    pub(crate) tokens: Vec<String>,
}

/// Makes the partner on a plan that refuses nothing, and so many workspaces.
pub(crate) async fn customers(app: &App, count: i64) -> Seeded {
    customers_with(app, count, Credits(PLENTY)).await
}

/// The same with so many credits for each.
pub(crate) async fn customers_with(app: &App, count: i64, credits: Credits) -> Seeded {
    let many = Some(MANY_PER_SECOND);
    let plan = SetPlan {
        name: PLAN.to_owned(),
        credits_per_seat: Some(credits),
        api_calls_per_period: Some(PLENTY),
        token_rate_per_second: many,
        token_burst: many,
        workspace_rate_per_second: many,
        partner_rate_per_second: many,
        pacing_ms: Some(PAUSE_MS),
        max_channels: None,
    };
    let plan = plan::set(app, &Origin::operator(), &plan).await.expect("a plan");
    let secret = partner(app, &plan.name).await;
    let numbers: Vec<i64> = (FIRST_ID..FIRST_ID + count).collect();
    let mut tokens = Vec::with_capacity(numbers.len());
    for numbers in numbers.chunks(ROWS) {
        let some: Vec<Customer> = numbers.iter().map(|number| Customer::new(app, *number, plan.id)).collect();
        tokens.extend(some.iter().map(|customer| customer.token.clone()));
        let written = db::write(&app.db, "seed", async |tx| Ok(insert(tx, &some).await?)).await;
        written.expect("customers");
    }
    Seeded { secret, tokens }
}

/// Makes the partner on this plan; its secret.
pub(crate) async fn partner(app: &App, plan: &str) -> String {
    create(app, PARTNER, plan).await.secret.expose_secret().to_owned()
}

/// Makes one more partner, on the same plan.
pub(crate) async fn another_partner(app: &App, id: &str) -> PartnerId {
    create(app, id, PLAN).await.partner.id
}

async fn create(app: &App, id: &str, plan: &str) -> WithSecret {
    let id = PartnerId::parse(id).expect("an id");
    let partner = CreatePartner { id, name: "Acme".to_owned(), plan: plan.to_owned(), is_sandbox: true };
    admin::create(app, &Origin::operator(), &partner).await.expect("a partner")
}

/// The wire id of the workspace with this number.
pub(crate) fn slug(number: i64) -> String {
    format!("bench-{number}")
}

struct Customer<'a> {
    app: &'a App,
    number: i64,
    plan_id: PlanId,
    token: String,
    now: Timestamp,
}

impl<'a> Customer<'a> {
    fn new(app: &'a App, number: i64, plan_id: PlanId) -> Self {
        let token = secret::generate(&app.clock, "qm_").expose_secret().to_owned();
        Self { app, number, plan_id, token, now: app.clock.now() }
    }

    fn workspace(&self) -> workspace::Model {
        let name = slug(self.number);
        workspace::Model {
            id: WorkspaceId(self.number),
            partner_id: PartnerId::parse(PARTNER).expect("an id"),
            slug: WorkspaceSlug::parse(&name).expect("a slug"),
            display_name: name.clone(),
            display_name_folded: name,
            plan_id: self.plan_id,
            status: workspace::Status::Active,
            seats_total: 1,
            seats_used: 1,
            owner_user_id: Some(UserId(self.number)),
            group_id: Some(GroupId(self.number)),
            time_zone: "UTC".to_owned(),
            created_at: self.now,
            updated_at: self.now,
        }
    }

    fn group(&self) -> group::Model {
        let name = "Default".to_owned();
        group::Model { id: GroupId(self.number), workspace_id: WorkspaceId(self.number), name }
    }

    fn user(&self) -> user::Model {
        user::Model {
            id: UserId(self.number),
            workspace_id: WorkspaceId(self.number),
            group_id: GroupId(self.number),
            role: user::Role::Owner,
            display_name: "Owner".to_owned(),
            email: format!("owner-{}@partners.localhost", self.number),
            status: user::Status::Activated,
            suspension_order: None,
            created_at: self.now,
            updated_at: self.now,
        }
    }

    fn token(&self) -> token::Model {
        token::Model {
            id: TokenId(self.app.clock.uuid()),
            workspace_id: WorkspaceId(self.number),
            user_id: UserId(self.number),
            kind: token::Kind::Issued,
            name: "bench".to_owned(),
            scopes: Scopes::all().to_text(),
            digest: secret::digest(&self.token),
            sealed: None,
            created_at: self.now,
            revoked_at: None,
        }
    }

    fn channel(&self) -> channel::Model {
        let digits = 15_550_000_000 + self.number;
        channel::Model {
            account_id: AccountId(self.number),
            id: ChannelId(self.app.clock.uuid()),
            workspace_id: WorkspaceId(self.number),
            user_id: UserId(self.number),
            network: Network::Whatsapp,
            connector: ConnectorKind::Sandbox,
            session: AttemptId(self.app.clock.uuid()),
            state: channel::State::Connected,
            suspended: false,
            deactivated: false,
            standalone: false,
            external_id: format!("{digits}@s.whatsapp.net"),
            phone: format!("+{digits}"),
            account_name: "Bench".to_owned(),
            connected_at: self.now,
            disconnected_at: None,
            disconnect_reason: None,
            created_at: self.now,
            updated_at: self.now,
            deleted_at: None,
        }
    }

    fn queue(&self) -> send_queue::Model {
        send_queue::Model {
            account_id: AccountId(self.number),
            workspace_id: WorkspaceId(self.number),
            queued: 0,
            due_at: None,
            rest_until: Timestamp(0),
            lease: None,
        }
    }

    fn wallet(&self) -> wallet::Model {
        wallet::Model { workspace_id: WorkspaceId(self.number), balance: Credits(0) }
    }
}

async fn insert(tx: &DatabaseTransaction, some: &[Customer<'_>]) -> Result<(), DbErr> {
    macro_rules! rows {
        ($($entity:path, $row:ident;)+) => {$(
            let rows = some.iter().map(|customer| customer.$row().into_active_model());
            <$entity>::insert_many(rows).exec_without_returning(tx).await?;
        )+};
    }
    rows! {
        workspace::Entity, workspace;
        group::Entity, group;
        user::Entity, user;
        token::Entity, token;
        channel::Entity, channel;
        send_queue::Entity, queue;
        wallet::Entity, wallet;
    }
    Ok(())
}
