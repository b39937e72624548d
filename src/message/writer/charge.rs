//! Charging a batch: recurring credits first, then those that do not expire; never more than there are.
//!
//! The rows of the periods are held, so what is worked out here in memory is what the statements then write. The
//! constraints of the tables stand behind it.

use std::collections::BTreeMap;

use entity::{
    credit_entry::Bucket,
    credits::Credits,
    id::{MessageId, WorkspaceId},
};
use sea_orm::DatabaseTransaction;

use crate::{
    app::App,
    caller::WorkspaceCaller,
    credit,
    error::{Error, Result},
    message::writer::store,
    quota::{
        self, Period,
        figures::{Figures, Sums},
        notify,
    },
};

/// What a batch left of a workspace's credits.
pub(super) struct Charged {
    pub(super) workspace_id: WorkspaceId,
    pub(super) figures: Figures,
}

/// One charge of one message.
pub(super) struct Entry {
    pub(super) workspace_id: WorkspaceId,
    pub(super) message_id: MessageId,
    pub(super) bucket: Bucket,
    pub(super) amount: Credits,
}

/// What is taken of a workspace: recurring credits, and those that do not expire.
#[derive(Clone, Copy)]
pub(super) struct Taken {
    pub(super) workspace_id: WorkspaceId,
    pub(super) recurring: Credits,
    pub(super) non_recurring: Credits,
}

/// What is taken of a workspace if its rows are as they are remembered.
pub(super) struct Charge {
    pub(super) taken: Taken,
    pub(super) revision: i64,
    pub(super) balance: Credits,
    pub(super) routes_revision: i64,
}

impl Charge {
    pub(super) const fn of((held, taken): (&store::Held, Taken)) -> Self {
        Self { taken, revision: held.revision, balance: held.balance, routes_revision: held.routes_revision }
    }
}

/// A workspace's credits while a batch is worked out.
struct Account {
    held: store::Held,
    recurring: Credits,
    non_recurring: Credits,
}

/// The credits of all workspaces of a batch.
pub(super) struct Accounts {
    accounts: BTreeMap<WorkspaceId, Account>,
    pub(super) entries: Vec<Entry>,
}

impl Accounts {
    /// Takes the periods' rows for the transaction; their first use opens the periods.
    pub(super) async fn take(app: &App, tx: &DatabaseTransaction, ids: &[WorkspaceId], period: Period) -> Result<Self> {
        let mut rows = store::hold(tx, ids, period.start).await?;
        if rows.len() < ids.len() {
            quota::take_all(app, tx, ids).await?;
            rows = store::hold(tx, ids, period.start).await?;
        }
        Ok(Self::of(rows))
    }

    /// Accounts of workspaces, as they are known.
    pub(super) fn of(rows: Vec<store::Held>) -> Self {
        let account = |held: store::Held| Account { held, recurring: Credits::ZERO, non_recurring: Credits::ZERO };
        let accounts = rows.into_iter().map(|held| (held.workspace_id, account(held))).collect();
        Self { accounts, entries: Vec::new() }
    }

    /// Forgets a workspace and its charges.
    pub(super) fn leave_out(&mut self, id: WorkspaceId) {
        self.accounts.remove(&id);
        self.entries.retain(|entry| entry.workspace_id != id);
    }

    /// What is held of each workspace.
    pub(super) fn held(&self) -> impl Iterator<Item = &store::Held> {
        self.accounts.values().map(|account| &account.held)
    }

    /// Charges a message, or says that there are not enough credits and charges nothing. Where another process, whose
    /// clock is ahead or for which this one waited, has closed the period, it is `Contention`.
    pub(super) fn charge(&mut self, id: WorkspaceId, message_id: MessageId, cost: Credits) -> Result<()> {
        let account = self.accounts.get_mut(&id).ok_or_else(|| Error::Internal("no period is held".to_owned()))?;
        if account.held.is_closed {
            return Err(Error::Contention);
        }
        let recurring_left = account.held.recurring_granted.0 - account.held.recurring_used.0 - account.recurring.0;
        let non_recurring_left = account.held.balance.0 - account.non_recurring.0;
        let from_recurring = cost.0.min(recurring_left.max(0));
        let from_non_recurring = cost.0 - from_recurring;
        if from_non_recurring > non_recurring_left {
            let available = Credits(recurring_left + non_recurring_left);
            return Err(Error::QuotaExceeded { required: cost, available });
        }
        account.recurring = credit::sum(account.recurring, Credits(from_recurring))?;
        account.non_recurring = credit::sum(account.non_recurring, Credits(from_non_recurring))?;
        for (bucket, amount) in [(Bucket::Recurring, from_recurring), (Bucket::NonRecurring, from_non_recurring)] {
            if amount > 0 {
                let amount = credit::negated(Credits(amount))?;
                self.entries.push(Entry { workspace_id: id, message_id, bucket, amount });
            }
        }
        Ok(())
    }

