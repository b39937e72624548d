//! One channel of each type as a portal knows it, why a channel was not linked, and what simulated networks ask.

pub(crate) const UP: &[&str] = &[
    "CREATE TABLE channel_slots (
        workspace_id BIGINT NOT NULL REFERENCES workspaces (id),
        network {text} NOT NULL,
        account_id BIGINT REFERENCES channels (account_id),
        campaign_running BOOLEAN NOT NULL,
        PRIMARY KEY (workspace_id, network)
    )",
    "ALTER TABLE channel_settings ADD COLUMN link_failure {text}",
    "ALTER TABLE sandbox_sessions ADD COLUMN checkpoint {text}",
];

pub(crate) const DOWN: &[&str] = &[
    "ALTER TABLE sandbox_sessions DROP COLUMN checkpoint",
    "ALTER TABLE channel_settings DROP COLUMN link_failure",
    "DROP TABLE channel_slots",
];
