//! Configuration: defaults, then a TOML file, then `QM_…` variables, then flags; the later wins.
//!
//! It is read once, at start. Unknown keys are refused by name. [`Config::report`] shows each value with where it
//! came from, secrets redacted.

use std::{net::SocketAddr, path::PathBuf};

use figment::{
    Figment,
    providers::{Env, Format, Serialized, Toml},
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::{clock::Clock, mail::Mailer, secret::Vault};

mod flags;
mod master_key;
mod read;
mod shown;

pub use flags::Flags;

/// Everything that can be configured.
pub struct Config {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Address under which the world reaches us, without a trailing slash; links begin with it. The same on all replicas:
    /// with two, they would have providers call back at theirs in turn.
    pub public_url: String,
    /// Where the embedded store and its master key live.
    pub data_dir: PathBuf,
    /// `sqlite://path` or `postgres://…`.
    pub database_url: SecretString,
    /// `redis://…` or `rediss://…`, one address; absent for one process alone. Sentinel and Cluster are not spoken: name
    /// what stands before them, as managed services and proxies offer it.
    pub redis_url: Option<SecretString>,
    /// How all keys and topics on Redis begin; two installations that share a Redis need different ones.
    pub redis_prefix: String,
    /// Keys that seal secrets at rest; see [`crate::secret::Vault`]. Absent where the command touches no secrets.
    pub master_key: Option<SecretString>,
    /// Simulated phones for all partners, and `/sandbox/…` without a token from loopback.
    pub sandbox: bool,
    /// Pause until simulated recipients have a message, in milliseconds; after twice that they have read it. With 0
    /// nothing is ever heard of what they were sent.
    pub sandbox_receipt_ms: u64,
    /// Whether addresses that customers give may lie in private ranges.
    pub allow_private_targets: bool,
    /// `smtp://` or `smtps://` address of the server that mail goes through; absent where no mail is sent.
    pub smtp_url: Option<SecretString>,
    /// Address that mail comes from; required with `smtp_url`.
    pub mail_from: Option<String>,
    /// How logs are written.
    pub log_format: LogFormat,
    /// What is logged, in the syntax of `tracing`'s filters.
    pub log_filter: String,
    /// Most connections to PostgreSQL.
    pub database_pool_size: u32,
    /// Largest request body, in bytes.
    pub body_limit_bytes: usize,
    /// Longest time for one request, in milliseconds; streams are exempt.
    pub request_timeout_ms: u64,
    /// Longest time for uploading a file or fetching one, in milliseconds; an hour at most.
    pub upload_timeout_ms: u64,
    /// Longest time that a connection waits for the next request, or for the rest of its head, in milliseconds.
    pub idle_timeout_ms: u64,
    /// Days that a file is kept, counted from its upload or the newest message that carries it; 0 for ever.
    pub file_retention_days: u32,
    /// Bucket of an S3-compatible service for files; absent for the folder `files` in `data_dir`, which all processes
    /// of an installation have to share.
    pub s3_bucket: Option<String>,
    /// Address of that service, `http(s)://host[:port]`; absent for AWS itself.
    pub s3_endpoint: Option<String>,
    /// Region of the bucket.
    pub s3_region: String,
    /// Id of the access key; absent where the machine or the environment brings credentials, as AWS's own do.
    pub s3_access_key_id: Option<String>,
    /// The access key.
    pub s3_secret_access_key: Option<SecretString>,
    /// Longest time to finish open requests after SIGTERM, in milliseconds.
    pub shutdown_grace_ms: u64,
}

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The keys as they are written; what is derived from others is absent until [`Config`] is made.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    listen: SocketAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_url: Option<String>,
    data_dir: PathBuf,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "read::secret")]
    database_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "read::secret")]
    redis_url: Option<String>,
    redis_prefix: String,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "read::secret")]
    master_key: Option<String>,
    #[serde(deserialize_with = "read::switch")]
    sandbox: bool,
    sandbox_receipt_ms: u64,
    #[serde(deserialize_with = "read::switch")]
    allow_private_targets: bool,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "read::secret")]
    smtp_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mail_from: Option<String>,
    log_format: LogFormat,
    log_filter: String,
    database_pool_size: u32,
    body_limit_bytes: usize,
    request_timeout_ms: u64,
    upload_timeout_ms: u64,
    idle_timeout_ms: u64,
    file_retention_days: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    s3_bucket: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    s3_endpoint: Option<String>,
    s3_region: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    s3_access_key_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "read::secret")]
    s3_secret_access_key: Option<String>,
    shutdown_grace_ms: u64,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: None,
            data_dir: PathBuf::from("data"),
            database_url: None,
            redis_url: None,
            redis_prefix: "quartermaster".to_owned(),
            master_key: None,
            sandbox: false,
            sandbox_receipt_ms: 1000,
            allow_private_targets: false,
            smtp_url: None,
            mail_from: None,
            log_format: LogFormat::Text,
            log_filter: "info".to_owned(),
            database_pool_size: 16,
            body_limit_bytes: 1024 * 1024,
            request_timeout_ms: 30_000,
            upload_timeout_ms: 600_000,
            idle_timeout_ms: 75_000,
            file_retention_days: 90,
            s3_bucket: None,
            s3_endpoint: None,
            s3_region: "us-east-1".to_owned(),
            s3_access_key_id: None,
            s3_secret_access_key: None,
            shutdown_grace_ms: 10_000,
        }
    }
}

