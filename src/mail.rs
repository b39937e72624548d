//! Mail to people, over SMTP where it is configured.
//!
//! The server's name is resolved here and passes the rule of [`crate::outbound`] about addresses, and what was looked
//! up is what is dialled. `smtps://` speaks TLS from the first byte, `smtp://` demands STARTTLS unless the URL ends in
//! `?tls=none`, which is for servers that are reached without leaving the machine or its network.

use std::time::Duration;

use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::Mailbox,
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
    },
};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use crate::{
    error::{Error, Result},
    outbound::Outbound,
};

const TIMEOUT: Duration = Duration::from_secs(10);
const SMTPS_PORT: u16 = 465;
const SUBMISSION_PORT: u16 = 587;
/// Longest address of a mailbox, in bytes.
pub const MAX_ADDRESS_BYTES: usize = 254;

/// Sends mail, if it is configured.
#[derive(Default)]
pub struct Mailer(Option<Settings>);

struct Settings {
    host: String,
    port: u16,
    security: Security,
    credentials: Option<Credentials>,
    from: Address,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Security {
    Wrapped,
    StartTls,
    None,
}

/// One mail.
pub struct Mail<'a> {
    /// To whom.
    pub to: &'a str,
    /// The name that it comes from; the address is configured.
    pub from_name: &'a str,
    /// What it is about.
    pub subject: &'a str,
    /// What it says.
    pub text: String,
}

