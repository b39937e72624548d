//! Until when a channel rests after a message, also one on which nothing waits: the plan's pause is kept between any two.

pub(crate) const UP: &[&str] = &["ALTER TABLE send_queues ADD COLUMN rest_until BIGINT NOT NULL DEFAULT 0"];

pub(crate) const DOWN: &[&str] = &["ALTER TABLE send_queues DROP COLUMN rest_until"];
