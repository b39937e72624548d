//! Counts changes of where a workspace's messages may go: of its accounts, and of whether it hears of its messages.
//!
//! Whoever remembers both sees in one look-up whether they are still so. PostgreSQL only: on SQLite nobody remembers.

pub(crate) const UP: &[&str] = &[
    "postgres: CREATE TABLE workspace_routes (
        workspace_id BIGINT PRIMARY KEY,
        revision BIGINT NOT NULL
    )",
    "postgres: CREATE FUNCTION count_route_change() RETURNS TRIGGER LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO workspace_routes (workspace_id, revision)
            VALUES (COALESCE(NEW.workspace_id, OLD.workspace_id), 1)
            ON CONFLICT (workspace_id) DO UPDATE SET revision = workspace_routes.revision + 1;
            RETURN NULL;
        END
    $$",
    "postgres: CREATE TRIGGER channels_route_change
        AFTER INSERT OR DELETE OR UPDATE OF phone, state, suspended, connected_at ON channels
        FOR EACH ROW EXECUTE FUNCTION count_route_change()",
    "postgres: CREATE TRIGGER webhook_subscriptions_route_change
        AFTER INSERT OR DELETE OR UPDATE OF enabled, deleted_at ON webhook_subscriptions
        FOR EACH ROW EXECUTE FUNCTION count_route_change()",
];

pub(crate) const DOWN: &[&str] = &[
    "postgres: DROP TRIGGER webhook_subscriptions_route_change ON webhook_subscriptions",
    "postgres: DROP TRIGGER channels_route_change ON channels",
    "postgres: DROP FUNCTION count_route_change",
    "postgres: DROP TABLE workspace_routes",
];
