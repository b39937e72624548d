//! API tokens of workspaces and of the operator.

pub(crate) const UP: &[&str] = &[
    "CREATE TABLE tokens (
        id {uuid} PRIMARY KEY,
        workspace_id BIGINT NOT NULL REFERENCES workspaces (id),
        user_id BIGINT NOT NULL REFERENCES users (id),
        kind {text} NOT NULL,
        name {text} NOT NULL,
        scopes {text} NOT NULL,
        digest {bytes} NOT NULL,
        sealed {bytes},
        created_at BIGINT NOT NULL,
        revoked_at BIGINT,
        CONSTRAINT tokens_digest_key UNIQUE (digest)
    )",
    "CREATE INDEX tokens_workspace_id_idx ON tokens (workspace_id)",
    "CREATE UNIQUE INDEX tokens_partner_api_key ON tokens (workspace_id)
        WHERE kind = 'partner_api' AND revoked_at IS NULL",
    "CREATE TABLE operator_tokens (
        id {uuid} PRIMARY KEY,
        name {text} NOT NULL,
        digest {bytes} NOT NULL,
        created_at BIGINT NOT NULL,
        revoked_at BIGINT,
        CONSTRAINT operator_tokens_digest_key UNIQUE (digest)
    )",
];

pub(crate) const DOWN: &[&str] = &["DROP TABLE operator_tokens", "DROP TABLE tokens"];
