//! Append-only schema steps, the same text for SQLite and PostgreSQL.
//!
//! Steps are SQL text and not builder calls: named CHECK constraints and partial unique indices are the guards that
//! the invariants stand on, and they read best as what they are. The few words in which the databases differ are
//! spelled `{serial}`, `{uuid}`, `{bytes}` and `{text}` and filled in by `apply`. Text is compared and ordered by
//! bytes on both. What only one of them has, such as its index of words, begins with `sqlite: ` or `postgres: `. A step
//! that neither has words for reads rows and writes them (`m0058_names_composed`).
//!
//! A step is never edited once released, loses nothing while the previous release still runs, and has a way down. What
//! an older process cannot do any more after a step stands in `helm/README.md`.

use sea_orm_migration::{
    MigrationName,
    prelude::{DbErr, MigrationTrait, MigratorTrait, SchemaManager, async_trait},
    sea_orm::{ConnectionTrait, DbBackend},
};

mod m0001_plans;
mod m0002_partners;
mod m0003_workspaces;
mod m0004_tokens;
mod m0005_channels;
mod m0006_onboarding;
mod m0007_sandbox;
mod m0008_operations;
mod m0009_ledger;
mod m0010_conversations;
mod m0011_webhooks;
mod m0012_access;
mod m0013_replies;
mod m0014_chat_details;
mod m0015_members;
mod m0016_search;
mod m0017_files;
mod m0018_attachments;
mod m0019_subscriptions;
mod m0020_calls;
mod m0021_active_hours;
mod m0022_bots;
mod m0023_listing;
mod m0025_chat_names;
mod m0026_calls_in_history;
mod m0027_chat_members;
mod m0028_search_words;
mod m0029_senders;
mod m0032_connectors;
mod m0033_connector_sessions;
mod m0035_routes;
mod m0036_channel_settings;
mod m0037_channel_traffic;
mod m0038_channel_hooks;
mod m0039_duplicate_accounts;
mod m0040_connector_checkpoints;
mod m0041_channel_slots;
mod m0042_webchat;
mod m0043_routes_on_sqlite;
mod m0046_page_questions;
mod m0048_answers;
mod m0051_worked_at;
mod m0052_deliveries_in_order;
mod m0053_names_given;
mod m0056_rest;
mod m0057_told_at;
mod m0058_names_composed;
mod m0059_lanes;
mod m0060_sent;
mod m0061_provider_timeouts;
mod m0062_unread;
mod m0063_refusals;

