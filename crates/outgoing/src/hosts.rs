//! Which hosts may be called.
//!
//! The *name* is what the operator lists, and two checks follow from it:
//!
//! 1. [`AllowedHosts::check`] compares the host and the port of a URL with the list. An
//!    address in a URL is compared as an address, in whatever notation it came
//!    (`127.1`, `0x7f000001`, `[::ffff:127.0.0.1]`).
//! 2. `AllowedHosts::may_resolve_to` is asked by the resolver for every address of a
//!    name. A listed name may live anywhere, also in a private network, but `localhost`
//!    (and whatever ends in it) must be a loopback address, and any other name must not be
//!    a loopback, link-local (where clouds keep their metadata service), unspecified or
//!    multicast address, unless that address is listed by itself and for every port. So a
//!    name under somebody else's control cannot be pointed at this machine's own services.
//!
//! A wildcard trusts everyone who can create a name below it: list one only for a domain
//! of your own.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use reqwest::Url;
use serde::{Deserialize, Serialize};

use crate::error::CallError;

/// The longest URL that is called, in bytes.
pub const URL_BYTES_MAX: usize = 2_048;

/// The most entries a list may have.
pub const ALLOWED_HOSTS_MAX: usize = 256;

/// The entry that stands for this machine: 127.0.0.0/8, `::1` and `localhost`.
const LOOPBACK: &str = "loopback";

/// The hosts that may be called.
///
/// Entries: `loopback`, `host`, `host:port`, `192.0.2.1`, `192.0.2.1:8080`, `2001:db8::1`,
/// `[2001:db8::1]:8080`, `*.example.com` (every name below it, not `example.com` itself)
/// and `*.example.com:8443`. Without a port every port is allowed. The default is
/// `loopback`; an empty list allows nothing.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct AllowedHosts(Arc<[Entry]>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    Loopback,
    Address { address: IpAddr, port: Option<u16> },
    Name { name: String, port: Option<u16> },
    Below { domain: String, port: Option<u16> },
}

/// An entry of the list that cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("allowed host `{entry}`: {reason}")]
pub struct InvalidHost {
    pub entry: String,
    pub reason: &'static str,
}

/// A URL that was found to be one we may call. Shown without its query.
#[derive(Clone)]
pub struct Target {
    pub(crate) url: Url,
}

impl AllowedHosts {
    /// This machine only: 127.0.0.0/8, `::1` and `localhost`, on every port.
    pub fn loopback() -> Self {
        Self(Arc::new([Entry::Loopback]))
    }

