//! Automatic answers of chats, notes among messages, and reactions.
//!
//! What is new in `messages` may be absent, so that the rows of usual messages grow by nothing. Chats get no index on
//! their names: every message changes its chat's row, and on PostgreSQL every index of it, while names are looked up
//! only where one is changed.

pub(crate) const UP: &[&str] = &[
    "ALTER TABLE chats ADD COLUMN autoresponse BOOLEAN NOT NULL DEFAULT FALSE",
    "ALTER TABLE chats ADD COLUMN autoresponse_locked BOOLEAN NOT NULL DEFAULT FALSE",
    "ALTER TABLE messages ADD COLUMN kind {text}",
    "ALTER TABLE messages ADD COLUMN is_private BOOLEAN",
    "CREATE TABLE reactions (
        message_id {uuid} NOT NULL,
        reactor {text} NOT NULL,
        workspace_id BIGINT NOT NULL REFERENCES workspaces (id),
        name {text} NOT NULL,
        phone {text},
        emoji {text} NOT NULL,
        is_own BOOLEAN NOT NULL,
        reacted_at BIGINT NOT NULL,
        PRIMARY KEY (message_id, reactor)
    )",
    "CREATE TABLE sandbox_reactions (
        message_id {uuid} PRIMARY KEY,
        session_id {uuid} NOT NULL,
        emoji {text},
        changes INTEGER NOT NULL,
        updated_at BIGINT NOT NULL
    )",
];

pub(crate) const DOWN: &[&str] = &[
    "DROP TABLE sandbox_reactions",
    "DROP TABLE reactions",
    "ALTER TABLE messages DROP COLUMN is_private",
    "ALTER TABLE messages DROP COLUMN kind",
    "ALTER TABLE chats DROP COLUMN autoresponse_locked",
    "ALTER TABLE chats DROP COLUMN autoresponse",
];
