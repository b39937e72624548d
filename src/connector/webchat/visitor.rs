//! Who a visitor is: whoever holds a token of ours, or whom the customer's own system names.
//!
//! A token is signed over the channel, the visitor and its last second, so nothing is stored for it. The customer's
//! system signs with HMAC-SHA256 under the channel's `identitySecret`: over the visitor's id there, and, where it names an
//! address too, over the id, a line break and the address. The same person is the same visitor in every browser then.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use entity::{
    id::{ChannelId, VisitorId},
    timestamp::Timestamp,
    webchat_visitor::Model,
};
use hmac_sha256::HMAC;

use crate::{
    app::App,
    channel::widget::{self, Widget},
    chat::update::Name,
    connector::webchat::{
        SERVER,
        store::{self, Details},
    },
    db,
    error::{Error, Result},
    message::Jid,
};

/// How long a token is good, in seconds; each session brings a new one.
pub const LIFETIME_SECONDS: i64 = 30 * 24 * 3600;
const PREFIX: &str = "wvt_";
const PURPOSE: &str = "webchat visitors";
const MAX_ID_CHARS: usize = 200;
const MAX_EMAIL_BYTES: usize = 254;

/// An e-mail address, at most 254 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email(String);

impl Email {
    /// Reads an address.
    ///
    /// # Errors
    /// `invalid_request` naming `email`.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let parts = text.split_once('@').filter(|(name, host)| !name.is_empty() && host.contains('.'));
        let fits = parts.is_some_and(|(_, host)| !host.contains('@') && !host.starts_with('.') && !host.ends_with('.'))
            && text.len() <= MAX_EMAIL_BYTES
            && !text.contains(|char: char| char.is_whitespace() || char.is_control());
        if fits { Ok(Self(text.to_owned())) } else { Err(Error::field("email", "must be an e-mail address")) }
    }
}

/// Who a visitor is in the customer's own system, and its signature over that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    user_id: String,
    email: Option<Email>,
    hash: [u8; 32],
}

impl Identity {
    /// Reads an identity: an id of 1 to 200 characters, perhaps an address, and 64 hexadecimal digits.
    ///
    /// # Errors
    /// `invalid_request` naming the part that does not fit.
    pub fn parse(user_id: &str, email: Option<&str>, hash: &str) -> Result<Self> {
        let fits = (1..=MAX_ID_CHARS).contains(&user_id.chars().count()) && !user_id.contains(char::is_control);
        if !fits {
            return Err(Error::field("user_id", "must be 1 to 200 characters, without control characters"));
        }
        let hash = digest(hash).ok_or_else(|| Error::field("hash", "must be 64 hexadecimal digits"))?;
        Ok(Self { user_id: user_id.to_owned(), email: email.map(Email::parse).transpose()?, hash })
    }

    /// Whether the customer's system has signed it.
    fn is_signed_with(&self, secret: &str) -> bool {
        let signed = match &self.email {
            Some(Email(email)) => format!("{}\n{email}", self.user_id),
            None => self.user_id.clone(),
        };
        HMAC::verify(signed, secret, &self.hash)
    }
}

fn digest(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let byte = |index: usize| u8::from_str_radix(text.get(index * 2..index * 2 + 2)?, 16).ok();
    (0..32).map(byte).collect::<Option<Vec<u8>>>()?.try_into().ok()
}

/// What a visitor comes with.
#[derive(Clone, Debug, Default)]
pub struct Begin {
    /// The visitor that they were before, proved by their token.
    pub known: Option<VisitorId>,
    /// Who the customer's system says they are.
    pub identity: Option<Identity>,
    /// What they call themselves.
    pub name: Option<Name>,
    /// Their address, as they say.
    pub email: Option<Email>,
}

/// A visitor who may read and write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Who.
    pub visitor_id: VisitorId,
    /// What is known of them, if anything is.
    pub row: Option<Model>,
    /// What proves them from now on.
    pub token: String,
    /// When that is over.
    pub expires_at: Timestamp,
}

/// Lets a visitor in: the one that they were before, the one whom the customer's system names, or a new one.
///
/// # Errors
/// `invalid_request` naming `identity` where one is required and absent, or the channel has no secret to check it with;
/// `invalid_signature`.
pub async fn begin(app: &App, widget: &Widget, command: &Begin) -> Result<Session> {
    check_identity(widget, command.identity.as_ref())?;
    widget::visited(app, widget).await?;
    let says_nothing = command.identity.is_none() && command.name.is_none() && command.email.is_none();
    let row = match (command.known, says_nothing) {
        (None, true) => None,
        (Some(known), true) => store::find(app.db.reader(), widget.channel.account_id, known).await?,
        (_, false) => Some(db::retried(|| tell_once(app, widget, command)).await?),
    };
    let visitor_id = match (&row, command.known) {
        (Some(row), _) => row.id,
        (None, Some(known)) => known,
        (None, None) => VisitorId(app.clock.uuid()),
    };
    let (token, expires_at) = token(app, widget.channel.id, visitor_id)?;
    Ok(Session { visitor_id, row, token, expires_at })
}

