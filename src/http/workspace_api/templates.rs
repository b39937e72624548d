//! Text templates (`contracts/timelines.md` §3.6).

use std::sync::Arc;

use entity::{
    text_template::{Model, Visibility},
    timestamp::Timestamp,
};
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path},
    payload::Json,
};
use serde::Deserialize;

use crate::{
    app::App,
    error::{Error, Result},
    http::{
        body::UnreadJson,
        formats::{IsoTime, local_minute},
        workspace_api::{Done, Envelope, auth::TokenAuth, dialect::WorkspaceFailure, done, ok},
    },
    idempotency::Repeatable,
    template::{
        self, Name, Templates, Text,
        change::{self, NewTemplate, UpdateTemplate},
        parse_visibility, usage,
    },
    token::Scope,
};

pub(super) struct TemplatesApi {
    pub(super) app: Arc<App>,
}

/// A template to be written.
#[derive(Object, Deserialize)]
struct NewTemplateRequest {
    /// Its name, 1 to 160 characters.
    name: String,
    /// Its text, 1 to 4096 characters.
    text: String,
    /// `public`, which is the default; `private` for oneself; or `read-only`.
    visibility: Option<String>,
    /// Title of the team that it is for; for everybody where absent or empty.
    team_title: Option<String>,
}

impl NewTemplateRequest {
    fn into_command(self) -> Result<NewTemplate> {
        Ok(NewTemplate {
            name: Name::parse(&self.name)?,
            text: Text::parse(self.text)?,
            visibility: self.visibility.as_deref().map_or(Ok(Visibility::Public), parse_visibility)?,
            team: given(self.team_title),
        })
    }
}

/// What to change of a template; absent members stay as they are.
#[derive(Object, Deserialize)]
struct UpdateTemplateRequest {
    /// Its name, 1 to 160 characters.
    name: Option<String>,
    /// Its text, 1 to 4096 characters.
    text: Option<String>,
    /// `public`, `private` or `read-only`.
    visibility: Option<String>,
    /// Title of the team that it is for; empty for everybody.
    team_title: Option<String>,
}

impl UpdateTemplateRequest {
    fn into_command(self) -> Result<UpdateTemplate> {
        Ok(UpdateTemplate {
            name: self.name.as_deref().map(Name::parse).transpose()?,
            text: self.text.map(Text::parse).transpose()?,
            visibility: self.visibility.as_deref().map(parse_visibility).transpose()?,
            team: self.team_title.map(|title| given(Some(title))),
        })
    }
}

/// Where a template was used.
#[derive(Object, Deserialize)]
struct UsageRequest {
    /// In the caller's words, at most 64 characters.
    origin: Option<String>,
}

/// Which template was used, and where.
#[derive(Object, Deserialize)]
struct UsageOfRequest {
    /// Number of the template.
    template_id: i64,
    /// In the caller's words, at most 64 characters.
    origin: Option<String>,
}

