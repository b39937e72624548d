//! What databases do for lists, histories and search: an index leads to every row, whatever is asked for.
//!
//! On PostgreSQL reading a whole table is what small ones are read by, so it is forbidden here: then it is only in a
//! plan where no index could serve.

use entity::{
    chat,
    id::{ChatId, MessageId, UserId},
    message::Direction,
};
use quartermaster::{
    chat::{
        details,
        filter::{Filter, FilterText},
        listing,
        visibility::View,
    },
    credit,
    message::read::{self, filter::SortingOrder},
    page::PageNumber,
    search::{self, MAX_HITS, Word},
};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DbBackend, Set};
use secrecy::ExposeSecret;

use crate::support::{START, TestApp, conversation::Conversations, explaining::Explaining};

const HOURS: &str = r#"SELECT "chats"."active_hour" FROM "chats""#;
const WHOLE: [&str; 14] = [
    "SCAN chats",
    "SCAN chat_labels",
    "SCAN messages",
    "SCAN search_documents",
    "Seq Scan on chats",
    "Seq Scan on chat_labels",
    "Seq Scan on messages",
    "Seq Scan on search_documents",
    "Seq Scan on search_words",
    "SCAN credit_entries",
    "Seq Scan on credit_entries",
    // All that a workspace has.
    "chat_labels_chats_idx (workspace_id=?)",
    "chat_members_phone_idx (workspace_id=?)",
    "credit_entries_workspace_id_idx (workspace_id=?)",
];

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn filters() -> Vec<Filter> {
    let all = FilterText {
        name: some("ann,bo"),
        phone: some("4930"),
        whatsapp_phone: some("49301234567"),
        label: some("vip,new"),
        whatsapp_account_id: some("15550001111@s.whatsapp.net"),
        responsible: some("ann@example.com"),
        created_after: some("2026-01-01"),
        created_before: some("2026-12-31"),
    };
    let each = [
        FilterText::default(),
        FilterText { name: all.name.clone(), ..FilterText::default() },
        FilterText { phone: all.phone.clone(), ..FilterText::default() },
        FilterText { phone: some("+49301234567"), ..FilterText::default() },
        FilterText { whatsapp_phone: all.whatsapp_phone.clone(), ..FilterText::default() },
        FilterText { label: all.label.clone(), ..FilterText::default() },
        FilterText { whatsapp_account_id: all.whatsapp_account_id.clone(), ..FilterText::default() },
        FilterText { responsible: all.responsible.clone(), ..FilterText::default() },
        FilterText { created_after: all.created_after.clone(), ..FilterText::default() },
        FilterText { created_before: all.created_before.clone(), ..FilterText::default() },
        all,
    ];
    let mut filters: Vec<Filter> = each.iter().map(|text| Filter::parse(text, "UTC").expect("a filter")).collect();
    let all = filters.last().expect("filters").clone();
    let view = View::Of(UserId(7));
    filters.extend([
        Filter { closed: Some(true), ..Filter::default() },
        Filter { read: Some(false), ..Filter::default() },
        Filter { group: Some(true), ..Filter::default() },
        Filter { autoresponse: Some(true), ..Filter::default() },
        Filter { autoresponse: Some(false), ..Filter::default() },
        Filter { view, ..Filter::default() },
        Filter { closed: Some(true), read: Some(true), autoresponse: Some(true), view, ..all },
    ]);
    filters
}

/// Panics if any of the statements reads a whole table; returns them with their plans.
fn checked(explaining: Explaining) -> Vec<(String, String)> {
    let plans = explaining.into_plans();
    assert!(!plans.is_empty());
    for (statement, plan) in &plans {
        let whole = WHOLE.iter().find(|whole| plan.contains(**whole));
        assert!(whole.is_none(), "{statement}\n{plan}");
    }
    plans
}

