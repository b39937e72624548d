//! Chats, their messages, and what waits on each channel.
//!
//! Messages and ledger entries have no foreign keys: they are written in batches by code that holds the rows they
//! refer to, and a check per row would cost more than the row. `quartermaster audit` looks for strays instead.

pub(crate) const UP: &[&str] = &[
    "CREATE TABLE chats (
        id {serial},
        workspace_id BIGINT NOT NULL REFERENCES workspaces (id),
        account_id BIGINT NOT NULL REFERENCES channels (account_id),
        jid {text} NOT NULL,
        phone {text},
        name {text} NOT NULL,
        name_folded {text} NOT NULL,
        is_group BOOLEAN NOT NULL,
        closed BOOLEAN NOT NULL,
        read BOOLEAN NOT NULL,
        responsible_user_id BIGINT REFERENCES users (id),
        last_message_id {uuid},
        last_message_at BIGINT,
        created_at BIGINT NOT NULL,
        updated_at BIGINT NOT NULL,
        CONSTRAINT chats_account_id_jid_key UNIQUE (account_id, jid)
    )",
    "CREATE INDEX chats_last_message_at_idx ON chats (workspace_id, last_message_at)",
    "CREATE TABLE chat_labels (
        chat_id BIGINT NOT NULL REFERENCES chats (id),
        label {text} NOT NULL,
        workspace_id BIGINT NOT NULL REFERENCES workspaces (id),
        PRIMARY KEY (chat_id, label)
    )",
    "CREATE INDEX chat_labels_workspace_id_idx ON chat_labels (workspace_id, label)",
    "CREATE TABLE messages (
        id {uuid} PRIMARY KEY,
        workspace_id BIGINT NOT NULL,
        account_id BIGINT NOT NULL,
        chat_id BIGINT NOT NULL,
        direction {text} NOT NULL,
        status {text} NOT NULL,
        text {text},
        origin {text} NOT NULL,
        user_id BIGINT,
        provider_ref {text},
        failure {text},
        tries INTEGER NOT NULL,
        created_at BIGINT NOT NULL,
        updated_at BIGINT NOT NULL,
        CONSTRAINT messages_tries_check CHECK (tries >= 0)
    )",
    "CREATE INDEX messages_chat_id_idx ON messages (chat_id, id)",
    "CREATE INDEX messages_waiting_idx ON messages (account_id, id) WHERE status IN ('queued', 'sending')",
    "CREATE INDEX messages_unknown_idx ON messages (updated_at) WHERE status = 'unknown'",
    "CREATE UNIQUE INDEX messages_provider_ref_key ON messages (account_id, provider_ref)
        WHERE provider_ref IS NOT NULL",
    "CREATE TABLE message_statuses (
        id {serial},
        message_id {uuid} NOT NULL,
        status {text} NOT NULL,
        reason {text},
        at BIGINT NOT NULL
    )",
    "CREATE INDEX message_statuses_message_id_idx ON message_statuses (message_id, id)",
    "CREATE TABLE send_queues (
        account_id BIGINT PRIMARY KEY REFERENCES channels (account_id),
        workspace_id BIGINT NOT NULL REFERENCES workspaces (id),
        queued BIGINT NOT NULL,
        due_at BIGINT,
        lease {uuid},
        CONSTRAINT send_queues_queued_check CHECK (queued >= 0),
        CONSTRAINT send_queues_due_check CHECK ((queued > 0) = (due_at IS NOT NULL))
    )",
    "CREATE INDEX send_queues_due_at_idx ON send_queues (due_at) WHERE due_at IS NOT NULL",
    "INSERT INTO send_queues (account_id, workspace_id, queued) SELECT account_id, workspace_id, 0 FROM channels",
];

pub(crate) const DOWN: &[&str] = &[
    "DROP TABLE send_queues",
    "DROP TABLE message_statuses",
    "DROP TABLE messages",
    "DROP TABLE chat_labels",
    "DROP TABLE chats",
];
