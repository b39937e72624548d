//! What Quartermaster stores: entities, typed ids, and the states of things.
//!
//! No queries and no rules live here; each domain folder of the root package has its own `store`.
//! Timestamps are integers in microseconds and folded text is its own column, so that both databases compare and
//! order alike.

pub mod access_change;
pub mod attempt;
pub mod audit_entry;
pub mod blob;
pub mod blob_stray;
pub mod bot;
pub mod bot_turn;
pub mod call;
pub mod channel;
pub mod channel_bot;
pub mod chat;
pub mod chat_label;
pub mod chat_member;
pub mod connector_callback;
pub mod connector_credential;
pub mod connector_default;
pub mod connector_session;
pub mod credit_entry;
pub mod credits;
pub mod delivery;
pub mod delivery_attempt;
pub mod event;
pub mod file;
pub mod group;
pub mod id;
pub mod idempotency_key;
pub mod invitation;
pub mod job;
pub mod link;
pub mod message;
pub mod message_status;
pub mod operator_token;
pub mod partner;
pub mod partner_logo;
pub mod partner_secret;
pub mod partner_webhook;
pub mod plan;
pub mod quota_period;
pub mod reaction;
pub mod sandbox_code;
pub mod sandbox_message;
pub mod sandbox_reaction;
pub mod sandbox_session;
pub mod send_queue;
pub mod text_template;
pub mod timestamp;
pub mod token;
pub mod user;
pub mod wallet;
pub mod webhook_subscription;
pub mod workspace;