/// Uploads are over well before what they have left behind is swept.
const LONGEST_UPLOAD_MS: u64 = 3_600_000;

/// Names of all keys, in the order in which they are documented.
pub const KEYS: [&str; 26] = [
    "listen",
    "public_url",
    "data_dir",
    "database_url",
    "redis_url",
    "redis_prefix",
    "master_key",
    "sandbox",
    "sandbox_receipt_ms",
    "allow_private_targets",
    "smtp_url",
    "mail_from",
    "log_format",
    "log_filter",
    "database_pool_size",
    "body_limit_bytes",
    "request_timeout_ms",
    "upload_timeout_ms",
    "idle_timeout_ms",
    "file_retention_days",
    "s3_bucket",
    "s3_endpoint",
    "s3_region",
    "s3_access_key_id",
    "s3_secret_access_key",
    "shutdown_grace_ms",
];

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A key is unknown or a value unfit; names the key and where it stands.
    #[error("configuration: {0}")]
    Figment(Box<figment::Error>),
    /// The file that a flag names is not there.
    #[error("configuration: cannot read {0}")]
    File(PathBuf),
    /// A value breaks a rule.
    #[error("configuration: {key}: {reason}")]
    Value {
        /// The key.
        key: &'static str,
        /// The rule.
        reason: String,
    },
}

/// A value and where it came from.
#[derive(Debug, Serialize)]
pub struct ReportLine {
    /// The key.
    pub key: &'static str,
    /// Its value, `redacted` for secrets, `null` where it is unset.
    pub value: serde_json::Value,
    /// `default`, `file <path>`, `environment QM_…` or `flag --…`.
    pub source: String,
}

impl Config {
    /// Reads the layers.
    ///
    /// # Errors
    /// Names the key that is unknown or unfit.
    pub fn load(flags: &Flags) -> Result<Self, ConfigError> {
        let keys: Keys = Self::layers(flags)?
            .into_iter()
            .fold(Figment::new(), |all, (_, layer)| all.merge(layer))
            .extract()
            .map_err(|error| ConfigError::Figment(Box::new(error)))?;
        Self::from_keys(keys)
    }

    /// The defaults for a process of its own, with neither file nor environment: the embedded store in `data_dir`,
    /// listening on `listen`.
    ///
    /// # Errors
    /// None that defaults lead to.
    pub fn standalone(data_dir: PathBuf, listen: SocketAddr) -> Result<Self, ConfigError> {
        Self::from_keys(Keys { data_dir, listen, ..Keys::default() })
    }

    fn layers(flags: &Flags) -> Result<Vec<(String, Figment)>, ConfigError> {
        let mut layers = vec![("default".to_owned(), Figment::from(Serialized::defaults(Keys::default())))];
        if let Some(path) = &flags.config {
            if !path.is_file() {
                return Err(ConfigError::File(path.clone()));
            }
            layers.push((format!("file {}", path.display()), Figment::from(Toml::file_exact(path))));
        }
        layers.push(("environment".to_owned(), Figment::from(Env::prefixed("QM_"))));
        layers.push(("flag".to_owned(), Figment::from(Serialized::defaults(flags.given()))));
        Ok(layers)
    }

