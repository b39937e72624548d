//! How much went through each channel, counted by the minute, the hour and the day, and in all.

pub(crate) const UP: &[&str] = &[
    "CREATE TABLE channel_traffic (
        account_id BIGINT NOT NULL REFERENCES channels (account_id),
        span {text} NOT NULL,
        start BIGINT NOT NULL,
        received BIGINT NOT NULL,
        sent BIGINT NOT NULL,
        started BIGINT NOT NULL,
        closed BIGINT NOT NULL,
        responses BIGINT NOT NULL,
        response_seconds BIGINT NOT NULL,
        resolution_seconds BIGINT NOT NULL,
        PRIMARY KEY (account_id, span, start)
    )",
    "CREATE INDEX channel_traffic_start_idx ON channel_traffic (span, start)",
    "CREATE TABLE channel_totals (
        account_id BIGINT PRIMARY KEY REFERENCES channels (account_id),
        received BIGINT NOT NULL,
        sent BIGINT NOT NULL,
        last_received_at BIGINT,
        last_sent_at BIGINT
    )",
    "CREATE TABLE traffic_progress (
        id BIGINT PRIMARY KEY,
        until BIGINT NOT NULL
    )",
    // What there is already is counted in all, up to a whole minute; the rest is left to workers.
    "INSERT INTO traffic_progress (id, until)
        SELECT 1, COALESCE(MAX(created_at), 0) / 60000000 * 60000000 FROM messages",
    "INSERT INTO channel_totals (account_id, received, sent, last_received_at, last_sent_at)
        SELECT m.account_id,
            SUM(CASE WHEN m.direction = 'received' THEN 1 ELSE 0 END),
            SUM(CASE WHEN m.direction = 'sent' THEN 1 ELSE 0 END),
            MAX(CASE WHEN m.direction = 'received' THEN m.created_at END),
            MAX(CASE WHEN m.direction = 'sent' THEN m.created_at END)
        FROM messages m JOIN channels c ON c.account_id = m.account_id JOIN traffic_progress p ON p.id = 1
        WHERE m.created_at < p.until AND m.kind IS NULL GROUP BY m.account_id",
    "CREATE INDEX chats_created_at_idx ON chats (created_at)",
];

pub(crate) const DOWN: &[&str] = &[
    "DROP INDEX chats_created_at_idx",
    "DROP TABLE traffic_progress",
    "DROP TABLE channel_totals",
    "DROP TABLE channel_traffic",
];
