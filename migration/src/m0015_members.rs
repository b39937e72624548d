//! Text templates, and invitations of users.

pub(crate) const UP: &[&str] = &[
    "CREATE TABLE text_templates (
        id {serial},
        workspace_id BIGINT NOT NULL REFERENCES workspaces (id),
        name {text} NOT NULL,
        text {text} NOT NULL,
        visibility {text} NOT NULL,
        group_id BIGINT REFERENCES groups (id),
        created_by BIGINT NOT NULL REFERENCES users (id),
        created_at BIGINT NOT NULL,
        updated_by BIGINT NOT NULL REFERENCES users (id),
        updated_at BIGINT NOT NULL,
        uses BIGINT NOT NULL,
        last_used_at BIGINT,
        CONSTRAINT text_templates_uses_check CHECK (uses >= 0)
    )",
    "CREATE INDEX text_templates_workspace_id_idx ON text_templates (workspace_id, updated_at)",
    "CREATE TABLE invitations (
        user_id BIGINT PRIMARY KEY REFERENCES users (id),
        workspace_id BIGINT NOT NULL REFERENCES workspaces (id),
        invited_by BIGINT NOT NULL REFERENCES users (id),
        digest {bytes} NOT NULL,
        sealed {bytes},
        expires_at BIGINT NOT NULL,
        accepted_at BIGINT,
        created_at BIGINT NOT NULL,
        CONSTRAINT invitations_digest_key UNIQUE (digest)
    )",
    "CREATE INDEX invitations_workspace_id_idx ON invitations (workspace_id)",
    "CREATE UNIQUE INDEX users_email_key ON users (workspace_id, email) WHERE email <> ''",
];

pub(crate) const DOWN: &[&str] = &["DROP INDEX users_email_key", "DROP TABLE invitations", "DROP TABLE text_templates"];
