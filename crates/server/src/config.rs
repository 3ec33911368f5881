//! Settings: defaults < TOML file < `FIRSTCOME_*` < flags. Read once, at the start; a setting
//! that is not known or out of bounds is refused with its name.
//!
//! In the environment two underscores step into a section: `FIRSTCOME_FACTORY__LEAD_TIME_MS`
//! is `lead_time_ms` of `[factory]`. Between defaults and the file stand three variables of
//! OpenTelemetry's (`traces.rs`).

mod alerts;
mod carrier;
mod client;
mod consumers;
mod customers;
mod mail;
mod roles;
mod traces;
mod urls;
mod webhooks;
mod workers;
mod wrong;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use commerce::Sku;
use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use serde::{Deserialize, Serialize};

pub use self::alerts::Alerts;
pub use self::carrier::Carrier;
pub use self::client::{ClientFlags, ClientSettings, load_client};
pub use self::consumers::Consumers;
pub use self::customers::{Marketing, MarketingSystem, Mileage, Vip};
pub use self::mail::{Mail, MailTransport};
pub use self::roles::{Role, Roles, Shape};
pub use self::traces::{Collector, Traces};
pub use self::webhooks::Webhooks;
pub use self::workers::{Drill, Workers};
use crate::aws::context::{is_account, is_region};
use crate::declared::{self, DeclaredQueue, DeclaredTopic};

/// Everything that can be set.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where buyers and the shop's own systems connect.
    pub listen: SocketAddr,
    /// Where AWS SDKs connect: SQS and SNS. Anything but loopback needs `aws.keys`.
    pub aws_listen: SocketAddr,
    /// The directory of the embedded store.
    pub data: PathBuf,
    /// What others call this server by, in callback URLs; `http://<listen>` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// Written when requests are taken: `{"http": "http://...", "aws": "http://..."}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_file: Option<PathBuf>,
    /// A small catalogue for an empty store, and the reference factory on the same port.
    pub demo: bool,
    /// What this process does: `api`, `aws`, `workers`, `factory`.
    pub roles: Roles,
    pub workers: Workers,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drill: Option<Drill>,
    pub auth: Auth,
    pub aws: Aws,
    pub limits: Limits,
    pub buy: Buy,
    pub realtime: Realtime,
    /// Factory id -> the URL of its `POST /api/manufactures`. `-` and `_` are the same in an id
    /// here, and case does not matter, so that the environment can name it.
    pub factories: BTreeMap<String, String>,
    pub factory: Factory,
    pub carrier: Carrier,
    pub outgoing: Outgoing,
    /// The customers database: a path, or `sqlite:PATH`; `<data>/customers.db` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customers: Option<String>,
    pub mileage: Mileage,
    pub vip: Vip,
    pub marketing: Marketing,
    pub consumers: Consumers,
    pub webhooks: Webhooks,
    pub alerts: Alerts,
    pub log: Log,
    pub traces: Traces,
    pub mail: Mail,
    /// Queues that are there from the start, with these attributes.
    pub queues: Vec<DeclaredQueue>,
    /// Topics that are there from the start, and the queues that hear them.
    pub topics: Vec<DeclaredTopic>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// What operators show, as `Authorization: Bearer <token>` or as the password of HTTP Basic.
    /// 16 visible ASCII characters or more. Needed when `listen` is not loopback.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator_token: Option<Secret>,
}

/// A setting that is never printed.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(set)")
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aws {
    /// Who may call: every request must then be signed with one of these. Without any, on
    /// loopback only, nobody's signature is looked at.
    pub keys: Vec<AwsKey>,
    /// What stands in ARNs when a request does not say.
    pub region: String,
    /// 12 digits: whose everything is that was made without an account of its own.
    pub account: String,
    /// Believe `X-Forwarded-Proto` and `X-Forwarded-Host`, which a proxy must then set.
    pub trust_forwarded: bool,
    /// Refuse a queue whose name was that of one deleted in the last 60 seconds, as Amazon does.
    pub queue_deleted_recently: bool,
}

