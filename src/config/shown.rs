//! What is shown of the configuration: nothing that is secret.

/// What stands for a key whose default is made from others.
pub(super) fn derived_default(key: &str) -> serde_json::Value {
    match key {
        "public_url" => "http:// and listen".into(),
        "database_url" => "sqlite://, data_dir and quartermaster.db".into(),
        "s3_bucket" => "none: files lie in data_dir".into(),
        "master_key" => "made in data_dir on first start of the embedded store".into(),
        _ => serde_json::Value::Null,
    }
}

/// Secrets are not shown; URLs lose their password.
pub(super) fn redacted(key: &str, value: serde_json::Value) -> serde_json::Value {
    match (key, value) {
        ("master_key" | "s3_secret_access_key", _) => "redacted".into(),
        ("database_url" | "redis_url" | "smtp_url", serde_json::Value::String(url)) => redacted_url(&url).into(),
        ("database_url" | "redis_url" | "smtp_url", _) => "redacted".into(),
        (_, value) => value,
    }
}

fn redacted_url(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return "redacted".to_owned() };
    let (rest, query) = match rest.split_once('?') {
        Some((rest, _)) => (rest, "?redacted"),
        None => (rest, ""),
    };
    match rest.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://redacted@{host}{query}"),
        None => format!("{scheme}://{rest}{query}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lose_their_credentials() {
        assert_eq!(redacted_url("postgres://u:p@h:5/db?sslmode=require"), "postgres://redacted@h:5/db?redacted");
        assert_eq!(redacted_url("redis://h:6379"), "redis://h:6379");
        assert_eq!(redacted_url("nonsense"), "redacted");
    }
}
