//! Messages without the surface that takes them: accepted, charged and queued as it would, and looked at afterwards.

use entity::{
    channel, chat, credit_entry,
    credits::Credits,
    id::{AccountId, MessageId},
    message::{self, Direction, Status},
    message_status, quota_period, sandbox_message, send_queue, wallet,
};
use quartermaster::{
    caller::Origin,
    db,
    message::Jid,
    phone::Phone,
    plan::{self, SetPlan},
};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, Set, sea_query::Expr};

use crate::support::{PartnerClient, TestApp};

/// A connected phone and what goes through it.
pub(crate) struct Line<'a> {
    app: &'a TestApp,
    pub(crate) account: AccountId,
}

/// What a message has come to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fate {
    pub(crate) status: Status,
    pub(crate) tries: i32,
    /// How often it was given to the simulated provider, and how often it reached its recipient.
    pub(crate) at_provider: (i32, i32),
}

impl<'a> Line<'a> {
    /// A workspace of its own with one phone, linked to the owner.
    pub(crate) async fn open(app: &'a TestApp, partner: &PartnerClient, name: &str, phone: &str) -> Self {
        let workspace = partner.workspace(name, 3).await;
        let owner = partner.owner(&workspace).await;
        Self::connect(app, partner, &workspace, owner, phone).await
    }

    /// A phone for a user.
    pub(crate) async fn connect(
        app: &'a TestApp,
        partner: &PartnerClient,
        workspace: &str,
        user: i64,
        phone: &str,
    ) -> Self {
        let account = AccountId(partner.connect(workspace, user, phone).await);
        app.run_jobs().await;
        Self { app, account }
    }

    pub(crate) async fn channel(&self) -> channel::Model {
        let found = channel::Entity::find_by_id(self.account).one(self.app.app.db.reader()).await.expect("a look");
        found.expect("a channel")
    }

    /// Accepts a text: charged, stored, queued.
    pub(crate) async fn accept(&self, to: &str) -> MessageId {
        let channel = self.channel().await;
        let (app, now) = (&self.app.app, self.app.clock.now());
        let jid = Jid::of(&Phone::parse(to).expect("a number"));
        let id = MessageId(self.app.clock.uuid());
        db::write(&app.db, "test", async |tx| {
            let period = quota_period::Entity::find()
                .filter(quota_period::Column::WorkspaceId.eq(channel.workspace_id))
                .order_by_desc(quota_period::Column::PeriodStart)
                .one(tx)
                .await?
                .expect("a period");
            let known = chat::Entity::find()
                .filter(chat::Column::AccountId.eq(channel.account_id))
                .filter(chat::Column::Jid.eq(jid.as_str()));
            let chat_id = match known.one(tx).await? {
                Some(chat) => chat.id,
                None => new_chat(&channel, &jid, to).insert(tx).await?.id,
            };
            let message = message::ActiveModel {
                id: Set(id),
                workspace_id: Set(channel.workspace_id),
                account_id: Set(channel.account_id),
                chat_id: Set(chat_id),
                direction: Set(Direction::Sent),
                status: Set(Status::Queued),
                text: Set(Some(format!("Hello {to}"))),
                origin: Set("Public API".to_owned()),
                tries: Set(0),
                created_at: Set(now),
                updated_at: Set(now),
                ..Default::default()
            };
            message::Entity::insert(message).exec_without_returning(tx).await?;
            let charge = credit_entry::ActiveModel {
                workspace_id: Set(channel.workspace_id),
                period_start: Set(period.period_start),
                bucket: Set(credit_entry::Bucket::Recurring),
                kind: Set(credit_entry::Kind::Charge),
                amount: Set(Credits(-1)),
                message_id: Set(Some(id)),
                created_at: Set(now),
                ..Default::default()
            };
            charge.insert(tx).await?;
            quota_period::Entity::update_many()
                .col_expr(quota_period::Column::RecurringUsed, Expr::col(quota_period::Column::RecurringUsed).add(1))
                .filter(quota_period::Column::WorkspaceId.eq(channel.workspace_id))
                .filter(quota_period::Column::PeriodStart.eq(period.period_start))
                .exec(tx)
                .await?;
            let queued = send_queue::Entity::update_many()
                .col_expr(send_queue::Column::Queued, Expr::col(send_queue::Column::Queued).add(1))
                .col_expr(send_queue::Column::DueAt, Expr::col(send_queue::Column::DueAt).if_null(Expr::value(now)))
                .filter(send_queue::Column::AccountId.eq(channel.account_id))
                .exec(tx)
                .await?;
            assert_eq!(queued.rows_affected, 1, "every channel has a queue");
            Ok(())
        })
        .await
        .expect("an accepted message");
        id
    }

