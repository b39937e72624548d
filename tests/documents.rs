//! The committed documents say what the operations are.

use std::{fs, path::Path};

use quartermaster::http::documents;
use serde_json::Value;

use crate::support::{Answer, TestApp};

mod required;

#[tokio::test]
async fn openapi_is_up_to_date() {
    let app = TestApp::start().await;
    for (name, text) in documents(&app.app) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi").join(name);
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == text,
            "openapi/{name} is out of date: run `cargo run -- openapi` and look at the difference"
        );
        let served = Answer::of(app.http.get(format!("{}/docs/{name}", app.base))).await;
        assert_eq!(served.text, text);
    }
}

#[tokio::test]
async fn every_operation_is_documented_and_guarded() {
    let app = TestApp::start().await;
    for (name, text) in documents(&app.app).into_iter().filter(|(name, _)| name.ends_with(".json")) {
        let document: Value = serde_json::from_str(&text).expect("JSON");
        for (path, operations) in document["paths"].as_object().expect("paths") {
            for (method, operation) in operations.as_object().expect("operations") {
                let place = format!("{name} {method} {path}");
                assert!(operation["operationId"].is_string(), "{place} has no operation_id");
                assert!(operation["summary"].is_string(), "{place} has no summary: write a doc comment");
                // What only a public token opens is guarded by where its caller is.
                assert!(
                    operation["security"].as_array().is_some_and(|s| !s.is_empty()) || path.contains("{widget_token}"),
                    "{place} asks for no credentials"
                );
                for parameter in operation["parameters"].as_array().into_iter().flatten() {
                    assert!(parameter["description"].is_string(), "{place}: {} says nothing", parameter["name"]);
                }
            }
        }
        for (schema, content) in document["components"]["schemas"].as_object().expect("schemas") {
            for (field, content) in content["properties"].as_object().into_iter().flatten() {
                let is_told =
                    content["description"].is_string() || content["$ref"].is_string() || content["allOf"].is_array();
                assert!(is_told, "{name}: {schema}.{field} says nothing");
            }
        }
    }
}
