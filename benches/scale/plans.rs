//! How the databases do what is measured, as they say themselves, written to `plans.md`.

use std::{fmt::Write, fs};

use entity::{
    id::{ChatId, MessageId},
    message::Direction,
    timestamp::Timestamp,
};
use quartermaster::{
    chat::{
        filter::{Filter, FilterText},
        listing,
        visibility::View,
    },
    message::read,
    page::PageNumber,
    search::{self, MAX_HITS, Word},
};

use crate::scale::{
    data::{Data, HOT_CHAT, RARE_LABEL, YEAR},
    explaining::Explaining,
    rows::Store,
};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/plans.md");

pub(super) fn write(plans: &str) {
    let heading = "# Plans\n\nWritten by `scripts/bench scale`: what SQLite and PostgreSQL say about the statements of \
                   the product, with 1,000,000 messages in 50,000 chats of one workspace and a smaller one beside \
                   it. A list asks first for the hours of its page, which an index alone answers, then for the chats \
                   of these hours.\n";
    fs::write(FILE, format!("{heading}{plans}")).expect("the plans");
}

/// Adds the plans of this database.
pub(super) async fn explain(url: &str, database: &str, data: &Data, text: &mut String) {
    let store = Store::open(url).await;
    let _ = writeln!(text, "\n## {database}");
    for (name, filter, page) in lists(data) {
        let explaining = Explaining::new(&store.connection);
        let page = PageNumber::parse(Some(page)).expect("a page");
        listing::page(&explaining, data.workspace_id, &filter, page).await.expect("a page");
        add(text, &name, explaining);
    }
    for (name, filter, page) in histories(data) {
        let explaining = Explaining::new(&store.connection);
        let page = PageNumber::parse(Some(page)).expect("a page");
        read::page(&explaining, data.workspace_id, ChatId(HOT_CHAT), &filter, page).await.expect("a page");
        add(text, name, explaining);
    }
    for (name, words) in questions(data) {
        let explaining = Explaining::new(&store.connection);
        search::messages(&explaining, data.workspace_id, &words, MAX_HITS).await.expect("hits");
        add(text, name, explaining);
    }
    for (name, part, digits) in [("search: a name", data.name.as_str(), None), ("search: digits", "4930", Some("4930"))]
    {
        let explaining = Explaining::new(&store.connection);
        listing::matching(&explaining, data.workspace_id, part, digits, MAX_HITS).await.expect("hits");
        add(text, name, explaining);
    }
}

fn add(text: &mut String, name: &str, explaining: Explaining) {
    let _ = writeln!(text, "\n### {name}");
    for (statement, plan) in explaining.into_plans() {
        let _ = writeln!(text, "\n```sql\n{}\n```\n\n```text\n{plan}\n```", without_columns(&statement));
    }
}

/// The statement without the list of all columns.
fn without_columns(statement: &str) -> String {
    match statement.split_once(" FROM ") {
        Some((columns, rest)) if columns.matches(", ").count() > 4 => format!("SELECT … FROM {rest}"),
        _ => statement.to_owned(),
    }
}

fn lists(data: &Data) -> Vec<(String, Filter, i64)> {
    let some = |text: &str| Some(text.to_owned());
    let parsed = |text: FilterText| Filter::parse(&text, "UTC").expect("a filter");
    let agent = some(&format!("agent-20@{}.example", data.workspace_id));
    let filters = [
        ("none", Filter::default(), 1),
        ("none, the last page", Filter::default(), 1000),
        ("a label of 60 %", parsed(FilterText { label: some("new"), ..FilterText::default() }), 1),
        ("a label of 60 %, page 500", parsed(FilterText { label: some("new"), ..FilterText::default() }), 500),
        ("a label of 0.01 %", parsed(FilterText { label: some(RARE_LABEL), ..FilterText::default() }), 1),
        ("who looks after it", parsed(FilterText { responsible: agent, ..FilterText::default() }), 1),
        (
            "closed, read, group",
            Filter { closed: Some(true), read: Some(false), group: Some(true), ..Filter::default() },
            1,
        ),
        ("a part of a name that none has", parsed(FilterText { name: some("qqqq"), ..FilterText::default() }), 1),
        ("a part of a number", parsed(FilterText { phone: some("99999999"), ..FilterText::default() }), 1),
        ("a number", parsed(FilterText { whatsapp_phone: some(&data.phone), ..FilterText::default() }), 1),
        ("made since", Filter { created_from: Some(data.now), ..Filter::default() }, 1),
        (
            "an account",
            parsed(FilterText { whatsapp_account_id: some("1@s.whatsapp.net"), ..FilterText::default() }),
            1,
        ),
        ("answered automatically", Filter { autoresponse: Some(true), ..Filter::default() }, 1),
        ("what an agent sees", Filter { view: View::Of(data.agent), ..Filter::default() }, 1),
    ];
    filters.into_iter().map(|(name, filter, page)| (format!("chats: {name}"), filter, page)).collect()
}

fn histories(data: &Data) -> Vec<(&'static str, read::filter::Filter, i64)> {
    use read::filter::{Filter, SortingOrder};
    let until = Timestamp(data.now.0 - YEAR / 2);
    vec![
        ("history: the newest", Filter::default(), 1),
        ("history: the last page", Filter::default(), 1990),
        ("history: one direction, page 900", Filter { direction: Some(Direction::Sent), ..Filter::default() }, 900),
        ("history: before a time", Filter { until: Some(until), ..Filter::default() }, 1),
        (
            "history: after a time, the oldest first",
            Filter { from: Some(until), order: SortingOrder::Ascending, ..Filter::default() },
            1,
        ),
        (
            "history: after a message, the oldest first",
            Filter { newer_than: Some(MessageId(data.middle)), order: SortingOrder::Ascending, ..Filter::default() },
            1,
        ),
    ]
}

fn questions(data: &Data) -> Vec<(&'static str, Vec<Word>)> {
    let word = |rank| Word { text: data.words.at(rank).to_owned(), is_prefix: false };
    vec![
        ("search: a frequent word", vec![word(0)]),
        ("search: a word of one message in 100", vec![word(100)]),
        ("search: a rare word", vec![word(20_000)]),
        ("search: two words", vec![word(20), word(40)]),
        ("search: the beginning of a word", vec![Word { text: "kar".to_owned(), is_prefix: true }]),
    ]
}
