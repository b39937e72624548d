//! The workspace that is measured: 1,000,000 messages in 50,000 chats of five accounts, over a year, beside a smaller
//! workspace in the same tables.

use std::collections::BTreeMap;

use entity::{
    id::{TokenId, UserId, WorkspaceId},
    timestamp::Timestamp,
    token,
};
use quartermaster::{app::App, search::index, secret, token::Scopes};
use sea_orm::{EntityTrait, IntoActiveModel};
use secrecy::ExposeSecret;
use uuid::Uuid;

use crate::{
    place::Place,
    scale::{
        random::{Random, Words, spoken},
        rows::{Cell, Store},
    },
    seed::{self, FIRST_ID},
};

pub(super) const MESSAGES: i64 = 1_000_000;
pub(super) const CHATS: i64 = 50_000;
/// Messages of one chat.
pub(super) const HOT_MESSAGES: i64 = 100_000;
/// Every so manyth message is another workspace's.
const OTHERS: i64 = 21;
const OTHER_CHATS: i64 = 5_000;
const ACCOUNTS: i64 = 5;
const AGENTS: i64 = 20;
const HOUR: i64 = 3_600_000_000;
const DOCUMENTS_AT_ONCE: u64 = 20_000;
pub(super) const YEAR: i64 = 365 * 24 * HOUR;

/// What was written, as far as requests name it.
pub(super) struct Data {
    /// Of the owner.
    pub(super) token: String,
    /// Of an agent that has no account and few chats.
    pub(super) agent_token: String,
    pub(super) workspace_id: WorkspaceId,
    pub(super) agent: UserId,
    pub(super) words: Words,
    pub(super) now: Timestamp,
    /// A message from the middle of the chat with many.
    pub(super) middle: Uuid,
    /// A name that one chat has, and a part that many have.
    pub(super) name: String,
    /// The number of a chat.
    pub(super) phone: String,
}

struct Chat {
    id: i64,
    workspace: i64,
    last: Option<(Uuid, i64)>,
}

/// The number of the chat with many messages, and of one with some.
pub(super) const HOT_CHAT: i64 = FIRST_ID;
pub(super) const SOME_CHAT: i64 = FIRST_ID + 777;

/// Fills the database of this place.
pub(super) async fn fill(place: &Place) -> Data {
    let app = place.app().await;
    let token = seed::customers(&app, 2).await.tokens.swap_remove(0);
    let now = app.clock.now();
    let mut store = Store::open(&place.database_url()).await;
    if store.is_sqlite() {
        // What is only filled needs no durability; the product opens the file with its own settings.
        store.run("PRAGMA synchronous = OFF").await;
    }
    members(&mut store, now.0).await;
    let agent = UserId(user(FIRST_ID, AGENTS));
    let agent_token = agent_token(&app, agent).await;
    let mut random = Random::new(7);
    let words = Words::new(&mut random, 30_000);
    let mut chats: BTreeMap<i64, Chat> = BTreeMap::new();
    for (workspace, count) in [(FIRST_ID, CHATS), (FIRST_ID + 1, OTHER_CHATS)] {
        let first = FIRST_ID + (workspace - FIRST_ID) * 10 * CHATS;
        chats.extend((first..first + count).map(|id| (id, Chat { id, workspace, last: None })));
    }
    let middle = messages(&mut store, &mut random, &words, now.0, &mut chats).await;
    let (name, phone) = conversations(&mut store, &mut random, now.0, &chats).await;
    index_words(&app, &store).await;
    store.run(if store.is_sqlite() { "PRAGMA wal_checkpoint(TRUNCATE)" } else { "VACUUM ANALYZE" }).await;
    app.db.clone().close().await;
    Data { token, agent_token, workspace_id: WorkspaceId(FIRST_ID), agent, words, now, middle, name, phone }
}

fn user(workspace: i64, number: i64) -> i64 {
    if number == 0 { workspace } else { workspace * 1000 + number }
}

fn account(workspace: i64, chat: i64) -> i64 {
    user(workspace, chat % ACCOUNTS)
}

