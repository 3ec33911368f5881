//! How to reach the server, and the bounds of it.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The default ports of [`Tls`] (RFC 8314, 7.3).
const PORT_TLS: u16 = 465;
const PORT_SUBMISSION: u16 = 587;
const PORT_PLAIN: u16 = 25;

const CONNECTIONS_MAX: usize = 100;
const HOST_BYTES_MAX: usize = 253;
const CREDENTIAL_BYTES_MAX: usize = 1024;
const TIMEOUT_MAX: Duration = Duration::from_secs(900);

/// How the connection is made secure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// From the first byte. The best choice where the server has it (RFC 8314, 3).
    Required,
    /// Begun in clear, and given up unless the server changes over.
    Starttls,
    /// None, to loopback addresses only.
    None,
}

impl std::str::FromStr for Tls {
    type Err = InvalidSetting;
    fn from_str(text: &str) -> Result<Self, InvalidSetting> {
        match text {
            "required" => Ok(Self::Required),
            "starttls" => Ok(Self::Starttls),
            "none" => Ok(Self::None),
            _ => Err(InvalidSetting::new(
                "tls",
                "must be required, starttls or none",
            )),
        }
    }
}

/// Not for logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    pub user: String,
    pub password: Password,
}

/// How long an attempt may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection stands: name, TCP, greeting, TLS, password.
    pub connect: Duration,
    /// Until the server has the e-mail, the connection and the wait for a free one included.
    /// Too short a time makes repeats: the server may have taken what it was slow to confirm.
    pub send: Duration,
    /// How long a connection may be idle and still be used.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            send: Duration::from_secs(60),
            idle: Duration::from_secs(30),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmtpSettings {
    /// A name or an address. The server's certificate must be for it.
    pub host: String,
    /// 465 for `required`, 587 for `starttls`, 25 for `none`, unless it is given.
    pub port: Option<u16>,
    pub tls: Tls,
    pub credentials: Option<Credentials>,
    pub timeouts: Timeouts,
    /// How many connections may stand at once.
    pub connections_max: usize,
    /// Certificates in PEM that are trusted beside the system's, for private servers.
    pub ca_file: Option<PathBuf>,
    /// What this side calls itself; `[127.0.0.1]`, which most servers take, unless it is given.
    pub hello_name: Option<String>,
}

/// A setting that cannot work, by its name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {reason}")]
pub struct InvalidSetting {
    pub field: &'static str,
    pub reason: String,
}

impl InvalidSetting {
    pub(super) fn new(field: &'static str, reason: impl Into<String>) -> Self {
        Self {
            field,
            reason: reason.into(),
        }
    }
}

impl SmtpSettings {
    pub fn new(host: impl Into<String>, tls: Tls) -> Self {
        Self {
            host: host.into(),
            port: None,
            tls,
            credentials: None,
            timeouts: Timeouts::default(),
            connections_max: 4,
            ca_file: None,
            hello_name: None,
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            Tls::Required => PORT_TLS,
            Tls::Starttls => PORT_SUBMISSION,
            Tls::None => PORT_PLAIN,
        })
    }

    pub(super) fn check(&self) -> Result<(), InvalidSetting> {
        if !is_host(&self.host) {
            return Err(InvalidSetting::new(
                "host",
                "must be the name or the address of a server",
            ));
        }
        if self.port == Some(0) {
            return Err(InvalidSetting::new("port", "must be 1 to 65535"));
        }
        if self.tls == Tls::None && !may_be_loopback(&self.host) {
            return Err(InvalidSetting::new(
                "tls",
                "may be none for a server on this machine only",
            ));
        }
        if !(1..=CONNECTIONS_MAX).contains(&self.connections_max) {
            return Err(InvalidSetting::new(
                "connections_max",
                format!("must be 1 to {CONNECTIONS_MAX}"),
            ));
        }
        if self
            .hello_name
            .as_deref()
            .is_some_and(|name| !is_host(name))
        {
            return Err(InvalidSetting::new(
                "hello_name",
                "must be the name of this machine",
            ));
        }
        self.check_timeouts()?;
        match &self.credentials {
            Some(credentials) => check_credentials(credentials),
            None => Ok(()),
        }
    }

    fn check_timeouts(&self) -> Result<(), InvalidSetting> {
        let timeouts = &self.timeouts;
        for (field, time) in [
            ("timeouts.connect", timeouts.connect),
            ("timeouts.send", timeouts.send),
            ("timeouts.idle", timeouts.idle),
        ] {
            if time.is_zero() || time > TIMEOUT_MAX {
                return Err(InvalidSetting::new(
                    field,
                    format!("must be up to {} seconds", TIMEOUT_MAX.as_secs()),
                ));
            }
        }
        Ok(())
    }
}

fn is_host(text: &str) -> bool {
    (1..=HOST_BYTES_MAX).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b':' | b'_'))
}

/// A name is looked at again when it has been resolved.
fn may_be_loopback(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

fn check_credentials(credentials: &Credentials) -> Result<(), InvalidSetting> {
    // PLAIN parts them with a NUL (RFC 4616, 2).
    for (field, text) in [
        ("user", credentials.user.as_str()),
        ("password", credentials.password.reveal()),
    ] {
        let is_valid =
            (1..=CREDENTIAL_BYTES_MAX).contains(&text.len()) && !text.contains(['\0', '\r', '\n']);
        if !is_valid {
            return Err(InvalidSetting::new(
                field,
                format!("must have 1 to {CREDENTIAL_BYTES_MAX} bytes in one line"),
            ));
        }
    }
    Ok(())
}
