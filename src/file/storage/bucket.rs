//! Objects in a bucket of an S3-compatible service.
//!
//! What fits into one part is sent as one request; what is larger goes in parts, whose upload is noted as a stray
//! before it has any, so that the parts of a process that died are removed too.

use std::{ops::Range, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt};
use object_store::{
    ClientOptions, Error as StoreError, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutOptions, PutPayload,
    RetryConfig,
    aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey},
    multipart::{MultipartStore, PartId},
    path::Path,
};
use secrecy::ExposeSecret;

use crate::{
    config::{Config, ConfigError},
    error::Result,
    file::storage::{Content, missing, unavailable},
};

/// The least that the service takes as a part.
const PART_BYTES: usize = 5 * 1024 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// What is written at once may go beyond a part by so much.
const SPARE_BYTES: usize = 128 * 1024;
/// For the answer to a request, and for each piece of it.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
const RETRY_TIMEOUT: Duration = Duration::from_secs(60);
const MOST_RETRIES: usize = 3;

/// A bucket.
pub struct Bucket(Arc<AmazonS3>);

/// An object that is being written.
pub struct Parts {
    store: Arc<AmazonS3>,
    path: Path,
    waiting: BytesMut,
    upload_id: Option<String>,
    sent: Vec<PartId>,
}

impl Bucket {
    pub(super) fn open(config: &Config, name: &str) -> Result<Self, ConfigError> {
        let builder = match (&config.s3_access_key_id, &config.s3_secret_access_key) {
            (Some(id), Some(secret)) => {
                AmazonS3Builder::new().with_access_key_id(id).with_secret_access_key(secret.expose_secret())
            }
            _ => AmazonS3Builder::from_env(),
        };
        let endpoint = config.s3_endpoint.as_deref();
        let is_plain = endpoint.is_some_and(|url| url.starts_with("http://"));
        let client = ClientOptions::new()
            .with_allow_http(is_plain)
            .with_connect_timeout(CONNECT_TIMEOUT)
            // Whoever reads a file may be slow; the service may not.
            .with_timeout_disabled()
            .with_read_timeout(READ_TIMEOUT);
        let retry = RetryConfig { max_retries: MOST_RETRIES, retry_timeout: RETRY_TIMEOUT, ..RetryConfig::default() };
        let builder = builder
            .with_bucket_name(name)
            .with_region(&config.s3_region)
            .with_client_options(client)
            .with_retry(retry)
            // Objects go one by one, and not every service knows how to remove many at once.
            .with_config(AmazonS3ConfigKey::DisableBulkDelete, "true");
        let builder = match endpoint {
            Some(url) => builder.with_endpoint(url),
            None => builder,
        };
        let store =
            builder.build().map_err(|error| ConfigError::Value { key: "s3_bucket", reason: error.to_string() })?;
        Ok(Self(Arc::new(store)))
    }

    pub(super) fn begin(&self, key: &str) -> Parts {
        Parts {
            store: Arc::clone(&self.0),
            path: path(key),
            // All that a part needs at once, so that it is not copied while it grows; what is not used is not there.
            waiting: BytesMut::with_capacity(PART_BYTES + SPARE_BYTES),
            upload_id: None,
            sent: Vec::new(),
        }
    }

    pub(super) async fn read(&self, key: &str, part: Option<Range<u64>>) -> Result<Content> {
        let options = GetOptions { range: part.map(GetRange::Bounded), ..GetOptions::default() };
        match self.0.get_opts(&path(key), options).await {
            Ok(found) => Ok(found.into_stream().map_err(std::io::Error::other).boxed()),
            Err(StoreError::NotFound { .. }) => Err(missing(key)),
            Err(error) => Err(unavailable(&error)),
        }
    }

    pub(super) async fn remove(&self, key: &str, upload_id: Option<&str>) -> Result<()> {
        let path = path(key);
        if let Some(id) = upload_id {
            let aborted = self.0.abort_multipart(&path, &id.to_owned()).await;
            gone(aborted)?;
        }
        gone(self.0.delete(&path).await)
    }
}

impl Parts {
    pub(super) async fn write(&mut self, chunk: &[u8]) -> Result<Option<String>> {
        self.waiting.extend_from_slice(chunk);
        if self.upload_id.is_some() || self.waiting.len() < PART_BYTES {
            return Ok(None);
        }
        let id = self.store.create_multipart(&self.path).await.map_err(|error| unavailable(&error))?;
        self.upload_id = Some(id.clone());
        Ok(Some(id))
    }

    pub(super) async fn flush(&mut self) -> Result<()> {
        while self.waiting.len() >= PART_BYTES {
            let part = self.waiting.split_to(PART_BYTES).freeze();
            self.send(part).await?;
        }
        Ok(())
    }

    async fn send(&mut self, part: Bytes) -> Result<()> {
        let Some(id) = &self.upload_id else { return Ok(()) };
        let number = self.sent.len();
        let sent = self.store.put_part(&self.path, id, number, PutPayload::from_bytes(part)).await;
        self.sent.push(sent.map_err(|error| unavailable(&error))?);
        Ok(())
    }

    pub(super) async fn finish(mut self) -> Result<()> {
        let rest = self.waiting.split().freeze();
        let Some(id) = self.upload_id.clone() else {
            let put = self.store.put_opts(&self.path, PutPayload::from_bytes(rest), PutOptions::default()).await;
            return put.map(drop).map_err(|error| unavailable(&error));
        };
        if !rest.is_empty() {
            self.send(rest).await?;
        }
        let completed = self.store.complete_multipart(&self.path, &id, self.sent).await;
        completed.map(drop).map_err(|error| unavailable(&error))
    }
}

fn path(key: &str) -> Path {
    Path::from(format!("files/{key}"))
}

fn gone(outcome: object_store::Result<()>) -> Result<()> {
    match outcome {
        Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
        Err(error) => Err(unavailable(&error)),
    }
}