impl Mailer {
    /// Reads where mail goes and whom it comes from: both, or neither.
    ///
    /// # Errors
    /// The key and what is wrong with it, without repeating it: a URL holds a password.
    pub fn parse(url: Option<&SecretString>, from: Option<&str>) -> Result<Self, (&'static str, &'static str)> {
        let (url, from) = match (url, from) {
            (None, None) => return Ok(Self::default()),
            (Some(_), None) => return Err(("mail_from", "is required with smtp_url")),
            (None, Some(_)) => return Err(("smtp_url", "is required with mail_from")),
            (Some(url), Some(from)) => (url, from),
        };
        let from = from.parse().map_err(|_| ("mail_from", "must be an e-mail address"))?;
        let wrong = ("smtp_url", "must be smtp://[user:password@]host[:port][?tls=none] or smtps://…");
        let url: Url = url.expose_secret().parse().map_err(|_| wrong)?;
        let (security, port) = match (url.scheme(), url.query()) {
            ("smtps", None) => (Security::Wrapped, SMTPS_PORT),
            ("smtp", None) => (Security::StartTls, SUBMISSION_PORT),
            ("smtp", Some("tls=none")) => (Security::None, SUBMISSION_PORT),
            _ => return Err(wrong),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(wrong)?.to_owned();
        let plain = |text: &str| percent_decoded(text).ok_or(wrong);
        let credentials = match (url.username(), url.password()) {
            ("", None) => None,
            (user, Some(password)) => Some(Credentials::new(plain(user)?, plain(password)?)),
            (_, None) => return Err(wrong),
        };
        Ok(Self(Some(Settings { host, port: url.port().unwrap_or(port), security, credentials, from })))
    }

    /// Whether mail can be sent.
    #[must_use]
    pub const fn is_configured(&self) -> bool {
        self.0.is_some()
    }

    /// Sends one mail.
    ///
    /// # Errors
    /// `provider_unavailable` if the server does not take it now; `internal_error` if it cannot be written down.
    pub async fn send(&self, outbound: &Outbound, mail: Mail<'_>) -> Result<()> {
        let settings = self.0.as_ref().ok_or_else(|| Error::Internal("mail is not configured".to_owned()))?;
        let to: Address = mail.to.parse().map_err(|_| Error::Internal("an address is none".to_owned()))?;
        let message = Message::builder()
            .from(Mailbox::new(Some(mail.from_name.to_owned()), settings.from.clone()))
            .to(Mailbox::new(None, to))
            .subject(mail.subject)
            .body(mail.text)
            .map_err(|error| Error::Internal(format!("mail: {error}")))?;
        let transport = settings.transport(outbound).await?;
        match tokio::time::timeout(TIMEOUT, transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => {
                tracing::warn!(%error, "the mail server did not take a mail");
                Err(Error::ProviderUnavailable)
            }
            Err(_) => {
                tracing::warn!("the mail server did not answer in time");
                Err(Error::ProviderUnavailable)
            }
        }
    }
}

impl Settings {
    async fn transport(&self, outbound: &Outbound) -> Result<AsyncSmtpTransport<Tokio1Executor>> {
        let address = outbound.address_of(&self.host, self.port).await.map_err(|reason| {
            tracing::warn!(reason, "the mail server cannot be reached");
            Error::ProviderUnavailable
        })?;
        let parameters =
            || TlsParameters::new(self.host.clone()).map_err(|error| Error::Internal(format!("TLS for mail: {error}")));
        let tls = match self.security {
            Security::Wrapped => Tls::Wrapper(parameters()?),
            Security::StartTls => Tls::Required(parameters()?),
            Security::None => Tls::None,
        };
        let builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(address.ip().to_string())
            .port(address.port())
            .tls(tls)
            .timeout(Some(TIMEOUT));
        Ok(match &self.credentials {
            Some(credentials) => builder.credentials(credentials.clone()).build(),
            None => builder.build(),
        })
    }
}

/// Reads `%40` and its like.
pub(crate) fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

/// Reads an e-mail address, folded, so that it is compared without regard to case.
///
/// # Errors
/// `invalid_request` naming `email`.
pub fn parse_address(text: &str) -> Result<String> {
    let text = crate::workspace::fold(text.trim());
    let fits = text.len() <= MAX_ADDRESS_BYTES && text.parse::<Address>().is_ok();
    let reason = || format!("must be an e-mail address of at most {MAX_ADDRESS_BYTES} bytes");
    if fits { Ok(text) } else { Err(Error::field("email", reason())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Option<Settings> {
        Mailer::parse(Some(&url.into()), Some("us@example.com")).ok().and_then(|mailer| mailer.0)
    }

    #[test]
    fn servers_are_read_from_urls() {
        let shown = |url: &str| parse(url).map(|settings| (settings.host, settings.port, settings.security));
        let host = || "mail.example.com".to_owned();
        assert_eq!(shown("smtps://mail.example.com"), Some((host(), 465, Security::Wrapped)));
        assert_eq!(shown("smtp://u:p%40@mail.example.com"), Some((host(), 587, Security::StartTls)));
        assert_eq!(shown("smtp://mail.example.com:25?tls=none"), Some((host(), 25, Security::None)));
        let credentials = parse("smtp://u%40x:p%2Fq@h").and_then(|settings| settings.credentials);
        assert_eq!(credentials, Some(Credentials::new("u@x".to_owned(), "p/q".to_owned())));
        for bad in ["", "mail.example.com", "http://h", "smtp://u@h", "smtps://h?tls=none", "smtp://h?tls=off"] {
            assert_eq!(shown(bad), None, "{bad}");
        }
        assert!(!Mailer::parse(None, None).expect("nothing").is_configured());
        assert!(Mailer::parse(None, Some("us@example.com")).is_err());
        assert!(Mailer::parse(Some(&"smtp://h".into()), None).is_err());
        assert!(Mailer::parse(Some(&"smtp://h".into()), Some("nobody")).is_err());
    }

    #[test]
    fn addresses_are_folded_and_have_a_length() {
        assert_eq!(parse_address(" Ann.Lee@Example.COM ").expect("an address"), "ann.lee@example.com");
        let long = format!("a@{}.example", "x".repeat(MAX_ADDRESS_BYTES));
        for bad in ["", "ann", "@example.com", "ann@", "a b@example.com", "a@b@c.de", "a\n@b.c", long.as_str()] {
            assert!(parse_address(bad).is_err(), "{bad:?}");
        }
    }
}
