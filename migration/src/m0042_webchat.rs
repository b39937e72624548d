//! Visitors of web chats, and what each of them gets to see, numbered in the order in which it came to them.

pub(crate) const UP: &[&str] = &[
    "CREATE TABLE webchat_visitors (
        id {uuid} PRIMARY KEY,
        account_id BIGINT NOT NULL REFERENCES channels (account_id),
        workspace_id BIGINT NOT NULL REFERENCES workspaces (id),
        external_id {text},
        email {text},
        name {text},
        last_entry BIGINT NOT NULL,
        delivered_entry BIGINT NOT NULL,
        read_entry BIGINT NOT NULL,
        created_at BIGINT NOT NULL,
        updated_at BIGINT NOT NULL,
        CONSTRAINT webchat_visitors_read_check CHECK (read_entry >= 0 AND read_entry <= delivered_entry),
        CONSTRAINT webchat_visitors_delivered_check CHECK (delivered_entry <= last_entry)
    )",
    "CREATE UNIQUE INDEX webchat_visitors_external_id_key ON webchat_visitors (account_id, external_id)
        WHERE external_id IS NOT NULL",
    "CREATE TABLE webchat_entries (
        visitor_id {uuid} NOT NULL REFERENCES webchat_visitors (id),
        number BIGINT NOT NULL,
        message_id {uuid} NOT NULL,
        PRIMARY KEY (visitor_id, number)
    )",
    "CREATE UNIQUE INDEX webchat_entries_message_id_key ON webchat_entries (message_id)",
];

pub(crate) const DOWN: &[&str] = &["DROP TABLE webchat_entries", "DROP TABLE webchat_visitors"];
