//! Which message another one answers.

pub(crate) const UP: &[&str] = &["ALTER TABLE messages ADD COLUMN reply_to {uuid}"];

pub(crate) const DOWN: &[&str] = &["ALTER TABLE messages DROP COLUMN reply_to"];