    /// What was taken of each workspace that was charged at all, with what is known of it.
    pub(super) fn taken(&self) -> Vec<(&store::Held, Taken)> {
        let taken = |account: &Account| Taken {
            workspace_id: account.held.workspace_id,
            recurring: account.recurring,
            non_recurring: account.non_recurring,
        };
        let charged = self.accounts.values().filter(|account| account.is_charged());
        charged.map(|account| (&account.held, taken(account))).collect()
    }

    /// What is left of each workspace, charged or not.
    pub(super) fn left(&self, period: Period) -> Result<Vec<Charged>> {
        let left = |account: &Account| {
            Ok(Charged { workspace_id: account.held.workspace_id, figures: account.figures(period)? })
        };
        self.accounts.values().map(left).collect()
    }

    /// What is known of each workspace once the charges are written, except the highest threshold that was told of.
    pub(super) fn after(&self) -> Result<Vec<store::Held>> {
        self.accounts.values().map(Account::after).collect()
    }

    /// Whether the charges reach a threshold that the partner is to be told of.
    pub(super) fn reaches_threshold(&self, caller: &WorkspaceCaller, period: Period) -> Result<bool> {
        let Some(account) = self.accounts.get(&caller.workspace.id) else { return Ok(false) };
        account.reaches_threshold(caller, period)
    }

    /// Tells the partner of thresholds that the charges have reached; tells us whether there were any.
    pub(super) async fn tell(
        &self,
        app: &App,
        tx: &DatabaseTransaction,
        period: Period,
        caller_of: impl Fn(WorkspaceId) -> Option<std::sync::Arc<WorkspaceCaller>>,
    ) -> Result<bool> {
        let mut is_news = false;
        for account in self.accounts.values().filter(|account| account.is_charged()) {
            let Some(caller) = caller_of(account.held.workspace_id) else { continue };
            if !account.reaches_threshold(&caller, period)? {
                continue;
            }
            let figures = account.figures(period)?;
            let row = quota::lock_of(tx, account.held.workspace_id, period.start).await?;
            let row = row.ok_or_else(|| Error::Internal("a period is not there".to_owned()))?;
            let subject = notify::Subject::from(&caller.workspace);
            is_news |= notify::messages_used(app, tx, &subject, &row, &figures, &caller.thresholds).await?;
        }
        Ok(is_news)
    }
}

impl Account {
    const fn is_charged(&self) -> bool {
        self.recurring.0 > 0 || self.non_recurring.0 > 0
    }

    fn reaches_threshold(&self, caller: &WorkspaceCaller, period: Period) -> Result<bool> {
        let figures = self.figures(period)?;
        let (used, total) = (figures.messages_used.0, figures.messages_total.0);
        Ok(!caller.thresholds.reached(self.held.messages_notified, used, total).is_empty())
    }

    /// What the period's row and the balance are once the charges are written.
    fn after(&self) -> Result<store::Held> {
        let held = self.held.clone();
        Ok(store::Held {
            recurring_used: credit::sum(held.recurring_used, self.recurring)?,
            non_recurring_used: credit::sum(held.non_recurring_used, self.non_recurring)?,
            balance: credit::sum(held.balance, credit::negated(self.non_recurring)?)?,
            revision: held.revision + i64::from(self.is_charged()),
            ..held
        })
    }

    fn figures(&self, period: Period) -> Result<Figures> {
        let after = self.after()?;
        Figures::new(&Sums {
            period,
            recurring_granted: after.recurring_granted,
            recurring_used: after.recurring_used,
            non_recurring_used: after.non_recurring_used,
            non_recurring_balance: after.balance,
            api_calls_total: 0,
            api_calls_used: 0,
            revision: after.revision,
        })
    }
}
