//! One request to a factory: `requested -> in_production -> received | failed`.
//!
//! Goods that really arrive are always counted, once, whatever state the request is in: a late
//! delivery on a failed request closes it as received. Nothing else reopens a closed request
//! but an operator's redrive, and only while no other is open (rule 8).

use serde::{Deserialize, Serialize};

use crate::Millis;
use crate::ids::{ProductId, ReplenishmentId, Secret};
use crate::product::Sku;
use crate::stock::STOCK_MAX;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplenishmentStatus {
    Requested,
    InProduction,
    Received,
    Failed,
}

impl ReplenishmentStatus {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::InProduction => "in_production",
            Self::Received => "received",
            Self::Failed => "failed",
        }
    }
}

/// Why a request came to nothing, or why its last attempt did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailReason {
    /// No factory of that name is configured, or its address is not allowed.
    FactoryUnknown,
    /// The connection was refused or broke.
    FactoryUnreachable,
    /// No answer in time.
    FactoryTimeout,
    /// 5xx, 408 or 429 until the attempts ran out.
    FactoryError,
    /// Any other 4xx: asking again would not help.
    FactoryRefused,
    /// The factory took the request and did not deliver in time.
    Overdue,
}

impl FailReason {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FactoryUnknown => "factory_unknown",
            Self::FactoryUnreachable => "factory_unreachable",
            Self::FactoryTimeout => "factory_timeout",
            Self::FactoryError => "factory_error",
            Self::FactoryRefused => "factory_refused",
            Self::Overdue => "overdue",
        }
    }
}

/// What a factory must show when it calls back. Compared in constant time by the server.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(pub String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(..)")
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Replenishment {
    pub v: u8,
    pub seq: u64,
    pub secret: [u8; 10],
    pub product: ProductId,
    pub sku: Sku,
    pub factory: Sku,
    pub quantity: u64,
    pub status: ReplenishmentStatus,
    pub attempts: u32,
    pub received: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<FailReason>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    pub token: Token,
    pub requested_at: Millis,
    /// When an operator sent it again: it is as new as that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reopened_at: Option<Millis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Millis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Millis>,
}

/// Why a change of a replenishment was not made. Each is also the answer to a repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplenishmentRefusal {
    /// Its goods were counted before; nothing was counted now.
    AlreadyReceived,
    /// The same, and with another quantity: what is said now may be other goods.
    ReceivedOther { received: u64 },
    /// It is closed, and this change needs an open one.
    Closed,
    /// It cannot be opened again while another one is.
    AnotherIsOpen,
}

/// How much of a factory's explanation is kept.
const DETAIL_MAX: usize = 200;

impl Replenishment {
    pub fn new(
        id: ReplenishmentId,
        product: ProductId,
        sku: Sku,
        factory: Sku,
        quantity: u64,
        token: Token,
        now: Millis,
    ) -> Self {
        Self {
            v: 1,
            seq: id.seq,
            secret: id.secret.0,
            product,
            sku,
            factory,
            quantity,
            status: ReplenishmentStatus::Requested,
            attempts: 0,
            received: 0,
            reason: None,
            detail: None,
            token,
            requested_at: now,
            reopened_at: None,
            started_at: None,
            closed_at: None,
        }
    }

    pub fn id(&self) -> ReplenishmentId {
        ReplenishmentId {
            seq: self.seq,
            secret: Secret(self.secret),
        }
    }

    /// Since when the factory has had time to do what comes next.
    pub fn since(&self) -> Millis {
        let asked_at = self.reopened_at.unwrap_or(self.requested_at);
        self.started_at.unwrap_or(asked_at)
    }

    pub fn is_open(&self) -> bool {
        match self.status {
            ReplenishmentStatus::Requested | ReplenishmentStatus::InProduction => true,
            ReplenishmentStatus::Received | ReplenishmentStatus::Failed => false,
        }
    }

    /// The factory took the request. A repeat (a worker that died before it deleted its
    /// message) changes nothing.
    pub fn start(&mut self, now: Millis) -> Result<bool, ReplenishmentRefusal> {
        match self.status {
            ReplenishmentStatus::Requested => {
                self.status = ReplenishmentStatus::InProduction;
                self.attempts += 1;
                self.started_at = Some(now);
                self.reason = None;
                self.detail = None;
                Ok(true)
            }
            ReplenishmentStatus::InProduction => Ok(false),
            ReplenishmentStatus::Received | ReplenishmentStatus::Failed => {
                Err(ReplenishmentRefusal::Closed)
            }
        }
    }

    /// An attempt failed and another one will follow.
    pub fn note_attempt(
        &mut self,
        reason: FailReason,
        detail: &str,
    ) -> Result<(), ReplenishmentRefusal> {
        if self.status != ReplenishmentStatus::Requested {
            return Err(ReplenishmentRefusal::Closed);
        }
        self.attempts += 1;
        self.explain(reason, detail);
        Ok(())
    }

    /// Nothing will come of it.
    pub fn fail(
        &mut self,
        reason: FailReason,
        detail: &str,
        now: Millis,
    ) -> Result<(), ReplenishmentRefusal> {
        if !self.is_open() {
            return Err(ReplenishmentRefusal::Closed);
        }
        if reason != FailReason::Overdue {
            self.attempts += 1;
        }
        self.status = ReplenishmentStatus::Failed;
        self.closed_at = Some(now);
        self.explain(reason, detail);
        Ok(())
    }

    fn explain(&mut self, reason: FailReason, detail: &str) {
        self.reason = Some(reason);
        self.detail = Some(detail.chars().take(DETAIL_MAX).collect());
    }

    /// Goods arrived: what really came, less or more than asked for. Early, late, in any state
    /// but once. A repeat says the same quantity.
    pub fn receive(&mut self, units: u64, now: Millis) -> Result<(), ReplenishmentRefusal> {
        assert!(
            (1..=STOCK_MAX).contains(&units),
            "the bound is checked before"
        );
        if self.status == ReplenishmentStatus::Received {
            return Err(if self.received == units {
                ReplenishmentRefusal::AlreadyReceived
            } else {
                ReplenishmentRefusal::ReceivedOther {
                    received: self.received,
                }
            });
        }
        self.status = ReplenishmentStatus::Received;
        self.received = units;
        self.closed_at = Some(now);
        Ok(())
    }

    /// An operator sent the request again. `another_open` is the product's open replenishment.
    pub fn reopen(&mut self, another_open: bool, now: Millis) -> Result<(), ReplenishmentRefusal> {
        match self.status {
            ReplenishmentStatus::Received => Err(ReplenishmentRefusal::AlreadyReceived),
            ReplenishmentStatus::Requested | ReplenishmentStatus::InProduction => Ok(()),
            ReplenishmentStatus::Failed if another_open => Err(ReplenishmentRefusal::AnotherIsOpen),
            ReplenishmentStatus::Failed => {
                self.status = ReplenishmentStatus::Requested;
                self.closed_at = None;
                self.reopened_at = Some(now);
                self.started_at = None;
                self.reason = None;
                self.detail = None;
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests;