/// Agents, and accounts of the first of them.
async fn members(store: &mut Store, now: i64) {
    let all = |count: i64| (FIRST_ID..FIRST_ID + 2).flat_map(move |workspace| (1..count).map(move |n| (workspace, n)));
    let users = all(AGENTS + 1).map(|(workspace, number)| {
        vec![
            Cell::Number(user(workspace, number)),
            Cell::Number(workspace),
            Cell::Number(workspace),
            Cell::Text("agent".to_owned()),
            Cell::Text(format!("Agent {number}")),
            Cell::Text(format!("agent-{number}@{workspace}.example")),
            Cell::Text("activated".to_owned()),
            Cell::Number(now),
            Cell::Number(now),
        ]
    });
    let columns = "id, workspace_id, group_id, role, display_name, email, status, created_at, updated_at";
    store.write("users", columns, users).await;
    let accounts = all(ACCOUNTS).map(|(workspace, number)| {
        let digits = format!("1777{workspace}{number}");
        vec![
            Cell::Number(user(workspace, number)),
            Cell::Id(Uuid::from_u128(u128::try_from(user(workspace, number)).expect("a number"))),
            Cell::Number(workspace),
            Cell::Number(user(workspace, number)),
            Cell::Text("whatsapp".to_owned()),
            Cell::Text("sandbox".to_owned()),
            Cell::Id(Uuid::from_u128(u128::try_from(user(workspace, number)).expect("a number") << 8)),
            Cell::Text("connected".to_owned()),
            Cell::Truth(false),
            Cell::Text(format!("{digits}@s.whatsapp.net")),
            Cell::Text(format!("+{digits}")),
            Cell::Text("Bench".to_owned()),
            Cell::Number(now),
            Cell::Number(now),
            Cell::Number(now),
        ]
    });
    let columns = "account_id, id#, workspace_id, user_id, network, connector, session#, state, suspended, \
                   external_id, phone, account_name, connected_at, created_at, updated_at";
    store.write("channels", columns, accounts).await;
}

async fn agent_token(app: &App, agent: UserId) -> String {
    let token = secret::generate(&app.clock, "qm_").expose_secret().to_owned();
    let row = token::Model {
        id: TokenId(app.clock.uuid()),
        workspace_id: WorkspaceId(FIRST_ID),
        user_id: agent,
        kind: token::Kind::Issued,
        name: "agent".to_owned(),
        scopes: Scopes::all().to_text(),
        digest: secret::digest(&token),
        sealed: None,
        created_at: app.clock.now(),
        revoked_at: None,
    };
    let written = quartermaster::db::write(&app.db, "seed", async |tx| {
        token::Entity::insert(row.into_active_model()).exec_without_returning(tx).await?;
        Ok(())
    });
    written.await.expect("a token");
    token
}

/// Messages in the order of time; returns one from the middle of the chat with many.
async fn messages(
    store: &mut Store,
    random: &mut Random,
    words: &Words,
    now: i64,
    chats: &mut BTreeMap<i64, Chat>,
) -> Uuid {
    let total = MESSAGES + MESSAGES / (OTHERS - 1);
    let (mut middle, mut hot) = (Uuid::nil(), 0);
    let rows = (0..total).map(|number| {
        let at = now - YEAR + YEAR / total * number;
        let millis = u64::try_from(at / 1000).expect("a time");
        let id = Uuid::new_v7(uuid::Timestamp::from_unix_time(
            millis / 1000,
            u32::try_from(millis % 1000).expect("ms") * 1_000_000,
            u128::try_from(number).expect("a number"),
            42,
        ));
        let chat = match number % OTHERS {
            0 => FIRST_ID + 10 * CHATS + random.below(OTHER_CHATS),
            _ if random.below(MESSAGES) < HOT_MESSAGES => HOT_CHAT,
            // Few chats have many messages.
            _ => {
                let most = random.below(CHATS - 1) + 1;
                FIRST_ID + 1 + random.below(most)
            }
        };
        if chat == HOT_CHAT {
            hot += 1;
            if hot == HOT_MESSAGES / 2 {
                middle = id;
            }
        }
        let chat = chats.get_mut(&chat).expect("a chat");
        chat.last = Some((id, at));
        let is_sent = random.below(2) == 0;
        let most = 1 + random.below(24);
        let length = 1 + random.below(most);
        let text = (0..length).map(|_| words.next(random)).collect::<Vec<_>>().join(" ");
        let user_id = account(chat.workspace, chat.id);
        vec![
            Cell::Id(id),
            Cell::Number(chat.workspace),
            Cell::Number(user_id),
            Cell::Number(chat.id),
            Cell::Text(if is_sent { "sent" } else { "received" }.to_owned()),
            Cell::Text(if is_sent { "read" } else { "received" }.to_owned()),
            Cell::Text(text),
            Cell::Text(if is_sent { "Public API" } else { "synced from WhatsApp" }.to_owned()),
            if is_sent { Cell::Number(user_id) } else { Cell::Null },
            Cell::Text(format!("p{number}")),
            Cell::Number(1),
            Cell::Number(at),
            Cell::Number(at),
        ]
    });
    let columns = "id#, workspace_id, account_id, chat_id, direction, status, text, origin, user_id, provider_ref, \
                   tries, created_at, updated_at";
    store.write("messages", columns, rows).await;
    middle
}

