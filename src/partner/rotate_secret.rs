//! Secrets of partners: adding the next one, and which ones verify.

use std::collections::HashMap;

use entity::id::{PartnerId, SecretId};
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    app::App,
    audit,
    caller::Origin,
    db,
    error::{Error, Result},
    partner::{WithSecret, store},
    secret,
};

/// How a partner secret begins.
pub(crate) const PREFIX: &str = "qmps_";

/// Makes a new secret. The ones before it verify for `overlap_seconds` more, and the oldest signs until then.
///
/// # Errors
/// `partner_not_found`.
pub async fn rotate(app: &App, origin: &Origin, id: &PartnerId, overlap_seconds: u32) -> Result<WithSecret> {
    let secret = secret::generate(&app.clock, PREFIX);
    let (partner, previous_expires_at) = db::write(&app.db, "partner.rotate_secret", async |tx| {
        let partner = store::find(tx, id).await?.ok_or(Error::PartnerNotFound)?;
        let ends = app.clock.now().plus_seconds(i64::from(overlap_seconds));
        // At most two verify: one that was ending already ends now.
        store::end_expiring_secrets(tx, id, app.clock.now()).await?;
        store::expire_secrets(tx, id, ends).await?;
        add(app, tx, id, &secret).await?;
        let entry = audit::Entry::of_partner("partner.rotate_secret", id)
            .after(serde_json::json!({ "overlap_seconds": overlap_seconds }));
        audit::record(app, tx, origin, entry).await?;
        Ok((partner, (overlap_seconds > 0).then_some(ends)))
    })
    .await?;
    Ok(WithSecret { partner, secret, previous_expires_at })
}

/// Stores a secret, sealed.
pub(crate) async fn add(
    app: &App,
    tx: &DatabaseTransaction,
    partner_id: &PartnerId,
    secret: &SecretString,
) -> Result<()> {
    let id = SecretId(app.clock.uuid());
    let sealed = app.vault.seal(&purpose(id), secret.expose_secret().as_bytes())?;
    store::insert_secret(app, tx, id, partner_id, sealed).await
}

/// The secrets that verify now, oldest first: the first one signs.
pub(crate) async fn verifying(
    app: &App,
    db: &impl ConnectionTrait,
    partner_id: &PartnerId,
) -> Result<Vec<SecretString>> {
    let mut secrets = verifying_of(app, db, std::slice::from_ref(partner_id)).await?;
    Ok(secrets.remove(partner_id).unwrap_or_default())
}

/// [`verifying`] for several partners.
pub(crate) async fn verifying_of(
    app: &App,
    db: &impl ConnectionTrait,
    partner_ids: &[PartnerId],
) -> Result<HashMap<PartnerId, Vec<SecretString>>> {
    let mut secrets: HashMap<PartnerId, Vec<SecretString>> = HashMap::new();
    for row in store::live_secrets(db, partner_ids, app.clock.now()).await? {
        let secret = app.vault.open_text(&purpose(row.id), &row.sealed)?;
        secrets.entry(row.partner_id).or_default().push(secret);
    }
    Ok(secrets)
}

fn purpose(id: SecretId) -> String {
    format!("partner_secrets:{id}")
}
