//! Where configuration comes from, and what is refused.

use std::process::{Command, Output};

use serde_json::{Value, json};

fn config(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quartermaster"));
    command.arg("config").arg("--json").args(arguments).env_clear().envs(environment.iter().copied());
    command.output().expect("the binary")
}

fn line(output: &Output, key: &str) -> (Value, String) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    let line = lines.iter().find(|line| line["key"] == key).unwrap_or_else(|| panic!("no {key}"));
    (line["value"].clone(), line["source"].as_str().expect("a source").to_owned())
}

#[test]
fn later_layers_win_and_say_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("quartermaster.toml");
    std::fs::write(&file, "listen = \"127.0.0.1:1111\"\nsandbox = true\nlog_filter = \"warn\"\n").expect("a file");
    let file = file.to_str().expect("a path");
    let environment = [("QM_LISTEN", "127.0.0.1:2222"), ("QM_LOG_FILTER", "debug")];
    let output = config(&["--config", file, "--listen", "127.0.0.1:3333"], &environment);
    assert_eq!(line(&output, "listen"), (json!("127.0.0.1:3333"), "flag --listen".to_owned()));
    assert_eq!(line(&output, "log_filter"), (json!("debug"), "environment QM_LOG_FILTER".to_owned()));
    assert_eq!(line(&output, "sandbox"), (json!(true), format!("file {file}")));
    assert_eq!(line(&output, "body_limit_bytes"), (json!(1_048_576), "default".to_owned()));
}

#[test]
fn every_key_has_its_variable() {
    for (key, value, shown) in [
        ("listen", "127.0.0.1:1", json!("127.0.0.1:1")),
        ("public_url", "https://example.com", json!("https://example.com")),
        ("data_dir", "elsewhere", json!("elsewhere")),
        ("database_url", "postgres://u:hunter2@h/db", json!("postgres://redacted@h/db")),
        ("redis_url", "redis://:hunter2@h/", json!("redis://redacted@h/")),
        ("master_key", "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", json!("redacted")),
        ("sandbox", "true", json!(true)),
        ("redis_prefix", "blue", json!("blue")),
        ("sandbox_receipt_ms", "0", json!(0)),
        ("allow_private_targets", "true", json!(true)),
        ("mail_from", "us@example.com", json!("us@example.com")),
        ("smtp_url", "smtp://u:secret@h", json!("smtp://redacted@h")),
        ("log_format", "json", json!("json")),
        ("log_filter", "warn", json!("warn")),
        ("database_pool_size", "3", json!(3)),
        ("body_limit_bytes", "4096", json!(4096)),
        ("request_timeout_ms", "5000", json!(5000)),
        ("upload_timeout_ms", "5000", json!(5000)),
        ("idle_timeout_ms", "5000", json!(5000)),
        ("file_retention_days", "0", json!(0)),
        ("s3_bucket", "files", json!("files")),
        ("s3_endpoint", "http://127.0.0.1:9000", json!("http://127.0.0.1:9000")),
        ("s3_region", "eu-central-1", json!("eu-central-1")),
        ("shutdown_grace_ms", "0", json!(0)),
    ] {
        let variable = format!("QM_{}", key.to_uppercase());
        // Where mail goes and whom it comes from are set together.
        let other = match key {
            "mail_from" => ("QM_SMTP_URL", "smtp://h"),
            "smtp_url" => ("QM_MAIL_FROM", "us@example.com"),
            _ => ("UNUSED", ""),
        };
        let output = config(&[], &[(&variable, value), other]);
        assert_eq!(line(&output, key), (shown, format!("environment {variable}")));
        assert!(!String::from_utf8_lossy(&output.stdout).contains("hunter2"), "{key}");
    }
}

#[test]
fn the_access_key_of_a_bucket_is_not_shown() {
    let environment = [("QM_S3_ACCESS_KEY_ID", "AK"), ("QM_S3_SECRET_ACCESS_KEY", "hunter2")];
    let output = config(&[], &environment);
    assert_eq!(line(&output, "s3_access_key_id").0, json!("AK"));
    assert_eq!(line(&output, "s3_secret_access_key").0, json!("redacted"));
    assert!(!String::from_utf8_lossy(&output.stdout).contains("hunter2"));
}

