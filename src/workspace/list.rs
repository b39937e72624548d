//! All workspaces of a partner, in the order in which they were made.

use entity::{
    id::PartnerId,
    workspace::{Model, Status},
};

use crate::{
    app::App,
    error::{Error, Result},
    page::{Page, PageRequest},
    workspace::{fold, store},
};

/// Which workspaces.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Part of the name or the id, without regard to case.
    pub text: Option<String>,
    /// Only those in this status.
    pub status: Option<Status>,
}

impl Filter {
    /// Reads the filter.
    ///
    /// # Errors
    /// `invalid_request` naming `q` or `status`.
    pub fn parse(text: Option<&str>, status: Option<&str>) -> Result<Self> {
        let text = text.map(fold).filter(|text| !text.is_empty());
        if text.as_ref().is_some_and(|text| text.chars().count() > 100 || text.chars().any(char::is_control)) {
            return Err(Error::field("q", "must be at most 100 characters, none of them control characters"));
        }
        let status = match status {
            None => None,
            Some("active") => Some(Status::Active),
            Some("suspended") => Some(Status::Suspended),
            Some(_) => return Err(Error::field("status", "must be active or suspended")),
        };
        Ok(Self { text, status })
    }
}

/// One page of the partner's workspaces.
///
/// # Errors
/// What the database says.
pub async fn list(app: &App, partner_id: &PartnerId, filter: &Filter, page: PageRequest) -> Result<Page<Model>> {
    let rows = store::page(app.db.reader(), partner_id, filter, page).await?;
    Ok(Page::of(rows, page, |workspace| workspace.id.0))
}
