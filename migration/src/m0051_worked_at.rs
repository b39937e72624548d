//! When a channel was last seen to work: one that is well, when it was last looked at.

pub(crate) const UP: &[&str] = &[
    "ALTER TABLE channel_settings ADD COLUMN worked_at BIGINT",
    "UPDATE channel_settings SET worked_at = checked_at WHERE health = 'healthy'",
];

pub(crate) const DOWN: &[&str] = &[
    "ALTER TABLE channel_settings DROP COLUMN worked_at",
    "UPDATE channels SET disconnect_reason = 'logged_out' WHERE disconnect_reason IN ('banned', 'stopped')",
    "UPDATE channel_settings SET link_failure = 'qr_expired' WHERE link_failure = 'qr_unavailable'",
    "UPDATE attempts SET error_code = 'qr_expired' WHERE error_code = 'qr_unavailable'",
];
