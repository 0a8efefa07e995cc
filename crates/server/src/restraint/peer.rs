//! Whose request this is, by network address (matrix SE-07).

use crate::doorway::Options;
use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap};
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Once;

/// The header by which proxies tell the address that they were asked from.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// Whoever is at the other end, as far as limits tell people apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer(Option<IpAddr>);

impl Peer {
    /// The address that is connected; where that is one of the trusted proxies, the address that it names. A name that a client wrote itself
    /// stands left of what the proxies added, and is not looked at.
    pub(crate) fn of(extensions: &Extensions, headers: &HeaderMap, options: &Options) -> Peer {
        let Some(ConnectInfo(connected)) = extensions.get::<ConnectInfo<SocketAddr>>() else { return Peer(None) };
        if options.unnamed_proxy {
            return Peer(None);
        }
        let is_proxy = |address: IpAddr| options.trusted_proxies.iter().any(|net| net.contains(&address));
        let mut address = connected.ip().to_canonical();
        if !is_proxy(address) {
            if is_of_this_network(address) && headers.contains_key(FORWARDED_FOR) {
                warn_of_unnamed(address);
            }
            return Peer(Some(address));
        }
        let named = headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
        let named: Vec<&str> = named.flat_map(|value| value.split(',')).map(str::trim).collect();
        for text in named.into_iter().rev() {
            let Some(next) = parse(text) else { break };
            address = next;
            if !is_proxy(address) {
                break;
            }
        }
        Peer(Some(address))
    }

    /// The address that it is counted by; `None` where it is not known. An IPv6 customer has a whole /64 to choose addresses from.
    pub(crate) fn address(self) -> Option<String> {
        self.net(32, 64)
    }

    /// The smallest network that is rented, routed and blocked as one.
    pub(crate) fn network(self) -> Option<String> {
        self.net(24, 48)
    }

    fn net(self, v4: u8, v6: u8) -> Option<String> {
        let address = self.0?;
        let bits = if address.is_ipv4() { v4 } else { v6 };
        let net = IpNet::new(address, bits).expect("invariant: no more bits than the address has");
        Some(net.trunc().to_string())
    }
}

/// Where a proxy of ours may stand. Others write the header as they like, and would fill the log.
fn is_of_this_network(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_private(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local(),
    }
}

/// Says once that everybody is taken for one, as far as limits go.
fn warn_of_unnamed(address: IpAddr) {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        tracing::warn!(
            %address,
            "requests come with X-Forwarded-For from an address that trusted_proxies does not name: if that is a proxy, all that it passes on \
             are held back for the failures of one; name it"
        );
    });
}

/// `203.0.113.7`, `203.0.113.7:1234`, `2001:db8::1`, `[2001:db8::1]:1234`.
fn parse(text: &str) -> Option<IpAddr> {
    let address = text.parse::<IpAddr>().ok();
    let address = address.or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    address.or_else(bracketed).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(connected: &str, forwarded: &[&str], proxies: &[&str]) -> String {
        let mut extensions = Extensions::new();
        let connected: IpAddr = connected.parse().expect("an address");
        extensions.insert(ConnectInfo(SocketAddr::new(connected, 4711)));
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, value.parse().expect("a value"));
        }
        let trusted_proxies = proxies.iter().map(|net| net.parse().expect("a net")).collect();
        Peer::of(&extensions, &headers, &Options { trusted_proxies, ..Options::default() })
            .address()
            .expect("an address")
    }

    #[test]
    fn se_07_a_forwarded_address_counts_only_from_a_configured_proxy_and_only_what_it_added() {
        assert_eq!(peer("203.0.113.7", &["198.51.100.1"], &[]), "203.0.113.7/32", "nobody is trusted by default");
        assert_eq!(peer("203.0.113.7", &["198.51.100.1"], &["10.0.0.0/8"]), "203.0.113.7/32", "not a proxy");
        let one = &["10.0.0.0/8"][..];
        assert_eq!(peer("10.1.2.3", &["198.51.100.1"], one), "198.51.100.1/32");
        assert_eq!(
            peer("10.1.2.3", &["6.6.6.6, 198.51.100.1"], one),
            "198.51.100.1/32",
            "the client wrote the left one"
        );
        assert_eq!(peer("10.1.2.3", &["6.6.6.6", "198.51.100.1, 10.9.9.9"], one), "198.51.100.1/32", "two proxies");
        assert_eq!(
            peer("10.1.2.3", &["198.51.100.1, nonsense"], one),
            "10.1.2.3/32",
            "not an address: the proxy itself"
        );
        assert_eq!(peer("10.1.2.3", &[], one), "10.1.2.3/32");
        assert_eq!(peer("::ffff:10.1.2.3", &["198.51.100.1:8080"], one), "198.51.100.1/32");
        assert_eq!(peer("10.1.2.3", &["[2001:db8:1:2:3::4]:99"], one), "2001:db8:1:2::/64");
        assert_eq!(peer("2001:db8:1:2:ffff::1", &[], &[]), "2001:db8:1:2::/64");
    }
}
