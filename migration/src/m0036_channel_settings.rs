//! Channels that are made over an API: beside the one that a user links with a page, switched on and off, set up with
//! what is secret and what is not, and deleted without their conversations.

pub(crate) const UP: &[&str] = &[
    "ALTER TABLE channels ADD COLUMN deactivated BOOLEAN NOT NULL DEFAULT FALSE",
    "ALTER TABLE channels ADD COLUMN standalone BOOLEAN NOT NULL DEFAULT FALSE",
    "ALTER TABLE channels ADD COLUMN deleted_at BIGINT",
    // Whether something can be sent through a channel depends on these too.
    "postgres: DROP TRIGGER channels_route_change ON channels",
    "postgres: CREATE TRIGGER channels_route_change
        AFTER INSERT OR DELETE OR UPDATE OF phone, state, suspended, deactivated, deleted_at, connected_at ON channels
        FOR EACH ROW EXECUTE FUNCTION count_route_change()",
    "DROP INDEX channels_connected_user_key",
    "CREATE UNIQUE INDEX channels_connected_user_key ON channels (user_id, network)
        WHERE state = 'connected' AND NOT standalone",
    "CREATE INDEX channels_workspace_id_idx ON channels (workspace_id, account_id)",
    "CREATE TABLE channel_settings (
        account_id BIGINT PRIMARY KEY REFERENCES channels (account_id),
        workspace_id BIGINT NOT NULL REFERENCES workspaces (id),
        name {text} NOT NULL,
        config {text} NOT NULL,
        secrets {bytes},
        metadata {text} NOT NULL,
        identity {text},
        username {text},
        webhook_secret {bytes} NOT NULL,
        widget_token {text},
        activated_at BIGINT,
        deactivated_at BIGINT,
        deactivation_reason {text},
        connecting_until BIGINT,
        look_at BIGINT,
        health {text} NOT NULL,
        checked_at BIGINT,
        created_at BIGINT NOT NULL,
        updated_at BIGINT NOT NULL,
        CONSTRAINT channel_settings_look_check CHECK ((connecting_until IS NULL) = (look_at IS NULL))
    )",
    "CREATE UNIQUE INDEX channel_settings_identity_key ON channel_settings (workspace_id, identity)
        WHERE identity IS NOT NULL",
    "CREATE UNIQUE INDEX channel_settings_widget_token_key ON channel_settings (widget_token)
        WHERE widget_token IS NOT NULL",
    "CREATE INDEX channel_settings_look_at_idx ON channel_settings (look_at) WHERE look_at IS NOT NULL",
    "ALTER TABLE sandbox_sessions ADD COLUMN network {text} NOT NULL DEFAULT 'whatsapp'",
    "ALTER TABLE sandbox_sessions ADD COLUMN account {text}",
    // Tokens that may do everything may do this too.
    "UPDATE tokens SET scopes = scopes || ' channels:read channels:write'
        WHERE scopes LIKE '%workspace:write%' AND scopes LIKE '%accounts:read%' AND scopes LIKE '%chats:write%'
        AND scopes LIKE '%messages:write%' AND scopes LIKE '%files:write%' AND scopes LIKE '%webhooks:write%'
        AND scopes LIKE '%agents:write%' AND scopes NOT LIKE '%channels:%'",
];

pub(crate) const DOWN: &[&str] = &[
    "UPDATE tokens SET scopes = REPLACE(scopes, ' channels:read channels:write', '')",
    "ALTER TABLE sandbox_sessions DROP COLUMN account",
    "ALTER TABLE sandbox_sessions DROP COLUMN network",
    "DROP TABLE channel_settings",
    "DROP INDEX channels_workspace_id_idx",
    "DROP INDEX channels_connected_user_key",
    // Of several that are connected for one user, the first stays so.
    "UPDATE channels SET state = 'disconnected', disconnected_at = updated_at, disconnect_reason = 'requested'
        WHERE state = 'connected' AND EXISTS (SELECT 1 FROM channels c WHERE c.user_id = channels.user_id
        AND c.network = channels.network AND c.state = 'connected' AND c.account_id < channels.account_id)",
    "CREATE UNIQUE INDEX channels_connected_user_key ON channels (user_id, network) WHERE state = 'connected'",
    "postgres: DROP TRIGGER channels_route_change ON channels",
    "postgres: CREATE TRIGGER channels_route_change
        AFTER INSERT OR DELETE OR UPDATE OF phone, state, suspended, connected_at ON channels
        FOR EACH ROW EXECUTE FUNCTION count_route_change()",
    "ALTER TABLE channels DROP COLUMN deleted_at",
    "ALTER TABLE channels DROP COLUMN standalone",
    "ALTER TABLE channels DROP COLUMN deactivated",
];
