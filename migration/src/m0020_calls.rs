//! Calls of accounts, as their providers tell of them after they have ended.

pub(crate) const UP: &[&str] = &[
    "CREATE TABLE calls (
        id {uuid} PRIMARY KEY,
        workspace_id BIGINT NOT NULL REFERENCES workspaces (id),
        account_id BIGINT NOT NULL REFERENCES channels (account_id),
        chat_id BIGINT NOT NULL REFERENCES chats (id),
        provider_ref {text} NOT NULL,
        direction {text} NOT NULL,
        outcome {text} NOT NULL,
        is_video BOOLEAN NOT NULL,
        duration_seconds BIGINT,
        created_at BIGINT NOT NULL,
        CONSTRAINT calls_provider_ref_key UNIQUE (account_id, provider_ref)
    )",
    "CREATE INDEX calls_chat_id_idx ON calls (chat_id, id)",
];

pub(crate) const DOWN: &[&str] = &["DROP TABLE calls"];