/// An access key, as an SDK is given it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsKey {
    pub access_key: String,
    pub secret: Secret,
    /// Whose it is; `aws.account` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Commands that may wait for the sequencer: 1 to 1,000,000.
    pub queue_max: usize,
    /// Commands in one commit: 1 to 10,000.
    pub batch_max: usize,
    /// How long an idempotency key is kept, in hours: 1 to 720.
    pub key_retention_hours: u64,
    /// Live keys one customer may hold: 1 to 1,000,000.
    pub keys_per_customer: u32,
    /// Live listeners (SSE streams and Socket.IO subscriptions) at once: 1 to 1,000,000.
    pub listeners_max: usize,
    /// Connections at once: 1 to 1,000,000.
    pub connections_max: usize,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Buy {
    /// What `POST /buy` sells when the request names no sku.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Realtime {
    /// Tell every Socket.IO client each verdict as `<email>-send`. Anyone who knows an address
    /// can listen: off unless an old client needs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_send: Option<bool>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Factory {
    /// The reference factory: how long it makes goods, in milliseconds.
    pub lead_time_ms: u64,
    /// Take `POST /product/donut` without a token, for the product's open replenishment. On in
    /// the demo; otherwise off, since a repeat cannot be told from the next delivery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub untokened_callbacks: Option<bool>,
    /// How long a factory may take to answer, in milliseconds.
    pub request_timeout_ms: u64,
    /// How often a request is tried before it goes to the dead-letter queue: 1 to 1,000.
    pub attempts_max: u32,
    /// The wait after the first failed attempt, in milliseconds; it doubles, up to 15 minutes.
    pub retry_ms: u64,
    /// When a factory that took a request has not delivered, in seconds.
    pub overdue_s: u64,
    /// How long after a failure the product may ask again, in seconds.
    pub ask_again_s: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outgoing {
    /// Hosts that this server may call: `host`, `host:port`, `*.example.com`. Loopback is there
    /// by default and goes when the list is set.
    pub allowed_hosts: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people on a terminal, JSON otherwise.
    Auto,
    Human,
    Json,
}

impl Default for Config {
    fn default() -> Self {
        let engine = engine::Limits::default();
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 3000)),
            aws_listen: SocketAddr::from(([127, 0, 0, 1], 9324)),
            data: PathBuf::from("data"),
            public_url: None,
            ready_file: None,
            demo: false,
            roles: Roles::default(),
            workers: Workers::default(),
            drill: None,
            auth: Auth::default(),
            aws: Aws {
                keys: Vec::new(),
                region: "us-east-1".to_owned(),
                account: "000000000000".to_owned(),
                trust_forwarded: false,
                queue_deleted_recently: false,
            },
            limits: Limits {
                queue_max: engine.queue_max,
                batch_max: engine.batch_max,
                key_retention_hours: engine.key_retention.as_secs() / 3600,
                keys_per_customer: engine.keys_per_customer,
                listeners_max: 50_000,
                connections_max: 60_000,
            },
            buy: Buy::default(),
            realtime: Realtime::default(),
            factories: BTreeMap::new(),
            factory: Factory {
                lead_time_ms: 10_000,
                untokened_callbacks: None,
                request_timeout_ms: 5_000,
                attempts_max: 5,
                retry_ms: 500,
                overdue_s: 3_600,
                ask_again_s: 60,
            },
            carrier: Carrier::default(),
            outgoing: Outgoing {
                allowed_hosts: Vec::new(),
            },
            customers: None,
            mileage: Mileage::default(),
            vip: Vip::default(),
            marketing: Marketing::default(),
            consumers: Consumers::default(),
            webhooks: Webhooks::default(),
            alerts: Alerts::default(),
            log: Log {
                format: LogFormat::Auto,
                level: "info".to_owned(),
            },
            traces: Traces::default(),
            mail: Mail::default(),
            queues: Vec::new(),
            topics: Vec::new(),
        }
    }
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("setting `{name}`: {what}")]
pub struct ConfigError {
    pub name: String,
    pub what: String,
}

impl ConfigError {
    fn new(name: &str, what: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            what: what.into(),
        }
    }
}

/// What the command line may set; absent means not said.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Flags {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aws_listen: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customers: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub demo: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roles: Option<String>,
}

