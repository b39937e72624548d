//! Indices that answer lists by themselves. A filter that few chats pass, or a page far down, goes through all chats of
//! a workspace, or all messages of a chat: through entries that lie side by side, not through rows that lie anywhere.
//!
//! Three indices take the places of three; none is new. That of chats holds every column that a list is filtered by and
//! no instant that a message moves, so that a message to a chat that is read and open still changes no index on
//! PostgreSQL.

pub(crate) const UP: &[&str] = &[
    "CREATE INDEX chats_listing_idx ON chats (
        workspace_id, active_hour, id, account_id, responsible_user_id, closed, read, is_group, autoresponse,
        autoresponse_locked, created_at, phone, name_folded
    )",
    "DROP INDEX chats_active_hour_idx",
    "CREATE INDEX chat_labels_chats_idx ON chat_labels (workspace_id, label, chat_id)",
    "DROP INDEX chat_labels_workspace_id_idx",
    "CREATE INDEX messages_history_idx ON messages (chat_id, id, direction, created_at)",
    "DROP INDEX messages_chat_id_idx",
];

pub(crate) const DOWN: &[&str] = &[
    "CREATE INDEX messages_chat_id_idx ON messages (chat_id, id)",
    "DROP INDEX messages_history_idx",
    "CREATE INDEX chat_labels_workspace_id_idx ON chat_labels (workspace_id, label)",
    "DROP INDEX chat_labels_chats_idx",
    "CREATE INDEX chats_active_hour_idx ON chats (workspace_id, active_hour)",
    "DROP INDEX chats_listing_idx",
];
