//! Whose request this is, by network address (matrix SE-07).

use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap};
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

/// The header by which proxies tell the address that they were asked from.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// Whoever is at the other end, as far as limits tell people apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer(Option<IpAddr>);

impl Peer {
    /// The address that is connected; where that is one of `proxies`, the address that it names. A name that a client wrote itself stands left of
    /// what the proxies added, and is not looked at.
    pub(crate) fn of(extensions: &Extensions, headers: &HeaderMap, proxies: &[IpNet]) -> Peer {
        let Some(ConnectInfo(connected)) = extensions.get::<ConnectInfo<SocketAddr>>() else { return Peer(None) };
        let is_proxy = |address: IpAddr| proxies.iter().any(|net| net.contains(&address));
        let mut address = connected.ip().to_canonical();
        if !is_proxy(address) {
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

    /// What it is counted by; `None` where it is not known. An IPv6 customer has a whole /64 to choose addresses from.
    pub(crate) fn name(self) -> Option<String> {
        Some(match self.0? {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
        })
    }
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
        let proxies: Vec<IpNet> = proxies.iter().map(|net| net.parse().expect("a net")).collect();
        Peer::of(&extensions, &headers, &proxies).name().expect("an address")
    }

    #[test]
    fn se_07_a_forwarded_address_counts_only_from_a_configured_proxy_and_only_what_it_added() {
        assert_eq!(peer("203.0.113.7", &["198.51.100.1"], &[]), "203.0.113.7", "nobody is trusted by default");
        assert_eq!(peer("203.0.113.7", &["198.51.100.1"], &["10.0.0.0/8"]), "203.0.113.7", "not a proxy");
        let one = &["10.0.0.0/8"][..];
        assert_eq!(peer("10.1.2.3", &["198.51.100.1"], one), "198.51.100.1");
        assert_eq!(peer("10.1.2.3", &["6.6.6.6, 198.51.100.1"], one), "198.51.100.1", "the client wrote the left one");
        assert_eq!(peer("10.1.2.3", &["6.6.6.6", "198.51.100.1, 10.9.9.9"], one), "198.51.100.1", "two proxies");
        assert_eq!(peer("10.1.2.3", &["198.51.100.1, nonsense"], one), "10.1.2.3", "not an address: the proxy itself");
        assert_eq!(peer("10.1.2.3", &[], one), "10.1.2.3");
        assert_eq!(peer("::ffff:10.1.2.3", &["198.51.100.1:8080"], one), "198.51.100.1");
        assert_eq!(peer("10.1.2.3", &["[2001:db8:1:2:3::4]:99"], one), "2001:db8:1:2::/64");
        assert_eq!(peer("2001:db8:1:2:ffff::1", &[], &[]), "2001:db8:1:2::/64");
    }
}
