//! Calls stand in the history of their chats, as messages of the same ids.

pub(crate) const UP: &[&str] =
    &["INSERT INTO messages (id, workspace_id, account_id, chat_id, direction, status, kind, \
    origin, tries, created_at, updated_at) SELECT id, workspace_id, account_id, chat_id, \
    CASE direction WHEN 'incoming' THEN 'received' ELSE 'sent' END, \
    CASE direction WHEN 'incoming' THEN 'received' ELSE 'sent' END, 'call', 'synced from WhatsApp', 0, created_at, \
    created_at FROM calls"];

pub(crate) const DOWN: &[&str] = &["DELETE FROM messages WHERE kind = 'call'"];
