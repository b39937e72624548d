//! The bodies of `contracts/timelines.md` §4.3 as schemas, and a checker of the few words of JSON Schema that they use.
//! What a schema does not name must not be there.

use serde_json::{Value, json};

/// Checks a body against the schema of its type.
#[track_caller]
pub(crate) fn check(body: &Value) {
    let event_type = body["event_type"].as_str().expect("a type");
    if let Err(error) = matches(&of(event_type), body, "body") {
        panic!("{event_type}: {error}\n{body:#}");
    }
}

/// The schema of a type's body.
fn of(event_type: &str) -> Value {
    let kind = event_type.split(':').next().expect("a word");
    let (names, mut properties) = match (kind, event_type) {
        ("message", "message:reaction") => (
            vec!["chat", "whatsapp_account", "reaction"],
            json!({ "chat": other_chat(), "whatsapp_account": named_account(), "reaction": reaction() }),
        ),
        ("message", _) => (
            vec!["chat", "whatsapp_account", "message"],
            json!({ "chat": message_chat(), "whatsapp_account": short_account(), "message": message(event_type) }),
        ),
        ("bot", _) => (
            vec!["chat", "whatsapp_account", "bot"],
            json!({ "chat": other_chat(), "whatsapp_account": named_account(), "bot": bot() }),
        ),
        ("chat", _) => {
            (vec!["chat", "whatsapp_account"], json!({ "chat": chat(event_type), "whatsapp_account": account() }))
        }
        ("call", _) => (
            vec!["chat", "whatsapp_account", "call_details"],
            json!({ "chat": other_chat(), "whatsapp_account": named_account(), "call_details": call(event_type) }),
        ),
        _ => (vec!["whatsapp_account"], json!({ "whatsapp_account": account() })),
    };
    properties["event_type"] = json!({ "enum": [event_type] });
    object(&[&["event_type"][..], &names].concat(), &[], properties)
}

