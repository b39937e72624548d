//! Webhooks of workspaces: what they subscribe to, and deliveries that belong to a partner or to a subscription.
//!
//! Deliveries get a table of their own again, because only one of the databases can make a column optional. The
//! partner of a subscription's delivery is absent, so that workers of the previous release pass it over instead of
//! sending it to the partner.

pub(crate) const UP: &[&str] = &[
    "CREATE TABLE webhook_subscriptions (
        id {serial},
        workspace_id BIGINT NOT NULL REFERENCES workspaces (id),
        event_type {text} NOT NULL,
        url {text} NOT NULL,
        url_digest {bytes} NOT NULL,
        enabled BOOLEAN NOT NULL,
        errors_counter BIGINT NOT NULL,
        numbered BOOLEAN NOT NULL,
        last_sequence BIGINT NOT NULL,
        secret {bytes},
        previous_secret {bytes},
        previous_expires_at BIGINT,
        created_at BIGINT NOT NULL,
        updated_at BIGINT NOT NULL,
        deleted_at BIGINT,
        CONSTRAINT webhook_subscriptions_errors_counter_check CHECK (errors_counter >= 0)
    )",
    "CREATE UNIQUE INDEX webhook_subscriptions_target_key
        ON webhook_subscriptions (workspace_id, event_type, url_digest) WHERE deleted_at IS NULL",
    "CREATE INDEX webhook_subscriptions_workspace_id_idx ON webhook_subscriptions (workspace_id)",
    "CREATE TABLE deliveries_next (
        id {uuid} PRIMARY KEY,
        event_id {uuid} NOT NULL REFERENCES events (id),
        partner_id {text} REFERENCES partners (id),
        subscription_id BIGINT REFERENCES webhook_subscriptions (id),
        sequence BIGINT,
        state {text} NOT NULL,
        tries INTEGER NOT NULL,
        due_at BIGINT,
        lease {uuid},
        created_at BIGINT NOT NULL,
        finished_at BIGINT,
        CONSTRAINT deliveries_due_check CHECK ((state = 'pending') = (due_at IS NOT NULL)),
        CONSTRAINT deliveries_owner_check CHECK ((partner_id IS NULL) <> (subscription_id IS NULL))
    )",
    "CREATE TABLE delivery_attempts_next (
        id {serial},
        delivery_id {uuid} NOT NULL REFERENCES deliveries_next (id),
        at BIGINT NOT NULL,
        duration_ms BIGINT NOT NULL,
        status INTEGER,
        error {text}
    )",
    // What the previous release stored between the copy and the end of the table would be lost.
    "postgres: LOCK TABLE deliveries, delivery_attempts IN ACCESS EXCLUSIVE MODE",
    "INSERT INTO deliveries_next
        (id, event_id, partner_id, state, tries, due_at, lease, created_at, finished_at)
        SELECT id, event_id, partner_id, state, tries, due_at, lease, created_at, finished_at FROM deliveries",
    "INSERT INTO delivery_attempts_next (delivery_id, at, duration_ms, status, error)
        SELECT delivery_id, at, duration_ms, status, error FROM delivery_attempts ORDER BY id",
    "DROP TABLE delivery_attempts",
    "DROP TABLE deliveries",
    "ALTER TABLE deliveries_next RENAME TO deliveries",
    "ALTER TABLE delivery_attempts_next RENAME TO delivery_attempts",
    "CREATE INDEX deliveries_due_at_idx ON deliveries (due_at) WHERE due_at IS NOT NULL",
    "CREATE INDEX deliveries_partner_due_idx ON deliveries (partner_id, due_at)
        WHERE due_at IS NOT NULL AND partner_id IS NOT NULL",
    "CREATE INDEX deliveries_partner_id_idx ON deliveries (partner_id, id) WHERE partner_id IS NOT NULL",
    "CREATE INDEX deliveries_subscription_due_idx ON deliveries (subscription_id, due_at)
        WHERE due_at IS NOT NULL AND subscription_id IS NOT NULL",
    "CREATE INDEX deliveries_subscription_id_idx ON deliveries (subscription_id, id) WHERE subscription_id IS NOT NULL",
    "CREATE INDEX deliveries_finished_at_idx ON deliveries (finished_at)
        WHERE finished_at IS NOT NULL AND subscription_id IS NOT NULL",
    "CREATE INDEX deliveries_event_id_idx ON deliveries (event_id)",
    "CREATE INDEX delivery_attempts_delivery_id_idx ON delivery_attempts (delivery_id, id)",
    // Tokens that may do everything may do this too.
    "UPDATE tokens SET scopes = scopes || ' webhooks:read webhooks:write'
        WHERE scopes LIKE '%workspace:read%' AND scopes LIKE '%accounts:read%' AND scopes LIKE '%chats:read%'
        AND scopes LIKE '%chats:write%' AND scopes LIKE '%messages:read%' AND scopes LIKE '%messages:write%'
        AND scopes NOT LIKE '%webhooks:%'",
];

pub(crate) const DOWN: &[&str] = &[
    "UPDATE tokens SET scopes = REPLACE(scopes, ' webhooks:read webhooks:write', '')",
    "CREATE TABLE deliveries_next (
        id {uuid} PRIMARY KEY,
        event_id {uuid} NOT NULL REFERENCES events (id),
        partner_id {text} NOT NULL REFERENCES partners (id),
        state {text} NOT NULL,
        tries INTEGER NOT NULL,
        due_at BIGINT,
        lease {uuid},
        created_at BIGINT NOT NULL,
        finished_at BIGINT,
        CONSTRAINT deliveries_due_check CHECK ((state = 'pending') = (due_at IS NOT NULL))
    )",
    "CREATE TABLE delivery_attempts_next (
        id {serial},
        delivery_id {uuid} NOT NULL REFERENCES deliveries_next (id),
        at BIGINT NOT NULL,
        duration_ms BIGINT NOT NULL,
        status INTEGER,
        error {text}
    )",
    "postgres: LOCK TABLE deliveries, delivery_attempts IN ACCESS EXCLUSIVE MODE",
    "INSERT INTO deliveries_next
        (id, event_id, partner_id, state, tries, due_at, lease, created_at, finished_at)
        SELECT id, event_id, partner_id, state, tries, due_at, lease, created_at, finished_at FROM deliveries
        WHERE partner_id IS NOT NULL",
    "INSERT INTO delivery_attempts_next (delivery_id, at, duration_ms, status, error)
        SELECT a.delivery_id, a.at, a.duration_ms, a.status, a.error FROM delivery_attempts a
        JOIN deliveries_next d ON d.id = a.delivery_id ORDER BY a.id",
    "DROP TABLE delivery_attempts",
    "DROP TABLE deliveries",
    "DROP TABLE webhook_subscriptions",
    "ALTER TABLE deliveries_next RENAME TO deliveries",
    "ALTER TABLE delivery_attempts_next RENAME TO delivery_attempts",
    "CREATE INDEX deliveries_due_at_idx ON deliveries (due_at) WHERE due_at IS NOT NULL",
    "CREATE INDEX deliveries_partner_due_idx ON deliveries (partner_id, due_at) WHERE due_at IS NOT NULL",
    "CREATE INDEX deliveries_partner_id_idx ON deliveries (partner_id, id)",
    "CREATE INDEX delivery_attempts_delivery_id_idx ON delivery_attempts (delivery_id, id)",
];
