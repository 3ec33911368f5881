//! `[carrier]`: who may say where a parcel is.

use serde::{Deserialize, Serialize};
use wire::webhooks;

use super::{Config, ConfigError, Secret};

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Carrier {
    /// What the carrier signs its webhooks with, as Standard Webhooks has it: `whsec_` and 24 to
    /// 64 bytes in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// The one before, while the carrier changes over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_secret: Option<Secret>,
}

impl Carrier {
    /// Both are good; the current one comes first.
    pub fn secrets(&self) -> Vec<webhooks::Secret> {
        [&self.secret, &self.previous_secret]
            .into_iter()
            .flatten()
            .map(|secret| webhooks::Secret::parse(&secret.0).expect("checked at the start"))
            .collect()
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for (name, secret) in [
            ("carrier.secret", &self.secret),
            ("carrier.previous_secret", &self.previous_secret),
        ] {
            if let Some(secret) = secret {
                webhooks::Secret::parse(&secret.0)
                    .map_err(|error| ConfigError::new(name, error.to_string()))?;
            }
        }
        if self.secret.is_none() && self.previous_secret.is_some() {
            return Err(ConfigError::new(
                "carrier.previous_secret",
                "means nothing without carrier.secret",
            ));
        }
        Ok(())
    }
}

impl Config {
    /// Without a secret, parcels are moved by anybody where everything is open to anybody: on
    /// loopback, without an operator token. A token says that others can come in, by a proxy.
    pub fn carrier_is_open(&self) -> bool {
        self.carrier.secret.is_none()
            && self.auth.operator_token.is_none()
            && self.listen.ip().is_loopback()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Option<Secret> {
        Some(Secret(text.to_owned()))
    }

    const GOOD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn a_wrong_secret_is_named_and_not_repeated() {
        for (current, previous, name) in [
            (secret("hunter2"), None, "carrier.secret"),
            (secret("whsec_aHVudGVyMg=="), None, "carrier.secret"),
            (secret(GOOD), secret("hunter2"), "carrier.previous_secret"),
            (None, secret(GOOD), "carrier.previous_secret"),
        ] {
            let carrier = Carrier {
                secret: current,
                previous_secret: previous,
            };
            let error = carrier.check().unwrap_err();
            assert_eq!(error.name, name);
            assert!(!error.to_string().contains("hunter2"), "{error}");
            assert!(!format!("{carrier:?}").contains("hunter2"));
        }
    }

    #[test]
    fn the_route_is_open_only_where_everything_is() {
        let config = |listen: &str, token: bool, signed: bool| Config {
            listen: listen.parse().unwrap(),
            auth: super::super::Auth {
                operator_token: if token {
                    secret("0123456789abcdef")
                } else {
                    None
                },
            },
            carrier: Carrier {
                secret: if signed { secret(GOOD) } else { None },
                previous_secret: None,
            },
            ..Config::default()
        };
        assert!(config("127.0.0.1:1", false, false).carrier_is_open());
        assert!(config("[::1]:1", false, false).carrier_is_open());
        assert!(!config("127.0.0.1:1", true, false).carrier_is_open());
        assert!(!config("127.0.0.1:1", false, true).carrier_is_open());
        assert!(!config("0.0.0.0:1", true, false).carrier_is_open());
    }
}
