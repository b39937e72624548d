//! Tokens of the platform's own staff and tools.

use entity::{
    id::OperatorTokenId,
    operator_token::{ActiveModel, Column, Entity, Model},
};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter, Set, Unchanged};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    app::App,
    audit,
    caller::{OperatorCaller, Origin},
    db,
    error::{Error, Result},
    secret,
};

const PREFIX: &str = "qmop_";

/// Makes a token that is shown once.
///
/// # Errors
/// `invalid_request` naming `name`.
pub async fn create(app: &App, origin: &Origin, name: &str) -> Result<(Model, SecretString)> {
    let name = crate::partner::parse_name(name)?;
    let token = secret::generate(&app.clock, PREFIX);
    let row = db::write(&app.db, "operator_token.create", async |tx| {
        let row = ActiveModel {
            id: Set(OperatorTokenId(app.clock.uuid())),
            name: Set(name),
            digest: Set(secret::digest(token.expose_secret())),
            created_at: Set(app.clock.now()),
            revoked_at: Set(None),
        };
        let row = row.insert(tx).await?;
        let entry = audit::Entry::of_platform("operator_token.create", row.id).after(&row.name);
        audit::record(app, tx, origin, entry).await?;
        Ok(row)
    })
    .await?;
    Ok((row, token))
}

/// Revokes a token; a second time changes nothing.
///
/// # Errors
/// `token_not_found`.
pub async fn revoke(app: &App, origin: &Origin, id: OperatorTokenId) -> Result<Model> {
    db::write(&app.db, "operator_token.revoke", async |tx| {
        let row = Entity::find_by_id(id).one(tx).await?.ok_or(Error::TokenNotFound)?;
        if row.revoked_at.is_some() {
            return Ok(row);
        }
        let change = ActiveModel { id: Unchanged(id), revoked_at: Set(Some(app.clock.now())), ..Default::default() };
        let row = change.update(tx).await?;
        audit::record(app, tx, origin, audit::Entry::of_platform("operator_token.revoke", id)).await?;
        Ok(row)
    })
    .await
}

/// Finds out whose operator token this is. Staff is few: every check reads the database.
///
/// # Errors
/// `invalid_token` for an unknown or revoked one.
pub async fn check(app: &App, token: &str, request_id: String) -> Result<OperatorCaller> {
    if !token.starts_with(PREFIX) {
        return Err(Error::InvalidToken);
    }
    let found = Entity::find().filter(Column::Digest.eq(secret::digest(token))).one(app.db.reader()).await?;
    let row = found.filter(|row| row.revoked_at.is_none()).ok_or(Error::InvalidToken)?;
    Ok(OperatorCaller { token_id: row.id, request_id })
}
