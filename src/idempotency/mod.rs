//! The same request twice leads to one change and two equal answers.
//!
//! The key is stored in the transaction of the change, so there is no moment in which one is kept without the other.
//! What is kept is the operation's outcome, sealed, because some outcomes hold secrets; the surface renders it again.
//! A refused request keeps nothing. Two at once: the second waits for the first one's commit and replays it.
//! Keys are kept for 30 days.

use entity::idempotency_key::{ActiveModel, Column, Entity, Model};
use sea_orm::{ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, Set};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::{
    app::App,
    db,
    error::{Error, Result},
};

mod batch;

pub use batch::{Earlier, earlier, keep};

/// How long keys are kept, in seconds.
pub const RETENTION_SECONDS: i64 = 30 * 24 * 3600;
const MAX_KEY_CHARS: usize = 255;

/// A request that may come again: whose key, which key, and a fingerprint of what is asked.
#[derive(Clone, Debug)]
pub struct Repeatable {
    key: Option<(String, String)>,
    fingerprint: Vec<u8>,
}

impl Repeatable {
    /// Reads the caller's key (1 to 255 visible ASCII characters), if there is one. The `command` is everything that
    /// decides what is asked, the target included.
    ///
    /// # Errors
    /// `invalid_request` naming the header.
    pub fn new(scope: String, key: Option<&str>, operation: &str, command: &impl Serialize) -> Result<Self> {
        let Some(key) = key else { return Ok(Self::never()) };
        if key.is_empty() || key.len() > MAX_KEY_CHARS || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::field("Idempotency-Key", "must be 1 to 255 visible ASCII characters"));
        }
        let body = serde_json::to_vec(command).map_err(|error| Error::Internal(format!("fingerprint: {error}")))?;
        let fingerprint = Sha256::new().chain_update(operation).chain_update([0]).chain_update(body).finalize();
        Ok(Self { key: Some((scope, key.to_owned())), fingerprint: fingerprint.to_vec() })
    }

    /// A request that never comes again.
    #[must_use]
    pub const fn never() -> Self {
        Self { key: None, fingerprint: Vec::new() }
    }

    /// Claims the key: `None` means go on and call [`Repeatable::finish`], `Some` is the first request's outcome.
    ///
    /// # Errors
    /// `idempotency_key_reused` if the key stands for another request.
    pub async fn begin<T: DeserializeOwned>(&self, app: &App, tx: &DatabaseTransaction) -> Result<Option<T>> {
        let Some((scope, key)) = &self.key else { return Ok(None) };
        let row = ActiveModel {
            scope: Set(scope.clone()),
            key: Set(key.clone()),
            fingerprint: Set(self.fingerprint.clone()),
            outcome: Set(None),
            created_at: Set(app.clock.now()),
        };
        let claim = Entity::insert(row).on_conflict_do_nothing_on([Column::Scope, Column::Key]);
        if db::insert_unless_known(claim, tx).await? {
            return Ok(None);
        }
        let first = find(tx, scope, key).await?.ok_or(Error::Contention)?;
        if first.fingerprint != self.fingerprint {
            return Err(Error::IdempotencyKeyReused);
        }
        self.outcome(app, &first).map(Some)
    }

    /// The outcome that is kept in this row.
    fn outcome<T: DeserializeOwned>(&self, app: &App, row: &Model) -> Result<T> {
        let sealed = row.outcome.as_ref().ok_or_else(|| Error::Internal("a key has no outcome".to_owned()))?;
        let outcome = app.vault.open(&purpose(&row.scope, &row.key), sealed)?;
        serde_json::from_slice(&outcome).map_err(|error| Error::Internal(format!("stored outcome: {error}")))
    }

    /// Keeps the outcome.
    ///
    /// # Errors
    /// What the database says.
    pub async fn finish<T: Serialize>(&self, app: &App, tx: &DatabaseTransaction, outcome: &T) -> Result<()> {
        let Some((scope, key)) = &self.key else { return Ok(()) };
        let plain = serde_json::to_vec(outcome).map_err(|error| Error::Internal(format!("outcome: {error}")))?;
        let row = ActiveModel {
            scope: Set(scope.clone()),
            key: Set(key.clone()),
            outcome: Set(Some(app.vault.seal(&purpose(scope, key), &plain)?)),
            ..Default::default()
        };
        row.update(tx).await?;
        Ok(())
    }
}

/// Drops keys that are older than the retention.
///
/// # Errors
/// What the database says.
pub async fn forget_old(app: &App) -> Result<u64> {
    let before = app.clock.now().plus_seconds(-RETENTION_SECONDS);
    db::write(&app.db, "idempotency.forget_old", async |tx| {
        Ok(Entity::delete_many().filter(Column::CreatedAt.lt(before)).exec(tx).await?.rows_affected)
    })
    .await
}

async fn find(db: &impl ConnectionTrait, scope: &str, key: &str) -> Result<Option<Model>> {
    Ok(Entity::find_by_id((scope.to_owned(), key.to_owned())).one(db).await?)
}

fn purpose(scope: &str, key: &str) -> String {
    format!("idempotency_keys:{scope}:{key}")
}