#[tokio::test]
async fn no_list_history_or_search_reads_a_whole_table() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let chat = bakery.chat("Ann", |row| row).await;
    bakery.message(chat, START, |row| row).await;
    let group = bakery.chat("Team", |row| chat::ActiveModel { is_group: Set(true), phone: Set(None), ..row }).await;
    bakery.message(group, START, |row| row).await;
    // Of few chats that have a label the ids are looked up before.
    for number in 0..101 {
        let labelled = bakery.chat(&format!("vip {number}"), |row| row).await;
        bakery.label(labelled, "vip").await;
    }
    let mut options = ConnectOptions::new(app.app.config.database_url.expose_secret());
    options.max_connections(1).sqlx_logging(false);
    let db = Database::connect(options).await.expect("the database");
    let workspace = bakery.workspace_id;
    if db.get_database_backend() == DbBackend::Postgres {
        // So small a table is also sorted as cheaply as it is walked in order, from whatever index is the smallest.
        for way in ["seqscan", "bitmapscan", "sort"] {
            db.execute_unprepared(&format!("SET enable_{way} = off")).await.expect("a setting");
        }
    }
    let mut members_asked = false;
    for filter in filters() {
        // All chats that have a label, for a page that is far down.
        let is_labelled = !filter.labels.is_empty();
        for page in [1, 1000] {
            let explaining = Explaining::new(&db);
            let page = PageNumber::parse(Some(page)).expect("a page");
            let found = listing::page(&explaining, workspace, &filter, page).await.expect("a page");
            details::details(&explaining, workspace, View::All, found, Default::default()).await.expect("details");
            let plans = checked(explaining);
            members_asked |= plans.iter().any(|(statement, _)| statement.starts_with(r#"SELECT "chat_members""#));
            // The walk that finds the hours of the page does not leave indices that have all it asks for, where there
            // is anything to be found.
            let hours = plans.iter().find(|(statement, _)| statement.starts_with(HOURS)).expect("hours");
            let ways = ["chats_listing_idx", "chat_labels_chats_idx", "One-Time Filter: false"];
            assert!(ways.iter().any(|way| hours.1.contains(way)), "{hours:?}");
            if is_labelled && page.offset() > 0 && !hours.1.contains("One-Time Filter: false") {
                assert!(["hashed SubPlan", "LIST SUBQUERY"].iter().any(|list| hours.1.contains(list)), "{hours:?}");
            }
        }
    }
    assert!(members_asked, "no group was shown");
    if db.get_database_backend() == DbBackend::Postgres {
        // The index of words is read by bitmap only.
        db.execute_unprepared("SET enable_bitmapscan = on; SET enable_sort = on").await.expect("a setting");
    }
    for filter in histories() {
        for page in [1, 1000] {
            let explaining = Explaining::new(&db);
            let page = PageNumber::parse(Some(page)).expect("a page");
            read::page(&explaining, workspace, chat, &filter, page).await.expect("a page");
            checked(explaining);
        }
    }
    for words in [vec![("order", false)], vec![("order", false), ("delivery", false)], vec![("del", true)]] {
        let word = |(text, is_prefix): (&str, bool)| Word { text: text.to_owned(), is_prefix };
        let words: Vec<Word> = words.into_iter().map(word).collect();
        let explaining = Explaining::new(&db);
        search::messages(&explaining, workspace, &words, MAX_HITS).await.expect("hits");
        checked(explaining);
    }
    for digits in [None, Some("4930")] {
        let explaining = Explaining::new(&db);
        listing::matching(&explaining, workspace, "ann", digits, MAX_HITS).await.expect("hits");
        checked(explaining);
    }
    let explaining = Explaining::new(&db);
    credit::of_message(&explaining, workspace, MessageId(app.app.clock.uuid())).await.expect("entries");
    checked(explaining);
    db.close().await.expect("an end");
}

fn histories() -> Vec<read::filter::Filter> {
    use read::filter::Filter;
    let id = MessageId(quartermaster::clock::Clock::manual(START).uuid());
    let order = SortingOrder::Ascending;
    vec![
        Filter::default(),
        Filter { order, ..Filter::default() },
        Filter { direction: Some(Direction::Sent), ..Filter::default() },
        Filter { from: Some(START), until: Some(START), ..Filter::default() },
        Filter { newer_than: Some(id), order, ..Filter::default() },
        Filter { older_than: Some(id), direction: Some(Direction::Received), from: Some(START), ..Filter::default() },
    ]
}

/// Chats over many hours, many in one, and many that nothing was said in: each page begins where the one before ends.
#[tokio::test]
async fn pages_follow_one_another_whatever_hours_they_are_from() {
    let app = TestApp::start().await;
    let bakery = Conversations::start(&app, "acme", "+15550001111").await;
    let mut expected: Vec<(Option<i64>, String, ChatId, bool)> = Vec::new();
    for number in 0..500_i64 {
        // Of three hours many, of others one, and of a third nothing.
        let at = match number % 3 {
            0 => None,
            1 => Some(START.plus_seconds(number % 5 * 1200)),
            _ => Some(START.plus_seconds(20_000 + number * 1000)),
        };
        let name = format!("chat {:03}", number * 37 % 500);
        let is_closed = number % 7 < 5;
        let chat = bakery.chat(&name, |row| entity::chat::ActiveModel { closed: sea_orm::Set(is_closed), ..row }).await;
        if number % 4 < 3 {
            bakery.label(chat, "often").await;
        }
        if let Some(at) = at {
            bakery.message(chat, at, |row| row).await;
        }
        expected.push((at.map(|at| at.0), name, chat, is_closed && number % 4 < 3));
    }
    expected.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)).then_with(|| a.2.cmp(&b.2)));
    for (query, wanted) in [("", false), ("closed=true&label=often&", true)] {
        let all: Vec<&str> = expected.iter().filter(|one| !wanted || one.3).map(|one| one.1.as_str()).collect();
        let mut seen = Vec::new();
        for page in 1.. {
            let body = bakery.token.get(&format!("/chats?{query}page={page}")).await.expect(200);
            let chats = body["data"]["chats"].as_array().expect("chats");
            seen.extend(chats.iter().map(|chat| chat["name"].as_str().expect("a name").to_owned()));
            if body["data"]["has_more_pages"] == false {
                break;
            }
            assert_eq!(chats.len(), 50);
        }
        assert_eq!(seen, all, "{query}");
        let beyond = bakery.token.get(&format!("/chats?{query}page=11")).await.expect(200);
        assert_eq!(beyond["data"]["chats"], serde_json::json!([]));
    }
}