    fn from_keys(keys: Keys) -> Result<Self, ConfigError> {
        check_files(&keys)?;
        let public_url = keys.public_url.unwrap_or_else(|| format!("http://{}", keys.listen));
        let public_url = public_url.trim_end_matches('/').to_owned();
        host_of(&public_url).ok_or_else(|| value("public_url", "must be http(s)://host[:port]"))?;
        let database_url = keys
            .database_url
            .unwrap_or_else(|| format!("sqlite://{}", keys.data_dir.join("quartermaster.db").display()));
        let known = ["sqlite://", "postgres://", "postgresql://"].iter().any(|scheme| database_url.starts_with(scheme));
        if !known {
            return Err(value("database_url", "must begin with sqlite:// or postgres://"));
        }
        let urls = [("database_url", Some(&database_url)), ("redis_url", keys.redis_url.as_ref())];
        for (key, url) in urls.into_iter().filter_map(|(key, url)| Some((key, url?))) {
            // Drivers repeat what they cannot parse, password and all.
            if !url.starts_with("sqlite://") && url.parse::<reqwest::Url>().is_err() {
                return Err(value(key, "is not a URL"));
            }
        }
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if !(1..=64).contains(&keys.redis_prefix.len()) || !keys.redis_prefix.bytes().all(is_word) {
            return Err(value("redis_prefix", "must be 1 to 64 letters, digits, '-', '_' or '.'"));
        }
        let master_key = keys.master_key.map(SecretString::from);
        if let Some(key) = &master_key {
            Vault::parse(key, Clock::system()).map_err(|error| value("master_key", error.to_string()))?;
        }
        for (key, zero) in [
            ("database_pool_size", keys.database_pool_size == 0),
            ("body_limit_bytes", keys.body_limit_bytes == 0),
            ("request_timeout_ms", keys.request_timeout_ms == 0),
            ("upload_timeout_ms", keys.upload_timeout_ms == 0),
            ("idle_timeout_ms", keys.idle_timeout_ms == 0),
        ] {
            if zero {
                return Err(value(key, "must be at least 1"));
            }
        }
        let smtp_url = keys.smtp_url.map(SecretString::from);
        Mailer::parse(smtp_url.as_ref(), keys.mail_from.as_deref()).map_err(|(key, reason)| value(key, reason))?;
        Ok(Self {
            listen: keys.listen,
            public_url,
            data_dir: keys.data_dir,
            database_url: database_url.into(),
            redis_url: keys.redis_url.map(Into::into),
            redis_prefix: keys.redis_prefix,
            master_key,
            sandbox: keys.sandbox,
            sandbox_receipt_ms: keys.sandbox_receipt_ms,
            allow_private_targets: keys.allow_private_targets,
            smtp_url,
            mail_from: keys.mail_from,
            log_format: keys.log_format,
            log_filter: keys.log_filter,
            database_pool_size: keys.database_pool_size,
            body_limit_bytes: keys.body_limit_bytes,
            request_timeout_ms: keys.request_timeout_ms,
            upload_timeout_ms: keys.upload_timeout_ms,
            idle_timeout_ms: keys.idle_timeout_ms,
            file_retention_days: keys.file_retention_days,
            s3_bucket: keys.s3_bucket,
            s3_endpoint: keys.s3_endpoint.map(|url| url.trim_end_matches('/').to_owned()),
            s3_region: keys.s3_region,
            s3_access_key_id: keys.s3_access_key_id,
            s3_secret_access_key: keys.s3_secret_access_key.map(Into::into),
            shutdown_grace_ms: keys.shutdown_grace_ms,
        })
    }

