//! What happened and who is told: the outbox, its deliveries and each try of them.

pub(crate) const UP: &[&str] = &[
    "ALTER TABLE partners ADD COLUMN thresholds {text} NOT NULL DEFAULT '90,100'",
    "CREATE TABLE partner_webhooks (
        partner_id {text} PRIMARY KEY REFERENCES partners (id),
        url {text} NOT NULL,
        enabled BOOLEAN NOT NULL,
        disabled_reason {text},
        failing_since BIGINT,
        created_at BIGINT NOT NULL,
        updated_at BIGINT NOT NULL
    )",
    "CREATE TABLE events (
        id {uuid} PRIMARY KEY,
        partner_id {text} NOT NULL REFERENCES partners (id),
        workspace_id BIGINT REFERENCES workspaces (id),
        kind {text} NOT NULL,
        body {text} NOT NULL,
        unique_key {text},
        created_at BIGINT NOT NULL,
        CONSTRAINT events_unique_key_key UNIQUE (unique_key)
    )",
    "CREATE INDEX events_partner_id_idx ON events (partner_id, id)",
    "CREATE TABLE deliveries (
        id {uuid} PRIMARY KEY,
        event_id {uuid} NOT NULL REFERENCES events (id),
        partner_id {text} NOT NULL REFERENCES partners (id),
        state {text} NOT NULL,
        tries INTEGER NOT NULL,
        due_at BIGINT,
        lease {uuid},
        created_at BIGINT NOT NULL,
        finished_at BIGINT,
        CONSTRAINT deliveries_due_check CHECK ((state = 'pending') = (due_at IS NOT NULL))
    )",
    "CREATE INDEX deliveries_due_at_idx ON deliveries (due_at) WHERE due_at IS NOT NULL",
    "CREATE INDEX deliveries_partner_due_idx ON deliveries (partner_id, due_at) WHERE due_at IS NOT NULL",
    "CREATE INDEX deliveries_partner_id_idx ON deliveries (partner_id, id)",
    "CREATE TABLE delivery_attempts (
        id {serial},
        delivery_id {uuid} NOT NULL REFERENCES deliveries (id),
        at BIGINT NOT NULL,
        duration_ms BIGINT NOT NULL,
        status INTEGER,
        error {text}
    )",
    "CREATE INDEX delivery_attempts_delivery_id_idx ON delivery_attempts (delivery_id, id)",
];

pub(crate) const DOWN: &[&str] = &[
    "DROP TABLE delivery_attempts",
    "DROP TABLE deliveries",
    "DROP TABLE events",
    "DROP TABLE partner_webhooks",
    "ALTER TABLE partners DROP COLUMN thresholds",
];
