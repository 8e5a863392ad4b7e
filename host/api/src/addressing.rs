//! Under which names the host is asked for. A page of a stranger can give its own name the host's address: a browser
//! then takes the host for that page's own, unless the host knows its names.

use std::net::IpAddr;

use axum::http::{HeaderMap, header};

use crate::problem::{Kind, Problem};

/// Refuses requests that are for somebody else: by an address everybody may ask, as no stranger's page has one; by a
/// name only if it is this machine's own or the configuration knows it.
pub(crate) fn addressed(hosts: &[String], origins: &[String], headers: &HeaderMap) -> Result<(), Problem> {
    let mut asked = headers.get_all(header::HOST).iter();
    let host = match (asked.next(), asked.next()) {
        // No browser leaves it out.
        (None, _) => return Ok(()),
        (Some(host), None) => host.to_str().unwrap_or_default(),
        (Some(_), Some(_)) => return Err(Problem::new(Kind::Misdirected, "one Host header is expected")),
    };
    if is_known(hosts, origins, without_port(host)) {
        return Ok(());
    }
    Err(Problem::new(
        Kind::Misdirected,
        "the host does not go by the name in the header Host; put the name into api.hosts if it is its own",
    ))
}

/// Whether a wallet can be asked to log in at this host. Any address would do for a stranger's page that is reached by
/// its own, so it must be this host's.
pub(crate) fn signs_for(listen: IpAddr, hosts: &[String], origins: &[String], host: &str) -> bool {
    let name = without_port(host);
    match address(name) {
        Some(address) => {
            let known = hosts.iter().any(|known| known.parse() == Ok(address));
            address.is_loopback() || address == listen && !listen.is_unspecified() || known
        }
        None => is_known(hosts, origins, name),
    }
}

fn is_known(hosts: &[String], origins: &[String], name: &str) -> bool {
    let of_origins = origins.iter().filter_map(|origin| Some(without_port(origin.split_once("://")?.1)));
    let mut known = hosts.iter().map(String::as_str).chain(of_origins);
    is_local(name) || known.any(|known| known.eq_ignore_ascii_case(name))
}

fn is_local(name: &str) -> bool {
    let is_address = address(name).is_some();
    let name = name.trim_end_matches('.');
    is_address || name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost")
}

/// The address that a name is, in brackets if it is of version 6.
fn address(name: &str) -> Option<IpAddr> {
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    bare.parse().ok()
}

/// The name or address in a host with or without a port.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !host.ends_with(']') => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(hosts: &[&str]) -> Result<(), Kind> {
        let own = ["trading.example.org".to_owned()];
        let origins = ["https://desk.example.org:8443".to_owned()];
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, host.parse().unwrap());
        }
        addressed(&own, &origins, &headers).map_err(|problem| problem.kind)
    }

    #[test]
    fn addresses_and_known_names_are_the_hosts_own() {
        let own = [
            "127.0.0.1:7373",
            "127.0.0.1",
            "[::1]:7373",
            "[::1]",
            "192.168.1.7:80",
            "localhost:7373",
            "LOCALHOST",
            "desk.localhost",
            "trading.example.org",
            "Trading.Example.org:443",
            "desk.example.org",
        ];
        for host in own {
            assert_eq!(answer(&[host]), Ok(()), "{host}");
        }
        assert_eq!(answer(&[]), Ok(()));
    }

    #[test]
    fn wallets_sign_for_this_host_alone() {
        let own = ["trading.example.org".to_owned(), "10.0.0.9".to_owned()];
        let signs = |listen: &str, host: &str| signs_for(listen.parse().unwrap(), &own, &[], host);
        for host in
            ["127.0.0.1:7373", "[::1]:7373", "localhost", "trading.example.org", "10.0.0.9", "10.0.0.7:80"]
        {
            assert!(signs("10.0.0.7", host), "{host}");
        }
        for host in ["6.6.6.6", "evil.example", "10.0.0.8:80", "0.0.0.0"] {
            assert!(!signs("10.0.0.7", host), "{host}");
            assert!(!signs("0.0.0.0", host), "{host}");
        }
    }

    #[test]
    fn a_strangers_name_is_refused() {
        let strange =
            ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "example.org", "", "a:b"];
        for host in strange {
            assert_eq!(answer(&[host]), Err(Kind::Misdirected), "{host}");
        }
        assert_eq!(answer(&["localhost", "evil.example"]), Err(Kind::Misdirected));
    }
}