    /// Each key with its value and source, secrets redacted.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn report(flags: &Flags) -> Result<Vec<ReportLine>, ConfigError> {
        Self::load(flags)?;
        let layers = Self::layers(flags)?;
        let line = |key: &'static str| {
            let found = layers.iter().rev().find_map(|(name, layer)| Some((name, layer.find_value(key).ok()?)));
            let (source, value) = match found {
                Some((name, value)) => (name.as_str(), serde_json::to_value(value).unwrap_or_default()),
                None => ("default", shown::derived_default(key)),
            };
            let source = match source {
                "environment" => format!("environment QM_{}", key.to_uppercase()),
                "flag" => format!("flag --{}", key.replace('_', "-")),
                other => other.to_owned(),
            };
            let value = if source == "default" { value } else { shown::redacted(key, value) };
            ReportLine { key, value, source }
        };
        Ok(KEYS.map(line).into())
    }

    /// Whether state lives in the embedded store.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        use secrecy::ExposeSecret;
        self.database_url.expose_secret().starts_with("sqlite://")
    }

    /// What sends mail.
    ///
    /// # Errors
    /// Names the key that is unfit.
    pub fn mailer(&self) -> Result<Mailer, ConfigError> {
        let mailer = Mailer::parse(self.smtp_url.as_ref(), self.mail_from.as_deref());
        mailer.map_err(|(key, reason)| value(key, reason))
    }

    /// The host of `public_url`, without port.
    #[must_use]
    pub fn public_host(&self) -> &str {
        host_of(&self.public_url).unwrap_or_default()
    }

    /// Makes sure there is a master key: the embedded store makes one in `data_dir` on first start.
    ///
    /// # Errors
    /// On PostgreSQL without one, or if the file cannot be read or made.
    pub fn require_master_key(&mut self, clock: &Clock) -> Result<SecretString, ConfigError> {
        if self.master_key.is_none() {
            if !self.is_embedded() {
                return Err(value("master_key", "is required with PostgreSQL (QM_MASTER_KEY=id:base64 of 32 bytes)"));
            }
            self.master_key = Some(master_key::read_or_make(&self.data_dir, clock)?);
        }
        self.master_key.clone().ok_or_else(|| value("master_key", "is missing"))
    }
}

/// What the keys about files have to be.
fn check_files(keys: &Keys) -> Result<(), ConfigError> {
    if keys.upload_timeout_ms > LONGEST_UPLOAD_MS {
        return Err(value("upload_timeout_ms", format!("must be at most {LONGEST_UPLOAD_MS}")));
    }
    if keys.s3_endpoint.as_ref().is_some_and(|url| host_of(url.trim_end_matches('/')).is_none()) {
        return Err(value("s3_endpoint", "must be http(s)://host[:port]"));
    }
    if keys.s3_bucket.as_ref().is_some_and(String::is_empty) {
        return Err(value("s3_bucket", "must not be empty"));
    }
    if keys.s3_access_key_id.is_some() != keys.s3_secret_access_key.is_some() {
        return Err(value("s3_secret_access_key", "s3_access_key_id and s3_secret_access_key belong together"));
    }
    Ok(())
}

/// The host of an `http(s)` URL that has nothing after its host and port: our pages live at the root.
fn host_of(url: &str) -> Option<&str> {
    let authority = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let plain = !authority.is_empty() && !authority.contains(['/', '@', '?', '#', ' ']);
    let host = match authority.strip_prefix('[') {
        Some(six) => six.split(']').next()?,
        None => authority.split(':').next()?,
    };
    (plain && !host.is_empty()).then_some(host)
}

fn value(key: &'static str, reason: impl Into<String>) -> ConfigError {
    ConfigError::Value { key, reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_from_public_urls() {
        assert_eq!(host_of("https://app.example.com"), Some("app.example.com"));
        assert_eq!(host_of("http://127.0.0.1:8080"), Some("127.0.0.1"));
        assert_eq!(host_of("http://[::1]:8080"), Some("::1"));
        for bad in [
            "ftp://example.com",
            "https://",
            "https://u@example.com",
            "https://example.com?x",
            "https://example.com/base",
        ] {
            assert_eq!(host_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn every_key_is_documented() {
        let value = serde_json::to_value(Keys {
            public_url: Some(String::new()),
            database_url: Some(String::new()),
            redis_url: Some(String::new()),
            master_key: Some(String::new()),
            smtp_url: Some(String::new()),
            mail_from: Some(String::new()),
            s3_bucket: Some(String::new()),
            s3_endpoint: Some(String::new()),
            s3_access_key_id: Some(String::new()),
            s3_secret_access_key: Some(String::new()),
            ..Keys::default()
        })
        .expect("json");
        let keys: std::collections::BTreeSet<&str> =
            value.as_object().expect("object").keys().map(String::as_str).collect();
        assert_eq!(keys, KEYS.into_iter().collect());
    }
}
