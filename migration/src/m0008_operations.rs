//! What every mutation leaves behind: audit entries, idempotency keys, jobs.

pub(crate) const UP: &[&str] = &[
    "CREATE TABLE audit_entries (
        id {uuid} PRIMARY KEY,
        at BIGINT NOT NULL,
        actor {text} NOT NULL,
        action {text} NOT NULL,
        partner_id {text},
        workspace_id BIGINT,
        target {text} NOT NULL,
        before {text},
        after {text},
        request_id {text}
    )",
    "CREATE INDEX audit_entries_partner_id_idx ON audit_entries (partner_id, id)",
    "CREATE INDEX audit_entries_workspace_id_idx ON audit_entries (workspace_id, id)",
    "CREATE TABLE idempotency_keys (
        scope {text} NOT NULL,
        key {text} NOT NULL,
        fingerprint {bytes} NOT NULL,
        outcome {bytes},
        created_at BIGINT NOT NULL,
        PRIMARY KEY (scope, key)
    )",
    "CREATE INDEX idempotency_keys_created_at_idx ON idempotency_keys (created_at)",
    "CREATE TABLE jobs (
        id {uuid} PRIMARY KEY,
        work {text} NOT NULL,
        due_at BIGINT NOT NULL,
        tries INTEGER NOT NULL,
        last_error {text},
        created_at BIGINT NOT NULL
    )",
    "CREATE INDEX jobs_due_at_idx ON jobs (due_at)",
];

pub(crate) const DOWN: &[&str] = &["DROP TABLE jobs", "DROP TABLE idempotency_keys", "DROP TABLE audit_entries"];
