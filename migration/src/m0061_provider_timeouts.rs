//! How long a provider may take to answer, where an operator has said so.

pub(crate) const UP: &[&str] = &["ALTER TABLE connector_credentials ADD COLUMN timeout_ms BIGINT
    CONSTRAINT connector_credentials_timeout_check CHECK (timeout_ms > 0)"];

pub(crate) const DOWN: &[&str] = &["ALTER TABLE connector_credentials DROP COLUMN timeout_ms"];
