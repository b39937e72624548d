//! Chats are found by their names: whoever gives a name asks whether another chat has it.

pub(crate) const UP: &[&str] = &["CREATE INDEX chats_name_folded_idx ON chats (workspace_id, name_folded)"];

pub(crate) const DOWN: &[&str] = &["DROP INDEX chats_name_folded_idx"];
