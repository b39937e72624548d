//! Which names of chats somebody has given. Those that a network tells are nobody's alone, and may change. Of the names
//! that are there nobody knows where they come from: all that are neither number nor id count as given.

pub(crate) const UP: &[&str] = &[
    "ALTER TABLE chats ADD COLUMN name_given BOOLEAN NOT NULL DEFAULT FALSE",
    "UPDATE chats SET name_given = TRUE WHERE name <> COALESCE(phone, jid)",
    "CREATE INDEX chats_name_given_idx ON chats (workspace_id, name_folded, name_given)",
    "DROP INDEX chats_name_folded_idx",
];

pub(crate) const DOWN: &[&str] = &[
    "CREATE INDEX chats_name_folded_idx ON chats (workspace_id, name_folded)",
    "DROP INDEX chats_name_given_idx",
    "ALTER TABLE chats DROP COLUMN name_given",
];
