//! Plans, and the plan that every installation starts with.

pub(crate) const UP: &[&str] = &[
    "CREATE TABLE plans (
        id {serial},
        name {text} NOT NULL,
        credits_per_seat BIGINT NOT NULL,
        api_calls_per_period BIGINT NOT NULL,
        token_rate_per_second INTEGER NOT NULL,
        token_burst INTEGER NOT NULL,
        workspace_rate_per_second INTEGER NOT NULL,
        partner_rate_per_second INTEGER NOT NULL,
        pacing_ms BIGINT NOT NULL,
        max_channels INTEGER,
        created_at BIGINT NOT NULL,
        updated_at BIGINT NOT NULL,
        CONSTRAINT plans_name_key UNIQUE (name),
        CONSTRAINT plans_amounts_check CHECK (
            credits_per_seat >= 0 AND api_calls_per_period >= 0 AND token_rate_per_second > 0 AND token_burst >= 0
            AND workspace_rate_per_second > 0 AND partner_rate_per_second > 0 AND pacing_ms >= 0
            AND (max_channels IS NULL OR max_channels > 0)
        )
    )",
    "INSERT INTO plans (
        name, credits_per_seat, api_calls_per_period, token_rate_per_second, token_burst,
        workspace_rate_per_second, partner_rate_per_second, pacing_ms, created_at, updated_at
    ) VALUES ('starter', 500, 200000, 30, 10, 100, 300, 2000, 0, 0)",
];

pub(crate) const DOWN: &[&str] = &["DROP TABLE plans"];
