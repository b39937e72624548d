//! `quartermaster connector list|set-default|set-credentials`.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use entity::{
    channel::{ConnectorKind, Network},
    id::PartnerId,
};
use sea_orm::Iterable;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::{
    app::App,
    caller::Origin,
    cli::{CommandError, output},
    connector::registry::{self, ApiKey, BaseUrl, Listed, SetCredentials, SetDefault, Timeout},
    error::{Error, Result},
    partner,
};

/// What to do with connectors.
#[derive(clap::Subcommand)]
pub(super) enum Connector {
    /// List what opens connectors, and whom they serve; secrets are masked.
    List,
    /// Choose which connector serves a network, for the platform or for one partner.
    SetDefault {
        /// The partner; the whole platform where absent.
        #[arg(long)]
        partner: Option<String>,
        /// The network, `whatsapp`.
        #[arg(long, default_value = "whatsapp")]
        network: String,
        /// The connector: `sandbox`, `waha`, `evolution`, `unipile`, `webchat`.
        #[arg(long, required_unless_present = "off", conflicts_with = "off")]
        connector: Option<String>,
        /// Take the choice back.
        #[arg(long)]
        off: bool,
    },
    /// Set where a connector's provider is and what opens it, for the platform or for one partner.
    SetCredentials {
        /// The partner; the whole platform where absent.
        #[arg(long)]
        partner: Option<String>,
        /// The connector: `waha`, `evolution`, `unipile`.
        #[arg(long)]
        connector: String,
        /// Where the provider is, `https://waha.example.com`. It may be in a private network.
        #[arg(long)]
        base_url: String,
        /// File with the provider's API key; `-` reads it from standard input.
        #[arg(long)]
        api_key_file: PathBuf,
        /// How long the provider may take to answer, 500 to 30000; 5000 where absent. What it does before it answers,
        /// such as handing a message on, may take three times as long.
        #[arg(long)]
        timeout_ms: Option<i64>,
    },
}

pub(super) async fn run(app: &App, command: Connector, json: bool) -> Result<(), CommandError> {
    let origin = Origin::operator();
    let changed = match command {
        Connector::List => None,
        Connector::SetDefault { partner, network, connector, off: _ } => {
            let partner_id = owner(partner.as_deref())?;
            let connector = connector.as_deref().map(kind).transpose()?;
            let command = SetDefault { partner_id: partner_id.clone(), network: parse_network(&network)?, connector };
            registry::set_default(app, &origin, &command).await?;
            Some(partner_id)
        }
        Connector::SetCredentials { partner, connector, base_url, api_key_file, timeout_ms } => {
            let partner_id = owner(partner.as_deref())?;
            let command = SetCredentials {
                partner_id: partner_id.clone(),
                connector: kind(&connector)?,
                base_url: BaseUrl::parse(&base_url)?,
                api_key: ApiKey::parse(&read(&api_key_file)?)?,
                timeout: timeout_ms.map(Timeout::parse).transpose()?,
            };
            registry::set_credentials(app, &origin, &command).await?;
            Some(partner_id)
        }
    };
    let listed = registry::list(app).await?;
    // Whoever changed something is shown what its owner has now.
    let shown = listed.iter().filter(|one| changed.as_ref().is_none_or(|owner| one.partner_id == *owner));
    output::list(json, &shown.map(view).collect::<Vec<Value>>());
    Ok(())
}

fn owner(partner: Option<&str>) -> Result<Option<PartnerId>> {
    partner.map(partner::parse_id).transpose()
}

fn kind(text: &str) -> Result<ConnectorKind> {
    let found = ConnectorKind::iter().find(|kind| kind.to_string() == text);
    found.ok_or_else(|| Error::field("connector", "is none of ours"))
}

fn parse_network(text: &str) -> Result<Network> {
    let found = Network::iter().find(|network| network.to_string() == text);
    found.ok_or_else(|| Error::field("network", "is none of ours"))
}

/// A secret never stands on the command line, where everybody on the machine reads it.
fn read(path: &Path) -> Result<SecretString, CommandError> {
    let text = if path == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(path)
    };
    text.map(SecretString::from).map_err(|error| CommandError::Other(format!("api key: {error}")))
}

fn view(listed: &Listed) -> Value {
    let credentials = listed.credentials.as_ref();
    json!({
        "partner_id": listed.partner_id,
        "connector": listed.connector,
        "default_for": listed.default_for,
        "base_url": credentials.map(|credentials| &credentials.base_url),
        "api_key": credentials.map(|credentials| &credentials.api_key),
        "timeout_ms": credentials.and_then(|credentials| credentials.timeout).map(|timeout| timeout.as_millis()),
        "updated_at": credentials.map(|credentials| output::instant(credentials.updated_at)),
    })
}
