//! What the operator does to partners: make, list, show, disable, enable, set the thresholds of their quotas.

use entity::{
    id::PartnerId,
    partner::{Model, Status},
};

use crate::{
    app::App,
    audit,
    caller::Origin,
    db,
    error::{Error, Result},
    partner::{WithSecret, rotate_secret, store},
    plan,
    quota::threshold::Thresholds,
    secret,
    token::access::{self, Access, Changed},
};

/// A partner to be made.
pub struct CreatePartner {
    /// Its slug.
    pub id: PartnerId,
    /// Its name.
    pub name: String,
    /// The plan of its workspaces, by name.
    pub plan: String,
    /// Whether its phones are simulated.
    pub is_sandbox: bool,
}

/// Makes a partner with its first secret.
///
/// # Errors
/// `partner_exists`, `plan_not_found`.
pub async fn create(app: &App, origin: &Origin, command: &CreatePartner) -> Result<WithSecret> {
    let plan = plan::by_name(app, &command.plan).await?;
    let secret = secret::generate(&app.clock, rotate_secret::PREFIX);
    let partner = db::write(&app.db, "partner.create", async |tx| {
        let partner = store::insert(app, tx, command, plan.id).await?;
        rotate_secret::add(app, tx, &partner.id, &secret).await?;
        let entry = audit::Entry::of_partner("partner.create", &partner.id).after(serde_json::json!({
            "name": partner.name, "plan_id": partner.plan_id, "sandbox": partner.sandbox,
        }));
        audit::record(app, tx, origin, entry).await?;
        Ok(partner)
    })
    .await?;
    Ok(WithSecret { partner, secret, previous_expires_at: None })
}

/// All partners, by id.
///
/// # Errors
/// What the database says.
pub async fn list(app: &App) -> Result<Vec<Model>> {
    store::all(app.db.reader()).await
}

/// One partner.
///
/// # Errors
/// `partner_not_found`.
pub async fn show(app: &App, id: &PartnerId) -> Result<Model> {
    store::find(app.db.reader(), id).await?.ok_or(Error::PartnerNotFound)
}

/// Lets a partner in or keeps it out, with its workspaces' tokens and links.
///
/// # Errors
/// `partner_not_found`.
pub async fn set_status(app: &App, origin: &Origin, id: &PartnerId, status: Status) -> Result<Model> {
    let changed = Changed::Partner(id.clone());
    let partner = db::write(&app.db, "partner.set_status", async |tx| {
        let before = store::find(tx, id).await?.ok_or(Error::PartnerNotFound)?;
        let after = store::set_status(app, tx, id, status).await?;
        access::record(app, tx, &changed).await?;
        let entry = audit::Entry::of_partner("partner.set_status", id).before(before.status).after(status);
        audit::record(app, tx, origin, entry).await?;
        Ok(after)
    })
    .await?;
    Access::forget(app, &changed);
    Ok(partner)
}

/// Sets at which percentages of a quota the partner is told. What was told of already counts as told.
///
/// # Errors
/// `partner_not_found`.
pub async fn set_thresholds(app: &App, origin: &Origin, id: &PartnerId, thresholds: &Thresholds) -> Result<Model> {
    let changed = Changed::Partner(id.clone());
    let partner = db::write(&app.db, "partner.set_thresholds", async |tx| {
        let before = store::find(tx, id).await?.ok_or(Error::PartnerNotFound)?;
        let after = store::set_thresholds(app, tx, id, thresholds).await?;
        let entry = audit::Entry::of_partner("partner.set_thresholds", id);
        let entry = entry.before(&before.thresholds).after(&after.thresholds);
        access::record(app, tx, &changed).await?;
        audit::record(app, tx, origin, entry).await?;
        Ok(after)
    })
    .await?;
    Access::forget(app, &changed);
    Ok(partner)
}