fn check_identity(widget: &Widget, identity: Option<&Identity>) -> Result<()> {
    match (identity, widget.identity_secret()) {
        (None, _) if widget.flag("requireIdentity") == Some(true) => Err(Error::field("identity", "is required")),
        (None, _) => Ok(()),
        (Some(_), None) => Err(Error::field("identity", "cannot be checked: the channel has no identitySecret")),
        (Some(identity), Some(secret)) if identity.is_signed_with(secret) => Ok(()),
        (Some(_), Some(_)) => Err(Error::InvalidSignature),
    }
}

/// Writes down who a visitor is.
async fn tell_once(app: &App, widget: &Widget, command: &Begin) -> Result<Model> {
    let account_id = widget.channel.account_id;
    db::write(&app.db, "webchat.begin", async |tx| {
        let named = match &command.identity {
            Some(identity) => store::by_external_id(tx, account_id, &identity.user_id).await?,
            None => None,
        };
        let visitor = match named {
            Some(named) => named,
            None => {
                let known = command.known.unwrap_or_else(|| VisitorId(app.clock.uuid()));
                let visitor = store::find_or_insert(app, tx, widget, known).await?;
                match &command.identity {
                    // Somebody else has signed in at this browser; what the other wrote stays theirs.
                    Some(_) if visitor.external_id.is_some() => {
                        store::find_or_insert(app, tx, widget, VisitorId(app.clock.uuid())).await?
                    }
                    _ => visitor,
                }
            }
        };
        let identity = command.identity.as_ref();
        let proved = identity.and_then(|identity| identity.email.clone());
        let said = proved.or_else(|| command.email.clone()).map(|Email(email)| email);
        let details = Details {
            external_id: identity.map(|identity| identity.user_id.clone()).or_else(|| visitor.external_id.clone()),
            email: said.or_else(|| visitor.email.clone()),
            name: command.name.as_ref().map(|name| name.as_str().to_owned()).or_else(|| visitor.name.clone()),
        };
        let visitor = store::set_details(app, tx, &visitor, details).await?;
        if let Some(name) = label(&visitor) {
            store::name_chat(app, tx, &visitor, &jid(visitor.id)?, name).await?;
        }
        Ok(visitor)
    })
    .await
}

/// What a visitor's chat is called; `None` while nothing is known of them.
pub(super) fn label(visitor: &Model) -> Option<&str> {
    visitor.name.as_deref().or(visitor.email.as_deref()).or(visitor.external_id.as_deref())
}

/// The id of a visitor on the network.
pub(super) fn jid(id: VisitorId) -> Result<Jid> {
    Jid::from_stored(&format!("{id}{SERVER}"))
}

fn token(app: &App, channel: ChannelId, visitor: VisitorId) -> Result<(String, Timestamp)> {
    let expires = app.clock.now().plus_seconds(LIFETIME_SECONDS).0 / 1_000_000;
    let signature = app.vault.sign(PURPOSE, &signed(channel, visitor, expires))?;
    let token = format!("{PREFIX}{visitor}.{expires}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature));
    Ok((token, Timestamp(expires * 1_000_000)))
}

/// The visitor whose token this is.
///
/// # Errors
/// `visitor_token_invalid`, also for one of another widget and one that has run out.
pub fn check(app: &App, widget: &Widget, token: &str) -> Result<VisitorId> {
    let read = || {
        let mut parts = token.strip_prefix(PREFIX)?.splitn(3, '.');
        let visitor: VisitorId = parts.next()?.parse().ok()?;
        let expires: i64 = parts.next()?.parse().ok()?;
        let signature: [u8; 32] = BASE64_URL_SAFE_NO_PAD.decode(parts.next()?).ok()?.try_into().ok()?;
        Some((visitor, expires, signature))
    };
    let (visitor, expires, signature) = read().ok_or(Error::VisitorTokenInvalid)?;
    let is_ours = app.vault.is_signed(PURPOSE, &signed(widget.channel.id, visitor, expires), &signature);
    if is_ours && expires.saturating_mul(1_000_000) > app.clock.now().0 {
        Ok(visitor)
    } else {
        Err(Error::VisitorTokenInvalid)
    }
}

fn signed(channel: ChannelId, visitor: VisitorId, expires: i64) -> String {
    format!("{channel}/{visitor}/{expires}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_are_signed_with_their_address() {
        let secret = "0123456789abcdef0123456789abcdef";
        let hex = |text: &str| HMAC::mac(text, secret).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let alone = Identity::parse("42", None, &hex("42")).expect("an identity");
        assert!(alone.is_signed_with(secret) && !alone.is_signed_with("another"));
        let with_email = |hash: &str| Identity::parse("42", Some("ann@example.com"), hash).expect("an identity");
        assert!(with_email(&hex("42\nann@example.com")).is_signed_with(secret));
        assert!(!with_email(&hex("42")).is_signed_with(secret), "an address is not added afterwards");
        for (user_id, email, hash) in
            [("", None, "ab"), ("42", None, "ab"), ("4\n2", None, "ab"), ("42", Some("ann"), "ab"), ("42", None, "é")]
        {
            assert!(Identity::parse(user_id, email, hash).is_err(), "{user_id} {email:?} {hash}");
        }
    }

    #[test]
    fn addresses_have_a_name_and_a_host() {
        assert_eq!(Email::parse(" ann@example.com ").expect("an address"), Email("ann@example.com".to_owned()));
        for bad in ["", "ann", "@example.com", "ann@example", "a b@example.com", "a@b@c.d", "ann@.com", "ann@com."] {
            assert!(Email::parse(bad).is_err(), "{bad}");
        }
    }
}
