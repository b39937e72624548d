//! `quartermaster partner create|list|show|rotate-secret|disable|enable|set-brand|set-embedding-origins|set-webhook|
//! set-thresholds`.

use std::{fs, path::PathBuf};

use entity::{
    id::PartnerId,
    partner::{Model, Status},
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::{
    app::App,
    caller::Origin,
    cli::{CommandError, output},
    error::Result,
    idempotency::Repeatable,
    partner::{
        self, WithSecret,
        admin::{self, CreatePartner},
        brand::{self, SetBrand},
        rotate_secret,
    },
    quota::threshold::Thresholds,
    webhook::admin::{self as webhook, SetWebhook, Switch, Webhook},
};

/// What to do with partners.
#[derive(clap::Subcommand)]
pub(super) enum Partner {
    /// Make a partner; prints its secret, which is not shown again.
    Create {
        /// Id, 1 to 30 of a-z, 0-9 and dashes.
        #[arg(long)]
        id: String,
        /// Name.
        #[arg(long)]
        name: String,
        /// Plan of its workspaces.
        #[arg(long, default_value = "starter")]
        plan: String,
        /// Give it simulated phones.
        #[arg(long = "sandbox")]
        sandbox_phones: bool,
    },
    /// List all partners.
    List,
    /// Show one partner.
    Show {
        /// Id.
        #[arg(long)]
        id: String,
    },
    /// Make a new secret; prints it, and it is not shown again.
    RotateSecret {
        /// Id.
        #[arg(long)]
        id: String,
        /// Seconds for which the secret before it still verifies, and signs.
        #[arg(long, default_value_t = 86_400)]
        overlap_seconds: u32,
    },
    /// Refuse the partner's requests, and those of its workspaces.
    Disable {
        /// Id.
        #[arg(long)]
        id: String,
    },
    /// Serve the partner's requests again.
    Enable {
        /// Id.
        #[arg(long)]
        id: String,
    },
    /// Set what the partner's customers see; what is not said stays.
    SetBrand {
        /// Id.
        #[arg(long)]
        id: String,
        /// Name on the pages.
        #[arg(long)]
        name: Option<String>,
        /// Accent colour, `#rrggbb`.
        #[arg(long)]
        color: Option<String>,
        /// Logo: PNG, JPEG or WebP, at most 256 KiB.
        #[arg(long)]
        logo: Option<PathBuf>,
    },
    /// Replace the origins that may embed the partner's pages; none forbids embedding.
    SetEmbeddingOrigins {
        /// Id.
        #[arg(long)]
        id: String,
        /// Exact origins, `https://portal.example.com`.
        origins: Vec<String>,
    },
    /// Set where the partner's events are sent, or send them nowhere.
    SetWebhook {
        /// Id.
        #[arg(long)]
        id: String,
        /// Address, `https://portal.example.com/events`.
        #[arg(long, required_unless_present = "off", conflicts_with = "off")]
        url: Option<String>,
        /// Remove the address.
        #[arg(long)]
        off: bool,
    },
    /// Set at which percentages of a quota the partner is told.
    SetThresholds {
        /// Id.
        #[arg(long)]
        id: String,
        /// Percentages, 1 to 10 of 1 to 100.
        #[arg(required = true)]
        thresholds: Vec<i32>,
    },
}

pub(super) async fn run(app: &App, command: Partner, json: bool) -> Result<(), CommandError> {
    let origin = Origin::operator();
    let parsed = |id: &str| partner::parse_id(id);
    let shown: Value = match command {
        Partner::Create { id, name, plan, sandbox_phones } => {
            let command =
                CreatePartner { id: parsed(&id)?, name: partner::parse_name(&name)?, plan, is_sandbox: sandbox_phones };
            with_secret(&admin::create(app, &origin, &command).await?)
        }
        Partner::List => {
            let partners: Vec<Value> = admin::list(app).await?.iter().map(view).collect();
            output::list(json, &partners);
            return Ok(());
        }
        Partner::Show { id } => view(&admin::show(app, &parsed(&id)?).await?),
        Partner::RotateSecret { id, overlap_seconds } => {
            with_secret(&rotate_secret::rotate(app, &origin, &parsed(&id)?, overlap_seconds).await?)
        }
        Partner::Disable { id } => status(app, &origin, &parsed(&id)?, Status::Disabled).await?,
        Partner::Enable { id } => status(app, &origin, &parsed(&id)?, Status::Active).await?,
        Partner::SetBrand { id, name, color, logo } => {
            let logo = logo.as_ref().map(fs::read).transpose();
            let logo = logo.map_err(|error| CommandError::Other(format!("logo: {error}")))?;
            view(&brand::set(app, &origin, &parsed(&id)?, &SetBrand { name, color, logo }).await?)
        }
        Partner::SetEmbeddingOrigins { id, origins } => {
            view(&brand::set_embedding_origins(app, &origin, &parsed(&id)?, &origins).await?)
        }
        Partner::SetWebhook { id, url, off: _ } => set_webhook(app, &origin, &parsed(&id)?, url).await?,
        Partner::SetThresholds { id, thresholds } => {
            view(&admin::set_thresholds(app, &origin, &parsed(&id)?, &Thresholds::new(thresholds)?).await?)
        }
    };
    output::record(json, &shown);
    Ok(())
}

async fn status(app: &App, origin: &Origin, id: &PartnerId, status: Status) -> Result<Value> {
    Ok(view(&admin::set_status(app, origin, id, status).await?))
}

async fn set_webhook(app: &App, origin: &Origin, id: &PartnerId, url: Option<String>) -> Result<Value> {
    let Some(url) = url else {
        webhook::remove(app, origin, id).await?;
        return Ok(json!({ "partner_id": id, "url": null, "enabled": false }));
    };
    let command = SetWebhook { url, switch: Switch::On };
    let Webhook { url, enabled, failing_since, .. } =
        webhook::set(app, origin, id, &command, &Repeatable::never()).await?;
    let failing_since = failing_since.map(output::instant);
    Ok(json!({ "partner_id": id, "url": url, "enabled": enabled, "failing_since": failing_since }))
}

fn view(partner: &Model) -> Value {
    json!({
        "partner_id": partner.id,
        "name": partner.name,
        "status": partner.status,
        "plan_id": partner.plan_id,
        "sandbox": partner.sandbox,
        "brand_name": partner.brand_name,
        "brand_color": partner.brand_color,
        "embedding_origins": partner::embedding_origins(partner),
        "thresholds": Thresholds::from_stored(&partner.thresholds).as_slice(),
    })
}

fn with_secret(made: &WithSecret) -> Value {
    let mut value = view(&made.partner);
    value["secret"] = made.secret.expose_secret().into();
    if let Some(at) = made.previous_expires_at {
        value["previous_secret_expires_at"] = output::instant(at).into();
    }
    value
}
