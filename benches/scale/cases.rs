//! What is asked: every filter alone and some together, first pages and pages far down, and questions of search.

use crate::scale::data::{CHATS, Data, HOT_CHAT, HOT_MESSAGES, RARE_LABEL, SOME_CHAT, YEAR};

/// One kind of request, in a few variants.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) token: String,
    pub(super) paths: Vec<String>,
}

/// All of them.
pub(super) fn all(data: &Data) -> Vec<Case> {
    let mut cases = lists(data);
    cases.extend(histories(data));
    cases.extend(searches(data));
    cases
}

fn lists(data: &Data) -> Vec<Case> {
    let workspace = data.workspace_id;
    let agent = |number: i64| format!("agent-{number}%40{workspace}.example");
    let (one, deep) = (agent(20), CHATS / 50);
    let at = |part: i64| iso(data.now.0 - YEAR / 100 * part);
    let queries: Vec<(&'static str, Vec<String>)> = vec![
        ("all", vec![String::new()]),
        ("all, with their messages", vec!["with_msg=true".to_owned()]),
        ("all, pages 200, 500 and the last", [200, 500, deep].map(|page| format!("page={page}")).into()),
        ("a label of 60 %", vec!["label=new".to_owned()]),
        ("a label of 60 %, pages 100 and 500", [100, 500].map(|page| format!("label=new&page={page}")).into()),
        ("a label of 0.01 %, and one of none", [RARE_LABEL, "nobody"].map(|label| format!("label={label}")).into()),
        (
            "one of three labels, pages 1 and 50",
            [1, 50].map(|page| format!("label=vip,invoice,{RARE_LABEL}&page={page}")).into(),
        ),
        ("one who looks after few", vec![format!("responsible={one}")]),
        (
            "two who look after them, and nobody",
            vec![format!("responsible={},{}", agent(1), agent(3)), "responsible=x%40example.com".to_owned()],
        ),
        ("closed, pages 1 and 200", [1, 200].map(|page| format!("closed=true&page={page}")).into()),
        ("unread", vec!["read=false".to_owned()]),
        ("groups, pages 1 and 40", [1, 40].map(|page| format!("group=true&page={page}")).into()),
        ("closed and unread groups", vec!["closed=true&read=false&group=true".to_owned()]),
        (
            "made within three days, and in the future",
            vec![format!("created_after={}&created_before={}", at(51), at(50)), format!("created_after={}", at(-10))],
        ),
        ("a part of a name that many have", vec!["name=ka".to_owned()]),
        ("a name of one, and of none", vec![format!("name={}", data.name.replace(' ', "%20")), "name=qqqq".to_owned()]),
        ("three parts of names", vec!["name=qqqq,zozovi,xyz".to_owned()]),
        (
            "a number, whole and in part",
            vec![
                format!("phone=%2B{}", data.phone),
                format!("phone={}", &data.phone[3..]),
                "phone=999999999".to_owned(),
            ],
        ),
        ("two numbers", vec![format!("whatsapp_phone={},15550000000", data.phone)]),
        (
            "an account, and one of nobody",
            vec![
                format!("whatsapp_account_id=1777{workspace}1%40s.whatsapp.net"),
                "whatsapp_account_id=1%40s.whatsapp.net".to_owned(),
            ],
        ),
        (
            "answered automatically, and not",
            vec!["chatgpt_autoresponse_enabled=true".to_owned(), "chatgpt_autoresponse_enabled=false".to_owned()],
        ),
        ("a common label, somebody and a name of none", vec![format!("label=new&responsible={}&name=qqqq", agent(1))]),
        (
            "every filter at once",
            vec![format!(
                "name=ka&group=false&closed=false&read=true&label=new,vip&responsible={}&created_after={}",
                agent(1),
                at(90)
            )],
        ),
    ];
    let mut cases: Vec<Case> = queries
        .into_iter()
        .map(|(name, queries)| Case {
            name,
            token: data.token.clone(),
            paths: queries.into_iter().map(|query| format!("/integrations/api/chats?{query}")).collect(),
        })
        .collect();
    let member = ["", "page=5", "label=new", "closed=true&name=ka", "name=qqqq"];
    cases.push(Case {
        name: "what an agent sees",
        token: data.agent_token.clone(),
        paths: member.map(|query| format!("/integrations/api/v2/chats?{query}")).into(),
    });
    cases
}

fn histories(data: &Data) -> Vec<Case> {
    let at = |part: i64| iso(data.now.0 - YEAR / 100 * part);
    let (deep, middle) = (HOT_MESSAGES / 50 - 10, data.middle);
    let queries: Vec<(&'static str, i64, Vec<String>)> = vec![
        ("of a chat with some", SOME_CHAT, vec![String::new()]),
        ("of a chat with 100,000, both orders", HOT_CHAT, vec![String::new(), "sorting_order=asc".to_owned()]),
        ("of it, pages 1,000 and the last", HOT_CHAT, [1000, deep].map(|page| format!("page={page}")).into()),
        (
            "of it, one direction, pages 1 and 900",
            HOT_CHAT,
            [1, 900].map(|page| format!("from_me=true&page={page}")).into(),
        ),
        (
            "of it, before and after a time",
            HOT_CHAT,
            vec![
                format!("before={}", at(90)),
                format!("after={}&sorting_order=asc", at(5)),
                format!("after={0}&before={0}", at(50)),
            ],
        ),
        (
            "of it, before and after a time, deep",
            HOT_CHAT,
            vec![
                format!("before={}&page=100", at(50)),
                format!("after={}&from_me=false&sorting_order=asc&page=300", at(60)),
            ],
        ),
        (
            "of it, before and after a message",
            HOT_CHAT,
            vec![
                format!("before_message={middle}"),
                format!("after_message={middle}&sorting_order=asc"),
                format!("after_message={middle}&page=500"),
            ],
        ),
    ];
    queries
        .into_iter()
        .map(|(name, chat, queries)| Case {
            name,
            token: data.token.clone(),
            paths: queries
                .into_iter()
                .map(|query| format!("/integrations/api/chats/{chat}/messages?{query}"))
                .collect(),
        })
        .collect()
}

fn searches(data: &Data) -> Vec<Case> {
    let word = |rank| data.words.at(rank).to_owned();
    let queries: Vec<(&'static str, Vec<String>)> = vec![
        ("a word of every second message", vec!["order".to_owned(), "order&page=5".to_owned()]),
        ("words of one message in 100 to 300", [100, 200, 300].map(word).into()),
        ("rare words, and one of none", vec![word(3_000), word(20_000), "qqqq".to_owned()]),
        ("two frequent words", vec![format!("order%20{}", word(2)), format!("{}%20{}", word(20), word(40))]),
        ("a frequent and a rare word", vec![format!("order%20{}", word(20_000))]),
        ("five frequent words", vec![(0..5).map(word).collect::<Vec<_>>().join("%20")]),
        ("beginnings of words", vec!["kar*".to_owned(), "deli*".to_owned(), "zozo*".to_owned()]),
        ("digits of a number", vec![data.phone.clone(), data.phone[4..].to_owned()]),
        ("a name, and a part of many", vec![data.name.replace(' ', "%20"), "ka".to_owned()]),
    ];
    queries
        .into_iter()
        .map(|(name, queries)| Case {
            name,
            token: data.token.clone(),
            paths: queries.into_iter().map(|query| format!("/integrations/api/chats/search?q={query}")).collect(),
        })
        .collect()
}

fn iso(micros: i64) -> String {
    let at = jiff::Timestamp::from_microsecond(micros).expect("a time");
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
