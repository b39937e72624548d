//! How many messages of a chat have come since it was last read.

pub(crate) const UP: &[&str] = &[
    "ALTER TABLE chats ADD COLUMN unread BIGINT NOT NULL DEFAULT 0
        CONSTRAINT chats_unread_check CHECK (unread >= 0)",
    // What came after somebody wrote there last. A bot's reply leaves a chat as it was.
    "UPDATE chats SET unread = (
        SELECT COUNT(*) FROM messages m WHERE m.chat_id = chats.id AND m.direction = 'received'
            AND NOT EXISTS (SELECT 1 FROM messages s WHERE s.chat_id = chats.id AND s.id > m.id
                AND s.direction = 'sent' AND s.origin <> 'Bot')
    ) WHERE NOT read",
];

pub(crate) const DOWN: &[&str] = &["ALTER TABLE chats DROP COLUMN unread"];
