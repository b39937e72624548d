//! How the widget of a web chat looks.

use std::sync::Arc;

use entity::channel::Network;
use poem_openapi::{Object, OpenApi, param::Path, payload::Json, types::MaybeUndefined};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    app::App,
    channel::{
        named::look_up,
        show::{self, Shown},
        update::{self, UpdateChannel},
        widget,
    },
    error::{Error, Result},
    http::{
        body::UnreadJson,
        channels_api::timely::{TimelyAuth, TimelyFailure, named, views::ChannelView},
    },
    token::Scope,
};

pub(super) struct WidgetApi {
    pub(super) app: Arc<App>,
}

/// How a widget looks, and where; what is absent stays as it is, and `null` makes it as usual.
#[derive(Default, Object, Deserialize)]
#[oai(rename = "TimelyWidgetSettingsRequest", nullable_all)]
#[serde(default)]
struct Request {
    /// Origins of the websites that may show it, such as `https://www.example.com`, 1 to 50; needed to connect it.
    allowed_origins: MaybeUndefined<Vec<String>>,
    /// `#` and six hexadecimal digits.
    primary_color: MaybeUndefined<String>,
    /// `bottom-right` or `bottom-left`.
    position: MaybeUndefined<String>,
    /// Its title, at most 300 characters.
    title: MaybeUndefined<String>,
    /// What stands below that, at most 300 characters.
    subtitle: MaybeUndefined<String>,
    /// What a visitor reads first, at most 300 characters.
    welcome_message: MaybeUndefined<String>,
    /// Address of a picture, beginning with `https://`.
    avatar_url: MaybeUndefined<String>,
    /// Whether it says who made it.
    show_branding: MaybeUndefined<bool>,
}

/// How a widget looks.
#[derive(Object)]
#[oai(rename = "TimelyWidgetSettings")]
struct SettingsView {
    /// Origins of the websites that may show it.
    allowed_origins: Vec<String>,
    /// Its colour; `null` where the usual one is used.
    #[oai(nullable)]
    primary_color: Option<String>,
    /// `bottom-right` or `bottom-left`.
    position: String,
    /// Its title.
    #[oai(nullable)]
    title: Option<String>,
    /// What stands below that.
    #[oai(nullable)]
    subtitle: Option<String>,
    /// What a visitor reads first.
    #[oai(nullable)]
    welcome_message: Option<String>,
    /// Address of a picture.
    #[oai(nullable)]
    avatar_url: Option<String>,
    /// Whether it says who made it.
    show_branding: bool,
    /// What a website is given to show it: one element of HTML.
    embed_code: String,
}

/// Parts of the theme by the names of this dialect.
const THEME: [(&str, &str); 6] = [
    ("primary_color", "primaryColor"),
    ("position", "position"),
    ("title", "title"),
    ("subtitle", "subtitle"),
    ("welcome_message", "welcomeMessage"),
    ("avatar_url", "avatarUrl"),
];

impl SettingsView {
    fn new(app: &App, shown: &Shown) -> Self {
        let text = |name: &str| shown.config.get("theme")?.get(name)?.as_str().map(str::to_owned);
        let origins = shown.config.get("allowedOrigins").and_then(Value::as_array).into_iter().flatten();
        Self {
            allowed_origins: origins.filter_map(Value::as_str).map(str::to_owned).collect(),
            primary_color: text("primaryColor"),
            position: text("position").unwrap_or_else(|| "bottom-right".to_owned()),
            title: text("title").or_else(|| text("headerText")),
            subtitle: text("subtitle"),
            welcome_message: text("welcomeMessage"),
            avatar_url: text("avatarUrl"),
            show_branding: shown.config.get("showBranding").and_then(Value::as_bool).unwrap_or(true),
            embed_code: widget::embed_code(app, shown.widget_token.as_deref().unwrap_or_default()),
        }
    }
}

