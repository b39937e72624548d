//! Files of workspaces, the contents that they share, and objects that are to be removed from the storage.
//!
//! A content is stored once in a workspace, however many files have it. Whatever is written to the storage is a stray
//! until a content claims it, and is one again when its last file is gone: strays are removed when they are due, so
//! that nothing is left of what a crash has cut short.

pub(crate) const UP: &[&str] = &[
    "CREATE TABLE blobs (
        id {serial},
        workspace_id BIGINT NOT NULL REFERENCES workspaces (id),
        sha256 {bytes} NOT NULL,
        object_key {text} NOT NULL,
        created_at BIGINT NOT NULL,
        CONSTRAINT blobs_workspace_id_sha256_key UNIQUE (workspace_id, sha256)
    )",
    "CREATE TABLE files (
        id {uuid} PRIMARY KEY,
        workspace_id BIGINT NOT NULL REFERENCES workspaces (id),
        blob_id BIGINT NOT NULL REFERENCES blobs (id),
        filename {text} NOT NULL,
        filename_folded {text} NOT NULL,
        content_type {text} NOT NULL,
        size BIGINT NOT NULL,
        kind {text} NOT NULL,
        user_id BIGINT REFERENCES users (id),
        provisional_until BIGINT,
        created_at BIGINT NOT NULL,
        deleted_at BIGINT,
        CONSTRAINT files_size_check CHECK (size > 0)
    )",
    "CREATE INDEX files_workspace_id_idx ON files (workspace_id, id)",
    "CREATE INDEX files_blob_id_idx ON files (blob_id)",
    "CREATE INDEX files_created_at_idx ON files (created_at)",
    "CREATE INDEX files_provisional_until_idx ON files (provisional_until) WHERE provisional_until IS NOT NULL",
    "CREATE TABLE blob_strays (
        object_key {text} PRIMARY KEY,
        upload_id {text},
        due_at BIGINT NOT NULL
    )",
    "CREATE INDEX blob_strays_due_at_idx ON blob_strays (due_at)",
    // Tokens that may do everything go on doing so.
    "UPDATE tokens SET scopes = scopes || ' files:read files:write'
        WHERE scopes LIKE '%chats:read%' AND scopes LIKE '%chats:write%' AND scopes LIKE '%messages:read%'
        AND scopes LIKE '%messages:write%' AND scopes LIKE '%workspace:read%' AND scopes LIKE '%accounts:read%'",
];

pub(crate) const DOWN: &[&str] = &[
    "UPDATE tokens SET scopes = REPLACE(scopes, ' files:read files:write', '')",
    "DROP TABLE blob_strays",
    "DROP TABLE files",
    "DROP TABLE blobs",
];