/// All steps, in order.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            step("m0001_plans", m0001_plans::UP, m0001_plans::DOWN),
            step("m0002_partners", m0002_partners::UP, m0002_partners::DOWN),
            step("m0003_workspaces", m0003_workspaces::UP, m0003_workspaces::DOWN),
            step("m0004_tokens", m0004_tokens::UP, m0004_tokens::DOWN),
            step("m0005_channels", m0005_channels::UP, m0005_channels::DOWN),
            step("m0006_onboarding", m0006_onboarding::UP, m0006_onboarding::DOWN),
            step("m0007_sandbox", m0007_sandbox::UP, m0007_sandbox::DOWN),
            step("m0008_operations", m0008_operations::UP, m0008_operations::DOWN),
            step("m0009_ledger", m0009_ledger::UP, m0009_ledger::DOWN),
            step("m0010_conversations", m0010_conversations::UP, m0010_conversations::DOWN),
            step("m0011_webhooks", m0011_webhooks::UP, m0011_webhooks::DOWN),
            step("m0012_access", m0012_access::UP, m0012_access::DOWN),
            step("m0013_replies", m0013_replies::UP, m0013_replies::DOWN),
            step("m0014_chat_details", m0014_chat_details::UP, m0014_chat_details::DOWN),
            step("m0015_members", m0015_members::UP, m0015_members::DOWN),
            step("m0016_search", m0016_search::UP, m0016_search::DOWN),
            step("m0017_files", m0017_files::UP, m0017_files::DOWN),
            step("m0018_attachments", m0018_attachments::UP, m0018_attachments::DOWN),
            step("m0019_subscriptions", m0019_subscriptions::UP, m0019_subscriptions::DOWN),
            step("m0020_calls", m0020_calls::UP, m0020_calls::DOWN),
            step("m0021_active_hours", m0021_active_hours::UP, m0021_active_hours::DOWN),
            step("m0022_bots", m0022_bots::UP, m0022_bots::DOWN),
            step("m0023_listing", m0023_listing::UP, m0023_listing::DOWN),
            step("m0025_chat_names", m0025_chat_names::UP, m0025_chat_names::DOWN),
            step("m0026_calls_in_history", m0026_calls_in_history::UP, m0026_calls_in_history::DOWN),
            step("m0027_chat_members", m0027_chat_members::UP, m0027_chat_members::DOWN),
            step("m0028_search_words", m0028_search_words::UP, m0028_search_words::DOWN),
            step("m0029_senders", m0029_senders::UP, m0029_senders::DOWN),
            step("m0032_connectors", m0032_connectors::UP, m0032_connectors::DOWN),
            step("m0033_connector_sessions", m0033_connector_sessions::UP, m0033_connector_sessions::DOWN),
            step("m0035_routes", m0035_routes::UP, m0035_routes::DOWN),
            step("m0036_channel_settings", m0036_channel_settings::UP, m0036_channel_settings::DOWN),
            step("m0037_channel_traffic", m0037_channel_traffic::UP, m0037_channel_traffic::DOWN),
            step("m0038_channel_hooks", m0038_channel_hooks::UP, m0038_channel_hooks::DOWN),
            step("m0039_duplicate_accounts", m0039_duplicate_accounts::UP, m0039_duplicate_accounts::DOWN),
            step("m0040_connector_checkpoints", m0040_connector_checkpoints::UP, m0040_connector_checkpoints::DOWN),
            step("m0041_channel_slots", m0041_channel_slots::UP, m0041_channel_slots::DOWN),
            step("m0042_webchat", m0042_webchat::UP, m0042_webchat::DOWN),
            step("m0043_routes_on_sqlite", m0043_routes_on_sqlite::UP, m0043_routes_on_sqlite::DOWN),
            step("m0046_page_questions", m0046_page_questions::UP, m0046_page_questions::DOWN),
            step("m0051_worked_at", m0051_worked_at::UP, m0051_worked_at::DOWN),
            step("m0048_answers", m0048_answers::UP, m0048_answers::DOWN),
            step("m0052_deliveries_in_order", m0052_deliveries_in_order::UP, m0052_deliveries_in_order::DOWN),
            step("m0053_names_given", m0053_names_given::UP, m0053_names_given::DOWN),
            step("m0056_rest", m0056_rest::UP, m0056_rest::DOWN),
            step("m0057_told_at", m0057_told_at::UP, m0057_told_at::DOWN),
            Box::new(m0058_names_composed::Step),
            Box::new(m0059_lanes::Step),
            step("m0060_sent", m0060_sent::UP, m0060_sent::DOWN),
            step("m0061_provider_timeouts", m0061_provider_timeouts::UP, m0061_provider_timeouts::DOWN),
            step("m0062_unread", m0062_unread::UP, m0062_unread::DOWN),
            step("m0063_refusals", m0063_refusals::UP, m0063_refusals::DOWN),
        ]
    }
}

/// One schema step: its name, which the database remembers, and the statements of both ways.
struct Step {
    name: &'static str,
    up: &'static [&'static str],
    down: &'static [&'static str],
}

fn step(name: &'static str, up: &'static [&'static str], down: &'static [&'static str]) -> Box<dyn MigrationTrait> {
    Box::new(Step { name, up, down })
}

impl MigrationName for Step {
    fn name(&self) -> &str {
        self.name
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        apply(manager, self.up).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        apply(manager, self.down).await
    }
}

/// Runs statements after filling in the words that differ between the databases.
async fn apply(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    let words: [(&str, &str); 4] = match manager.get_database_backend() {
        DbBackend::Sqlite => [
            ("{serial}", "INTEGER PRIMARY KEY AUTOINCREMENT"),
            ("{uuid}", "BLOB"),
            ("{bytes}", "BLOB"),
            ("{text}", "TEXT"),
        ],
        _ => [
            ("{serial}", "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"),
            ("{uuid}", "UUID"),
            ("{bytes}", "BYTEA"),
            ("{text}", "TEXT COLLATE \"C\""),
        ],
    };
    let (own, foreign) = match manager.get_database_backend() {
        DbBackend::Sqlite => ("sqlite: ", "postgres: "),
        _ => ("postgres: ", "sqlite: "),
    };
    for statement in statements.iter().filter(|statement| !statement.starts_with(foreign)) {
        let mut sql = statement.strip_prefix(own).unwrap_or(statement).to_owned();
        for (word, spelling) in words {
            sql = sql.replace(word, spelling);
        }
        manager.get_connection().execute_unprepared(&sql).await?;
    }
    Ok(())
}
