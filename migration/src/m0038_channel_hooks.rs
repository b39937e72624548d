//! Webhooks of the Channels API: subscriptions to several types of event, with a name and patience of their own.

pub(crate) const UP: &[&str] = &[
    "ALTER TABLE webhook_subscriptions ADD COLUMN name {text}",
    "ALTER TABLE webhook_subscriptions ADD COLUMN events {text}",
    "ALTER TABLE webhook_subscriptions ADD COLUMN max_retries INTEGER",
    "ALTER TABLE webhook_subscriptions ADD COLUMN timeout_seconds INTEGER",
];

pub(crate) const DOWN: &[&str] = &[
    // The previous release knows subscriptions to one type only.
    "UPDATE webhook_subscriptions SET enabled = FALSE, deleted_at = COALESCE(deleted_at, updated_at)
        WHERE events IS NOT NULL",
    "ALTER TABLE webhook_subscriptions DROP COLUMN timeout_seconds",
    "ALTER TABLE webhook_subscriptions DROP COLUMN max_retries",
    "ALTER TABLE webhook_subscriptions DROP COLUMN events",
    "ALTER TABLE webhook_subscriptions DROP COLUMN name",
];
