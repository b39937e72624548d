//! When the provider of a session refused a message last because the session is not ready, since it took one.

pub(crate) const UP: &[&str] = &["ALTER TABLE connector_sessions ADD COLUMN refused_at BIGINT"];

pub(crate) const DOWN: &[&str] = &["ALTER TABLE connector_sessions DROP COLUMN refused_at"];
