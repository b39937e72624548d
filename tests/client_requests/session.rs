//! A session of somebody who answers customers, replayed: each line of the recording is a request with the status and
//! the whole answer that it must have. What differs each time stands in angle brackets: `<uid>`, `<time>`, `<number>`
//! and `<text>` are of that shape, `<number:ann>` is remembered and stands wherever `<ann>` does later.

use std::collections::{BTreeSet, HashMap};

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    client_requests::{teammate, workspace},
    support::{Answer, TestApp},
};

const RECORDING: &str = include_str!("../fixtures/client_session.jsonl");

/// A line of the recording.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    /// How long the client waits before it asks.
    #[serde(default)]
    pause_seconds: u64,
    method: String,
    path: String,
    body: Option<Value>,
    status: u16,
    answer: Value,
}

/// What was remembered, by name, as it stands in addresses.
#[derive(Default)]
struct Memory(HashMap<String, Value>);

impl Memory {
    /// The text with what is remembered in the place of its name.
    fn fill(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (name, value)| {
            let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            text.replace(&format!("<{name}>"), &shown)
        })
    }

    fn fill_body(&self, body: &Value) -> Value {
        match body {
            Value::String(text) => json!(self.fill(text)),
            Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), self.fill_body(value))).collect(),
            other => other.clone(),
        }
    }

    /// Whether an answer is what was recorded; where not, the place and what is wrong with it.
    fn compare(&mut self, recorded: &Value, answer: &Value, place: &str) -> Result<(), String> {
        let wrong = || Err(format!("{place}: recorded {recorded}, answered {answer}"));
        match (recorded, answer) {
            (Value::String(text), _) if text.starts_with('<') && text.ends_with('>') => {
                let inside = &text[1..text.len() - 1];
                let (shape, name) = inside.split_once(':').map_or((inside, None), |(shape, name)| (shape, Some(name)));
                let fits = match (shape, self.0.get(shape)) {
                    (_, Some(known)) => known == answer,
                    ("number", _) => answer.is_i64(),
                    ("text", _) => answer.as_str().is_some_and(|text| !text.is_empty()),
                    ("uid", _) => answer.as_str().is_some_and(|text| uuid::Uuid::parse_str(text).is_ok()),
                    ("time", _) => answer.as_str().is_some_and(is_time),
                    _ => panic!("{place}: {text} is no shape and was not remembered"),
                };
                if !fits {
                    return wrong();
                }
                if let Some(name) = name {
                    self.0.insert(name.to_owned(), answer.clone());
                }
                Ok(())
            }
            (Value::Object(recorded), Value::Object(answer)) => {
                let keys = |fields: &serde_json::Map<String, Value>| fields.keys().cloned().collect::<BTreeSet<_>>();
                if keys(recorded) != keys(answer) {
                    return Err(format!("{place}: recorded {:?}, answered {:?}", keys(recorded), keys(answer)));
                }
                // What is to be remembered first, so that its neighbours may name it.
                let (named, others): (Vec<_>, Vec<_>) = recorded.iter().partition(|(_, value)| remembers(value));
                let mut fields = named.into_iter().chain(others);
                fields.try_for_each(|(name, value)| self.compare(value, &answer[name], &format!("{place}.{name}")))
            }
            (Value::Array(recorded), Value::Array(answer)) if recorded.len() == answer.len() => {
                let both = recorded.iter().zip(answer).enumerate();
                both.into_iter()
                    .try_for_each(|(n, (recorded, answer))| self.compare(recorded, answer, &format!("{place}[{n}]")))
            }
            (Value::String(text), _) => {
                if json!(self.fill(text)) == *answer {
                    Ok(())
                } else {
                    wrong()
                }
            }
            _ if recorded == answer => Ok(()),
            _ => wrong(),
        }
    }
}

/// Whether the value is to be remembered.
fn remembers(recorded: &Value) -> bool {
    recorded.as_str().is_some_and(|text| text.starts_with('<') && text.contains(':'))
}

fn is_time(text: &str) -> bool {
    jiff::fmt::strtime::parse("%Y-%m-%d %H:%M:%S %z", text).is_ok()
}

#[tokio::test]
async fn a_recorded_session_is_answered_as_it_was() {
    let app = TestApp::start().await;
    let bakery = workspace(&app, "+15550001111").await;
    bakery.partner.patch("/workspaces/bakery", json!({ "time_zone": "Europe/Paris" })).await.expect(200);
    teammate(&app, &bakery, "agent@company.com").await;
    for (from, text) in [("+15557770000", "Is my bread ready?"), ("+15557770001", "Do you open on Sundays?")] {
        let body = json!({ "phone": "+15550001111", "from": from, "text": text });
        bakery.partner.post("/sandbox/inbound", body).await.expect(200);
        app.advance(60).await;
    }
    let mut memory = Memory::default();
    memory.0.insert("base".to_owned(), json!(app.base));
    memory.0.insert("owner".to_owned(), json!(format!("Owner {}", bakery.partner.owner(&bakery.slug).await)));
    memory.0.insert("seat".to_owned(), json!(format!("Agent {}", bakery.user_id)));
    let mut count = 0;
    for (number, line) in (1..).zip(RECORDING.lines()) {
        let line: Line = serde_json::from_str(line).unwrap_or_else(|error| panic!("line {number}: {error}"));
        for _ in 0..line.pause_seconds {
            app.advance(1).await;
        }
        let method: Method = line.method.parse().expect("a method");
        let mut request = bakery.token.request(method, &memory.fill(&line.path));
        if let Some(body) = &line.body {
            request = request.json(&memory.fill_body(body));
        }
        let answer = Answer::of(request).await.expect(line.status);
        let same = memory.compare(&line.answer, &answer, &format!("line {number}: {} {}", line.method, line.path));
        assert_eq!(same, Ok(()), "the whole answer: {answer}");
        count += 1;
    }
    assert_eq!(count, 15, "the whole recording was replayed");
}

#[test]
fn what_differs_from_the_recording_is_found() {
    let mut memory = Memory::default();
    let mut compare = |recorded: Value, answer: Value| memory.compare(&recorded, &answer, "").is_ok();
    assert!(compare(json!({ "id": "<number:ann>" }), json!({ "id": 7 })));
    assert!(compare(json!(["<ann>", "/chat/<ann>/"]), json!([7, "/chat/7/"])));
    assert!(compare(json!({ "a": "/chat/<bob>/", "id": "<number:bob>" }), json!({ "a": "/chat/9/", "id": 9 })));
    for (recorded, answer) in [
        (json!("<ann>"), json!(8)),
        (json!("/chat/<ann>/"), json!("/chat/8/")),
        (json!("<uid>"), json!("x")),
        (json!("<time>"), json!("2026-09-10T10:00:00Z")),
        (json!("<text>"), json!("")),
        (json!([1]), json!([1, 2])),
        (json!({ "a": 1 }), json!({ "a": 1, "b": 2 })),
        (json!({ "a": 1, "b": 2 }), json!({ "a": 1 })),
        (json!(null), json!(false)),
    ] {
        assert!(!compare(recorded.clone(), answer.clone()), "{recorded} {answer}");
    }
}
