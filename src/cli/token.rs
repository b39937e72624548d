//! `quartermaster token create|list|revoke`: API tokens of workspaces.

use entity::{
    id::{PartnerId, TokenId, UserId},
    token::Model,
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::{
    app::App,
    caller::Origin,
    cli::{CommandError, output},
    error::{Error, Result},
    partner,
    token::{
        Scopes,
        admin::{self, CreateToken},
    },
};

/// What to do with tokens. A workspace is named `partner/workspace`.
#[derive(clap::Subcommand)]
pub(super) enum Token {
    /// Make a token; prints it, and it is not shown again.
    Create {
        /// `partner/workspace`.
        #[arg(long)]
        workspace: String,
        /// What it may do: scopes separated by commas, or `all`.
        #[arg(long)]
        scopes: String,
        /// What it is for.
        #[arg(long, default_value = "command line")]
        name: String,
        /// As whom it acts; the owner where absent.
        #[arg(long)]
        user: Option<i64>,
    },
    /// List all tokens of a workspace, revoked ones included.
    List {
        /// `partner/workspace`.
        #[arg(long)]
        workspace: String,
    },
    /// Revoke a token; it is refused at once.
    Revoke {
        /// `partner/workspace`.
        #[arg(long)]
        workspace: String,
        /// Id of the token.
        #[arg(long)]
        id: String,
    },
}

pub(super) async fn run(app: &App, command: Token, json: bool) -> Result<(), CommandError> {
    match command {
        Token::Create { workspace, scopes, name, user } => {
            let (partner_id, workspace) = address(&workspace)?;
            let command =
                CreateToken { partner_id, workspace, name, scopes: Scopes::parse(&scopes)?, user_id: user.map(UserId) };
            let made = admin::create(app, &Origin::operator(), &command).await?;
            let shown = json!({
                "id": made.id,
                "token": made.token.expose_secret(),
                "user_id": made.user_id,
                "scopes": made.scopes.to_text(),
                "created_at": output::instant(made.created_at),
            });
            output::record(json, &shown);
        }
        Token::List { workspace } => {
            let (partner_id, workspace) = address(&workspace)?;
            let tokens = admin::list(app, &partner_id, &workspace).await?;
            output::list(json, &tokens.iter().map(view).collect::<Vec<Value>>());
        }
        Token::Revoke { workspace, id } => {
            let (partner_id, workspace) = address(&workspace)?;
            let id: TokenId = id.parse().map_err(|_| Error::TokenNotFound)?;
            let revoked = admin::revoke(app, &Origin::operator(), &partner_id, &workspace, id).await?;
            output::record(json, &view(&revoked));
        }
    }
    Ok(())
}

pub(super) fn address(text: &str) -> Result<(PartnerId, String)> {
    let (partner_id, workspace) =
        text.split_once('/').ok_or_else(|| Error::field("workspace", "must be partner/workspace"))?;
    Ok((partner::parse_id(partner_id)?, workspace.to_owned()))
}

fn view(token: &Model) -> Value {
    json!({
        "id": token.id,
        "kind": token.kind,
        "name": token.name,
        "user_id": token.user_id,
        "scopes": token.scopes,
        "created_at": output::instant(token.created_at),
        "revoked_at": token.revoked_at.map(output::instant),
    })
}
