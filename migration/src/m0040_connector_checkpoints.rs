//! Connectors: providers that call back at one address for all accounts of a key, and networks that ask before they let
//! an account in.
//!
//! `callback_url` is not read any more: it is asked at the provider where it calls back. It stays for replicas from before.

pub(crate) const UP: &[&str] = &[
    "ALTER TABLE connector_credentials ADD COLUMN callback_url {text}",
    "ALTER TABLE connector_sessions ADD COLUMN checkpoint {text}",
    "CREATE INDEX connector_sessions_external_idx ON connector_sessions (credential_id, external_id)",
];

pub(crate) const DOWN: &[&str] = &[
    "DROP INDEX connector_sessions_external_idx",
    "ALTER TABLE connector_sessions DROP COLUMN checkpoint",
    "ALTER TABLE connector_credentials DROP COLUMN callback_url",
];
