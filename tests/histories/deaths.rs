//! How what a history does dies half-way: a caller that is dropped after so many moments, and a message that the
//! database refuses once its batch is written, which takes the whole batch back.
//!
//! What was dropped is done whole or not at all. Which of the two is read from the database, once nothing of it can be
//! under way any more; the model follows.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicU16, AtomicUsize, Ordering},
    },
    task::Poll,
};

use entity::{
    id::MessageId,
    message::{self, Status},
    quota_period, workspace,
};
use futures_util::{FutureExt, future::poll_fn};
use quartermaster::{app::App, credit::change::ChangeBalance, db, quota::close};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr};

use crate::{
    histories::{Death, History, execute},
    support::TestApp,
};

/// Most moments after which something dies.
pub(super) const MOMENTS: u8 = 32;
/// The text of a message that nobody can store.
pub(super) const FATAL: &str = "fatal";

/// What has died, and what came of it.
#[derive(Default)]
pub(super) struct Deaths {
    /// Of each kind, how many were done all the same, and how many were not.
    of: Mutex<BTreeMap<&'static str, (usize, usize)>>,
    taken_along: AtomicUsize,
    closings: AtomicU16,
}

impl Deaths {
    /// Makes the database refuse what is fatal.
    pub(super) async fn prepare(app: &App) -> Self {
        let refusing: &[&str] = match app.db.is_sqlite() {
            true => &["CREATE TRIGGER fatal AFTER INSERT ON messages WHEN NEW.text = 'fatal' \
                 BEGIN SELECT RAISE(ABORT, 'fatal'); END"],
            false => &[
                "CREATE FUNCTION fatal() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'fatal'; END $$",
                "CREATE TRIGGER fatal AFTER INSERT ON messages FOR EACH ROW WHEN (NEW.text = 'fatal') \
                 EXECUTE FUNCTION fatal()",
            ],
        };
        execute(app, &refusing.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>()).await;
        Self::default()
    }

    /// A message was in a batch that was taken back.
    pub(super) fn taken_along(&self) {
        self.taken_along.fetch_add(1, Ordering::Relaxed);
    }

    fn count(&self, kind: &'static str, is_done: bool) {
        let mut of = self.of.lock().expect("a lock");
        let (done, undone) = of.entry(kind).or_default();
        *(if is_done { done } else { undone }) += 1;
    }

    /// Whoever closes a period that has ended dies after some have been closed.
    pub(super) async fn of_closing(&self, app: &TestApp) {
        let open = async || {
            let open = quota_period::Entity::find().filter(quota_period::Column::ClosedAt.is_null());
            open.count(app.app.db.reader()).await.expect("a count")
        };
        let before = open().await;
        let moments = 50 + 50 * self.closings.fetch_add(1, Ordering::Relaxed);
        die_after(moments, close::close_ended(&app.app)).await;
        // Waits for whoever holds one of them.
        execute(&app.app, &["UPDATE quota_periods SET revision = revision WHERE closed_at IS NULL".to_owned()]).await;
        let after = open().await;
        self.count("closing one", after < before);
        self.count("closing all", after == 0);
    }

    /// Each kind of death came to both ends, or this shows less than it says.
    pub(super) fn were_of_all_kinds(&self) {
        let of = self.of.lock().expect("a lock");
        for kind in ["send", "refund", "grant", "seats"] {
            assert!(of.get(kind).is_some_and(|(done, undone)| *done > 0 && *undone > 0), "{kind}: {of:?}");
        }
        assert!(of["closing one"].0 > 0 && of["closing all"].1 > 0, "{of:?}");
        assert!(self.taken_along.load(Ordering::Relaxed) > 0);
    }
}

/// Drops `dying` after so many moments, unless it is done before.
async fn die_after<T>(moments: u16, dying: impl Future<Output = T>) {
    let mut dying = Box::pin(dying);
    let mut left = moments;
    poll_fn(|context| {
        if left == 0 || dying.poll_unpin(context).is_ready() {
            return Poll::Ready(());
        }
        left -= 1;
        Poll::Pending
    })
    .await;
}

