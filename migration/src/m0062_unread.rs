//! How many messages of a chat have come since it was last read, and since this step.

pub(crate) const UP: &[&str] = &["ALTER TABLE chats ADD COLUMN unread BIGINT NOT NULL DEFAULT 0
    CONSTRAINT chats_unread_check CHECK (unread >= 0)"];

pub(crate) const DOWN: &[&str] = &["ALTER TABLE chats DROP COLUMN unread"];
