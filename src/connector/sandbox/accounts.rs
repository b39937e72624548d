//! Accounts that sign in with credentials at the simulated provider, on all networks.
//!
//! Any credentials will do, but for those that end in a number that says what is wrong with them; see
//! [`crate::connector::sandbox`].

use entity::{
    attempt::Failure,
    channel::Network,
    id::ChannelId,
    sandbox_session::{Model, State},
};
use secrecy::ExposeSecret;
use serde_json::{Map, json};

use crate::{
    app::App,
    channel::config::bot_id,
    connector::{
        Account, Observation, Start,
        refusal::Class,
        sandbox::{self, checkpoints, store},
        target::{Check, Login, SignIn, Target},
    },
    db,
    error::{Error, Result},
    phone::Phone,
};

/// Settings that hold what an account signs in with.
const CREDENTIALS: [&str; 8] = [
    "accessToken",
    "botToken",
    "authToken",
    "smtpPassword",
    "imapPassword",
    "pageAccessToken",
    "serviceAccountKey",
    "password",
];

/// What the simulated provider makes of credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Usual,
    Refused,
    NoPermission,
    NoWebhook,
    Banned,
    Unavailable,
}

impl Fate {
    fn of(target: &Target) -> Self {
        let fates = CREDENTIALS.iter().filter_map(|name| target.text(name)).map(Self::of_credential);
        fates.into_iter().find(|fate| *fate != Self::Usual).unwrap_or(Self::Usual)
    }

    fn of_credential(credential: &str) -> Self {
        match credential.rsplit_once('_') {
            Some((_, "401")) => Self::Refused,
            Some((_, "403")) => Self::NoPermission,
            Some((_, "404")) => Self::NoWebhook,
            Some((_, "423")) => Self::Banned,
            Some((_, "503")) => Self::Unavailable,
            _ => Self::Usual,
        }
    }
}

/// Whether the channel signs in by itself, without a phone that scans.
pub(super) fn signs_in(target: &Target) -> bool {
    target.network == Network::Webchat || CREDENTIALS.iter().any(|name| target.text(name).is_some())
}

/// Signs a channel in; one that is signed in stays so.
pub(super) async fn sign_in(app: &App, target: &Target) -> Result<SignIn> {
    match Fate::of(target) {
        Fate::Refused => return Ok(SignIn::Refused("the credentials are not valid".to_owned())),
        Fate::Banned => return Ok(SignIn::Ended(Failure::Banned)),
        Fate::Unavailable => return Err(Error::ProviderUnavailable),
        Fate::Usual | Fate::NoPermission | Fate::NoWebhook => {}
    }
    let account = account_of(target)?;
    if let Some(asked) = checkpoints::begin(app, target, &account).await? {
        return Ok(asked);
    }
    db::write(&app.db, "sandbox.sign_in", async |tx| store::insert_signed_in(app, tx, target, &account).await).await?;
    Ok(SignIn::Connected(account))
}

/// Signs an account in that nothing is stored of yet.
pub(super) async fn log_in(app: &App, start: &Start<'_>, login: &Login) -> Result<Observation> {
    let mut config = Map::new();
    config.insert("username".to_owned(), login.username.as_str().into());
    config.insert("password".to_owned(), login.password.expose_secret().into());
    let target = Target {
        // There is no channel before the account is in.
        channel_id: ChannelId(start.session.0),
        session: start.session,
        partner_id: start.partner_id.clone(),
        network: start.network,
        config,
        callback_url: String::new(),
    };
    Ok(match sign_in(app, &target).await? {
        SignIn::Connected(account) => Observation::Connected(account),
        SignIn::Waiting { qr, look_again_at } => Observation::Waiting { qr, look_again_at },
        SignIn::Asking(asked) => Observation::Asking(asked),
        SignIn::Ended(failure) => Observation::Ended(failure),
        SignIn::Refused(_) => Observation::Ended(Failure::LoginRefused),
    })
}

/// The account that a session is signed in to.
pub(super) fn observed(row: &Model) -> Result<Observation> {
    let number = row.phone.as_deref().map(Phone::parse).transpose()?;
    let account = match (row.network, &row.account, number) {
        (Network::Whatsapp, _, Some(phone)) => {
            let name = named_after(phone.as_str());
            Account::whatsapp(phone, name)
        }
        // Who signed in with a user name is called so.
        (Network::Instagram, Some(id), None) if row.checkpoint.is_some() => named(id.clone(), Some(id.clone())),
        (_, Some(id), phone) => Account { external_id: id.clone(), phone, username: None, name: named_after(id) },
        (_, None, Some(phone)) => Account {
            external_id: phone.as_str().trim_start_matches('+').to_owned(),
            name: named_after(phone.as_str()),
            phone: Some(phone),
            username: None,
        },
        (_, None, None) => return Err(Error::ProviderUnavailable),
    };
    Ok(Observation::Connected(account))
}