fn object(required: &[&str], optional: &[&str], properties: Value) -> Value {
    let all = properties.as_object().expect("properties");
    assert!(all.keys().all(|name| required.contains(&name.as_str()) || optional.contains(&name.as_str())));
    assert_eq!(all.len(), required.len() + optional.len());
    json!({ "type": "object", "required": required, "properties": properties })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn filled() -> Value {
    json!({ "type": "string", "minLength": 1 })
}

fn time() -> Value {
    json!({ "type": "string", "format": "0000-00-00 00:00:00 +0000" })
}

fn uid() -> Value {
    json!({ "type": "string", "format": "uuid" })
}

fn phone() -> Value {
    json!({ "type": "string", "format": "phone" })
}

fn responsible(mut properties: Value) -> Value {
    properties["responsible_name"] = filled();
    properties["responsible_email"] = filled();
    properties
}

fn message_chat() -> Value {
    object(
        &["full_name", "chat_url", "chat_id", "is_group", "phone"],
        &["responsible_name", "responsible_email"],
        responsible(json!({
            "full_name": filled(), "chat_url": filled(), "chat_id": { "type": "integer" },
            "is_group": { "type": "boolean" }, "phone": text(),
        })),
    )
}

fn other_chat() -> Value {
    object(
        &["full_name", "chat_url", "chat_id", "chat_type", "platform", "phone"],
        &["responsible_name", "responsible_email"],
        responsible(json!({
            "full_name": filled(), "chat_url": filled(), "chat_id": { "type": "integer" },
            "chat_type": { "enum": ["direct", "group"] }, "platform": { "enum": ["whatsapp"] },
            "phone": { "type": "string", "format": "digits" },
        })),
    )
}

fn chat(event_type: &str) -> Value {
    let mut optional = vec!["last_message_uid", "last_message_timestamp", "responsible_name", "responsible_email"];
    let mut properties = responsible(json!({
        "id": { "type": "integer" }, "name": filled(), "phone": text(), "jid": filled(),
        "is_group": { "type": "boolean" }, "closed": { "type": "boolean" }, "read": { "type": "boolean" },
        "labels": { "type": "array", "items": filled() }, "unattended_customer": { "type": "boolean" },
        "chatgpt_autoresponse_enabled": { "type": "boolean" }, "whatsapp_account_id": filled(), "chat_url": filled(),
        "created_timestamp": time(), "last_message_uid": uid(), "last_message_timestamp": time(),
    }));
    if event_type.starts_with("chat:responsible:") {
        optional.extend(["previous_responsible_name", "previous_responsible_email"]);
        properties["previous_responsible_name"] = filled();
        properties["previous_responsible_email"] = filled();
    }
    let required = [
        "id",
        "name",
        "phone",
        "jid",
        "is_group",
        "closed",
        "read",
        "labels",
        "unattended_customer",
        "chatgpt_autoresponse_enabled",
        "whatsapp_account_id",
        "chat_url",
        "created_timestamp",
    ];
    object(&required, &optional, properties)
}

fn short_account() -> Value {
    let properties = json!({ "full_name": filled(), "email": filled(), "phone": phone() });
    object(&["full_name", "email", "phone"], &[], properties)
}

fn named_account() -> Value {
    let properties =
        json!({ "whatsapp_account_wid": filled(), "full_name": filled(), "email": filled(), "phone": phone() });
    object(&["whatsapp_account_wid", "full_name", "email", "phone"], &[], properties)
}

fn account() -> Value {
    object(
        &["id", "phone", "connected_on", "status", "account_name", "owner_name", "owner_email"],
        &["disconnected_on"],
        json!({
            "id": filled(), "phone": phone(), "connected_on": time(), "disconnected_on": time(),
            "status": { "enum": ["active", "disconnected"] }, "account_name": text(), "owner_name": filled(),
            "owner_email": filled(),
        }),
    )
}

fn party() -> Value {
    object(&["full_name"], &["phone"], json!({ "full_name": text(), "phone": phone() }))
}

fn message(event_type: &str) -> Value {
    let attachment = object(
        &["temporary_download_url", "filename", "size", "mimetype"],
        &[],
        json!({
            "temporary_download_url": filled(), "filename": filled(), "size": { "type": "integer" },
            "mimetype": filled(),
        }),
    );
    let direction = match event_type {
        "message:new" => json!({ "enum": ["sent", "received"] }),
        "message:received:new" => json!({ "enum": ["received"] }),
        _ => json!({ "enum": ["sent"] }),
    };
    let mut required =
        vec!["text", "direction", "origin", "timestamp", "received_timestamp", "message_uid", "sender", "recipient"];
    let mut optional = vec!["reply_to_uid", "attachments"];
    let mut properties = json!({
        "text": text(), "direction": direction, "origin": filled(), "timestamp": time(), "received_timestamp": time(),
        "message_uid": uid(), "reply_to_uid": uid(), "sender": party(), "recipient": party(),
        "attachments": { "type": "array", "items": attachment },
    });
    // What our own types add.
    let status = match event_type {
        "message:delivered" => Some("Delivered"),
        "message:read" => Some("Read"),
        "message:failed" => Some("Failed"),
        _ => None,
    };
    if let Some(status) = status {
        required.extend(["status", "status_timestamp"]);
        properties["status"] = json!({ "enum": [status] });
        properties["status_timestamp"] = time();
        if status == "Failed" {
            optional.push("failure_reason");
            properties["failure_reason"] = filled();
        }
    }
    object(&required, &optional, properties)
}

fn call(event_type: &str) -> Value {
    let (direction, statuses) = match event_type {
        "call:incoming:missed" => ("incoming", json!(["Missed"])),
        "call:incoming:ended" => ("incoming", json!(["Answered", "Rejected"])),
        _ => ("outgoing", json!(["Ended", "No Answer", "Rejected"])),
    };
    object(
        &["duration", "direction", "is_video", "status", "timestamp", "message_uid", "caller", "recipient"],
        &[],
        json!({
            "duration": { "type": ["integer", "null"] }, "direction": { "enum": [direction] },
            "is_video": { "type": "boolean" }, "status": { "enum": statuses }, "timestamp": time(),
            "message_uid": uid(), "caller": party(), "recipient": party(),
        }),
    )
}

fn bot() -> Value {
    object(
        &["agent_id", "name", "reason", "description", "message_uid", "timestamp"],
        &[],
        json!({
            "agent_id": uid(), "name": filled(), "reason": filled(), "description": filled(), "message_uid": uid(),
            "timestamp": time(),
        }),
    )
}

fn reaction() -> Value {
    let reactor = object(&["full_name", "phone"], &[], json!({ "full_name": filled(), "phone": phone() }));
    object(
        &["message_uid", "action", "emoji", "timestamp", "reactions"],
        &["reactor"],
        json!({
            "message_uid": uid(), "action": { "enum": ["set", "clear"] }, "emoji": filled(), "reactor": reactor,
            "timestamp": time(), "reactions": { "type": "object", "values": { "type": "integer" } },
        }),
    )
}

/// Whether a value is as a schema says.
fn matches(schema: &Value, value: &Value, place: &str) -> Result<(), String> {
    if let Some(words) = schema["enum"].as_array() {
        return if words.contains(value) { Ok(()) } else { Err(format!("{place}: {value} is none of {words:?}")) };
    }
    let types = match &schema["type"] {
        Value::Array(types) => types.clone(),
        one => vec![one.clone()],
    };
    let actual = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !types.contains(&json!(actual)) {
        return Err(format!("{place}: {value} is not {types:?}"));
    }
    match value {
        Value::String(text) => text_matches(schema, text).map_err(|error| format!("{place}: {error}")),
        Value::Array(items) => {
            items.iter().enumerate().try_for_each(|(n, item)| matches(&schema["items"], item, &format!("{place}[{n}]")))
        }
        Value::Object(_) => object_matches(schema, value, place),
        _ => Ok(()),
    }
}

fn object_matches(schema: &Value, value: &Value, place: &str) -> Result<(), String> {
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().expect("a name");
        if value.get(name).is_none() {
            return Err(format!("{place}.{name} is missing"));
        }
    }
    for (name, inner) in value.as_object().expect("an object") {
        let place = format!("{place}.{name}");
        let schema = schema["properties"].get(name).or_else(|| schema.get("values"));
        matches(schema.ok_or_else(|| format!("{place} is not in the contract"))?, inner, &place)?;
    }
    Ok(())
}

