//! Finds the first due deliveries of a subscription in the order in which things happened.

pub(crate) const UP: &[&str] = &["CREATE INDEX deliveries_subscription_order_idx ON deliveries (subscription_id, id)
        WHERE due_at IS NOT NULL AND subscription_id IS NOT NULL"];

pub(crate) const DOWN: &[&str] = &["DROP INDEX deliveries_subscription_order_idx"];
