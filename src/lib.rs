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
//! # A message's life
//!
//! 1. The token is looked up in [`token::access`], the call is let in by [`meter::admission`]: one call to the meter
//!    for every rate, the API-call counter and a hold on the credits.
//! 2. [`message::writer`] commits all messages that arrived while the batch before them was being committed: messages,
//!    charges, one guarded balance update per workspace, threshold events, idempotency keys. Then it answers.
//! 3. [`message::dispatch`] hands it to its provider when its channel's turn has come; receipts move it on through
//!    [`message::status`], and what fails is refunded there.
//! 4. What the partner and the workspace are told of are events in the same transaction ([`webhook`],
//!    [`webhook::tell`]); [`webhook::deliver`] tells them.
//!
//! # An answer's life
//!
//! What comes to a channel with a bot notes a turn of its chat in its own transaction; [`bot::turn`] asks the bot once,
//! keeps what it says, and sends it as step 2 above has it.
//!
//! # Where things are
//!
//! | module | what it is |
//! |---|---|
//! | [`app`], [`config`], [`clock`], [`db`], [`error`], [`secret`], [`signal`], [`caller`], [`page`], [`phone`], [`queue`], [`timespan`], [`zone`], [`outbound`], [`mail`] | the base, free of frameworks |
//! | [`partner`], [`workspace`], [`user`], [`token`], [`plan`] | who is who |
//! | [`credit`], [`quota`], [`meter`] | the ledger; billing periods and thresholds; admission of calls |
//! | [`channel`], [`onboarding`], [`connector`] | accounts; links and attempts; providers |
//! | [`chat`], [`message`], [`call`], [`search`] | conversations of an account, what is said in them, calls, and finding it |
//! | [`bot`] | automations that answer what comes to a channel |
//! | [`template`], [`invitation`] | texts that are sent often; people who are asked into a workspace |
//! | [`mod@file`] | files of a workspace, and where their contents are kept |
//! | [`webhook`] | events: the outbox, its deliveries, the partners' endpoints, the workspaces' subscriptions, webhooks that hear of channels |
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
//! 6. Lowering and raising seats grants nothing twice (`seats.rs`, `ledger.rs`, `histories.rs`).
//! 7. A revoked token is refused at once by the replica that revoked it, and by the others as soon as they hear of it
//!    (`replicas.rs`).
//! 8. An attempt always ends, and says why (`onboarding.rs`).
//! 9. Granted = used + left + expired, per workspace and period, after any interleaving and any crash; the database
//!    never gives more credits than there are, whatever the meter did (`histories.rs`, `ledger.rs`, `send_faults.rs`).
//! 10. A message that was answered 2xx exists once and is charged once; one that was refused left no trace
//!     (`sending.rs`, `send_faults.rs`). It goes out at most once (`dispatch_failures.rs`).
//! 11. One threshold event per workspace, quota, threshold, period and arming (`metering.rs`).
//! 12. An event commits with what it tells of, and is delivered or visibly dead (`webhooks.rs`,
//!     `subscriptions.rs`, `channels_hooks.rs`).
//! 13. An upload that ends early leaves nothing behind; a content goes with its last file, and no file goes while a
//!     message that carries it waits (`files.rs`, `file_storage.rs`).
//! 14. A message gets one answer of a bot at most, and two bots that talk to each other stop (`bots.rs`).
//! 15. Every connector passes the same cases: nothing is sent twice, nothing of a session is left at its provider,
//!     nobody but the provider is heard (`conformance.rs`).
//! 16. What is secret of a channel is in the one answer that is to show it, and sealed (`leaks.rs`).
//! 17. A web chat answers browsers on its allowed origins only, and shows a visitor nobody else's messages
//!     (`webchat.rs`, `page_in_a_browser.rs`).
//!
//! # Why it is so
//!
//! - Instants are integers in microseconds and folded names are columns: both databases compare them alike.
//! - Schema steps are SQL text, because named CHECKs and partial unique indices are the guards; see [`migration`].
//! - A folder's `store` is private. What other folders need of it, its `mod.rs` names in one `pub(crate) use`; wrapping
//!   each statement in a second function would say nothing more.
//! - Remembered tokens carry the epochs of their workspace and partner; a change of access raises an epoch. Epochs are
//!   4096 stripes, so that one change forgets a few others too and nothing grows.
//! - `GET /workspace` reads the ledger, not the meter: all who ask while one query runs are answered by the next one
//!   ([`quota::reader`]), and an answer serves for a second unless this process writes; one that is asked for often is
//!   read again before that, so that nobody waits.
//! - The meter gives holds back by generation (30 s), not one by one: a workspace's state on Redis grows only with the
//!   tokens that were used within the last minute, whose windows are in it so that a call costs one key.
//! - Time comes to the meter from the caller, not from Redis, so that the two meters are one function of their history;
//!   a window that was written by a clock far ahead counts as empty.
//! - Redis is one address: there is no Sentinel client and no Cluster client here. The meter, the signals and the keys
//!   that they use would each need their own, and what is on Redis may vanish or be missed anyway. A server that is
//!   replaced behind its address, by a managed service or by a proxy in front of Sentinel, costs an instant of accuracy;
//!   of API calls that it has not counted it is told with the next write. The keys of a partner share a hash tag, for
//!   proxies that spread them.
//! - Whoever is in a period that has ended for the others, because its clock is behind, neither counts nor holds in the
//!   new one ([`meter::rule`]).
//! - A commit that is not answered may have been done. Messages are looked up behind the locks of their commit before
//!   anybody is told what came of them; whatever else is changed says that it is not known (`outcome_unknown`).
//! - When the meter has too few credits the ledger is asked, and if it has them it decides alone: holds that were
//!   leaked or grants that the meter has not heard of refuse nobody.
//! - A keyed send is refused for want of credits by the ledger only: it may have been answered before.
//! - A window holds `rate + burst` calls for a token and `rate` for workspaces and partners, and refills at `rate`.
//! - Standard Webhooks signatures use the partner secret as their key, so a partner has one secret to keep and rotate.
//! - The writer hands each statement a whole batch as [`db`]'s rows, arrays on PostgreSQL and JSON on SQLite, so that its
//!   text is prepared once.
//! - What a commit left of a workspace is remembered, so that on PostgreSQL a batch of plain messages is one statement
//!   that checks and writes; whatever needs a look, a refusal or a notice goes the long way, under locks. Where another
//!   process sends for the same workspace, the long way is taken for a while. Batches have connections of their own,
//!   whose plans are made once.
//! - Chats are in order by the hour of their newest message and only within it by the instant: an index on the instant
//!   would be written with every message.
//! - The index of words follows the messages instead of being written with them: a batch of messages is one statement,
//!   and stays one ([`search::index`]).
//! - Notes are rows of `messages`, so that history is one query; they wait in no queue and are the newest message of no
//!   chat.
//! - A call is a message of the same id in the history of its chat, so that history stays one query too.
//! - Members of a group are those who have written in it: no provider has told more yet.
//! - Names of chats are unique where they are given, by `PATCH` or with a message, not in the table: chats that come by
//!   themselves are called by their numbers, or as their networks say, so two Johns are both called John, and two
//!   accounts may talk to one of them. A name that was given is meant before one that is told; of several people that
//!   are told to be called so nobody is, because anybody can choose such a name ([`chat::by_name`]).
//! - Messages and ledger entries have no foreign keys, which would cost more than the rows; `quartermaster audit` looks
//!   for strays.
//! - What a provider tells is noted by its own id in the transaction that queues what follows, so it may come again and
//!   in any order; a session is asked how it stands whatever is said of it ([`connector::callback`]).
//! - What somebody wrote waits for what came to its session before, also where that waits for a file. Work that is due may
//!   so stand behind work that is not, and a look at the queue steps from lane to lane ([`job`]).
//! - A provider that fails while it takes a message may have taken it: only 429, 503 and no connection are tried again.
//!   What went out all the same is recognised by its chat and its words when the provider tells of it.
//! - What a visitor of a web chat gets to see is numbered as it becomes visible to them, not by the ids of messages:
//!   an answer may wait in its channel's queue while they write on ([`connector::webchat`]).
//! - Base URLs of providers are set by operators and may be private; addresses of customers, and of files that a
//!   provider names, go through [`outbound`].
//! - Idempotency keeps the operation's outcome, not the bytes of the answer, so the core knows no HTTP.
//! - A request that was refused leaves its `Idempotency-Key` free: what refused it may have been mended.
//! - Billing periods are calendar months in UTC, though months of the workspace's own zone have been observed at the
//!   service whose contract the Workspace API keeps: a zone may be changed at any time, and a month that moved with it
//!   would overlap another or leave a gap, and what was granted and used in it could not be explained any more. Only
//!   what is shown is in the workspace's zone ([`quota`]).
//! - An account whose user lost the seat goes on receiving, though the contract has its synchronisation paused: its
//!   session stays, who writes to it knows nothing of seats, and messages that were not stored when they came could not
//!   be had later. It sends nothing, and its bot is silent; a web chat, where nobody waits unseen, is closed instead.
//! - The recurring quota follows the highest seat count of the period. A plan's new credits per seat count from the
//!   next grant on; its API calls count at once.
//!
//! # What is not here yet
//!
//! Connectors but for WhatsApp by QR, Unipile's networks and the web chat, partner pools of credits, and most of the
//! Operator API.

pub mod app;
pub mod audit;
pub mod bot;
pub mod call;
pub mod caller;
pub mod channel;
pub mod chat;
pub mod cli;
pub mod clock;
pub mod config;
pub mod connector;
pub mod credit;
pub mod db;
pub mod error;
pub mod file;
pub mod http;
pub mod idempotency;
pub mod invitation;
pub mod job;
pub mod mail;
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
pub mod search;
pub mod secret;
pub mod signal;
pub mod template;
pub mod timespan;
pub mod token;
pub mod user;
pub mod webhook;
pub mod workspace;
pub mod zone;
