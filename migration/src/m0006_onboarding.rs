//! Onboarding links and the attempts made on them.

pub(crate) const UP: &[&str] = &[
    "CREATE TABLE links (
        id {uuid} PRIMARY KEY,
        workspace_id BIGINT NOT NULL REFERENCES workspaces (id),
        user_id BIGINT NOT NULL REFERENCES users (id),
        network {text} NOT NULL,
        digest {bytes} NOT NULL,
        sealed {bytes} NOT NULL,
        state {text} NOT NULL,
        expires_at BIGINT NOT NULL,
        attempts_used INTEGER NOT NULL,
        pairing_codes_used INTEGER NOT NULL,
        created_at BIGINT NOT NULL,
        closed_at BIGINT,
        CONSTRAINT links_digest_key UNIQUE (digest),
        CONSTRAINT links_attempts_check CHECK (attempts_used BETWEEN 0 AND 5),
        CONSTRAINT links_pairing_codes_check CHECK (pairing_codes_used BETWEEN 0 AND 3)
    )",
    "CREATE UNIQUE INDEX links_active_user_key ON links (user_id, network) WHERE state = 'active'",
    "CREATE INDEX links_workspace_id_idx ON links (workspace_id, id)",
    "CREATE TABLE attempts (
        id {uuid} PRIMARY KEY,
        link_id {uuid} NOT NULL REFERENCES links (id),
        workspace_id BIGINT NOT NULL REFERENCES workspaces (id),
        connector {text},
        state {text} NOT NULL,
        qr_payload {text},
        qr_seq INTEGER NOT NULL,
        qr_expires_at BIGINT,
        pairing_code {text},
        pairing_expires_at BIGINT,
        expires_at BIGINT NOT NULL,
        due_at BIGINT,
        error_code {text},
        account_id BIGINT REFERENCES channels (account_id),
        created_at BIGINT NOT NULL,
        updated_at BIGINT NOT NULL,
        revision BIGINT NOT NULL,
        CONSTRAINT attempts_live_check CHECK (
            (state IN ('connecting', 'awaiting_scan')) = (due_at IS NOT NULL)
        )
    )",
    "CREATE UNIQUE INDEX attempts_live_link_key ON attempts (link_id) WHERE due_at IS NOT NULL",
    "CREATE INDEX attempts_due_at_idx ON attempts (due_at) WHERE due_at IS NOT NULL",
    "CREATE INDEX attempts_link_id_idx ON attempts (link_id, id)",
];

pub(crate) const DOWN: &[&str] = &["DROP TABLE attempts", "DROP TABLE links"];