fn given(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// A text template.
#[derive(Object)]
#[oai(rename = "TextTemplate")]
struct TemplateView {
    /// Its number.
    id: i64,
    /// Its name.
    name: String,
    /// Its text.
    text: String,
    /// `public`, `private` or `read-only`.
    visibility: String,
    /// Title of the team that it is for; `null` for everybody.
    #[oai(nullable)]
    team_title: Option<String>,
    /// Name of its author.
    created_by_name: String,
    /// When it was written.
    created_at: IsoTime,
    /// Name of who changed it last.
    updated_by_name: String,
    /// When that was.
    updated_at: IsoTime,
}

impl TemplateView {
    fn new(template: &Model, around: &Templates) -> Self {
        let name = |id| around.users.get(&id).map(|user| user.display_name.clone()).unwrap_or_default();
        Self {
            id: template.id.0,
            name: template.name.clone(),
            text: template.text.clone(),
            visibility: template.visibility.to_string(),
            team_title: template.group_id.and_then(|id| around.teams.get(&id).cloned()),
            created_by_name: name(template.created_by),
            created_at: template.created_at.into(),
            updated_by_name: name(template.updated_by),
            updated_at: template.updated_at.into(),
        }
    }

    fn one(around: &Templates) -> Result<Self> {
        let template = around.templates.first();
        let template = template.ok_or_else(|| Error::Internal("a template is gone".to_owned()))?;
        Ok(Self::new(template, around))
    }
}

/// All templates.
#[derive(Object)]
#[oai(rename = "TextTemplates")]
struct TemplateList {
    /// How many there are.
    templates_count: i64,
    /// Those that the token's user sees, the ones that were changed last first.
    templates: Vec<TemplateView>,
}

/// A text template with its use.
#[derive(Object)]
#[oai(rename = "TextTemplateWithUsage")]
struct UsedTemplateView {
    /// Its number.
    id: i64,
    /// Its name.
    name: String,
    /// Its text.
    text: String,
    /// `public`, `private` or `read-only`.
    visibility: String,
    /// Title of the team that it is for; `null` for everybody.
    #[oai(nullable)]
    team_title: Option<String>,
    /// Name of its author.
    created_by_name: String,
    /// E-mail address of its author.
    created_by_email: String,
    /// When it was written, `YYYY-MM-DD HH:MM` in the workspace's zone.
    created_at: String,
    /// Name of who changed it last.
    updated_by_name: String,
    /// E-mail address of who changed it last.
    updated_by_email: String,
    /// When that was, `YYYY-MM-DD HH:MM` in the workspace's zone.
    updated_at: String,
    /// How often it was used.
    usage_count: i64,
    /// When it was used last, `YYYY-MM-DD HH:MM` in the workspace's zone.
    #[oai(nullable)]
    last_used_at: Option<String>,
}

impl UsedTemplateView {
    fn new(template: &Model, around: &Templates, zone: &str) -> Self {
        let email = |id| around.users.get(&id).map(|user| user.email.clone()).unwrap_or_default();
        let minute = |at: Timestamp| local_minute(at, zone);
        let view = TemplateView::new(template, around);
        Self {
            id: view.id,
            name: view.name,
            text: view.text,
            visibility: view.visibility,
            team_title: view.team_title,
            created_by_name: view.created_by_name,
            created_by_email: email(template.created_by),
            created_at: minute(template.created_at),
            updated_by_name: view.updated_by_name,
            updated_by_email: email(template.updated_by),
            updated_at: minute(template.updated_at),
            usage_count: template.uses,
            last_used_at: template.last_used_at.map(minute),
        }
    }
}

/// All templates with their use.
#[derive(Object)]
#[oai(rename = "TextTemplatesWithUsage")]
struct UsedTemplateList {
    /// How many there are.
    templates_count: i64,
    /// Those that the token's user sees, the ones that were changed last first.
    templates: Vec<UsedTemplateView>,
}

/// That a use was counted.
#[derive(Object)]
#[oai(rename = "UsageTracked")]
struct TrackedView {
    /// Always `true`.
    success: bool,
}

fn count(templates: &Templates) -> i64 {
    i64::try_from(templates.templates.len()).unwrap_or(i64::MAX)
}

#[OpenApi]
impl TemplatesApi {
    /// List text templates
    ///
    /// Those that the token's user sees.
    #[oai(path = "/templates", method = "get", operation_id = "list_templates")]
    async fn list(&self, caller: TokenAuth) -> Result<Json<Envelope<TemplateList>>, WorkspaceFailure> {
        let caller = caller.admit(Scope::MessagesRead).await?;
        let found = template::list(&self.app, caller).await?;
        let templates = found.templates.iter().map(|one| TemplateView::new(one, &found)).collect();
        Ok(ok(TemplateList { templates_count: count(&found), templates }))
    }

    /// Write a text template
    #[oai(path = "/templates", method = "post", operation_id = "create_template")]
    async fn create(
        &self,
        caller: TokenAuth,
        /// The same key and body returns the same answer for 30 days.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: UnreadJson<NewTemplateRequest>,
    ) -> Result<Json<Envelope<TemplateView>>, WorkspaceFailure> {
        let parsed = body.read().and_then(NewTemplateRequest::into_command).and_then(|command| {
            let request = Repeatable::new(caller.repeat_scope(), key.0.as_deref(), "create_template", &command)?;
            Ok((command, request))
        });
        let (command, request) = caller.understand(Scope::MessagesWrite, parsed).await?;
        let (origin, caller) = (caller.origin(), caller.admit(Scope::MessagesWrite).await?);
        let made = change::create(&self.app, caller, &origin, &command, &request).await?;
        Ok(ok(TemplateView::one(&made)?))
    }

    /// Get a text template
    #[oai(path = "/templates/:template_id", method = "get", operation_id = "get_template")]
    async fn get(
        &self,
        caller: TokenAuth,
        /// Number of the template.
        template_id: Path<String>,
    ) -> Result<Json<Envelope<TemplateView>>, WorkspaceFailure> {
        let caller = caller.admit(Scope::MessagesRead).await?;
        Ok(ok(TemplateView::one(&template::get(&self.app, caller, &template_id.0).await?)?))
    }

    /// Change a text template
    ///
    /// Fields that are absent stay as they are.
    #[oai(path = "/templates/:template_id", method = "patch", operation_id = "update_template")]
    async fn update(
        &self,
        caller: TokenAuth,
        /// Number of the template.
        template_id: Path<String>,
        body: UnreadJson<UpdateTemplateRequest>,
    ) -> Result<Json<Envelope<TemplateView>>, WorkspaceFailure> {
        let command = body.read().and_then(UpdateTemplateRequest::into_command);
        let command = caller.understand(Scope::MessagesWrite, command).await?;
        let (origin, caller) = (caller.origin(), caller.admit(Scope::MessagesWrite).await?);
        let changed = change::update(&self.app, caller, &origin, &template_id.0, &command).await?;
        Ok(ok(TemplateView::one(&changed)?))
    }

    /// Delete a text template
    #[oai(path = "/templates/:template_id", method = "delete", operation_id = "delete_template")]
    async fn delete(
        &self,
        caller: TokenAuth,
        /// Number of the template.
        template_id: Path<String>,
    ) -> Result<Json<Done>, WorkspaceFailure> {
        let (origin, caller) = (caller.origin(), caller.admit(Scope::MessagesWrite).await?);
        change::delete(&self.app, caller, &origin, &template_id.0).await?;
        Ok(done())
    }

    /// Count a use of a text template
    #[oai(path = "/templates/:template_id/track_usage", method = "post", operation_id = "track_template_usage")]
    async fn track_usage(
        &self,
        caller: TokenAuth,
        /// Number of the template.
        template_id: Path<String>,
        body: UnreadJson<UsageRequest>,
    ) -> Result<Json<Done>, WorkspaceFailure> {
        let body = caller.understand(Scope::MessagesWrite, body.read()).await?;
        let caller = caller.admit(Scope::MessagesWrite).await?;
        usage::track(&self.app, caller, &template_id.0, body.origin.as_deref()).await?;
        Ok(done())
    }

    /// List text templates with their use
    ///
    /// Those that the token's user sees.
    #[oai(path = "/v2/templates", method = "get", operation_id = "list_templates_with_usage")]
    async fn list_with_usage(&self, caller: TokenAuth) -> Result<Json<Envelope<UsedTemplateList>>, WorkspaceFailure> {
        let caller = caller.admit(Scope::MessagesRead).await?;
        let found = template::list(&self.app, caller).await?;
        let zone = &caller.workspace.time_zone;
        let templates = found.templates.iter().map(|one| UsedTemplateView::new(one, &found, zone)).collect();
        Ok(ok(UsedTemplateList { templates_count: count(&found), templates }))
    }

    /// Count a use of the text template of a number
    #[oai(path = "/v2/templates", method = "post", operation_id = "track_usage_of_template")]
    async fn track_usage_of(
        &self,
        caller: TokenAuth,
        body: UnreadJson<UsageOfRequest>,
    ) -> Result<Json<TrackedView>, WorkspaceFailure> {
        let body = caller.understand(Scope::MessagesWrite, body.read()).await?;
        let caller = caller.admit(Scope::MessagesWrite).await?;
        usage::track(&self.app, caller, &body.template_id.to_string(), body.origin.as_deref()).await?;
        Ok(Json(TrackedView { success: true }))
    }
}
