//! How commands print: aligned text for people, one JSON document for programs.

use entity::timestamp::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use crate::cli::CommandError;

/// Prints one thing.
pub(super) fn record(json: bool, value: &impl Serialize) {
    let value = serde_json::to_value(value).unwrap_or_default();
    if json {
        println!("{value}");
        return;
    }
    let Value::Object(fields) = value else {
        println!("{value}");
        return;
    };
    let width = fields.keys().map(String::len).max().unwrap_or(0);
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        println!("{name:width$}  {}", plain(value));
    }
}

/// Prints many things, as an array or as a table.
pub(super) fn list(json: bool, values: &[impl Serialize]) {
    let rows: Vec<Value> = values.iter().map(|value| serde_json::to_value(value).unwrap_or_default()).collect();
    if json {
        println!("{}", Value::Array(rows));
        return;
    }
    let Some(Value::Object(first)) = rows.first() else {
        println!("none");
        return;
    };
    let columns: Vec<&String> = first.keys().collect();
    let cell = |row: &Value, column: &String| row.get(column).map_or_else(String::new, plain);
    let width = |column: &String| rows.iter().map(|row| cell(row, column).len()).max().unwrap_or(0).max(column.len());
    let widths: Vec<usize> = columns.iter().map(|column| width(column)).collect();
    let line = |cells: Vec<String>| {
        let padded: Vec<String> = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        println!("{}", padded.join("  ").trim_end());
    };
    line(columns.iter().map(|column| (*column).clone()).collect());
    for row in &rows {
        line(columns.iter().map(|column| cell(row, column)).collect());
    }
}

/// Prints why a command failed, on standard error; with `--json` as an object.
pub(super) fn failure(json: bool, error: &CommandError) {
    if json {
        let code = match error {
            CommandError::Operation(error) => error.code().to_string(),
            CommandError::Config(_) => "invalid_configuration".to_owned(),
            _ => "failed".to_owned(),
        };
        eprintln!("{}", json!({ "error": code, "description": error.to_string() }));
    } else {
        eprintln!("error: {error}");
    }
}

/// An instant, ISO 8601 in UTC.
pub(super) fn instant(at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.0).map_or_else(|_| at.0.to_string(), |at| format!("{at:.0}"))
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}
