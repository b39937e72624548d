//! All integration tests in one binary, run once on the embedded store and once on PostgreSQL and Redis.
//!
//! Real databases, real HTTP over sockets; only the clock is set by hand where a test is about time.

mod audit;
mod authorization;
mod chats;
mod cli;
mod configuration;
mod credits;
mod dispatch;
mod dispatch_failures;
mod documents;
mod error_codes;
mod faults;
mod framework_errors;
mod histories;
mod idempotency;
mod inbound;
mod leaks;
mod ledger;
mod links;
mod messages;
mod meter;
mod metering;
mod onboarding;
mod page_in_a_browser;
mod partner_credentials;
mod races;
mod receipts;
mod replicas;
mod sandbox;
mod schema;
mod seats;
mod send_faults;
mod sending;
mod server;
mod subscriptions;
mod support;
mod tidy;
mod tokens;
mod users;
mod webhooks;
mod workspace_api;
mod workspaces;
