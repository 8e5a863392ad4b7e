//! The admin API's section of the configuration.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use bulkhead_core::time::Span;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::values::{Limit, Setting, Value};

/// The port when nobody says otherwise.
const USUAL_PORT: u16 = 7373;

/// Where the admin API and the dashboard are served, and how much may be asked of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Api {
    /// The address and port; port 0 takes any that is free.
    pub listen: Limit<SocketAddr>,
    /// Whether the address may be one that other machines reach.
    pub allow_remote: bool,
    /// Requests of one token in a minute, at least 1; an address may send four times as many.
    pub requests_per_minute: Setting<u32>,
    /// Connections at a time, at least 1, those with live updates among them.
    pub connections: Setting<u32>,
    /// Connections of one address at a time, at least 1; those of this machine itself are not counted.
    pub connections_per_address: Setting<u32>,
    /// How long a login lasts, above 0.
    pub session: Setting<Span>,
    /// Proxies that are believed when they say whom they ask for, in the header `X-Forwarded-For`: limits by address are
    /// for that one then.
    pub trusted_proxies: Vec<Setting<IpNet>>,
    /// Names by which it is reached, besides addresses, localhost and those of `origins`: a proxy's, for instance.
    pub hosts: Vec<String>,
    /// Pages of other origins that may use the API from a browser, such as `https://desk.example.org`.
    pub origins: Vec<String>,
    /// A file with a certificate chain in PEM; then the API speaks TLS only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// The file with the certificate's private key in PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_key: Option<PathBuf>,
    /// The largest plugin file that may be uploaded, in bytes.
    pub largest_upload: Setting<u32>,
    /// Wallets whose holders may log in, by address.
    pub wallets: BTreeMap<String, Wallet>,
}

/// What the holder of a wallet may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wallet {
    /// In this account alone.
    pub account: String,
    /// As much as holders of a token with this role.
    pub role: WalletRole,
}

/// The roles that the holder of a wallet may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WalletRole {
    /// Read everything of the account.
    Viewer,
    /// Order, and close positions.
    Trader,
    /// Halt and resume, change weights, modes and parameters.
    Operator,
}

impl Default for Api {
    fn default() -> Self {
        Self {
            listen: Limit(Some(SocketAddr::from((Ipv4Addr::LOCALHOST, USUAL_PORT)))),
            allow_remote: false,
            requests_per_minute: Setting(600),
            connections: Setting(1_024),
            connections_per_address: Setting(128),
            session: Setting(Span::from_seconds(12 * 3_600)),
            trusted_proxies: Vec::new(),
            hosts: Vec::new(),
            origins: Vec::new(),
            certificate: None,
            certificate_key: None,
            largest_upload: Setting(16 * 1024 * 1024),
            wallets: BTreeMap::new(),
        }
    }
}

impl Value for SocketAddr {
    const ALLOWED: &'static str = "an address with a port such as \"127.0.0.1:7373\"";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// One without a length is the address alone. All addresses there are is none: then anybody could pass for anybody.
impl Value for IpNet {
    const ALLOWED: &'static str =
        "an address or a network smaller than all there are, such as \"10.0.0.2\" or \"172.18.0.0/16\",";

    fn parse(text: &str) -> Option<Self> {
        let alone = || text.parse::<IpAddr>().ok().map(|address| address.to_canonical().into());
        let network = || text.parse::<Self>().ok().filter(|network| network.prefix_len() > 0);
        alone().or_else(network)
    }

    fn show(&self) -> String {
        self.trunc().to_string()
    }
}

impl Api {
    /// What is out of range: the key, what was found, and what is allowed.
    pub(crate) fn problems(&self) -> Vec<(&'static str, String, &'static str)> {
        let mut problems = Vec::new();
        for (key, count) in [
            ("api.requests_per_minute", self.requests_per_minute.0),
            ("api.connections", self.connections.0),
            ("api.connections_per_address", self.connections_per_address.0),
            ("api.largest_upload", self.largest_upload.0),
        ] {
            if count == 0 {
                problems.push((key, count.to_string(), "a number above 0 is expected"));
            }
        }
        if self.session.0 <= Span::from_nanos(0) {
            problems.push(("api.session", self.session.0.show(), "a length of time above 0 is expected"));
        }
        if let Some(address) = self.listen.0
            && !address.ip().is_loopback()
            && !self.allow_remote
        {
            let allowed = "other machines could reach it: an address such as 127.0.0.1 is expected, or \
                           api.allow_remote = true, with api.certificate or an encrypting proxy before it";
            problems.push(("api.listen", address.to_string(), allowed));
        }
        for host in &self.hosts {
            if host.is_empty() || host.contains(['/', ':', '*', ' ']) {
                let allowed = "a name without a port is expected, as in trading.example.org";
                problems.push(("api.hosts", host.clone(), allowed));
            }
        }
        for origin in &self.origins {
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            if host.is_none_or(|host| host.is_empty() || host.contains(['/', '*', ' '])) {
                let allowed = "a scheme and a host are expected, as in https://desk.example.org";
                problems.push(("api.origins", origin.clone(), allowed));
            }
        }
        if self.certificate.is_some() != self.certificate_key.is_some() {
            let allowed = "api.certificate and api.certificate_key belong together";
            problems.push(("api.certificate", String::new(), allowed));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_addresses_and_networks_but_not_everybody() {
        for (text, shown) in [
            ("10.0.0.2", "10.0.0.2/32"),
            ("::1", "::1/128"),
            ("::ffff:10.0.0.2", "10.0.0.2/32"),
            ("172.18.0.5/16", "172.18.0.0/16"),
            ("fd00::/8", "fd00::/8"),
        ] {
            assert_eq!(IpNet::parse(text).map(|network| network.show()), Some(shown.to_owned()), "{text}");
        }
        for text in ["", "proxy", "10.0.0", "10.0.0.0/33", "0.0.0.0/0", "::/0", "10.0.0.2:80", "10.0.0.2/"] {
            assert_eq!(IpNet::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_defaults_have_no_problem() {
        assert_eq!(Api::default().problems(), []);
    }

    #[test]
    fn what_others_could_reach_must_be_asked_for() {
        let listen = Limit(Some("0.0.0.0:7373".parse().unwrap()));
        let mut api = Api { listen, ..Api::default() };
        assert_eq!(api.problems()[0].0, "api.listen");
        api.allow_remote = true;
        assert_eq!(api.problems(), []);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let api = Api {
            requests_per_minute: Setting(0),
            session: Setting(Span::from_seconds(0)),
            hosts: vec!["trading.example.org:443".to_owned()],
            origins: vec!["desk.example.org".to_owned(), "https://a/b".to_owned()],
            certificate: Some("chain.pem".into()),
            ..Api::default()
        };
        let keys: Vec<_> = api.problems().into_iter().map(|(key, ..)| key).collect();
        let expected = [
            "api.requests_per_minute",
            "api.session",
            "api.hosts",
            "api.origins",
            "api.origins",
            "api.certificate",
        ];
        assert_eq!(keys, expected);
    }
}
