//! What consumers are made of, and which there are. They run in the shop's process, or, those
//! that need no engine, in one of their own whose queues are behind SQS.

use std::sync::Arc;
use std::time::Duration;

use commerce::Millis;
use effects::webhooks::Webhooks;
use effects::{Customers, Effects};
use engine::Engine;
use engine::ports::Clock;
use outgoing::{AllowedHosts, BuildError, Client, Timeouts};
use tokio::sync::Notify;

use super::consumer::Consumer;
use super::drill::Drill;
use super::{emails, marketing, mileage, tracking, vip, webhooks};
use crate::config::{Config, ConfigError, Role};
use crate::mailer::Mailer;
use crate::serve::{ServeError, allowed_hosts};

/// A consumer takes of it what it needs.
#[derive(Clone)]
pub struct ConsumerParts {
    /// None where the shop is another process.
    pub engine: Option<Engine>,
    pub clock: Arc<dyn Clock>,
    pub config: Arc<Config>,
    /// `effects.db` of this process.
    pub effects: Effects,
    pub customers: Customers,
    /// For calls to others, with the usual time-outs.
    pub client: Client,
    /// Who may be called.
    pub allowed: AllowedHosts,
    pub mailer: Mailer,
    /// Where buyers find the shop.
    pub public_url: String,
    /// Something became of a parcel that the sale's log does not have yet.
    pub parcel_news: Arc<Notify>,
}

impl ConsumerParts {
    /// # Errors
    /// When something that the settings ask for cannot be made.
    pub fn new(
        config: &Config,
        clock: &Arc<dyn Clock>,
        engine: Option<Engine>,
        public_url: &str,
    ) -> Result<Self, ServeError> {
        let allowed = allowed_hosts(config)?;
        Ok(Self {
            engine,
            clock: Arc::clone(clock),
            config: Arc::new(config.clone()),
            effects: Effects::new(&config.data.join("effects.db")),
            customers: Customers::new(&config.customers_file()),
            client: Client::new(allowed.clone(), Timeouts::default())
                .map_err(|error| ServeError::Start(error.to_string()))?,
            allowed,
            mailer: Mailer::new(config)?,
            public_url: public_url.to_owned(),
            parcel_news: Arc::default(),
        })
    }
}

/// Those who follow what the shop does, each with a queue of its own. One that needs the engine is
/// there where the engine is.
///
/// # Errors
/// When a client for calls to others cannot be made, or one is off that there is not.
pub fn consumers(parts: &ConsumerParts) -> Result<Vec<Arc<dyn Consumer>>, ServeError> {
    let mut all = anywhere(parts);
    if let Some(engine) = &parts.engine {
        all.extend(with_the_shop(parts, engine)?);
    }
    check_off(parts, &all)?;
    Ok(all)
}

/// Those that need a queue and their databases, and may be a process of their own.
fn anywhere(parts: &ConsumerParts) -> Vec<Arc<dyn Consumer>> {
    let customers = || parts.customers.clone();
    let mut all: Vec<Arc<dyn Consumer>> = vec![
        Arc::new(mileage::Mileage::new(
            customers(),
            parts.config.mileage.basis_points,
        )),
        Arc::new(vip::Vip::new(customers(), parts.config.vip.units)),
        Arc::new(marketing::Marketing::new(parts)),
    ];
    if let Some(settings) = &parts.config.drill {
        all.push(Arc::new(Drill::new(settings.clone())));
    }
    all
}

/// Those that also read the store, or write to it in the commit of something else.
fn with_the_shop(
    parts: &ConsumerParts,
    engine: &Engine,
) -> Result<Vec<Arc<dyn Consumer>>, ServeError> {
    let caller =
        webhook_caller(parts, engine).map_err(|error| ServeError::Start(error.to_string()))?;
    Ok(vec![
        Arc::new(tracking::Tracking::new(
            engine.clone(),
            parts.effects.clone(),
            Arc::clone(&parts.parcel_news),
        )),
        Arc::new(emails::Emails::new(parts, engine.clone())),
        Arc::new(webhooks::Teller {
            engine: engine.clone(),
            webhooks: Webhooks::new(&parts.effects),
        }),
        Arc::new(caller),
    ])
}

/// Those of them that work in this process: without the role `workers` the others have a process of
/// their own, and nobody else has these.
pub fn retain_here(parts: &ConsumerParts, consumers: &mut Vec<Arc<dyn Consumer>>) {
    if !parts.config.roles.has(Role::Workers) {
        let away = anywhere(parts);
        consumers.retain(|one| away.iter().all(|other| other.name() != one.name()));
    }
    consumers.retain(|one| !is_off(&parts.config, &**one));
}

fn webhook_caller(parts: &ConsumerParts, engine: &Engine) -> Result<webhooks::Caller, BuildError> {
    let settings = &parts.config.webhooks;
    let total = Duration::from_millis(settings.timeout_ms);
    let timeouts = Timeouts {
        connect: total.min(Timeouts::default().connect),
        total,
    };
    Ok(webhooks::Caller {
        engine: engine.clone(),
        webhooks: Webhooks::new(&parts.effects),
        client: Client::new(parts.allowed.clone(), timeouts)?,
        schedule: settings.schedule(),
        disable_after_ms: Millis::from(settings.disable_after_s) * 1_000,
        timeout: total,
        calls: webhooks::Calls::default(),
    })
}

/// A consumer that is off must be one that there is, by its name or its queue's.
fn check_off(parts: &ConsumerParts, consumers: &[Arc<dyn Consumer>]) -> Result<(), ConfigError> {
    let known = |name: &str| consumers.iter().any(|one| is_called(&**one, name));
    let mut off = parts.config.consumers.off.iter();
    // Without the engine some are missing here that there are.
    match off.find(|name| parts.engine.is_some() && !known(name)) {
        Some(name) => Err(ConfigError {
            name: "consumers.off".to_owned(),
            what: format!("there is no consumer {name}"),
        }),
        None => Ok(()),
    }
}

/// Whether an operator has switched it off here.
pub fn is_off(config: &Config, consumer: &dyn Consumer) -> bool {
    let mut off = config.consumers.off.iter();
    off.any(|name| is_called(consumer, name))
}

fn is_called(consumer: &dyn Consumer, name: &str) -> bool {
    consumer.name() == name || consumer.queue() == name
}
