//! SQL of partners, their logos and their secrets.

use entity::{
    id::{PartnerId, PlanId, SecretId},
    partner::{ActiveModel, Column, Entity, Model, Status},
    partner_logo, partner_secret,
    timestamp::Timestamp,
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter,
    QueryOrder, Set, Unchanged,
    sea_query::{Expr, OnConflict},
};

use crate::{
    app::App,
    db,
    error::{Error, Result},
    partner::admin::CreatePartner,
    quota::threshold::{self, Thresholds},
};

pub(crate) async fn insert(
    app: &App,
    tx: &DatabaseTransaction,
    command: &CreatePartner,
    plan_id: PlanId,
) -> Result<Model> {
    let now = app.clock.now();
    let model = Model {
        id: command.id.clone(),
        name: command.name.clone(),
        plan_id,
        status: Status::Active,
        sandbox: command.is_sandbox,
        brand_name: None,
        brand_color: None,
        embedding_origins: "[]".to_owned(),
        thresholds: threshold::DEFAULT.to_owned(),
        created_at: now,
        updated_at: now,
    };
    let row: ActiveModel = model.clone().into();
    let insert = Entity::insert(row.reset_all()).on_conflict_do_nothing_on([Column::Id]);
    if db::insert_unless_known(insert, tx).await? {
        Ok(model)
    } else {
        Err(Error::PartnerExists(command.id.to_string()))
    }
}

pub(crate) async fn find(db: &impl ConnectionTrait, id: &PartnerId) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(id.clone()).one(db).await?)
}

pub(crate) async fn all(db: &impl ConnectionTrait) -> Result<Vec<Model>> {
    Ok(Entity::find().order_by_asc(Column::Id).all(db).await?)
}

pub(crate) async fn set_status(app: &App, db: &impl ConnectionTrait, id: &PartnerId, status: Status) -> Result<Model> {
    let row = ActiveModel { status: Set(status), ..changed(app, id) };
    Ok(row.update(db).await?)
}

pub(crate) async fn set_brand(
    app: &App,
    db: &impl ConnectionTrait,
    id: &PartnerId,
    name: Option<String>,
    color: Option<String>,
) -> Result<Model> {
    let mut row = changed(app, id);
    if let Some(name) = name {
        row.brand_name = Set(Some(name));
    }
    if let Some(color) = color {
        row.brand_color = Set(Some(color));
    }
    Ok(row.update(db).await?)
}

pub(crate) async fn set_origins(
    app: &App,
    db: &impl ConnectionTrait,
    id: &PartnerId,
    origins: &[String],
) -> Result<Model> {
    let text = serde_json::to_string(origins).map_err(|error| Error::Internal(format!("origins: {error}")))?;
    let row = ActiveModel { embedding_origins: Set(text), ..changed(app, id) };
    Ok(row.update(db).await?)
}

pub(crate) async fn set_thresholds(
    app: &App,
    db: &impl ConnectionTrait,
    id: &PartnerId,
    thresholds: &Thresholds,
) -> Result<Model> {
    let row = ActiveModel { thresholds: Set(thresholds.to_text()), ..changed(app, id) };
    Ok(row.update(db).await?)
}

fn changed(app: &App, id: &PartnerId) -> ActiveModel {
    ActiveModel { id: Unchanged(id.clone()), updated_at: Set(app.clock.now()), ..Default::default() }
}

pub(crate) async fn put_logo(
    app: &App,
    db: &impl ConnectionTrait,
    id: &PartnerId,
    content_type: &str,
    bytes: Vec<u8>,
) -> Result<()> {
    let row = partner_logo::ActiveModel {
        partner_id: Set(id.clone()),
        content_type: Set(content_type.to_owned()),
        bytes: Set(bytes),
        updated_at: Set(app.clock.now()),
    };
    let replace = OnConflict::column(partner_logo::Column::PartnerId)
        .update_columns([
            partner_logo::Column::ContentType,
            partner_logo::Column::Bytes,
            partner_logo::Column::UpdatedAt,
        ])
        .to_owned();
    partner_logo::Entity::insert(row).on_conflict(replace).exec_without_returning(db).await?;
    Ok(())
}

pub(crate) async fn logo(db: &impl ConnectionTrait, id: &PartnerId) -> Result<Option<partner_logo::Model>> {
    Ok(partner_logo::Entity::find_by_id(id.clone()).one(db).await?)
}

pub(crate) async fn insert_secret(
    app: &App,
    db: &impl ConnectionTrait,
    id: SecretId,
    partner_id: &PartnerId,
    sealed: Vec<u8>,
) -> Result<()> {
    let row = partner_secret::ActiveModel {
        id: Set(id),
        partner_id: Set(partner_id.clone()),
        sealed: Set(sealed),
        created_at: Set(app.clock.now()),
        expires_at: Set(None),
    };
    row.insert(db).await?;
    Ok(())
}

/// Lets the secret that has no end yet end at `ends`.
pub(crate) async fn expire_secrets(tx: &DatabaseTransaction, partner_id: &PartnerId, ends: Timestamp) -> Result<()> {
    end_secrets(tx, partner_id, partner_secret::Column::ExpiresAt.is_null(), ends).await
}

/// Lets secrets that have an end already end now.
pub(crate) async fn end_expiring_secrets(
    tx: &DatabaseTransaction,
    partner_id: &PartnerId,
    now: Timestamp,
) -> Result<()> {
    end_secrets(tx, partner_id, partner_secret::Column::ExpiresAt.gt(now), now).await
}

async fn end_secrets(tx: &DatabaseTransaction, partner_id: &PartnerId, which: Expr, ends: Timestamp) -> Result<()> {
    partner_secret::Entity::update_many()
        .col_expr(partner_secret::Column::ExpiresAt, Expr::value(ends))
        .filter(partner_secret::Column::PartnerId.eq(partner_id.clone()))
        .filter(which)
        .exec(tx)
        .await?;
    Ok(())
}

/// Secrets of partners that verify at `now`, oldest first.
pub(crate) async fn live_secrets(
    db: &impl ConnectionTrait,
    partner_ids: &[PartnerId],
    now: Timestamp,
) -> Result<Vec<partner_secret::Model>> {
    let live = Condition::any()
        .add(partner_secret::Column::ExpiresAt.is_null())
        .add(partner_secret::Column::ExpiresAt.gt(now));
    Ok(partner_secret::Entity::find()
        .filter(partner_secret::Column::PartnerId.is_in(partner_ids.iter().cloned()))
        .filter(live)
        .order_by_asc(partner_secret::Column::Id)
        .all(db)
        .await?)
}