impl History {
    pub(super) async fn die(&mut self, app: &App, death: &Death, moments: u8, deaths: &Deaths) {
        let moments = u16::from(moments);
        match death {
            Death::Send => self.send_and_die(app, moments % 3, deaths).await,
            Death::Fail(_) if self.ids.is_empty() => {}
            Death::Fail(n) => self.fail_and_die(app, usize::from(*n) % self.ids.len(), moments, deaths).await,
            Death::Grant(credits) => self.grant_and_die(app, *credits, moments, deaths).await,
            Death::Seats(seats) => self.set_seats_and_die(app, *seats, moments, deaths).await,
        }
    }

    /// The writer takes messages in their order, so once a later one has its answer, the one that nobody waits for is
    /// decided too.
    async fn send_and_die(&mut self, app: &App, moments: u16, deaths: &Deaths) {
        die_after(moments, self.accept(app, "hello")).await;
        let answered = self.accept(app, "hello").await;
        let stored = self.stored(app).await;
        let is_done = stored.len() > self.ids.len() + usize::from(answered.is_ok());
        if is_done {
            assert!(self.model.send(), "there was a credit");
            self.ids.push(stored[self.ids.len()]);
        }
        deaths.count("send", is_done);
        self.take(answered, deaths);
        assert_eq!(self.ids, stored);
    }

    /// All its messages in their order.
    async fn stored(&self, app: &App) -> Vec<MessageId> {
        let query = message::Entity::find().select_only().column(message::Column::Id);
        let query = query.filter(message::Column::WorkspaceId.eq(self.caller.workspace.id));
        let query = query.order_by_asc(message::Column::Id).into_tuple();
        query.all(app.db.reader()).await.expect("messages")
    }

    async fn fail_and_die(&mut self, app: &App, index: usize, moments: u16, deaths: &Deaths) {
        let status = async || {
            let found = message::Entity::find_by_id(self.ids[index]).one(app.db.reader()).await.expect("a look");
            found.expect("a message").status
        };
        let before = status().await;
        die_after(moments, self.receipt(app, index)).await;
        // Waits for whoever holds the message.
        let touching = db::write(&app.db, "test", async |tx| {
            let touched = message::Entity::update_many()
                .col_expr(message::Column::Status, Expr::col(message::Column::Status))
                .filter(message::Column::Id.eq(self.ids[index]));
            touched.exec(tx).await?;
            Ok(())
        });
        touching.await.expect("a commit");
        let is_done = status().await == Status::Failed;
        if before == Status::Sent {
            deaths.count("refund", is_done);
        }
        if is_done {
            self.model.fail(index);
        }
    }

    async fn grant_and_die(&mut self, app: &App, credits: i64, moments: u16, deaths: &Deaths) {
        let before = self.figures(app).await.2;
        die_after(moments, self.change(app, ChangeBalance::grant(credits, None))).await;
        self.settle(app).await;
        let after = self.figures(app).await.2;
        assert!(after == before || after == before + credits, "{before} became {after} by {credits}");
        deaths.count("grant", after > before);
        if after > before {
            assert!(self.model.change(credits));
        }
        self.model_settled();
    }

    async fn set_seats_and_die(&mut self, app: &App, seats: i64, moments: u16, deaths: &Deaths) {
        let total = async || {
            let id = self.caller.workspace.id;
            let found = workspace::Entity::find_by_id(id).one(app.db.reader()).await.expect("a look");
            i64::from(found.expect("a workspace").seats_total)
        };
        let before = total().await;
        die_after(moments, self.set_seats(app, seats)).await;
        self.settle(app).await;
        let after = total().await;
        assert!(after == before || after == seats, "{before} became {after}, not {seats}");
        if before != seats {
            deaths.count("seats", after == seats);
        }
        self.model.set_seats(after);
        self.model_settled();
    }

    /// Waits for whoever holds the period: the next change of the balance does.
    async fn settle(&self, app: &App) {
        self.change(app, ChangeBalance::grant(1, None)).await.expect("a grant");
        self.change(app, ChangeBalance::adjust(-1, None)).await.expect("an adjustment");
    }

    fn model_settled(&mut self) {
        assert!(self.model.change(1) && self.model.change(-1));
    }
}
