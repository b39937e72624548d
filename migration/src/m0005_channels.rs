//! Channels: connected accounts.

pub(crate) const UP: &[&str] = &[
    "CREATE TABLE channels (
        account_id {serial},
        id {uuid} NOT NULL,
        workspace_id BIGINT NOT NULL REFERENCES workspaces (id),
        user_id BIGINT NOT NULL REFERENCES users (id),
        network {text} NOT NULL,
        connector {text} NOT NULL,
        session {uuid} NOT NULL,
        state {text} NOT NULL,
        suspended BOOLEAN NOT NULL,
        external_id {text} NOT NULL,
        phone {text} NOT NULL,
        account_name {text} NOT NULL,
        connected_at BIGINT NOT NULL,
        disconnected_at BIGINT,
        disconnect_reason {text},
        created_at BIGINT NOT NULL,
        updated_at BIGINT NOT NULL,
        CONSTRAINT channels_id_key UNIQUE (id),
        CONSTRAINT channels_external_id_key UNIQUE (workspace_id, network, external_id)
    )",
    "CREATE UNIQUE INDEX channels_connected_user_key ON channels (user_id, network) WHERE state = 'connected'",
    "CREATE INDEX channels_session_idx ON channels (session)",
];

pub(crate) const DOWN: &[&str] = &["DROP TABLE channels"];