#[test]
fn no_error_and_no_report_repeats_a_secret() {
    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    for (variable, value, secret) in [
        ("QM_MASTER_KEY", key, key),
        ("QM_MASTER_KEY", "12345678901", "12345678901"),
        ("QM_MASTER_KEY", "k1:hunter2", "hunter2"),
        ("QM_DATABASE_URL", "postgres://u:hunter2@127.0.0.1:99999/x", "hunter2"),
        ("QM_DATABASE_URL", "postgres://u:hunter2@[/x", "hunter2"),
        ("QM_REDIS_URL", "redis://:hunter2@127.0.0.1:99999/", "hunter2"),
        ("QM_REDIS_URL", "4711", "4711"),
    ] {
        let output = config(&[], &[(variable, value)]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{variable}={value}");
        assert!(error.to_lowercase().contains(&variable[3..].to_lowercase()), "{error}");
        assert!(!error.contains(secret) && !String::from_utf8_lossy(&output.stdout).contains(secret), "{error}");
    }
}

#[test]
fn switches_may_be_numbers() {
    assert_eq!(line(&config(&[], &[("QM_SANDBOX", "1")]), "sandbox").0, json!(1));
    assert_eq!(config(&[], &[("QM_SANDBOX", "2")]).status.code(), Some(1));
    assert_eq!(config(&[], &[("QM_SANDBOX", "maybe")]).status.code(), Some(1));
}

#[test]
fn what_is_unknown_or_unfit_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("quartermaster.toml");
    std::fs::write(&file, "lisen = \"127.0.0.1:1111\"\n").expect("a file");
    let file = file.to_str().expect("a path");
    for (arguments, environment, word) in [
        (vec!["--config", file], vec![], "lisen"),
        (vec![], vec![("QM_LISEN", "x")], "lisen"),
        (vec![], vec![("QM_LISTEN", "nowhere")], "listen"),
        (vec![], vec![("QM_PUBLIC_URL", "ftp://x")], "public_url"),
        (vec![], vec![("QM_PUBLIC_URL", "https://example.com/base")], "public_url"),
        (vec![], vec![("QM_DATABASE_URL", "mysql://x")], "database_url"),
        (vec![], vec![("QM_LOG_FORMAT", "xml")], "log_format"),
        (vec![], vec![("QM_DATABASE_POOL_SIZE", "0")], "database_pool_size"),
        (vec![], vec![("QM_UPLOAD_TIMEOUT_MS", "0")], "upload_timeout_ms"),
        (vec![], vec![("QM_IDLE_TIMEOUT_MS", "0")], "idle_timeout_ms"),
        (vec![], vec![("QM_UPLOAD_TIMEOUT_MS", "3600001")], "upload_timeout_ms"),
        (vec![], vec![("QM_FILE_RETENTION_DAYS", "-1")], "file_retention_days"),
        (vec![], vec![("QM_S3_BUCKET", "")], "s3_bucket"),
        (vec![], vec![("QM_S3_ENDPOINT", "nowhere")], "s3_endpoint"),
        (vec![], vec![("QM_S3_ACCESS_KEY_ID", "AK")], "s3_secret_access_key"),
        (vec!["--config", "/nonexistent/file.toml"], vec![], "/nonexistent/file.toml"),
    ] {
        let output = config(&arguments, &environment);
        let error = String::from_utf8_lossy(&output.stderr).to_lowercase();
        assert_eq!(output.status.code(), Some(1), "{word}: {error}");
        assert!(error.contains(word), "{word}: {error}");
    }
}

#[test]
fn postgres_without_a_master_key_is_refused() {
    let output = Command::new(env!("CARGO_BIN_EXE_quartermaster"))
        .args(["plan", "list"])
        .env_clear()
        .env("QM_DATABASE_URL", "postgres://127.0.0.1:1/x")
        .output()
        .expect("the binary");
    assert!(String::from_utf8_lossy(&output.stderr).contains("master_key"));
    assert!(!output.status.success());
}
