//! The ledger: what was granted and used in each period, credits that do not expire, and every entry of both.

pub(crate) const UP: &[&str] = &[
    "ALTER TABLE quota_periods ADD COLUMN recurring_granted BIGINT NOT NULL DEFAULT 0
        CONSTRAINT quota_periods_recurring_granted_check CHECK (recurring_granted >= 0)",
    "ALTER TABLE quota_periods ADD COLUMN recurring_expired BIGINT NOT NULL DEFAULT 0
        CONSTRAINT quota_periods_recurring_expired_check CHECK (recurring_expired >= 0)",
    "ALTER TABLE quota_periods ADD COLUMN recurring_used BIGINT NOT NULL DEFAULT 0
        CONSTRAINT quota_periods_recurring_used_check CHECK (
            recurring_used >= 0 AND recurring_used + recurring_expired <= recurring_granted
        )",
    "ALTER TABLE quota_periods ADD COLUMN non_recurring_used BIGINT NOT NULL DEFAULT 0
        CONSTRAINT quota_periods_non_recurring_used_check CHECK (non_recurring_used >= 0)",
    "ALTER TABLE quota_periods ADD COLUMN api_calls_used BIGINT NOT NULL DEFAULT 0
        CONSTRAINT quota_periods_api_calls_used_check CHECK (api_calls_used >= 0)",
    "ALTER TABLE quota_periods ADD COLUMN messages_notified INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE quota_periods ADD COLUMN messages_arming INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE quota_periods ADD COLUMN api_calls_notified INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE quota_periods ADD COLUMN api_calls_arming INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE quota_periods ADD COLUMN seats_notified INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE quota_periods ADD COLUMN seats_arming INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE quota_periods ADD COLUMN revision BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE quota_periods ADD COLUMN closed_at BIGINT",
    "CREATE INDEX quota_periods_open_idx ON quota_periods (period_start) WHERE closed_at IS NULL",
    "CREATE TABLE wallets (
        workspace_id BIGINT PRIMARY KEY REFERENCES workspaces (id),
        balance BIGINT NOT NULL,
        CONSTRAINT wallets_balance_check CHECK (balance >= 0)
    )",
    "CREATE TABLE credit_entries (
        id {serial},
        workspace_id BIGINT NOT NULL,
        period_start BIGINT NOT NULL,
        bucket {text} NOT NULL,
        kind {text} NOT NULL,
        amount BIGINT NOT NULL,
        message_id {uuid},
        note {text},
        created_at BIGINT NOT NULL,
        CONSTRAINT credit_entries_bucket_check CHECK (bucket IN ('recurring', 'non_recurring')),
        CONSTRAINT credit_entries_amount_check CHECK (
            (kind IN ('grant', 'refund') AND amount > 0) OR (kind IN ('charge', 'expire') AND amount < 0)
            OR (kind IN ('adjust', 'allocate') AND amount <> 0)
        )
    )",
    "CREATE INDEX credit_entries_workspace_id_idx ON credit_entries (workspace_id, id)",
    "CREATE UNIQUE INDEX credit_entries_message_id_key ON credit_entries (message_id, kind, bucket)
        WHERE message_id IS NOT NULL",
    // What was granted before there was a ledger.
    "UPDATE quota_periods SET recurring_granted = seats_granted * (
        SELECT plans.credits_per_seat FROM workspaces JOIN plans ON plans.id = workspaces.plan_id
        WHERE workspaces.id = quota_periods.workspace_id
    )",
    "INSERT INTO credit_entries (workspace_id, period_start, bucket, kind, amount, note, created_at)
        SELECT workspace_id, period_start, 'recurring', 'grant', recurring_granted, 'seats', period_start
        FROM quota_periods WHERE recurring_granted > 0",
    "INSERT INTO wallets (workspace_id, balance) SELECT id, 0 FROM workspaces",
];

pub(crate) const DOWN: &[&str] = &[
    "DROP TABLE credit_entries",
    "DROP TABLE wallets",
    "DROP INDEX quota_periods_open_idx",
    "ALTER TABLE quota_periods DROP COLUMN closed_at",
    "ALTER TABLE quota_periods DROP COLUMN revision",
    "ALTER TABLE quota_periods DROP COLUMN seats_arming",
    "ALTER TABLE quota_periods DROP COLUMN seats_notified",
    "ALTER TABLE quota_periods DROP COLUMN api_calls_arming",
    "ALTER TABLE quota_periods DROP COLUMN api_calls_notified",
    "ALTER TABLE quota_periods DROP COLUMN messages_arming",
    "ALTER TABLE quota_periods DROP COLUMN messages_notified",
    "ALTER TABLE quota_periods DROP COLUMN api_calls_used",
    "ALTER TABLE quota_periods DROP COLUMN non_recurring_used",
    "ALTER TABLE quota_periods DROP COLUMN recurring_used",
    "ALTER TABLE quota_periods DROP COLUMN recurring_expired",
    "ALTER TABLE quota_periods DROP COLUMN recurring_granted",
];