    /// Reads a list of entries; the first that is not valid is the error.
    pub fn new(entries: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, InvalidHost> {
        let mut list = Vec::new();
        for entry in entries {
            let entry = entry.as_ref();
            if list.len() == ALLOWED_HOSTS_MAX {
                return Err(invalid(entry, "the list is longer than 256 entries"));
            }
            list.push(Entry::parse(entry)?);
        }
        Ok(Self(list.into()))
    }

    /// The host and port of this URL, and nothing else.
    ///
    /// # Errors
    /// When it is none that could be called at all.
    pub fn only(url: &str) -> Result<Self, CallError> {
        let target = Target::parse(url)?;
        let (host, port) = (target.name(), Some(target.port()));
        let entry = match parse_address(&host) {
            Some(address) => Entry::Address { address, port },
            None => Entry::Name { name: host, port },
        };
        Ok(Self(Arc::new([entry])))
    }

    /// Whether a URL may be called: absolute, http or https, at most [`URL_BYTES_MAX`],
    /// without user and password, its host and port on the list.
    pub fn check(&self, url: &str) -> Result<Target, CallError> {
        let target = Target::parse(url)?;
        let host = target.name();
        let port = target.port();
        let allowed = match parse_address(&host) {
            Some(address) => self.0.iter().any(|entry| entry.has_address(address, port)),
            None => self.0.iter().any(|entry| entry.has_name(&host, port)),
        };
        if !allowed {
            return Err(CallError::NotAllowed {
                host: target.host(),
            });
        }
        Ok(target)
    }

    /// Whether a listed name may be at this address (see the top of the module).
    pub(crate) fn may_resolve_to(&self, name: &str, address: IpAddr) -> bool {
        let address = address.to_canonical();
        if is_localhost(&normal_name(name)) {
            return address.is_loopback();
        }
        if !is_special(address) {
            return true;
        }
        // The port is not known here, so an entry for one port does not count.
        self.0.iter().any(|entry| match entry {
            Entry::Loopback => address.is_loopback(),
            Entry::Address {
                address: listed,
                port: None,
            } => *listed == address,
            Entry::Address { .. } | Entry::Name { .. } | Entry::Below { .. } => false,
        })
    }
}

impl Entry {
    fn parse(text: &str) -> Result<Self, InvalidHost> {
        if text == LOOPBACK {
            return Ok(Self::Loopback);
        }
        if text.is_empty() {
            return Err(invalid(text, "is empty"));
        }
        if text.len() > 300 {
            return Err(invalid(text, "is longer than 300 bytes"));
        }
        if text.contains("://") {
            return Err(invalid(text, "is a URL; give the host, or host:port"));
        }
        if let Ok(address) = text.parse::<Ipv6Addr>() {
            return Ok(Self::Address {
                address: IpAddr::V6(address).to_canonical(),
                port: None,
            });
        }
        let (host, port) = split_port(text)?;
        let (host, wildcard) = match host.strip_prefix("*.") {
            Some(domain) => (domain, true),
            None => (host, false),
        };
        let not_a_host = |c: char| {
            c.is_whitespace() || c.is_control() || matches!(c, '/' | '\\' | '?' | '#' | '@' | '*')
        };
        if host.is_empty() || host.contains(not_a_host) {
            return Err(invalid(text, "is not a host"));
        }
        // The same parser reads the URLs that are compared with it, so that both sides
        // agree on case, on punycode and on the notations of an address.
        let host = Url::parse(&format!("http://{host}/"))
            .ok()
            .filter(|url| url.port().is_none())
            .and_then(|url| url.host_str().map(bare))
            .ok_or_else(|| invalid(text, "is not a host"))?;
        match (parse_address(&host), wildcard) {
            (Some(_), true) => Err(invalid(text, "an address has no names below it")),
            (Some(address), false) => Ok(Self::Address { address, port }),
            (None, true) => Ok(Self::Below { domain: host, port }),
            (None, false) => Ok(Self::Name { name: host, port }),
        }
    }

    fn has_address(&self, address: IpAddr, port: u16) -> bool {
        match self {
            Self::Loopback => address.is_loopback(),
            Self::Address {
                address: listed,
                port: only,
            } => *listed == address && only.is_none_or(|only| only == port),
            Self::Name { .. } | Self::Below { .. } => false,
        }
    }

