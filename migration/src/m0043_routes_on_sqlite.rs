//! Counts changes of where a workspace's messages may go on SQLite too, where the writer remembers them as well now.

pub(crate) const UP: &[&str] = &[
    "sqlite: CREATE TABLE workspace_routes (
        workspace_id BIGINT PRIMARY KEY,
        revision BIGINT NOT NULL
    )",
    "sqlite: CREATE TRIGGER channels_route_insert AFTER INSERT ON channels BEGIN
        INSERT INTO workspace_routes (workspace_id, revision) VALUES (NEW.workspace_id, 1)
        ON CONFLICT (workspace_id) DO UPDATE SET revision = revision + 1;
    END",
    "sqlite: CREATE TRIGGER channels_route_delete AFTER DELETE ON channels BEGIN
        INSERT INTO workspace_routes (workspace_id, revision) VALUES (OLD.workspace_id, 1)
        ON CONFLICT (workspace_id) DO UPDATE SET revision = revision + 1;
    END",
    "sqlite: CREATE TRIGGER channels_route_change
        AFTER UPDATE OF phone, state, suspended, deactivated, deleted_at, connected_at ON channels BEGIN
        INSERT INTO workspace_routes (workspace_id, revision) VALUES (NEW.workspace_id, 1)
        ON CONFLICT (workspace_id) DO UPDATE SET revision = revision + 1;
    END",
    "sqlite: CREATE TRIGGER webhook_subscriptions_route_insert AFTER INSERT ON webhook_subscriptions BEGIN
        INSERT INTO workspace_routes (workspace_id, revision) VALUES (NEW.workspace_id, 1)
        ON CONFLICT (workspace_id) DO UPDATE SET revision = revision + 1;
    END",
    "sqlite: CREATE TRIGGER webhook_subscriptions_route_delete AFTER DELETE ON webhook_subscriptions BEGIN
        INSERT INTO workspace_routes (workspace_id, revision) VALUES (OLD.workspace_id, 1)
        ON CONFLICT (workspace_id) DO UPDATE SET revision = revision + 1;
    END",
    "sqlite: CREATE TRIGGER webhook_subscriptions_route_change
        AFTER UPDATE OF enabled, deleted_at ON webhook_subscriptions BEGIN
        INSERT INTO workspace_routes (workspace_id, revision) VALUES (NEW.workspace_id, 1)
        ON CONFLICT (workspace_id) DO UPDATE SET revision = revision + 1;
    END",
];

pub(crate) const DOWN: &[&str] = &[
    "sqlite: DROP TRIGGER webhook_subscriptions_route_change",
    "sqlite: DROP TRIGGER webhook_subscriptions_route_delete",
    "sqlite: DROP TRIGGER webhook_subscriptions_route_insert",
    "sqlite: DROP TRIGGER channels_route_change",
    "sqlite: DROP TRIGGER channels_route_delete",
    "sqlite: DROP TRIGGER channels_route_insert",
    "sqlite: DROP TABLE workspace_routes",
];
