//! What goes to the queue `emails` for an alert.

use commerce::Millis;
use effects::alerts::{Rule, Telling};
use mail::texts::{Alert, AlertCause, Link, Reader, Text};
use serde::{Deserialize, Serialize};

/// `{"kind": "alert", "id": "alert_12_opened", ...}`: the same id is the same e-mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertMail {
    kind: AlertKind,
    pub id: String,
    pub to: String,
    /// As [`Rule::as_str`].
    pub rule: String,
    pub subject: String,
    pub count: i64,
    pub opened_at: Millis,
    /// Null: it is open.
    pub resolved_at: Option<Millis>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum AlertKind {
    Alert,
}

impl AlertMail {
    pub fn new(telling: &Telling, to: String) -> Self {
        let alert = &telling.alert;
        Self {
            kind: AlertKind::Alert,
            id: telling.id(),
            to,
            rule: alert.rule.as_str().to_owned(),
            subject: alert.subject.clone(),
            count: alert.count,
            opened_at: alert.opened_at,
            resolved_at: alert.resolved_at.filter(|_| telling.resolved),
        }
    }

    /// The e-mail's text; none when this program does not know the rule.
    pub fn text(&self, reader: Reader, link: Option<&Link>) -> Option<Text> {
        let name = self.subject.as_str();
        let cause = match Rule::parse(&self.rule)? {
            Rule::DeadLetters => AlertCause::DeadLetters { queue: name },
            Rule::ConsumerStandsStill => AlertCause::ConsumerStandsStill { consumer: name },
            Rule::FactoryFails => AlertCause::FactoryFails { factory: name },
            Rule::LineWaits => AlertCause::LineWaits { product: name },
            Rule::WebhookDisabled => AlertCause::WebhookDisabled { endpoint: name },
            Rule::StoreIsOlder => AlertCause::StoreIsOlder { database: name },
            Rule::StoreFileGone => AlertCause::StoreFileGone { file: name },
        };
        let alert = Alert {
            cause,
            count: u64::try_from(self.count).unwrap_or(0),
            since: self.opened_at,
            resolved_at: self.resolved_at,
            link,
        };
        Some(alert.write(reader))
    }
}
