//! The only way to dial an address that a customer gave.
//!
//! What such an address leads to must be public: names are resolved here and refused if any of their addresses is
//! not, and hosts that are written as addresses, which skip the resolver, are looked at in the URL. What was looked
//! up is what is dialled, so a name cannot change in between. No proxy of the environment, no redirects, a few
//! seconds at most. `allow_private_targets` lifts the rule about addresses, nothing else.

use std::{
    error::Error as StdError,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use reqwest::{
    Client, Method, RequestBuilder, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect,
};

use crate::{
    error::{Error, Result},
    mail::percent_decoded,
};

/// Longest accepted address, in bytes.
pub const MAX_URL_BYTES: usize = 4096;
/// Longest time for a request, its answer included.
pub const TIMEOUT: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
const IDLE_PER_HOST: usize = 8;
const MAX_REASON_CHARS: usize = 200;
const PRIVATE: &str = "leads to an address that is not public";

/// Dials addresses of customers. Its client is made at the first use: it reads the machine's certificates.
pub struct Outbound {
    allow_private: bool,
    timeout_ms: AtomicU64,
    client: OnceLock<Result<Client, String>>,
}

impl Outbound {
    /// A guard; `allow_private` is the configuration's `allow_private_targets`.
    #[must_use]
    pub fn new(allow_private: bool) -> Self {
        let timeout_ms = u64::try_from(TIMEOUT.as_millis()).unwrap_or(u64::MAX);
        Self { allow_private, timeout_ms: AtomicU64::new(timeout_ms), client: OnceLock::new() }
    }

    /// Changes the longest time for a request. Tests that wait for it use this.
    pub fn limit_to(&self, timeout: Duration) {
        self.timeout_ms.store(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Reads an address: `http(s)`, without credentials and control characters, at most 4096 bytes, and not one that is
    /// written as a private address.
    ///
    /// # Errors
    /// `invalid_request` naming `url`.
    pub fn parse(&self, text: &str) -> Result<Url> {
        let url = self.read(text)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused("must not carry a user or a password"));
        }
        Ok(url)
    }

    /// [`Outbound::parse`] for the address of a webhook, which may carry a user and a password: receivers have no other
    /// way to know who calls. They are sent as Basic authentication, and stand in no error of a request.
    ///
    /// # Errors
    /// As [`Outbound::parse`].
    pub fn parse_webhook(&self, text: &str) -> Result<Url> {
        let url = self.read(text)?;
        let credentials = [url.username(), url.password().unwrap_or_default()];
        // What is no text would stay in the address.
        if credentials.into_iter().any(|text| percent_decoded(text).is_none()) {
            return Err(refused("must carry a user and a password in UTF-8, percent-encoded"));
        }
        Ok(url)
    }

    fn read(&self, text: &str) -> Result<Url> {
        if text.len() > MAX_URL_BYTES {
            return Err(refused(format!("must be at most {MAX_URL_BYTES} bytes")));
        }
        if text.chars().any(char::is_control) {
            return Err(refused("must not contain control characters"));
        }
        let url: Url = text.parse().map_err(|_| refused("is not a URL"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refused("must be http:// or https://"));
        }
        match literal(&url) {
            Some(address) if !self.allow_private && !is_public(address) => Err(refused(PRIVATE)),
            _ => Ok(url),
        }
    }

    /// [`Outbound::parse_webhook`], and a look at what the name leads to now. A name that cannot be resolved passes: it may
    /// resolve by the time it is dialled, and is looked at again then.
    ///
    /// # Errors
    /// `invalid_request` naming `url`.
    pub async fn parse_and_look_up(&self, text: &str) -> Result<Url> {
        let url = self.parse_webhook(text)?;
        if let Some(host) = url.host_str().filter(|_| !self.allow_private && literal(&url).is_none())
            && let Ok(Ok(found)) = tokio::time::timeout(LOOKUP_TIMEOUT, tokio::net::lookup_host((host, 0))).await
            && !found.into_iter().all(|address| is_public(address.ip()))
        {
            return Err(refused(PRIVATE));
        }
        Ok(url)
    }

    /// Where a host is reached that is not spoken to over HTTP, if that is allowed.
    ///
    /// # Errors
    /// Why not, in words.
    pub async fn address_of(&self, host: &str, port: u16) -> Result<SocketAddr, String> {
        let host = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(host);
        let found = tokio::time::timeout(LOOKUP_TIMEOUT, tokio::net::lookup_host((host, port))).await;
        let found: Vec<SocketAddr> = match found {
            Ok(Ok(found)) => found.collect(),
            Ok(Err(error)) => return Err(error.to_string()),
            Err(_) => return Err("the name could not be looked up in time".to_owned()),
        };
        if !self.allow_private && !found.iter().all(|address| is_public(address.ip())) {
            return Err(format!("the name {PRIVATE}"));
        }
        found.first().copied().ok_or_else(|| "the name leads nowhere".to_owned())
    }

    /// A request to an address of a customer.
    ///
    /// # Errors
    /// As [`Outbound::parse`]; `internal_error` if this machine cannot make a client.
    pub fn request(&self, method: Method, url: &str) -> Result<RequestBuilder> {
        self.begin(method, self.parse(url)?)
    }

    /// A request to the address of a webhook.
    ///
    /// # Errors
    /// As [`Outbound::parse_webhook`]; `internal_error` if this machine cannot make a client.
    pub fn webhook_request(&self, method: Method, url: &str) -> Result<RequestBuilder> {
        self.begin(method, self.parse_webhook(url)?)
    }

    fn begin(&self, method: Method, url: Url) -> Result<RequestBuilder> {
        let client = self.client.get_or_init(|| client(self.allow_private).map_err(|error| chain(&error)));
        let client = client.as_ref().map_err(|error| Error::Internal(format!("no HTTP client: {error}")))?;
        Ok(client.request(method, url).timeout(Duration::from_millis(self.timeout_ms.load(Ordering::Relaxed))))
    }

    /// Whether a request got no answer because its address leads inside.
    #[must_use]
    pub fn has_refused(&self, error: &reqwest::Error) -> bool {
        is_refusal(error)
    }

    /// Why a request got no answer, in words for whoever gave the address.
    #[must_use]
    pub fn describe(&self, error: &reqwest::Error) -> String {
        let text = if is_refusal(error) {
            format!("the address {PRIVATE}")
        } else if error.is_timeout() {
            format!("no answer within {} ms", self.timeout_ms.load(Ordering::Relaxed))
        } else if error.is_connect() {
            format!("no connection: {}", root(error))
        } else {
            format!("the connection broke off: {}", root(error))
        };
        text.chars().take(MAX_REASON_CHARS).collect()
    }
}

fn client(allow_private: bool) -> Result<Client, reqwest::Error> {
    Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_max_idle_per_host(IDLE_PER_HOST)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .tcp_nodelay(true)
        .user_agent(concat!("Quartermaster/", env!("CARGO_PKG_VERSION")))
        .dns_resolver(Arc::new(Resolver { allow_private }))
        .build()
}

/// Looks names up and refuses those that lead inside.
struct Resolver {
    allow_private: bool,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if allow_private || found.iter().all(|address| is_public(address.ip())) {
                Ok(Box::new(found.into_iter()) as Addrs)
            } else {
                Err(Refusal.into())
            }
        })
    }
}

