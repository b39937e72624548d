//! The index of words that messages are found by: FTS5 on SQLite, a text vector on PostgreSQL.
//!
//! It is filled behind the messages, from where `search_progress` says, so that storing a message costs nothing more.

pub(crate) const UP: &[&str] = &[
    "CREATE TABLE search_progress (
        id INTEGER PRIMARY KEY,
        first_look {uuid},
        second_look {uuid},
        CONSTRAINT search_progress_id_check CHECK (id = 1)
    )",
    "INSERT INTO search_progress (id) VALUES (1)",
    "sqlite: CREATE TABLE search_documents (
        id INTEGER PRIMARY KEY,
        message_id BLOB NOT NULL,
        workspace_id BIGINT NOT NULL,
        chat_id BIGINT NOT NULL,
        CONSTRAINT search_documents_message_id_key UNIQUE (message_id)
    )",
    "sqlite: CREATE VIRTUAL TABLE search_words USING fts5 (
        scope, words, content='', contentless_delete=1, detail=column, tokenize='ascii'
    )",
    "postgres: CREATE TABLE search_documents (
        message_id UUID PRIMARY KEY,
        workspace_id BIGINT NOT NULL,
        chat_id BIGINT NOT NULL,
        words TSVECTOR NOT NULL
    )",
    "postgres: CREATE INDEX search_documents_newest_idx ON search_documents (workspace_id, message_id)",
    "postgres: CREATE INDEX search_documents_words_idx ON search_documents USING GIN (words)",
];

pub(crate) const DOWN: &[&str] =
    &["sqlite: DROP TABLE search_words", "DROP TABLE search_documents", "DROP TABLE search_progress"];