impl Request {
    /// The settings to change. What is sent as it is shown changes nothing.
    fn changes(self, shown: &SettingsView) -> Map<String, Value> {
        let texts = [
            (self.primary_color, shown.primary_color.as_deref()),
            (self.position, Some(shown.position.as_str())),
            (self.title, shown.title.as_deref()),
            (self.subtitle, shown.subtitle.as_deref()),
            (self.welcome_message, shown.welcome_message.as_deref()),
            (self.avatar_url, shown.avatar_url.as_deref()),
        ];
        let mut theme = Map::new();
        for ((_, name), (given, shown)) in THEME.iter().zip(texts) {
            let Some(value) = changed(given, shown.map(Value::from).as_ref()) else { continue };
            if *name == "title" && value.is_null() {
                // It is shown as the title where there is none.
                theme.insert("headerText".to_owned(), Value::Null);
            }
            theme.insert((*name).to_owned(), value);
        }
        let origins = changed(self.allowed_origins, Some(&shown.allowed_origins.clone().into()));
        let branding = changed(self.show_branding, Some(&shown.show_branding.into()));
        let theme = (!theme.is_empty()).then_some(Value::Object(theme));
        let settings = [("theme", theme), ("allowedOrigins", origins), ("showBranding", branding)];
        settings.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}

/// What a setting becomes, if it does not stay: `null` where it is as usual again.
fn changed<T: Into<Value>>(given: MaybeUndefined<T>, shown: Option<&Value>) -> Option<Value> {
    match given {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(Value::Null),
        MaybeUndefined::Value(value) => Some(value.into()).filter(|value| Some(value) != shown),
    }
}

/// What a part of the theme, or the list of websites, is called in the other dialect is not what this one's callers sent.
fn renamed(error: Error) -> Error {
    match error {
        Error::InvalidField { field: "config.allowedOrigins", reason } => Error::field("allowed_origins", reason),
        Error::InvalidField { field: "config.theme", reason } => {
            let part = THEME.iter().find_map(|(own, other)| reason.strip_prefix(other).map(|rest| (*own, rest)));
            match part {
                Some((own, rest)) => Error::field(own, rest.trim_start().to_owned()),
                None => Error::field("theme", reason),
            }
        }
        error => error,
    }
}

#[OpenApi]
impl WidgetApi {
    /// Get how a widget looks
    #[oai(path = "/channels/:channel_id/widget/settings", method = "get", operation_id = "get_widget_settings")]
    async fn get(
        &self,
        caller: TimelyAuth,
        /// Id of the channel.
        channel_id: Path<String>,
    ) -> Result<Json<SettingsView>, TimelyFailure> {
        let workspace_id = caller.admit(Scope::ChannelsRead).await?.workspace.id;
        Ok(Json(SettingsView::new(&self.app, &self.widget(workspace_id, &channel_id.0).await?)))
    }

    /// Change how a widget looks
    ///
    /// What is absent stays, and so does what is sent as it is shown; `null` makes it as usual.
    #[oai(path = "/channels/:channel_id/widget/settings", method = "put", operation_id = "set_widget_settings")]
    async fn set(
        &self,
        caller: TimelyAuth,
        /// Id of the channel.
        channel_id: Path<String>,
        body: UnreadJson<Request>,
    ) -> Result<Json<SettingsView>, TimelyFailure> {
        let request = caller.understand(Scope::ChannelsWrite, body.read()).await?;
        let admitted = caller.admit(Scope::ChannelsWrite).await?;
        let shown = self.widget(admitted.workspace.id, &channel_id.0).await?;
        let changes = request.changes(&SettingsView::new(&self.app, &shown));
        let change = UpdateChannel { config: Some(changes), ..UpdateChannel::default() };
        let origin = caller.origin();
        let changed = update::update(&self.app, admitted, &origin, &named(&channel_id.0), &change).await;
        Ok(Json(SettingsView::new(&self.app, &changed.map_err(renamed)?)))
    }

    /// Replace the token of a widget
    ///
    /// The old token opens nothing any more: embed the widget anew with the one that is answered. Conversations go on.
    #[oai(path = "/channels/:channel_id/widget/token", method = "post", operation_id = "rotate_widget_token")]
    async fn rotate(
        &self,
        caller: TimelyAuth,
        /// Id of the channel.
        channel_id: Path<String>,
    ) -> Result<Json<ChannelView>, TimelyFailure> {
        let admitted = caller.admit(Scope::ChannelsWrite).await?;
        let rotated = widget::rotate_token(&self.app, admitted, &caller.origin(), &named(&channel_id.0)).await?;
        Ok(Json(rotated.into()))
    }
}

impl WidgetApi {
    async fn widget(&self, workspace_id: entity::id::WorkspaceId, id: &str) -> Result<Shown> {
        let channel = look_up(&self.app, workspace_id, &named(id)).await?;
        if channel.network != Network::Webchat {
            return Err(Error::ChannelRefused("only a channel of the type widget has one".to_owned()));
        }
        show::get(&self.app, workspace_id, &named(id)).await
    }
}