/// A name leads inside.
#[derive(Debug, thiserror::Error)]
#[error("the name {PRIVATE}")]
struct Refusal;

fn is_refusal(error: &reqwest::Error) -> bool {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(current) = cause {
        if current.is::<Refusal>() {
            return true;
        }
        cause = current.source();
    }
    false
}

fn root(error: &reqwest::Error) -> String {
    let mut current: &dyn StdError = error;
    while let Some(source) = current.source() {
        current = source;
    }
    current.to_string()
}

fn chain(error: &reqwest::Error) -> String {
    format!("{error}: {}", root(error))
}

fn refused(reason: impl Into<String>) -> Error {
    Error::field("url", reason)
}

/// The host, if it is written as an address. The URL has brought all spellings of one (`0x7f.1`) into one form.
fn literal(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    let host = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(host);
    host.parse().ok()
}

/// Whether an address belongs to the public Internet. Forms of IPv6 that carry an IPv4 address are not looked into:
/// nobody is reached by them only.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => is_public_v4(four),
        IpAddr::V6(six) => is_public_v6(six),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_reserved = matches!(
        (a, b, c),
        // This network, private, shared, loopback, link-local, private.
        (0 | 10 | 127, _, _) | (100, 64..=127, _) | (169, 254, _) | (172, 16..=31, _) | (192, 168, _)
            // Protocol assignments, documentation, the relays of 6to4, benchmarks, documentation.
            | (192, 0, 0 | 2) | (192, 88, 99) | (198, 18..=19, _) | (198, 51, 100) | (203, 0, 113)
            // Multicast, reserved, broadcast.
            | (224..=255, _, _)
    );
    !is_reserved
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    // Global unicast is 2000::/3; loopback, unspecified, mapped, compatible, NAT64, unique-local, link-local and
    // multicast addresses lie outside. Inside it: protocol assignments (Teredo among them), documentation, 6to4.
    let is_global = a & 0xe000 == 0x2000;
    let is_reserved = (a == 0x2001 && (b < 0x0200 || b == 0x0db8)) || a == 0x2002 || (a == 0x3fff && b < 0x1000);
    is_global && !is_reserved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_public_internet_are_public() {
        for public in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "169.253.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "192.167.0.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "2a00:1450::1",
            "3fff:1000::1",
        ] {
            assert!(is_public(public.parse().expect("an address")), "{public}");
        }
        for private in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::8.8.8.8",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:10::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(private.parse().expect("an address")), "{private}");
        }
    }

    #[test]
    fn addresses_in_urls_are_looked_at_in_every_spelling() {
        let guard = Outbound::new(false);
        for good in ["https://example.com/hook?x=1", "http://1.1.1.1:8080/", "https://[2606:4700::1111]/", "HTTP://A.b"]
        {
            assert!(guard.parse(good).is_ok(), "{good}");
        }
        let long = format!("https://example.com/{}", "x".repeat(MAX_URL_BYTES));
        for bad in [
            "",
            "example.com",
            "/hook",
            "ftp://example.com",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "https://user@example.com",
            "https://user:password@example.com",
            "https://:password@example.com",
            "http://127.0.0.1/",
            "http://127.1/",
            "http://127.0.0.1./",
            "http://0x7f.0.0.1/",
            "http://0177.0.0.1/",
            "http://2130706433/",
            "http://0/",
            "http://169.254.169.254/latest/meta-data",
            "http://[::1]:8080/",
            "http://[::ffff:127.0.0.1]/",
            "http://[64:ff9b::a9fe:a9fe]/",
            "http://[fe80::1]/",
            &long,
        ] {
            let refusal = guard.parse(bad).expect_err(bad);
            assert!(matches!(refusal, Error::InvalidField { field: "url", .. }), "{bad}: {refusal}");
        }
        let lenient = Outbound::new(true);
        assert!(lenient.parse("http://127.0.0.1/").is_ok());
        assert!(lenient.parse("http://u@127.0.0.1/").is_err());
        for good in ["https://user@example.com", "https://user:p%40ss@example.com", "https://:password@example.com"] {
            assert!(guard.parse_webhook(good).is_ok(), "{good}");
        }
        for bad in ["https://%ff@example.com", "https://user:%ff@example.com", "https://1.1.1.1@127.0.0.1/"] {
            assert!(guard.parse_webhook(bad).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn names_that_lead_inside_are_refused() {
        let guard = Outbound::new(false);
        let refusal = guard.parse_and_look_up("http://localhost:1/").await.expect_err("a refusal");
        assert!(refusal.to_string().contains("not public"), "{refusal}");
        let request = guard.request(Method::POST, "http://localhost:1/").expect("a request");
        let refusal = request.send().await.expect_err("a refusal");
        assert_eq!(guard.describe(&refusal), "the address leads to an address that is not public");
        for host in ["localhost", "127.0.0.1", "[::1]"] {
            assert!(guard.address_of(host, 25).await.is_err_and(|reason| reason.contains("not public")), "{host}");
        }
        let lenient = Outbound::new(true);
        assert!(lenient.address_of("[::1]", 25).await.is_ok_and(|address| address.port() == 25));
        assert!(lenient.parse_and_look_up("http://localhost:1/").await.is_ok());
        let unanswered = lenient.request(Method::POST, "http://localhost:1/").expect("a request");
        let unanswered = unanswered.send().await.expect_err("nobody listens there");
        assert!(lenient.describe(&unanswered).starts_with("no connection: "));
        let unanswered = lenient.webhook_request(Method::POST, "http://ann:secret@localhost:1/").expect("a request");
        let unanswered = unanswered.send().await.expect_err("nobody listens there");
        let said = [lenient.describe(&unanswered), unanswered.to_string(), format!("{unanswered:?}")];
        assert!(said.iter().all(|text| !text.contains("secret")), "{said:?}");
    }
}
