//! Quartermaster is the control plane with which a messaging platform lets partners (resellers) provision, meter and
//! sell it: a partner's backend creates workspaces for its customers, adds users within the seats it bought, onboards
//! their WhatsApp with a QR page under the partner's brand, and hands out API tokens.
//!
//! # A request's life
//!
//! 1. [`http::edge`] gives it an id, a span and a line in the log.
//! 2. `http/surface.rs` reads its body within the limits and runs its handler in a task that outlives the connection.
//! 3. The surface's security scheme checks the credentials; the caller that it returns is the proof.
//! 4. The handler parses the body into a command whose members cannot be wrong any more.
//! 5. One operation of a domain folder does the work.
//! 6. The handler renders what it returns in the surface's own shape.
//! 7. What fails becomes an [`error::Error`], which [`http::failure`] renders in the surface's dialect.
//!
//! # A write's life
//!
//! [`db::write`] opens one transaction (`IMMEDIATE` on SQLite): claim the `Idempotency-Key` → lock the parent row →
//! apply the rule → guarded statement → audit entry → work for after the commit → keep the outcome under the key →
//! commit. Then a [`signal::Signal`] makes workers and pages look at once; without it they look within a second.
//! Lost races are repeated as whole operations by [`db::retried`].
//!
//! # Where things are
//!
//! | module | what it is |
//! |---|---|
//! | [`app`], [`config`], [`clock`], [`db`], [`error`], [`secret`], [`signal`], [`caller`], [`page`], [`phone`], [`queue`], [`outbound`] | the base, free of frameworks |
//! | [`partner`], [`workspace`], [`user`], [`token`], [`plan`] | who is who |
//! | [`quota`] | billing periods and what was granted in them |
//! | [`channel`], [`onboarding`], [`connector`] | accounts; links and attempts; providers |
//! | [`webhook`] | events: the outbox, its deliveries, the partners' endpoints |
//! | [`audit`], [`idempotency`] | who did what; the same request twice |
//! | [`job`] | the worker |
//! | [`http`], [`cli`] | the surfaces; the commands |
//!
//! `main → cli, http, job → domain folders → entity`; `tests/tidy.rs` keeps it so.
//!
//! # Invariants
//!
//! Each is held by tests, on SQLite and on PostgreSQL; the file under `tests/` is named.
//!
//! 1. `seats_used <= seats_total`; users are created all or none (`races.rs`, `schema.rs`).
//! 2. One link per user is active, one attempt per link is alive, a link connects once (`races.rs`, `onboarding.rs`).
//! 3. A number is connected once in a workspace (`races.rs`).
//! 4. The same `Idempotency-Key` leads to one change and equal answers (`idempotency.rs`, `races.rs`).
//! 5. Nobody reads or writes what belongs to another tenant (`authorization.rs`, a row for every operation).
//! 6. Lowering and raising seats grants nothing twice (`seats.rs`).
//! 7. A revoked token is refused on every replica from the commit on (`replicas.rs`).
//! 8. An attempt always ends, and says why (`onboarding.rs`).
//! 9. An event commits with what it tells of, and is delivered or visibly dead (`webhooks.rs`).
//!
//! # Why it is so
//!
//! - Instants are integers in microseconds and folded names are columns: both databases compare them alike.
//! - Schema steps are SQL text, because named CHECKs and partial unique indices are the guards; see [`migration`].
//! - A folder's `store` is private. What other folders need of it, its `mod.rs` names in one `pub(crate) use`; wrapping
//!   each statement in a second function would say nothing more.
//! - Every token check reads the database. There is no cache yet that could be wrong.
//! - Idempotency keeps the operation's outcome, not the bytes of the answer, so the core knows no HTTP.
//! - A request that was refused leaves its `Idempotency-Key` free: what refused it may have been mended.
//! - The partner's recurring quota follows the highest seat count of the period; nothing consumes credits yet.
//!
//! # What is not here yet
//!
//! Messages, credits and their ledger, metering, the channels and connect dialects, real connectors, and the Operator
//! API (its tokens can be made).

pub mod app;
pub mod audit;
pub mod caller;
pub mod channel;
pub mod cli;
pub mod clock;
pub mod config;
pub mod connector;
pub mod credit;
pub mod db;
pub mod error;
pub mod http;
pub mod idempotency;
pub mod job;
pub mod message;
pub mod meter;
pub mod onboarding;
pub mod outbound;
pub mod page;
pub mod partner;
pub mod phone;
pub mod plan;
pub mod queue;
pub mod quota;
pub mod secret;
pub mod signal;
pub mod token;
pub mod user;
pub mod webhook;
pub mod workspace;