/// Puts the sources together and checks every bound.
///
/// # Errors
/// Names the setting and, where figment knows it, the file or variable it came from.
pub fn load(file: Option<&PathBuf>, flags: &Flags) -> Result<Config, ConfigError> {
    let defaults = Figment::from(Serialized::defaults(Config::default()));
    let mut figment = traces::from_environment(defaults);
    if let Some(file) = file {
        if !file.is_file() {
            return Err(ConfigError::new(
                "--config",
                format!("{} is not a file", file.display()),
            ));
        }
        figment = figment.merge(Toml::file_exact(file));
    }
    figment = figment
        .merge(
            Env::prefixed("FIRSTCOME_")
                .ignore(&client::VARIABLES)
                .split("__"),
        )
        .merge(Serialized::defaults(flags));
    let config: Config = figment.extract().map_err(|error| {
        let path = error.path.join(".");
        let from = error
            .metadata
            .as_ref()
            .map(|metadata| match &metadata.source {
                Some(figment::Source::Code(_)) => " (from the command line)".to_owned(),
                Some(source) => format!(" (from {} {source})", metadata.name),
                None => format!(" (from {})", metadata.name),
            })
            .unwrap_or_default();
        let name = match &error.kind {
            // Where the path comes from the environment it ends in the field already.
            figment::error::Kind::UnknownField(field, _)
                if error.path.last().is_none_or(|last| last != field) =>
            {
                let mut path = error.path.clone();
                path.push(field.clone());
                path.join(".")
            }
            figment::error::Kind::MissingField(field) => {
                let mut path = error.path.clone();
                path.push(field.to_string());
                path.join(".")
            }
            // The file as a whole: it is not TOML.
            _ if path.is_empty() => "--config".to_owned(),
            _ => path,
        };
        // What was found instead may be half a secret: it is not repeated.
        let what = if name.starts_with("aws.keys") {
            format!("must be a list of {{access_key, secret, account}}{from}")
        } else if name == "marketing.secret" {
            format!("must be a text{from}")
        } else if name.starts_with("carrier") {
            format!("is not a known setting of [carrier], or not a text{from}")
        } else if name == "traces.headers" {
            format!("must be text in quotes: name=value, with commas between them{from}")
        } else if name == "mail.smtp.password" {
            format!("must be text in quotes{from}")
        } else if name == "mail.smtp" {
            format!("must be a table: {{host, port, tls, user, password, ca_file}}{from}")
        } else {
            format!("{}{from}", wrong::without_values(&error.kind))
        };
        ConfigError { name, what }
    })?;
    check(&config)?;
    Ok(config)
}

fn check(config: &Config) -> Result<(), ConfigError> {
    let bound = |name: &str, value: u64, low: u64, high: u64| {
        if (low..=high).contains(&value) {
            Ok(())
        } else {
            Err(ConfigError::new(
                name,
                format!("must be {low} to {high}, is {value}"),
            ))
        }
    };
    let limits = &config.limits;
    bound("limits.queue_max", limits.queue_max as u64, 1, 1_000_000)?;
    bound("limits.batch_max", limits.batch_max as u64, 1, 10_000)?;
    bound(
        "limits.key_retention_hours",
        limits.key_retention_hours,
        1,
        720,
    )?;
    bound(
        "limits.keys_per_customer",
        u64::from(limits.keys_per_customer),
        1,
        1_000_000,
    )?;
    bound(
        "limits.listeners_max",
        limits.listeners_max as u64,
        1,
        1_000_000,
    )?;
    bound(
        "limits.connections_max",
        limits.connections_max as u64,
        1,
        1_000_000,
    )?;
    let factory = &config.factory;
    bound(
        "factory.lead_time_ms",
        factory.lead_time_ms,
        0,
        30 * 24 * 3_600_000,
    )?;
    bound(
        "factory.request_timeout_ms",
        factory.request_timeout_ms,
        1,
        300_000,
    )?;
    bound(
        "factory.attempts_max",
        u64::from(factory.attempts_max),
        1,
        1_000,
    )?;
    bound("factory.retry_ms", factory.retry_ms, 1, 900_000)?;
    bound("factory.overdue_s", factory.overdue_s, 1, 90 * 24 * 3600)?;
    bound(
        "factory.ask_again_s",
        factory.ask_again_s,
        1,
        30 * 24 * 3600,
    )?;
    if let Some(sku) = &config.buy.sku {
        Sku::new(sku).map_err(|error| ConfigError::new("buy.sku", error.to_string()))?;
    }
    urls::check(config)?;
    outgoing::AllowedHosts::new(&config.outgoing.allowed_hosts)
        .map_err(|error| ConfigError::new("outgoing.allowed_hosts", error.to_string()))?;
    if !["error", "warn", "info", "debug", "trace"].contains(&config.log.level.as_str()) {
        return Err(ConfigError::new(
            "log.level",
            "must be error, warn, info, debug or trace",
        ));
    }
    customers::check(config)?;
    config.webhooks.check()?;
    config.alerts.check()?;
    check_aws(config)?;
    config.mail.check()?;
    config.traces.check()?;
    roles::check(config)?;
    workers::check(config)?;
    config.carrier.check()?;
    declared::check(&config.queues, &config.topics, &config.aws)?;
    match &config.auth.operator_token {
        // No header can carry another one as it is.
        Some(token) if token.0.len() < 16 || !token.0.bytes().all(|c| c.is_ascii_graphic()) => {
            Err(ConfigError::new(
                "auth.operator_token",
                "must have 16 characters or more, all of them visible ASCII",
            ))
        }
        None if !config.listen.ip().is_loopback() => Err(ConfigError::new(
            "auth.operator_token",
            format!(
                "must be set to listen on {}: only loopback is open without credentials",
                config.listen
            ),
        )),
        Some(_) | None => Ok(()),
    }
}

