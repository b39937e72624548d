//! Sessions at real providers, and the callbacks about them that were taken in.

pub(crate) const UP: &[&str] = &[
    "CREATE TABLE connector_sessions (
        id {uuid} PRIMARY KEY,
        connector {text} NOT NULL,
        credential_id {uuid} NOT NULL REFERENCES connector_credentials (id),
        external_id {text},
        callback_secret {bytes} NOT NULL,
        qr_payload {text},
        qr_seq INTEGER NOT NULL,
        qr_expires_at BIGINT,
        linked_at BIGINT,
        repairs INTEGER NOT NULL,
        repair_at BIGINT,
        checked_at BIGINT,
        created_at BIGINT NOT NULL,
        ended_at BIGINT
    )",
    "CREATE UNIQUE INDEX connector_sessions_external_id_key ON connector_sessions (credential_id, external_id)
        WHERE external_id IS NOT NULL",
    "CREATE INDEX connector_sessions_checked_at_idx ON connector_sessions (checked_at)
        WHERE linked_at IS NOT NULL AND ended_at IS NULL",
    "CREATE TABLE connector_callbacks (
        session_id {uuid} NOT NULL REFERENCES connector_sessions (id),
        digest {bytes} NOT NULL,
        about {bytes},
        happened_at BIGINT NOT NULL,
        received_at BIGINT NOT NULL,
        PRIMARY KEY (session_id, digest)
    )",
    "CREATE INDEX connector_callbacks_about_idx ON connector_callbacks (session_id, about, happened_at)
        WHERE about IS NOT NULL",
    "CREATE INDEX connector_callbacks_received_at_idx ON connector_callbacks (received_at)",
];

pub(crate) const DOWN: &[&str] = &["DROP TABLE connector_callbacks", "DROP TABLE connector_sessions"];