/// Looks at a channel's credentials, its address and its rights, or at its session.
pub(super) async fn test(app: &App, target: &Target) -> Result<Vec<Check>> {
    let taken = app.clock.stopwatch();
    if target.network == Network::Webchat {
        let check = Check::passed("origins", "Allowed origins are set").after(taken.elapsed_ms());
        return Ok(vec![check, Check::passed("widget", "The widget has a token").after(taken.elapsed_ms())]);
    }
    if !signs_in(target) {
        return Ok(vec![session(app, target).await?.after(taken.elapsed_ms())]);
    }
    let fate = Fate::of(target);
    let first = match fate {
        Fate::Refused => Some(("API credentials are not valid", Class::AuthInvalid)),
        Fate::Banned => Some(("The account is banned", Class::AccountRestricted)),
        Fate::Unavailable => Some(("The provider does not answer", Class::ProviderUnavailable)),
        _ => None,
    };
    if let Some((message, class)) = first {
        let first = Check::failed("credentials", message).because(class);
        let skipped = |name| Check::skipped(name, "Not looked at, because the credentials failed");
        return Ok(vec![first.after(taken.elapsed_ms()), skipped("webhook"), skipped("permissions")]);
    }
    let webhook = match fate {
        Fate::NoWebhook => Check::failed("webhook", "Webhook URL returned 404")
            .with(json!({ "url": target.callback_url, "statusCode": 404 })),
        _ => Check::passed("webhook", "Webhook is reachable"),
    };
    let permissions = match fate {
        Fate::NoPermission => Check::failed("permissions", "A required permission is missing"),
        _ => Check::passed("permissions", "All required permissions granted"),
    };
    let credentials = Check::passed("credentials", "API credentials are valid");
    Ok([credentials, webhook, permissions].map(|check| check.after(taken.elapsed_ms())).into())
}

async fn session(app: &App, target: &Target) -> Result<Check> {
    let row = store::find(app.db.reader(), target.session).await?;
    Ok(match row.map(|row| row.state) {
        Some(State::Linked) => Check::passed("session", "The session is connected"),
        Some(State::Waiting) => Check::failed("session", "The session waits for a phone"),
        Some(_) => Check::failed("session", "The session has ended"),
        None => Check::failed("session", "There is no session yet"),
    })
}

/// The account that a channel's settings name, as the simulated provider knows it.
fn account_of(target: &Target) -> Result<Account> {
    let text = |name| target.text(name).unwrap_or_default().to_owned();
    Ok(match target.network {
        Network::Whatsapp => {
            let phone = number_of(&text("phoneNumberId"))?;
            let name = target.text("businessName").map_or_else(|| named_after(phone.as_str()), str::to_owned);
            Account::whatsapp(phone, name)
        }
        Network::Sms | Network::Voice => {
            let phone = Phone::parse(&text("phoneNumber"))?;
            let name = named_after(phone.as_str());
            Account { external_id: phone.as_str().to_owned(), phone: Some(phone), username: None, name }
        }
        Network::Telegram => {
            let id = bot_id(&text("botToken"));
            let username = format!("sandbox_{id}_bot");
            named(id, Some(username))
        }
        Network::Instagram if target.text("username").is_some() => {
            let username = text("username");
            named(username.clone(), Some(username))
        }
        Network::Instagram => {
            let id = text("accountId");
            let username = format!("sandbox_{id}");
            named(id, Some(username))
        }
        Network::Email => {
            let address = text("fromEmail").to_lowercase();
            let name = target.text("fromName").map_or_else(|| address.clone(), str::to_owned);
            Account { external_id: address, phone: None, username: None, name }
        }
        Network::Facebook => named(text("pageId"), None),
        Network::Rcs => named(text("agentId"), None),
        Network::Webchat => named(target.channel_id.to_string(), None),
    })
}

fn named(external_id: String, username: Option<String>) -> Account {
    let name = named_after(&external_id);
    Account { external_id, phone: None, username, name }
}

/// The number behind an id of Meta's: its last seven digits after +1555.
fn number_of(id: &str) -> Result<Phone> {
    let digits: String = id.chars().filter(char::is_ascii_digit).collect();
    let last = digits.get(digits.len().saturating_sub(7)..).unwrap_or_default();
    Phone::parse(&format!("+1555{last:0>7}"))
}

fn named_after(id: &str) -> String {
    let last: Vec<char> = id.chars().rev().take(4).collect();
    format!("{} {}", sandbox::NAME, last.into_iter().rev().collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_credential_decides() {
        for (credential, fate) in [
            ("EAABcd", Fate::Usual),
            ("EAABcd_401", Fate::Refused),
            ("123:abc_403", Fate::NoPermission),
            ("secret_404", Fate::NoWebhook),
            ("secret_423", Fate::Banned),
            ("secret_503", Fate::Unavailable),
            ("secret401", Fate::Usual),
            ("_401_x", Fate::Usual),
        ] {
            assert_eq!(Fate::of_credential(credential), fate, "{credential}");
        }
        assert_eq!(number_of("123456789").expect("a number").as_str(), "+15553456789");
        assert_eq!(number_of("x").expect("a number").as_str(), "+15550000000");
    }
}
