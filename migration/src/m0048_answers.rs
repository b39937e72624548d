//! What a message at the simulated provider answers.

pub(crate) const UP: &[&str] = &["ALTER TABLE sandbox_messages ADD COLUMN answered {text}"];

pub(crate) const DOWN: &[&str] = &["ALTER TABLE sandbox_messages DROP COLUMN answered"];
