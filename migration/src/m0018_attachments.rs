//! Which file a message carries. There is no foreign key: the message outlives the file.

pub(crate) const UP: &[&str] = &[
    "ALTER TABLE messages ADD COLUMN file_id {uuid}",
    "CREATE INDEX messages_file_id_idx ON messages (file_id) WHERE file_id IS NOT NULL",
    "ALTER TABLE sandbox_messages ADD COLUMN attachment {text}",
];

pub(crate) const DOWN: &[&str] = &[
    "ALTER TABLE sandbox_messages DROP COLUMN attachment",
    "DROP INDEX messages_file_id_idx",
    "ALTER TABLE messages DROP COLUMN file_id",
];
