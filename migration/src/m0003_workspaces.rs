//! Workspaces with their groups, users and billing periods.

pub(crate) const UP: &[&str] = &[
    "CREATE TABLE workspaces (
        id {serial},
        partner_id {text} NOT NULL REFERENCES partners (id),
        slug {text} NOT NULL,
        display_name {text} NOT NULL,
        display_name_folded {text} NOT NULL,
        plan_id BIGINT NOT NULL REFERENCES plans (id),
        status {text} NOT NULL,
        seats_total INTEGER NOT NULL,
        seats_used INTEGER NOT NULL,
        owner_user_id BIGINT,
        group_id BIGINT,
        time_zone {text} NOT NULL,
        created_at BIGINT NOT NULL,
        updated_at BIGINT NOT NULL,
        CONSTRAINT workspaces_partner_id_slug_key UNIQUE (partner_id, slug),
        CONSTRAINT workspaces_slug_check CHECK (length(slug) BETWEEN 1 AND 30),
        CONSTRAINT workspaces_seats_total_check CHECK (seats_total BETWEEN 1 AND 999),
        CONSTRAINT workspaces_seats_used_check CHECK (seats_used BETWEEN 0 AND seats_total)
    )",
    "CREATE INDEX workspaces_partner_id_id_idx ON workspaces (partner_id, id)",
    "CREATE TABLE groups (
        id {serial},
        workspace_id BIGINT NOT NULL REFERENCES workspaces (id),
        name {text} NOT NULL,
        CONSTRAINT groups_workspace_id_name_key UNIQUE (workspace_id, name)
    )",
    "CREATE TABLE users (
        id {serial},
        workspace_id BIGINT NOT NULL REFERENCES workspaces (id),
        group_id BIGINT NOT NULL REFERENCES groups (id),
        role {text} NOT NULL,
        display_name {text} NOT NULL,
        email {text} NOT NULL,
        status {text} NOT NULL,
        suspension_order BIGINT,
        created_at BIGINT NOT NULL,
        updated_at BIGINT NOT NULL,
        CONSTRAINT users_suspension_check CHECK ((status = 'suspended') = (suspension_order IS NOT NULL)),
        CONSTRAINT users_owner_check CHECK (role <> 'owner' OR status <> 'suspended')
    )",
    "CREATE INDEX users_workspace_id_id_idx ON users (workspace_id, id)",
    "CREATE TABLE quota_periods (
        workspace_id BIGINT NOT NULL REFERENCES workspaces (id),
        period_start BIGINT NOT NULL,
        seats_granted INTEGER NOT NULL,
        PRIMARY KEY (workspace_id, period_start)
    )",
];

pub(crate) const DOWN: &[&str] =
    &["DROP TABLE quota_periods", "DROP TABLE users", "DROP TABLE groups", "DROP TABLE workspaces"];
