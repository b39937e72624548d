//! Bots: automations that answer what comes to a channel, and for each chat what they have still to answer.

pub(crate) const UP: &[&str] = &[
    "CREATE TABLE bots (
        id {uuid} PRIMARY KEY,
        workspace_id BIGINT NOT NULL REFERENCES workspaces (id),
        name {text} NOT NULL,
        kind {text} NOT NULL,
        url {text} NOT NULL,
        model {text},
        system_prompt {text},
        temperature_percent INTEGER,
        max_tokens INTEGER,
        timeout_ms BIGINT NOT NULL,
        history INTEGER NOT NULL,
        secret {bytes},
        created_at BIGINT NOT NULL,
        updated_at BIGINT NOT NULL,
        CONSTRAINT bots_kind_check CHECK (kind IN ('http', 'openai')),
        CONSTRAINT bots_model_check CHECK ((kind = 'openai') = (model IS NOT NULL))
    )",
    "CREATE INDEX bots_workspace_id_idx ON bots (workspace_id, id)",
    // A table of its own, so that a channel has at most one and workers of the previous release need not know of it.
    "CREATE TABLE channel_bots (
        account_id BIGINT PRIMARY KEY REFERENCES channels (account_id),
        workspace_id BIGINT NOT NULL REFERENCES workspaces (id),
        bot_id {uuid} NOT NULL REFERENCES bots (id),
        created_at BIGINT NOT NULL
    )",
    "CREATE INDEX channel_bots_bot_id_idx ON channel_bots (bot_id)",
    "CREATE TABLE bot_turns (
        chat_id BIGINT PRIMARY KEY REFERENCES chats (id),
        workspace_id BIGINT NOT NULL REFERENCES workspaces (id),
        message_id {uuid},
        waiting_since BIGINT,
        due_at BIGINT,
        lease {uuid},
        tries INTEGER NOT NULL,
        answered_id {uuid},
        reply {text},
        replies INTEGER NOT NULL,
        replies_since BIGINT NOT NULL,
        day_replies INTEGER NOT NULL,
        day_since BIGINT NOT NULL,
        CONSTRAINT bot_turns_due_check CHECK ((message_id IS NULL) = (due_at IS NULL)),
        CONSTRAINT bot_turns_reply_check CHECK (reply IS NULL OR answered_id IS NOT NULL)
    )",
    "CREATE INDEX bot_turns_due_at_idx ON bot_turns (due_at) WHERE due_at IS NOT NULL",
    // Tokens that may do everything may do this too.
    "UPDATE tokens SET scopes = scopes || ' agents:read agents:write'
        WHERE scopes LIKE '%workspace:write%' AND scopes LIKE '%accounts:read%' AND scopes LIKE '%chats:write%'
        AND scopes LIKE '%messages:write%' AND scopes LIKE '%files:write%' AND scopes LIKE '%webhooks:write%'
        AND scopes NOT LIKE '%agents:%'",
];

pub(crate) const DOWN: &[&str] = &[
    "UPDATE tokens SET scopes = REPLACE(scopes, ' agents:read agents:write', '')",
    "DROP TABLE bot_turns",
    "DROP TABLE channel_bots",
    "DROP TABLE bots",
];
