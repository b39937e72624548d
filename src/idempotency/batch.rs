//! Many requests in one transaction: looked up together, kept together.

use std::collections::HashMap;

use entity::idempotency_key::{ActiveModel, Column, Entity, Model};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, EntityTrait, ExprTrait, QueryFilter, Set,
    TryInsertResult,
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    app::App,
    error::{Error, Result},
    idempotency::{Repeatable, purpose},
};

/// What came before a request under its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Earlier<T> {
    /// Nothing.
    None,
    /// The same request, with this outcome.
    Answered(T),
    /// Another request.
    Another,
}

impl Repeatable {
    /// Whether the caller chose a key.
    #[must_use]
    pub const fn is_keyed(&self) -> bool {
        self.key.is_some()
    }

    /// Whether both have the same key.
    #[must_use]
    pub fn has_key_of(&self, other: &Self) -> bool {
        self.key.is_some() && self.key == other.key
    }

    /// Whether both ask the same.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

/// What came before each of these requests.
///
/// # Errors
/// What the database says.
pub async fn earlier<T: DeserializeOwned>(
    app: &App,
    db: &impl ConnectionTrait,
    requests: &[&Repeatable],
) -> Result<Vec<Earlier<T>>> {
    let mut keys: HashMap<&str, Vec<&str>> = HashMap::new();
    for (scope, key) in requests.iter().filter_map(|request| request.key.as_ref()) {
        keys.entry(scope).or_default().push(key);
    }
    let mut found: HashMap<(String, String), Model> = HashMap::new();
    if !keys.is_empty() {
        let mut any = Condition::any();
        for (scope, keys) in keys {
            any = any.add(Column::Scope.eq(scope).and(Column::Key.is_in(keys)));
        }
        for row in Entity::find().filter(any).all(db).await? {
            found.insert((row.scope.clone(), row.key.clone()), row);
        }
    }
    requests
        .iter()
        .map(|request| match request.key.as_ref().and_then(|key| found.get(key)) {
            None => Ok(Earlier::None),
            Some(row) if row.fingerprint != request.fingerprint => Ok(Earlier::Another),
            Some(row) => request.outcome(app, row).map(Earlier::Answered),
        })
        .collect()
}

/// Keeps the outcomes of requests that have keys.
///
/// # Errors
/// `Contention` if one of them was answered elsewhere meanwhile: the whole transaction is to be repeated.
pub async fn keep<T: Serialize>(app: &App, tx: &DatabaseTransaction, answers: &[(&Repeatable, T)]) -> Result<()> {
    let mut rows = Vec::new();
    for (request, outcome) in answers {
        let Some((scope, key)) = &request.key else { continue };
        let plain = serde_json::to_vec(outcome).map_err(|error| Error::Internal(format!("outcome: {error}")))?;
        rows.push(ActiveModel {
            scope: Set(scope.clone()),
            key: Set(key.clone()),
            fingerprint: Set(request.fingerprint.clone()),
            outcome: Set(Some(app.vault.seal(&purpose(scope, key), &plain)?)),
            created_at: Set(app.clock.now()),
        });
    }
    if rows.is_empty() {
        return Ok(());
    }
    let expected = rows.len();
    let insert = Entity::insert_many(rows).on_conflict_do_nothing_on([Column::Scope, Column::Key]);
    let kept = match insert.exec_without_returning(tx).await? {
        TryInsertResult::Inserted(rows) => usize::try_from(rows).unwrap_or(0),
        _ => 0,
    };
    if kept == expected { Ok(()) } else { Err(Error::Contention) }
}
