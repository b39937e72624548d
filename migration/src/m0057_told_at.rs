//! When messages that providers bring were written, as their networks say.

pub(crate) const UP: &[&str] = &["ALTER TABLE messages ADD COLUMN told_at BIGINT"];

pub(crate) const DOWN: &[&str] = &["ALTER TABLE messages DROP COLUMN told_at"];