    fn has_name(&self, name: &str, port: u16) -> bool {
        match self {
            Self::Loopback => name == "localhost",
            Self::Address { .. } => false,
            Self::Name {
                name: listed,
                port: only,
            } => listed == name && only.is_none_or(|only| only == port),
            Self::Below { domain, port: only } => {
                name.strip_suffix(domain.as_str())
                    .is_some_and(|below| below.len() > 1 && below.ends_with('.'))
                    && only.is_none_or(|only| only == port)
            }
        }
    }
}

impl Target {
    fn parse(text: &str) -> Result<Self, CallError> {
        let refuse = |reason| Err(CallError::InvalidUrl { reason });
        if text.len() > URL_BYTES_MAX {
            return refuse("is longer than 2048 bytes");
        }
        // The URL parser would drop these silently; what is stored and shown would then
        // not be what is called.
        if text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\') {
            return refuse("contains white space, a control character or a backslash");
        }
        let scheme = text.split("://").next().filter(|s| s.len() < text.len());
        match scheme.map(str::to_ascii_lowercase).as_deref() {
            Some("http" | "https") => {}
            Some(_) | None => return refuse("is not an absolute http or https URL"),
        }
        let Ok(mut url) = Url::parse(text) else {
            return refuse("is not a valid URL");
        };
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("carries a user or a password");
        }
        if url.port() == Some(0) {
            return refuse("has port 0");
        }
        if url.host_str().is_none_or(|host| bare(host).is_empty()) {
            return refuse("has no host");
        }
        url.set_fragment(None);
        Ok(Self { url })
    }

    /// `host` or `host:port`, as the URL has it.
    pub fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        match self.url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// The host without a port; an IPv6 address without brackets.
    pub fn name(&self) -> String {
        bare(self.url.host_str().unwrap_or_default())
    }

    /// The port that is called, also when the URL does not say it.
    pub fn port(&self) -> u16 {
        self.url
            .port_or_known_default()
            .expect("http and https have a default port")
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(without_query(self.url.as_str()))
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

/// The part of a URL that may be shown: everything before its query.
pub fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

fn invalid(entry: &str, reason: &'static str) -> InvalidHost {
    InvalidHost {
        entry: entry.chars().take(300).collect(),
        reason,
    }
}

/// Splits `host:port`; brackets around an IPv6 address stay with the host.
fn split_port(text: &str) -> Result<(&str, Option<u16>), InvalidHost> {
    if text.ends_with(']') {
        return Ok((text, None));
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return Ok((text, None));
    };
    if host.contains(':') && !host.ends_with(']') {
        return Err(invalid(text, "is neither host:port nor an IPv6 address"));
    }
    match port.parse::<u16>() {
        Ok(number) if number > 0 && port.bytes().all(|b| b.is_ascii_digit()) => {
            Ok((host, Some(number)))
        }
        Ok(_) | Err(_) => Err(invalid(text, "the port is not a number from 1 to 65535")),
    }
}

/// A host as the URL parser gives it, without the brackets of IPv6 and a final dot.
fn bare(host: &str) -> String {
    let host = host
        .strip_prefix('[')
        .and_then(|inner| inner.strip_suffix(']'))
        .unwrap_or(host);
    normal_name(host)
}

fn normal_name(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// An IPv4 address that is written as IPv6 is the IPv4 address.
fn parse_address(host: &str) -> Option<IpAddr> {
    host.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

fn is_localhost(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

fn is_special(address: IpAddr) -> bool {
    address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || match address {
            IpAddr::V4(v4) => {
                v4.is_link_local() || v4 == Ipv4Addr::BROADCAST || v4.octets()[0] == 0
            }
            IpAddr::V6(v6) => v6.is_unicast_link_local(),
        }
}

impl Default for AllowedHosts {
    fn default() -> Self {
        Self::loopback()
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = match self {
            Self::Loopback => return f.write_str(LOOPBACK),
            Self::Address {
                address: IpAddr::V6(address),
                port: Some(port),
            } => return write!(f, "[{address}]:{port}"),
            Self::Address { address, port } => {
                write!(f, "{address}")?;
                port
            }
            Self::Name { name, port } => {
                f.write_str(name)?;
                port
            }
            Self::Below { domain, port } => {
                write!(f, "*.{domain}")?;
                port
            }
        };
        match port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for AllowedHosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(ToString::to_string))
            .finish()
    }
}

impl TryFrom<Vec<String>> for AllowedHosts {
    type Error = InvalidHost;

    fn try_from(entries: Vec<String>) -> Result<Self, InvalidHost> {
        Self::new(entries)
    }
}

impl From<AllowedHosts> for Vec<String> {
    fn from(hosts: AllowedHosts) -> Self {
        hosts.0.iter().map(ToString::to_string).collect()
    }
}
