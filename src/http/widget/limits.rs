//! How often one address, one widget and one visitor may call this process. Whole companies sit behind one address, so
//! its limits are wide; a visitor's are those of a person who types.

use std::{hash::Hash, net::IpAddr, num::NonZeroU32, time::Duration};

use entity::id::{ChannelId, VisitorId};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use poem::Request;

use crate::error::{Error, Result};

/// How many keys a limit remembers before it forgets those that are full again.
const REMEMBERED: usize = 100_000;
const FORWARDED: &str = "x-forwarded-for";

/// The limits of the widgets.
pub(super) struct VisitorLimits {
    addresses: DefaultKeyedRateLimiter<IpAddr>,
    newcomers: DefaultKeyedRateLimiter<IpAddr>,
    widgets: DefaultKeyedRateLimiter<ChannelId>,
    visitors: DefaultKeyedRateLimiter<VisitorId>,
    writers: DefaultKeyedRateLimiter<VisitorId>,
}

impl Default for VisitorLimits {
    fn default() -> Self {
        Self {
            addresses: limiter::<_, 40, 400>(),
            newcomers: limiter::<_, 5, 100>(),
            widgets: limiter::<_, 50, 500>(),
            visitors: limiter::<_, 4, 40>(),
            writers: limiter::<_, 1, 10>(),
        }
    }
}

fn limiter<K: Clone + Eq + Hash, const PER_SECOND: u32, const AT_ONCE: u32>() -> DefaultKeyedRateLimiter<K> {
    const { assert!(PER_SECOND > 0 && AT_ONCE > 0) }
    let some = |count| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
    RateLimiter::keyed(Quota::per_second(some(PER_SECOND)).allow_burst(some(AT_ONCE)))
}

impl VisitorLimits {
    /// Passes unless too much comes from this address.
    pub(super) fn pace_address(&self, address: Option<IpAddr>) -> Result<()> {
        address.map_or(Ok(()), |address| pace(&self.addresses, &address))
    }

    /// Passes unless too many visitors come from this address or to this widget.
    pub(super) fn pace_newcomer(&self, address: Option<IpAddr>, channel: ChannelId) -> Result<()> {
        address.map_or(Ok(()), |address| pace(&self.newcomers, &address))?;
        pace(&self.widgets, &channel)
    }

    /// Passes unless this visitor calls too often.
    pub(super) fn pace_visitor(&self, visitor: VisitorId) -> Result<()> {
        pace(&self.visitors, &visitor)
    }

    /// Passes unless this visitor writes too often.
    pub(super) fn pace_writer(&self, visitor: VisitorId) -> Result<()> {
        pace(&self.writers, &visitor)
    }
}

fn pace<K: Clone + Eq + Hash>(limiter: &DefaultKeyedRateLimiter<K>, key: &K) -> Result<()> {
    if limiter.len() > REMEMBERED {
        limiter.retain_recent();
    }
    limiter.check_key(key).map_err(|_| Error::TooManyRequests { retry_after: Duration::from_secs(1) })
}

/// Where a request comes from. Behind a proxy, which is in our own network, that is what the proxy says; whoever calls
/// directly is not believed.
pub(super) fn address(request: &Request) -> Option<IpAddr> {
    let peer = request.remote_addr().as_socket_addr()?.ip().to_canonical();
    Some(address_behind(peer, request.header(FORWARDED)))
}

fn address_behind(peer: IpAddr, forwarded: Option<&str>) -> IpAddr {
    let nearest = forwarded.filter(|_| is_inside(peer)).and_then(|list| list.rsplit(',').next()?.trim().parse().ok());
    nearest.unwrap_or(peer)
}

const fn is_inside(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_believed_only_from_inside() {
        let from = |peer: &str, forwarded: Option<&str>| {
            address_behind(peer.parse().expect("an address"), forwarded).to_string()
        };
        assert_eq!(from("203.0.113.7", Some("198.51.100.1")), "203.0.113.7");
        assert_eq!(from("10.0.0.2", Some("198.51.100.1, 203.0.113.9")), "203.0.113.9");
        assert_eq!(from("10.0.0.2", Some("nonsense")), "10.0.0.2");
        assert_eq!(from("127.0.0.1", None), "127.0.0.1");
    }

    #[test]
    fn who_writes_too_often_is_told_to_wait() {
        let limits = VisitorLimits::default();
        let visitor = VisitorId("01930000-0000-7000-8000-000000000001".parse().expect("a uuid"));
        let refused = (0..20).filter(|_| limits.pace_writer(visitor).is_err()).count();
        assert!((9..=10).contains(&refused), "{refused}");
    }
}
