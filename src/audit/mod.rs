//! Who did what. Every mutation writes an entry in its own transaction.
//!
//! Secrets, tokens and QR payloads never stand in an entry; callers pass what may be kept.

use entity::{
    audit_entry,
    id::{AuditId, PartnerId, WorkspaceId},
    workspace,
};
use sea_orm::{ActiveModelTrait, DatabaseTransaction, Set};
use serde::Serialize;
use serde_json::Value;

use crate::{app::App, caller::Origin, error::Result};

/// One entry to be written.
pub struct Entry<'a> {
    /// What was done, `thing.verb`.
    pub action: &'static str,
    /// The partner it concerns.
    pub partner_id: Option<&'a PartnerId>,
    /// The workspace it concerns.
    pub workspace_id: Option<WorkspaceId>,
    /// The thing it was done to.
    pub target: String,
    /// What it was before.
    pub before: Option<Value>,
    /// What it became.
    pub after: Option<Value>,
}

impl<'a> Entry<'a> {
    /// About something in a workspace.
    #[must_use]
    pub fn in_workspace(action: &'static str, workspace: &'a workspace::Model, target: impl ToString) -> Self {
        Self {
            action,
            partner_id: Some(&workspace.partner_id),
            workspace_id: Some(workspace.id),
            target: target.to_string(),
            before: None,
            after: None,
        }
    }

    /// About a partner.
    #[must_use]
    pub fn of_partner(action: &'static str, partner_id: &'a PartnerId) -> Self {
        Self {
            action,
            partner_id: Some(partner_id),
            workspace_id: None,
            target: partner_id.to_string(),
            before: None,
            after: None,
        }
    }

    /// About the platform itself.
    #[must_use]
    pub fn of_platform(action: &'static str, target: impl ToString) -> Self {
        Self { action, partner_id: None, workspace_id: None, target: target.to_string(), before: None, after: None }
    }

    /// With what it was before.
    #[must_use]
    pub fn before(mut self, value: impl Serialize) -> Self {
        self.before = serde_json::to_value(value).ok();
        self
    }

    /// With what it became.
    #[must_use]
    pub fn after(mut self, value: impl Serialize) -> Self {
        self.after = serde_json::to_value(value).ok();
        self
    }
}

/// Writes an entry.
///
/// # Errors
/// What the database says.
pub async fn record(app: &App, tx: &DatabaseTransaction, origin: &Origin, entry: Entry<'_>) -> Result<()> {
    let row = audit_entry::ActiveModel {
        id: Set(AuditId(app.clock.uuid())),
        at: Set(app.clock.now()),
        actor: Set(origin.actor.to_string()),
        action: Set(entry.action.to_owned()),
        partner_id: Set(entry.partner_id.cloned()),
        workspace_id: Set(entry.workspace_id),
        target: Set(entry.target),
        before: Set(entry.before.map(|value| value.to_string())),
        after: Set(entry.after.map(|value| value.to_string())),
        request_id: Set(origin.request_id.clone()),
    };
    row.insert(tx).await?;
    Ok(())
}