fn check_aws(config: &Config) -> Result<(), ConfigError> {
    let aws = &config.aws;
    if !is_region(&aws.region) {
        return Err(ConfigError::new(
            "aws.region",
            "must be small letters, digits and hyphens",
        ));
    }
    if !is_account(&aws.account) {
        return Err(ConfigError::new("aws.account", "must be 12 digits"));
    }
    for (at, key) in aws.keys.iter().enumerate() {
        let refuse = |what: &str| Err(ConfigError::new(&format!("aws.keys.{at}"), what));
        let plain = key.access_key.bytes().all(|byte| byte.is_ascii_graphic());
        if !plain || !(3..=128).contains(&key.access_key.len()) {
            return refuse("an access key must have 3 to 128 letters, digits or punctuation");
        }
        if key.secret.0.len() < 16 {
            return refuse("a secret must have 16 characters or more");
        }
        if key.account.as_deref().is_some_and(|text| !is_account(text)) {
            return refuse("an account must be 12 digits, in quotes");
        }
        if aws.keys[..at]
            .iter()
            .any(|other| other.access_key == key.access_key)
        {
            return refuse("each access key stands there once");
        }
    }
    if aws.keys.is_empty() && !config.aws_listen.ip().is_loopback() {
        return Err(ConfigError::new(
            "aws.keys",
            format!(
                "must be set to listen on {}: only loopback is open without credentials",
                config.aws_listen
            ),
        ));
    }
    Ok(())
}

impl Config {
    pub fn email_send(&self) -> bool {
        self.realtime.email_send.unwrap_or(self.demo)
    }

    /// Whether the reference factory is in this process, beside the shop.
    pub fn has_factory(&self) -> bool {
        self.demo || self.roles.has(Role::Factory)
    }

    pub fn untokened_callbacks(&self) -> bool {
        self.factory.untokened_callbacks.unwrap_or(self.demo)
    }

    /// The URL of a factory, by its id.
    pub fn factory_url(&self, factory: &Sku) -> Option<&str> {
        let wanted = urls::folded(factory.as_str());
        self.factories
            .iter()
            .find(|(name, _)| urls::folded(name) == wanted)
            .map(|(_, url)| url.as_str())
    }

