//! The customers database, and what is made of orders in it.

use std::path::{Path, PathBuf};

use effects::customers::BASIS_POINTS_MAX;
use outgoing::AllowedHosts;
use serde::{Deserialize, Serialize};

use super::{Config, ConfigError, Secret};

/// More units than any customer has.
const UNITS_MAX: u64 = 1_000_000_000_000;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mileage {
    /// Points for an amount, in hundredths of a percent of it: 0 to 10,000.
    pub basis_points: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vip {
    /// Qualifying units that make a customer VIP; this many count already.
    pub units: u64,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Marketing {
    /// Where the marketing system hears of new VIP customers. Without it they are noted, and
    /// told once it is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What its webhooks are signed with: `whsec_` and base64 of 24 to 64 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
}

impl Default for Mileage {
    fn default() -> Self {
        Self { basis_points: 200 }
    }
}

impl Default for Vip {
    fn default() -> Self {
        Self { units: 100 }
    }
}

/// Where the marketing system is, and what it knows us by.
#[derive(Debug, Clone)]
pub struct MarketingSystem {
    pub url: String,
    pub secret: wire::webhooks::Secret,
}

impl Config {
    /// The file of the customers database.
    pub fn customers_file(&self) -> PathBuf {
        match &self.customers {
            Some(text) => file_of(text).to_owned(),
            None => self.data.join("customers.db"),
        }
    }

    /// None while it is not set.
    pub fn marketing_system(&self) -> Option<MarketingSystem> {
        let (url, secret) = (
            self.marketing.url.as_ref()?,
            self.marketing.secret.as_ref()?,
        );
        let secret = wire::webhooks::Secret::parse(&secret.0).expect("checked at the start");
        Some(MarketingSystem {
            url: url.clone(),
            secret,
        })
    }
}

/// The path in `PATH`, `sqlite:PATH` or `sqlite://PATH`.
fn file_of(text: &str) -> &Path {
    let rest = text.strip_prefix("sqlite:").unwrap_or(text);
    Path::new(rest.strip_prefix("//").unwrap_or(rest))
}

pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    if let Some(text) = &config.customers {
        check_customers(text)?;
    }
    if config.mileage.basis_points > BASIS_POINTS_MAX {
        let is = config.mileage.basis_points;
        return Err(ConfigError::new(
            "mileage.basis_points",
            format!("must be 0 to {BASIS_POINTS_MAX}, is {is}"),
        ));
    }
    if !(1..=UNITS_MAX).contains(&config.vip.units) {
        let is = config.vip.units;
        return Err(ConfigError::new(
            "vip.units",
            format!("must be 1 to {UNITS_MAX}, is {is}"),
        ));
    }
    check_marketing(config)
}

/// Says nothing of what comes after the scheme: there may be a password in it.
fn check_customers(text: &str) -> Result<(), ConfigError> {
    let refuse = |what: &str| Err(ConfigError::new("customers", what));
    if text.starts_with("postgres:") || text.starts_with("postgresql:") {
        return refuse(
            "PostgreSQL is not supported for the customers database yet: give the path of an \
             SQLite file",
        );
    }
    if !text.starts_with("sqlite:") && text.contains("://") {
        return refuse("must be the path of an SQLite file, or sqlite:PATH");
    }
    if file_of(text).file_name().is_none() {
        return refuse("must name a file");
    }
    Ok(())
}

fn check_marketing(config: &Config) -> Result<(), ConfigError> {
    let (url, secret) = match (&config.marketing.url, &config.marketing.secret) {
        (None, None) => return Ok(()),
        (Some(_), None) => {
            return Err(ConfigError::new(
                "marketing.secret",
                "must be set when marketing.url is",
            ));
        }
        (None, Some(_)) => {
            return Err(ConfigError::new(
                "marketing.url",
                "must be set when marketing.secret is",
            ));
        }
        (Some(url), Some(secret)) => (url, secret),
    };
    wire::webhooks::Secret::parse(&secret.0)
        .map_err(|error| ConfigError::new("marketing.secret", error.to_string()))?;
    let hosts = &config.outgoing.allowed_hosts;
    let allowed = if hosts.is_empty() {
        AllowedHosts::loopback()
    } else {
        AllowedHosts::new(hosts)
            .map_err(|error| ConfigError::new("outgoing.allowed_hosts", error.to_string()))?
    };
    allowed
        .check(url)
        .map_err(|error| ConfigError::new("marketing.url", error.to_string()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn the_customers_database_is_a_path_or_a_url_of_one() {
        let mut config = Config {
            data: PathBuf::from("d"),
            ..Config::default()
        };
        assert_eq!(config.customers_file(), Path::new("d/customers.db"));
        for (text, path) in [
            ("c.db", "c.db"),
            ("/x/c.db", "/x/c.db"),
            ("sqlite:c.db", "c.db"),
            ("sqlite:/x/c.db", "/x/c.db"),
            ("sqlite:///x/c.db", "/x/c.db"),
        ] {
            config.customers = Some(text.to_owned());
            check(&config).unwrap();
            assert_eq!(config.customers_file(), Path::new(path), "{text}");
        }
        for (text, said) in [
            ("postgres://u:hunter2@h/c", "PostgreSQL"),
            ("postgresql://u:hunter2@h/c", "PostgreSQL"),
            ("mysql://u:hunter2@h/c", "SQLite"),
            ("sqlite:", "name a file"),
            ("", "name a file"),
        ] {
            config.customers = Some(text.to_owned());
            let error = check(&config).unwrap_err();
            assert_eq!(error.name, "customers");
            assert!(error.what.contains(said), "{text}: {error}");
            assert!(!error.what.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_marketing_system_has_a_url_that_may_be_called_and_a_secret() {
        for (url, secret, name) in [
            (Some("http://127.0.0.1:1/x"), None, "marketing.secret"),
            (None, Some(SECRET), "marketing.url"),
            (
                Some("http://127.0.0.1:1/x"),
                Some("whsec_aa"),
                "marketing.secret",
            ),
            (Some("https://example.org/x"), Some(SECRET), "marketing.url"),
            (Some("no url"), Some(SECRET), "marketing.url"),
        ] {
            let config = Config {
                marketing: Marketing {
                    url: url.map(str::to_owned),
                    secret: secret.map(|text| Secret(text.to_owned())),
                },
                ..Config::default()
            };
            assert_eq!(check(&config).unwrap_err().name, name);
        }
    }
}
