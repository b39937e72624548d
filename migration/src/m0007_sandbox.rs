//! The simulated provider: its sessions and their QR codes.

pub(crate) const UP: &[&str] = &[
    "CREATE TABLE sandbox_sessions (
        id {uuid} PRIMARY KEY,
        partner_id {text} NOT NULL REFERENCES partners (id),
        state {text} NOT NULL,
        phone {text},
        pairing_code {text},
        pairing_phone {text},
        pairing_expires_at BIGINT,
        created_at BIGINT NOT NULL
    )",
    "CREATE UNIQUE INDEX sandbox_sessions_pairing_code_key ON sandbox_sessions (partner_id, pairing_code)
        WHERE pairing_code IS NOT NULL",
    "CREATE INDEX sandbox_sessions_phone_idx ON sandbox_sessions (partner_id, phone) WHERE phone IS NOT NULL",
    "CREATE TABLE sandbox_codes (
        payload {text} PRIMARY KEY,
        session_id {uuid} NOT NULL REFERENCES sandbox_sessions (id),
        seq INTEGER NOT NULL,
        issued_at BIGINT NOT NULL,
        expires_at BIGINT NOT NULL,
        CONSTRAINT sandbox_codes_session_id_seq_key UNIQUE (session_id, seq)
    )",
];

pub(crate) const DOWN: &[&str] = &["DROP TABLE sandbox_codes", "DROP TABLE sandbox_sessions"];