    pub fn engine_limits(&self) -> engine::Limits {
        engine::Limits {
            queue_max: self.limits.queue_max,
            batch_max: self.limits.batch_max,
            key_retention: std::time::Duration::from_secs(self.limits.key_retention_hours * 3600),
            keys_per_customer: self.limits.keys_per_customer,
            deleted_names_rest: self.aws.queue_deleted_recently,
            ..engine::Limits::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_toml(text: &str) -> Result<Config, ConfigError> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("firstcome.toml");
        std::fs::write(&file, text).unwrap();
        load(Some(&file), &Flags::default())
    }

    #[test]
    fn a_wrong_setting_is_refused_with_its_name() {
        for (text, name) in [
            ("lissten = \"127.0.0.1:1\"", "lissten"),
            ("[limits]\nbatch_maxx = 1", "limits.batch_maxx"),
            ("[limits]\nbatch_max = 0", "limits.batch_max"),
            ("[limits]\nbatch_max = \"many\"", "limits.batch_max"),
            ("listen = \"0.0.0.0:3000\"", "auth.operator_token"),
            ("aws_listen = \"0.0.0.0:9324\"", "aws.keys"),
            ("[aws]\naccount = \"1\"", "aws.account"),
            ("[aws]\nregion = \"a b\"", "aws.region"),
            (
                "[aws]\nkeys = [{access_key = \"abc\", secret = \"short\"}]",
                "aws.keys.0",
            ),
            ("[auth]\noperator_token = \"short\"", "auth.operator_token"),
            (
                "[auth]\noperator_token = \"                \"",
                "auth.operator_token",
            ),
            (
                "[auth]\noperator_token = \"12345678\\n12345678\"",
                "auth.operator_token",
            ),
            (
                "[auth]\noperator_token = \"sixteen letters\u{e9}\"",
                "auth.operator_token",
            ),
            ("public_url = \"shop.example.com\"", "public_url"),
            ("[factories]\n\"FF 1\" = \"http://x/\"", "factories.FF 1"),
            ("[factories]\n\"X\" = \"not a url\"", "factories.X"),
            (
                "[factories]\nFF-1 = \"http://x/\"\nff_1 = \"http://x/\"",
                "factories.ff_1",
            ),
            ("[log]\nlevel = \"loud\"", "log.level"),
            (
                "[outgoing]\nallowed_hosts = [\"http://x/y\"]",
                "outgoing.allowed_hosts",
            ),
            ("[buy]\nsku = \"a b\"", "buy.sku"),
            ("customers = \"postgres://h/c\"", "customers"),
            ("[mileage]\nbasis_points = 10001", "mileage.basis_points"),
            ("[mileage]\nbasis_points = -1", "mileage.basis_points"),
            ("[vip]\nunits = 0", "vip.units"),
            ("[marketing]\nsecret = 12345678", "marketing.secret"),
            ("[consumers]\non = []", "consumers.on"),
        ] {
            let error = from_toml(text).unwrap_err();
            assert_eq!(error.name, name, "{text}: {error}");
        }
    }

    #[test]
    fn a_file_and_flags_stack_up() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("firstcome.toml");
        std::fs::write(
            &file,
            "listen = \"127.0.0.1:4000\"\ndemo = true\n[factories]\n\"FF-500293\" = \"http://127.0.0.1:1/x\"",
        )
        .unwrap();
        let flags = Flags {
            listen: Some(SocketAddr::from(([127, 0, 0, 1], 5000))),
            ..Flags::default()
        };
        let config = load(Some(&file), &flags).unwrap();
        assert_eq!(config.listen.port(), 5000);
        assert!(config.email_send());
        let factory = Sku::new("ff_500293").unwrap();
        assert_eq!(config.factory_url(&factory), Some("http://127.0.0.1:1/x"));
    }

    #[test]
    fn a_secret_is_never_printed() {
        let secret = Secret("0123456789abcdef".to_owned());
        assert_eq!(format!("{secret:?}"), "(set)");
        for wrong in [
            "[aws]\nkeys = \"AKIA:0123456789abcdef\"",
            "[aws]\nkeys = [\"0123456789abcdef\"]",
            "[[aws.keys]]\naccess_key = \"AKIA\"\nsecret = [\"0123456789abcdef\"]",
            "[[aws.keys]]\naccess_key = \"AKIA\"\nsecret = \"0123456789abcdef\"\naccount = \"1\"",
        ] {
            let error = from_toml(wrong).unwrap_err();
            assert!(error.name.starts_with("aws.keys"), "{wrong}: {error}");
            assert!(!error.to_string().contains("0123"), "{error}");
        }
    }

    #[test]
    fn keys_for_sdks_come_from_the_file() {
        let config = from_toml(
            "aws_listen = \"0.0.0.0:9324\"\n[[aws.keys]]\naccess_key = \"AKIA\"\n\
             secret = \"0123456789abcdef\"\naccount = \"123456789012\"",
        )
        .unwrap();
        assert_eq!(config.aws.keys[0].account.as_deref(), Some("123456789012"));
        assert!(!format!("{config:?}").contains("0123456789abcdef"));
    }
}
