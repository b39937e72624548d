//! Changes of who may come in, for replicas that remember; and what the simulated provider was given.

pub(crate) const UP: &[&str] = &[
    "CREATE TABLE access_changes (
        id {uuid} PRIMARY KEY,
        partner_id {text} NOT NULL,
        workspace_id BIGINT,
        changed_at BIGINT NOT NULL
    )",
    "CREATE INDEX access_changes_changed_at_idx ON access_changes (changed_at)",
    "CREATE TABLE sandbox_messages (
        id {uuid} PRIMARY KEY,
        session_id {uuid} NOT NULL,
        recipient {text} NOT NULL,
        text {text},
        tries INTEGER NOT NULL,
        arrivals INTEGER NOT NULL,
        created_at BIGINT NOT NULL
    )",
];

pub(crate) const DOWN: &[&str] = &["DROP TABLE sandbox_messages", "DROP TABLE access_changes"];
