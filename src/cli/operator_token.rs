//! `quartermaster operator-token create|revoke`.

use secrecy::ExposeSecret;
use serde_json::json;

use crate::{
    app::App,
    caller::Origin,
    cli::{CommandError, output},
    error::Error,
    token::operator,
};

/// What to do with operator tokens.
#[derive(clap::Subcommand)]
pub(super) enum OperatorToken {
    /// Make a token; prints it, and it is not shown again.
    Create {
        /// Who uses it.
        #[arg(long)]
        name: String,
    },
    /// Revoke a token.
    Revoke {
        /// Id of the token.
        #[arg(long)]
        id: String,
    },
}

pub(super) async fn run(app: &App, command: &OperatorToken, json: bool) -> Result<(), CommandError> {
    match command {
        OperatorToken::Create { name } => {
            let (row, token) = operator::create(app, &Origin::operator(), name).await?;
            let shown = json!({ "id": row.id, "name": row.name, "token": token.expose_secret() });
            output::record(json, &shown);
        }
        OperatorToken::Revoke { id } => {
            let id = id.parse().map_err(|_| Error::TokenNotFound)?;
            let row = operator::revoke(app, &Origin::operator(), id).await?;
            let shown = json!({ "id": row.id, "name": row.name, "revoked_at": row.revoked_at.map(output::instant) });
            output::record(json, &shown);
        }
    }
    Ok(())
}