    /// Accepts several texts to usual numbers.
    pub(crate) async fn accept_many(&self, count: usize) -> Vec<MessageId> {
        let mut ids = Vec::with_capacity(count);
        for _ in 0..count {
            ids.push(self.accept("+15557770000").await);
        }
        ids
    }

    pub(crate) async fn queue(&self) -> send_queue::Model {
        let found = send_queue::Entity::find_by_id(self.account).one(self.app.app.db.reader()).await.expect("a look");
        found.expect("a queue")
    }

    /// Queued messages, and seconds until the queue is due.
    pub(crate) async fn waiting(&self) -> (i64, Option<i64>) {
        let queue = self.queue().await;
        let now = self.app.clock.now();
        (queue.queued, queue.due_at.map(|due_at| (due_at.0 - now.0) / 1_000_000))
    }

    /// Credits of the period that are used, and credits that do not expire.
    pub(crate) async fn balances(&self) -> (i64, i64) {
        let workspace = self.channel().await.workspace_id;
        let db = self.app.app.db.reader();
        let periods = quota_period::Entity::find().filter(quota_period::Column::WorkspaceId.eq(workspace));
        let used = periods.all(db).await.expect("periods").iter().map(|period| period.recurring_used.0).sum();
        let wallet = wallet::Entity::find_by_id(workspace).one(db).await.expect("a look").expect("a wallet");
        (used, wallet.balance.0)
    }
}

fn new_chat(channel: &channel::Model, jid: &Jid, to: &str) -> chat::ActiveModel {
    chat::ActiveModel {
        workspace_id: Set(channel.workspace_id),
        account_id: Set(channel.account_id),
        jid: Set(jid.as_str().to_owned()),
        phone: Set(Some(to.to_owned())),
        name: Set(to.to_owned()),
        name_folded: Set(to.to_owned()),
        is_group: Set(false),
        closed: Set(false),
        read: Set(true),
        created_at: Set(channel.created_at),
        updated_at: Set(channel.created_at),
        ..Default::default()
    }
}

impl TestApp {
    pub(crate) async fn message(&self, id: MessageId) -> message::Model {
        let found = message::Entity::find_by_id(id).one(self.app.db.reader()).await.expect("a look");
        found.expect("a message")
    }

    pub(crate) async fn statuses(&self, ids: &[MessageId]) -> Vec<Status> {
        let mut statuses = Vec::with_capacity(ids.len());
        for id in ids {
            statuses.push(self.message(*id).await.status);
        }
        statuses
    }

    pub(crate) async fn fate(&self, id: MessageId) -> Fate {
        let message = self.message(id).await;
        let given = sandbox_message::Entity::find_by_id(id).one(self.app.db.reader()).await.expect("a look");
        let at_provider = given.map_or((0, 0), |given| (given.tries, given.arrivals));
        Fate { status: message.status, tries: message.tries, at_provider }
    }

    /// The steps that were written down, in order, with reasons.
    pub(crate) async fn history(&self, id: MessageId) -> Vec<(Status, Option<String>)> {
        let rows = message_status::Entity::find()
            .filter(message_status::Column::MessageId.eq(id))
            .order_by_asc(message_status::Column::Id)
            .all(self.app.db.reader())
            .await
            .expect("a history");
        rows.into_iter().map(|row| (row.status, row.reason)).collect()
    }

    /// What the ledger says of a message: each entry's amount, in order.
    pub(crate) async fn entries(&self, id: MessageId) -> Vec<i64> {
        let rows = credit_entry::Entity::find()
            .filter(credit_entry::Column::MessageId.eq(id))
            .order_by_asc(credit_entry::Column::Id)
            .all(self.app.db.reader())
            .await
            .expect("entries");
        rows.into_iter().map(|row| row.amount.0).collect()
    }

    /// Changes the pause between two messages of everybody.
    pub(crate) async fn set_pacing(&self, pacing_ms: i64) {
        let change = SetPlan { name: "starter".to_owned(), pacing_ms: Some(pacing_ms), ..SetPlan::default() };
        plan::set(&self.app, &Origin::operator(), &change).await.expect("a plan");
    }
}
