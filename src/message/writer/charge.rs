//! Charging a batch: recurring credits first, then those that do not expire; never more than there are.
//!
//! The rows of the periods are held, so what is worked out here in memory is what the statements then write. The
//! constraints of the tables stand behind it.

use std::collections::HashMap;

use entity::{
    credit_entry::Bucket,
    credits::Credits,
    id::{MessageId, WorkspaceId},
    quota_period::Model,
};
use sea_orm::DatabaseTransaction;

use crate::{
    app::App,
    caller::WorkspaceCaller,
    credit,
    error::{Error, Result},
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

/// A workspace's credits while a batch is worked out.
struct Account {
    row: Model,
    balance: Credits,
    recurring: Credits,
    non_recurring: Credits,
}

/// The credits of all workspaces of a batch.
pub(super) struct Accounts {
    accounts: HashMap<WorkspaceId, Account>,
    pub(super) entries: Vec<Entry>,
}

impl Accounts {
    /// Takes the periods' rows for the transaction.
    pub(super) async fn take(app: &App, tx: &DatabaseTransaction, ids: &[WorkspaceId]) -> Result<Self> {
        let rows = quota::take_all(app, tx, ids).await?;
        let balances = credit::balances(tx, ids).await?;
        let account = |row: Model| Account {
            balance: balances.get(&row.workspace_id).copied().unwrap_or(Credits::ZERO),
            recurring: Credits::ZERO,
            non_recurring: Credits::ZERO,
            row,
        };
        let accounts = rows.into_iter().map(|row| (row.workspace_id, account(row))).collect();
        Ok(Self { accounts, entries: Vec::new() })
    }

    /// Charges a message, or says that there are not enough credits and charges nothing.
    pub(super) fn charge(&mut self, id: WorkspaceId, message_id: MessageId, cost: Credits) -> Result<()> {
        let account = self.accounts.get_mut(&id).ok_or_else(|| Error::Internal("no period is held".to_owned()))?;
        let recurring_left = account.row.recurring_granted.0 - account.row.recurring_used.0 - account.recurring.0;
        let non_recurring_left = account.balance.0 - account.non_recurring.0;
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

    /// What was taken of each workspace that was charged at all: workspace, recurring, non-recurring.
    pub(super) fn taken(&self) -> Vec<(WorkspaceId, Credits, Credits)> {
        let charged = self.accounts.values().filter(|account| account.is_charged());
        let mut taken: Vec<_> =
            charged.map(|account| (account.row.workspace_id, account.recurring, account.non_recurring)).collect();
        taken.sort_unstable_by_key(|(id, ..)| *id);
        taken
    }

    /// What is left of each workspace, charged or not.
    pub(super) fn left(&self, period: Period) -> Result<Vec<Charged>> {
        let left = |account: &Account| {
            Ok(Charged { workspace_id: account.row.workspace_id, figures: account.figures(period)? })
        };
        self.accounts.values().map(left).collect()
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
            let Some(caller) = caller_of(account.row.workspace_id) else { continue };
            let figures = account.figures(period)?;
            let subject = notify::Subject::from(&caller.workspace);
            is_news |= notify::messages_used(app, tx, &subject, &account.row, &figures, &caller.thresholds).await?;
        }
        Ok(is_news)
    }
}

impl Account {
    const fn is_charged(&self) -> bool {
        self.recurring.0 > 0 || self.non_recurring.0 > 0
    }

    fn figures(&self, period: Period) -> Result<Figures> {
        let sums = Sums::of(&self.row, period, self.balance, 0);
        let revision = sums.revision + i64::from(self.is_charged());
        Figures::new(&Sums {
            recurring_used: credit::sum(sums.recurring_used, self.recurring)?,
            non_recurring_used: credit::sum(sums.non_recurring_used, self.non_recurring)?,
            non_recurring_balance: credit::sum(self.balance, credit::negated(self.non_recurring)?)?,
            revision,
            ..sums
        })
    }
}
