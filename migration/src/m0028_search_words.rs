//! On PostgreSQL, words by workspace and time instead of one index over the texts of all: it could neither tell a
//! workspace's newest messages from its others nor its words from those of others.
//!
//! A workspace's documents are numbered in the order in which they come. 4096 numbers make a part; a row says which of
//! a part's documents have a word. The index is filled again from the first message on.

pub(crate) const UP: &[&str] = &[
    "postgres: DROP TABLE search_documents",
    "postgres: CREATE TABLE search_documents (
        workspace_id BIGINT NOT NULL,
        number BIGINT NOT NULL,
        message_id UUID NOT NULL,
        chat_id BIGINT NOT NULL,
        PRIMARY KEY (workspace_id, number),
        CONSTRAINT search_documents_message_id_key UNIQUE (message_id)
    )",
    "postgres: CREATE TABLE search_words (
        workspace_id BIGINT NOT NULL,
        part BIGINT NOT NULL,
        word {text} NOT NULL,
        numbers {bytes} NOT NULL,
        PRIMARY KEY (workspace_id, part, word)
    ) WITH (fillfactor = 80)",
    "postgres: UPDATE search_progress SET first_look = NULL, second_look = NULL",
];

pub(crate) const DOWN: &[&str] = &[
    "postgres: UPDATE search_progress SET first_look = NULL, second_look = NULL",
    "postgres: DROP TABLE search_words",
    "postgres: DROP TABLE search_documents",
    "postgres: CREATE TABLE search_documents (
        message_id UUID PRIMARY KEY,
        workspace_id BIGINT NOT NULL,
        chat_id BIGINT NOT NULL,
        words TSVECTOR NOT NULL
    )",
    "postgres: CREATE INDEX search_documents_newest_idx ON search_documents (workspace_id, message_id)",
    "postgres: CREATE INDEX search_documents_words_idx ON search_documents USING GIN (words)",
];
