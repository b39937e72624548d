//! Who is in a group, as far as is known.

pub(crate) const UP: &[&str] = &[
    "CREATE TABLE chat_members (
        chat_id BIGINT NOT NULL REFERENCES chats (id),
        phone {text} NOT NULL,
        workspace_id BIGINT NOT NULL REFERENCES workspaces (id),
        PRIMARY KEY (chat_id, phone)
    )",
    "CREATE INDEX chat_members_phone_idx ON chat_members (workspace_id, phone)",
];

pub(crate) const DOWN: &[&str] = &["DROP TABLE chat_members"];
