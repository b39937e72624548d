//! Finding the channels of other workspaces that have the same account.

pub(crate) const UP: &[&str] = &["CREATE INDEX channels_external_id_idx ON channels (external_id)"];

pub(crate) const DOWN: &[&str] = &["DROP INDEX channels_external_id_idx"];