fn text_matches(schema: &Value, text: &str) -> Result<(), String> {
    let shape: String = text.chars().map(|char| if char.is_ascii_digit() { '0' } else { char }).collect();
    let digits = |text: &str| text.chars().all(|char| char.is_ascii_digit());
    let fits = match schema["format"].as_str() {
        None => text.chars().count() >= usize::try_from(schema["minLength"].as_u64().unwrap_or(0)).expect("a number"),
        Some("uuid") => uuid::Uuid::parse_str(text).is_ok(),
        Some("digits") => digits(text),
        Some("phone") => text.strip_prefix('+').is_some_and(|rest| (7..=15).contains(&rest.len()) && digits(rest)),
        Some(expected) => shape.replace(" -0000", " +0000") == expected,
    };
    if fits { Ok(()) } else { Err(format!("{text:?} does not fit {schema}")) }
}

#[test]
fn the_checker_finds_what_does_not_fit() {
    let good = json!({
        "event_type": "whatsapp:account:connected",
        "whatsapp_account": {
            "id": "1@s.whatsapp.net", "phone": "+15550001111", "connected_on": "2026-09-10 10:00:00 +0200",
            "status": "active", "account_name": "", "owner_name": "A", "owner_email": "a@b",
        },
    });
    check(&good);
    let broken = |change: fn(&mut Value)| {
        let mut body = good.clone();
        change(&mut body);
        matches(&of("whatsapp:account:connected"), &body, "body").is_err()
    };
    assert!(broken(|body| body["more"] = json!(1)));
    assert!(broken(|body| body["whatsapp_account"]["more"] = json!(1)));
    assert!(broken(|body| body["whatsapp_account"]["phone"] = json!("15550001111")));
    assert!(broken(|body| body["whatsapp_account"]["status"] = json!("suspended")));
    assert!(broken(|body| body["whatsapp_account"]["owner_name"] = json!(null)));
    assert!(broken(|body| body["whatsapp_account"]["connected_on"] = json!("2026-09-10T10:00:00Z")));
    assert!(broken(|body| drop(body["whatsapp_account"].as_object_mut().expect("an object").remove("id"))));
}
