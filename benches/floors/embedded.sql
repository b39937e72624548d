-- As accepted.sql, in the words of SQLite, for one workspace.

CREATE TABLE messages (
    id BLOB PRIMARY KEY,
    workspace_id INTEGER NOT NULL,
    phone TEXT NOT NULL,
    text TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at INTEGER NOT NULL
);

CREATE TABLE entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id INTEGER NOT NULL,
    message_id BLOB NOT NULL,
    amount INTEGER NOT NULL,
    created_at INTEGER NOT NULL
);

CREATE TABLE balances (
    workspace_id INTEGER PRIMARY KEY,
    used INTEGER NOT NULL,
    granted INTEGER NOT NULL,
    CHECK (used <= granted)
);

INSERT INTO balances (workspace_id, used, granted) VALUES (1, 0, 1000000000000);
