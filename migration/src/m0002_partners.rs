//! Partners, their logos and their secrets.

pub(crate) const UP: &[&str] = &[
    "CREATE TABLE partners (
        id {text} PRIMARY KEY,
        name {text} NOT NULL,
        plan_id BIGINT NOT NULL REFERENCES plans (id),
        status {text} NOT NULL,
        sandbox BOOLEAN NOT NULL,
        brand_name {text},
        brand_color {text},
        embedding_origins {text} NOT NULL,
        created_at BIGINT NOT NULL,
        updated_at BIGINT NOT NULL
    )",
    "CREATE TABLE partner_logos (
        partner_id {text} PRIMARY KEY REFERENCES partners (id),
        content_type {text} NOT NULL,
        bytes {bytes} NOT NULL,
        updated_at BIGINT NOT NULL,
        CONSTRAINT partner_logos_bytes_check CHECK (length(bytes) <= 262144)
    )",
    "CREATE TABLE partner_secrets (
        id {uuid} PRIMARY KEY,
        partner_id {text} NOT NULL REFERENCES partners (id),
        sealed {bytes} NOT NULL,
        created_at BIGINT NOT NULL,
        expires_at BIGINT
    )",
    "CREATE INDEX partner_secrets_partner_id_idx ON partner_secrets (partner_id)",
];

pub(crate) const DOWN: &[&str] = &["DROP TABLE partner_secrets", "DROP TABLE partner_logos", "DROP TABLE partners"];
