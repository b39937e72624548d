//! Real connectors: what opens their providers, and whom they serve.

pub(crate) const UP: &[&str] = &[
    "CREATE TABLE connector_credentials (
        id {uuid} PRIMARY KEY,
        connector {text} NOT NULL,
        partner_id {text} REFERENCES partners (id),
        base_url {text} NOT NULL,
        api_key {bytes} NOT NULL,
        callback_secret {bytes} NOT NULL,
        created_at BIGINT NOT NULL,
        updated_at BIGINT NOT NULL
    )",
    // NULL is equal to nothing, so the platform's own has an index of its own.
    "CREATE UNIQUE INDEX connector_credentials_partner_key ON connector_credentials (partner_id, connector)
        WHERE partner_id IS NOT NULL",
    "CREATE UNIQUE INDEX connector_credentials_platform_key ON connector_credentials (connector)
        WHERE partner_id IS NULL",
    "CREATE TABLE connector_defaults (
        id {uuid} PRIMARY KEY,
        partner_id {text} REFERENCES partners (id),
        network {text} NOT NULL,
        connector {text} NOT NULL,
        updated_at BIGINT NOT NULL
    )",
    "CREATE UNIQUE INDEX connector_defaults_partner_key ON connector_defaults (partner_id, network)
        WHERE partner_id IS NOT NULL",
    "CREATE UNIQUE INDEX connector_defaults_platform_key ON connector_defaults (network) WHERE partner_id IS NULL",
];

pub(crate) const DOWN: &[&str] = &["DROP TABLE connector_defaults", "DROP TABLE connector_credentials"];
