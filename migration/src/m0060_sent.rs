//! When messages went out, so that they are counted then, and not when they were accepted.

pub(crate) const UP: &[&str] = &[
    "ALTER TABLE messages ADD COLUMN sent_at BIGINT",
    // Those that traffic is not counted of yet.
    "UPDATE messages SET sent_at = created_at
        WHERE direction = 'sent' AND kind IS NULL AND status IN ('sent', 'delivered', 'read')
            AND created_at >= (SELECT until FROM traffic_progress WHERE id = 1)",
    // What was counted and has not gone out is counted when it does.
    "UPDATE channel_totals SET sent = sent - w.waiting
        FROM (SELECT m.account_id, COUNT(*) AS waiting FROM messages m JOIN traffic_progress p ON p.id = 1
            WHERE m.direction = 'sent' AND m.kind IS NULL AND m.status NOT IN ('sent', 'delivered', 'read')
                AND m.created_at < p.until GROUP BY m.account_id) w
        WHERE w.account_id = channel_totals.account_id",
    "CREATE INDEX messages_sent_at_idx ON messages (sent_at) WHERE sent_at IS NOT NULL",
];

pub(crate) const DOWN: &[&str] = &[
    "UPDATE channel_totals SET sent = sent + w.waiting
        FROM (SELECT m.account_id, COUNT(*) AS waiting FROM messages m JOIN traffic_progress p ON p.id = 1
            WHERE m.direction = 'sent' AND m.kind IS NULL AND m.status NOT IN ('sent', 'delivered', 'read')
                AND m.created_at < p.until GROUP BY m.account_id) w
        WHERE w.account_id = channel_totals.account_id",
    "DROP INDEX messages_sent_at_idx",
    "ALTER TABLE messages DROP COLUMN sent_at",
];
