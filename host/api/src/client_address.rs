//! Whose request it is, by address. Behind a proxy everybody comes from the proxy's: then it is the proxy that says who
//! asked, and only one that the configuration trusts is believed.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use ipnet::IpNet;

/// Where proxies say whom they ask for: each adds who asked it at the end. The header `Forwarded` of RFC 7239 is not
/// looked at: a proxy that does not know it hands on what its client made up.
const HEADER: &str = "x-forwarded-for";

/// The address that a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

impl ClientAddress {
    /// The last address on the way here that is not a trusted proxy's. What was said before it may be made up. A trusted
    /// proxy that says nothing legible is taken for the client itself.
    pub(crate) fn of(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        let mut client = peer.to_canonical();
        // Several headers of the same name are one list.
        let entries = headers.get_all(HEADER).iter().rev();
        let mut entries = entries.flat_map(|value| value.to_str().unwrap_or_default().rsplit(','));
        while is_trusted(client, trusted)
            && let Some(said) = entries.next().and_then(address)
        {
            client = said;
        }
        Self(client)
    }
}

/// Whether an address is one of these networks'.
pub(crate) fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    let address = address.to_canonical();
    trusted.iter().any(|network| network.contains(&address))
}

/// The address of an entry. Some proxies write the port, too, and then one of version 6 in brackets.
fn address(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim();
    let bare = || entry.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    let with_port = || entry.parse::<SocketAddr>().ok().map(|address| address.ip());
    entry.parse::<IpAddr>().ok().or_else(bare).or_else(with_port).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXIES: [&str; 3] = ["127.0.0.1/32", "10.0.0.0/8", "fd00::/8"];

    fn client(peer: &str, said: &[&str]) -> String {
        let trusted: Vec<IpNet> = PROXIES.iter().map(|network| network.parse().unwrap()).collect();
        let mut headers = HeaderMap::new();
        for said in said {
            headers.append(HEADER, axum::http::HeaderValue::from_bytes(said.as_bytes()).unwrap());
        }
        ClientAddress::of(peer.parse().unwrap(), &headers, &trusted).0.to_string()
    }

    #[test]
    fn a_trusted_proxy_says_who_asks() {
        assert_eq!(client("127.0.0.1", &["192.0.2.7"]), "192.0.2.7");
        assert_eq!(client("fd00::1", &["2001:db8::7"]), "2001:db8::7");
        assert_eq!(client("::ffff:10.0.0.1", &["::ffff:192.0.2.7"]), "192.0.2.7");
        for said in ["192.0.2.7:4711", "  192.0.2.7\t", "[::ffff:192.0.2.7]", "[::ffff:192.0.2.7]:4711"] {
            assert_eq!(client("127.0.0.1", &[said]), "192.0.2.7", "{said}");
        }
        assert_eq!(client("127.0.0.1", &["[2001:db8::7]:80"]), "2001:db8::7");
    }

    #[test]
    fn nobody_else_is_believed() {
        assert_eq!(client("192.0.2.1", &["192.0.2.7"]), "192.0.2.1");
        assert_eq!(client("2001:db8::1", &["127.0.0.1, 10.0.0.1"]), "2001:db8::1");
        // A network of version 4 is none of version 6 that looks like it.
        assert_eq!(client("::10.0.0.1", &["192.0.2.7"]), "::a00:1");
    }

    #[test]
    fn what_a_client_made_up_before_the_proxies_is_not_looked_at() {
        assert_eq!(client("127.0.0.1", &["198.51.100.1, 192.0.2.7"]), "192.0.2.7");
        assert_eq!(client("127.0.0.1", &["10.0.0.9, 192.0.2.7"]), "192.0.2.7");
        // Two proxies, in one header or in two.
        assert_eq!(client("127.0.0.1", &["198.51.100.1, 192.0.2.7, 10.0.0.2"]), "192.0.2.7");
        assert_eq!(client("127.0.0.1", &["198.51.100.1, 192.0.2.7", "10.0.0.2"]), "192.0.2.7");
        assert_eq!(client("127.0.0.1", &["198.51.100.1", "192.0.2.7, 10.0.0.2"]), "192.0.2.7");
        // A client inside of the trusted network.
        assert_eq!(client("127.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
    }

    #[test]
    fn what_is_not_legible_ends_the_way() {
        for said in
            ["", ",", "unknown", "_hidden", "192.0.2", "192.0.2.7,", "192.0.2.7, ~", "ä", "for=192.0.2.7"]
        {
            assert_eq!(client("127.0.0.1", &[said]), "127.0.0.1", "{said}");
        }
        assert_eq!(client("127.0.0.1", &["192.0.2.7, nonsense, 10.0.0.2"]), "10.0.0.2");
        assert_eq!(client("127.0.0.1", &[]), "127.0.0.1");
        let long = "1,".repeat(16_000);
        assert_eq!(client("127.0.0.1", &[&long]), "127.0.0.1");
        let long = "10.0.0.1,".repeat(3_000) + "10.0.0.2";
        assert_eq!(client("127.0.0.1", &[&long]), "10.0.0.1");
    }
}
