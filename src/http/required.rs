//! Which fields a body cannot do without, said in the documents.
//!
//! Bodies are read with all their fields optional, so that one that is missing is refused in the dialect's own words and
//! once its caller was metered. What an operation demands stands in a table beside its dialect.

use serde_json::{Map, Value, json};

/// Fields of a form without which an operation refuses it.
pub(super) struct Required {
    pub(super) operation: &'static str,
    pub(super) schema: &'static str,
    pub(super) fields: &'static [&'static str],
}

/// Says so in a document. A form that other operations take too, who need less of it, is told apart by the operation's
/// verb: `create_webhook` takes a `CreateWebhookRequest` then, and not a `WebhookRequest`.
pub(super) fn state(document: &mut Value, table: &[Required]) {
    for row in table {
        let own = format!("#/components/schemas/{}", row.schema);
        let is_shared = count(&document["paths"], &own) > 1;
        let verb = row.operation.split('_').next().unwrap_or_default();
        let name = if is_shared { format!("{}{}", capital(verb), row.schema) } else { row.schema.to_owned() };
        let mut schema = document["components"]["schemas"][row.schema].clone();
        schema["required"] = json!(row.fields);
        if is_shared && schema.get("title").is_some() {
            schema["title"] = json!(name);
        }
        document["components"]["schemas"][&name] = schema;
        for body in bodies(document, row.operation) {
            replace(body, &own, &format!("#/components/schemas/{name}"));
            body["required"] = json!(true);
        }
    }
}

/// The bodies of the operations of this id.
fn bodies<'a>(document: &'a mut Value, operation: &str) -> impl Iterator<Item = &'a mut Value> {
    let paths = document["paths"].as_object_mut().into_iter().flat_map(Map::values_mut);
    let operations = paths.filter_map(Value::as_object_mut).flat_map(Map::values_mut);
    let named = operations.filter(move |found| found["operationId"] == operation);
    named.filter_map(|found| found.get_mut("requestBody"))
}

/// How often something refers to a schema.
fn count(value: &Value, target: &str) -> usize {
    match value {
        Value::Object(fields) => {
            let own = usize::from(fields.get("$ref").is_some_and(|found| found == target));
            own + fields.values().map(|value| count(value, target)).sum::<usize>()
        }
        Value::Array(values) => values.iter().map(|value| count(value, target)).sum(),
        _ => 0,
    }
}

fn replace(value: &mut Value, old: &str, new: &str) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if name == "$ref" && value == old {
                    *value = new.into();
                } else {
                    replace(value, old, new);
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| replace(value, old, new)),
        _ => {}
    }
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_form_is_told_apart() {
        let body = |name: &str| {
            let schema = json!({ "$ref": format!("#/components/schemas/{name}") });
            json!({ "content": { "application/json": { "schema": schema } }, "required": false })
        };
        let mut document = json!({
            "paths": {
                "/things": { "post": { "operationId": "create_thing", "requestBody": body("ThingRequest") } },
                "/things/{id}": {
                    "patch": { "operationId": "update_thing", "requestBody": body("ThingRequest") },
                    "post": { "operationId": "try_thing", "requestBody": body("TryRequest") },
                },
            },
            "components": { "schemas": {
                "ThingRequest": { "title": "ThingRequest", "type": "object" }, "TryRequest": { "type": "object" },
            } },
        });
        let row = |operation, schema, fields| Required { operation, schema, fields };
        state(
            &mut document,
            &[row("create_thing", "ThingRequest", &["name"]), row("try_thing", "TryRequest", &["at", "by"])],
        );
        let mut created = body("CreateThingRequest");
        created["required"] = json!(true);
        assert_eq!(document["paths"]["/things"]["post"]["requestBody"], created);
        assert_eq!(document["paths"]["/things/{id}"]["patch"]["requestBody"], body("ThingRequest"));
        assert_eq!(
            document["components"]["schemas"],
            json!({
                "ThingRequest": { "title": "ThingRequest", "type": "object" },
                "CreateThingRequest": { "title": "CreateThingRequest", "type": "object", "required": ["name"] },
                "TryRequest": { "type": "object", "required": ["at", "by"] },
            })
        );
    }
}