/// Chats with their labels; a name and a number that are there.
async fn conversations(
    store: &mut Store,
    random: &mut Random,
    now: i64,
    chats: &BTreeMap<i64, Chat>,
) -> (String, String) {
    let (mut name, mut phone) = (String::new(), String::new());
    let first: Vec<String> = (0..300).map(|_| spoken(random, 2)).collect();
    let last: Vec<String> = (0..3_000).map(|_| spoken(random, 3)).collect();
    let mut labels = Vec::new();
    let rows: Vec<Vec<Cell>> = chats
        .values()
        .map(|chat| {
            let is_group = random.in_ten_thousand(500);
            let prefix = *random.one_of(&["1555", "4930", "4915", "3361", "4479"]);
            let digits = format!("{prefix}{:07}", chat.id * 7_919 % 10_000_000);
            let folded = format!("{} {}", random.one_of(&first), random.one_of(&last));
            if chat.id % CHATS == SOME_CHAT % CHATS && chat.workspace == FIRST_ID {
                (name, phone) = (folded.clone(), digits.clone());
            }
            let is_group = is_group && chat.id != SOME_CHAT;
            let made = now - YEAR + random.below(YEAR);
            let responsible = random.in_ten_thousand(6_000).then(|| {
                let most = random.below(AGENTS + 1) + 1;
                user(chat.workspace, random.below(most))
            });
            for (label, cases) in LABELS {
                if random.in_ten_thousand(cases) {
                    labels.push((chat.id, label.to_owned(), chat.workspace));
                }
            }
            if chat.id % 10_000 == 17 {
                labels.push((chat.id, RARE_LABEL.to_owned(), chat.workspace));
            }
            let at = chat.last.map(|(_, at)| at);
            let number = |number: Option<i64>| number.map_or(Cell::Null, Cell::Number);
            vec![
                Cell::Number(chat.id),
                Cell::Number(chat.workspace),
                Cell::Number(account(chat.workspace, chat.id)),
                Cell::Text(if is_group { format!("{}@g.us", chat.id) } else { format!("{digits}@s.whatsapp.net") }),
                if is_group { Cell::Null } else { Cell::Text(format!("+{digits}")) },
                Cell::Text(folded.clone()),
                Cell::Text(folded),
                Cell::Truth(is_group),
                Cell::Truth(random.in_ten_thousand(3_000)),
                Cell::Truth(random.in_ten_thousand(7_000)),
                number(responsible),
                chat.last.map_or(Cell::Null, |(id, _)| Cell::Id(id)),
                number(at),
                Cell::Number(at.map_or(0, |at| at / HOUR)),
                Cell::Truth(random.in_ten_thousand(1_000)),
                Cell::Truth(random.in_ten_thousand(1_000)),
                Cell::Number(made),
                Cell::Number(made),
            ]
        })
        .collect();
    let columns = "id, workspace_id, account_id, jid, phone, name, name_folded, is_group, closed, read, \
                   responsible_user_id, last_message_id#, last_message_at, active_hour, autoresponse, \
                   autoresponse_locked, created_at, updated_at";
    store.write("chats", columns, rows.into_iter()).await;
    let rows = labels
        .into_iter()
        .map(|(chat, label, workspace)| vec![Cell::Number(chat), Cell::Text(label), Cell::Number(workspace)]);
    store.write("chat_labels", "chat_id, label, workspace_id", rows).await;
    (name, phone)
}

/// Labels, and on how many of 10,000 chats they are.
const LABELS: [(&str, i64); 6] =
    [("new", 6_000), ("vip", 1_000), ("lead", 500), ("complaint", 200), ("invoice", 200), ("wholesale", 100)];
/// On one of 10,000 chats.
pub(super) const RARE_LABEL: &str = "lawsuit";

/// What the product does behind the messages: on PostgreSQL by itself, on SQLite all at once, for which it would wait
/// after every few. Texts are words in lower case with single spaces already.
async fn index_words(app: &App, store: &Store) {
    if !store.is_sqlite() {
        while index::index_first(app, DOCUMENTS_AT_ONCE).await.expect("an index") > 0 {}
        let sql = "UPDATE search_progress SET second_look = first_look";
        return store.run(sql).await;
    }
    for sql in [
        "INSERT INTO search_documents (message_id, workspace_id, chat_id)
         SELECT id, workspace_id, chat_id FROM messages ORDER BY id",
        "INSERT INTO search_words (rowid, scope, words)
         SELECT d.id, d.workspace_id, m.text FROM search_documents d JOIN messages m ON m.id = d.message_id
         ORDER BY d.id",
        "UPDATE search_progress SET first_look = (SELECT max(id) FROM messages),
         second_look = (SELECT max(id) FROM messages)",
    ] {
        store.run(sql).await;
    }
}
