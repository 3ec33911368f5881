//! Alerts, for the operators' address.

use effects::mails::{self, NewMail};

use super::{Emails, Stopped, poison};
use crate::workers::alert_mail::AlertMail;

impl Emails {
    /// Writes the e-mail of an alert; answers what it is found by.
    pub(super) async fn hear_alert(&self, alert: AlertMail) -> Result<u64, Stopped> {
        let reader = self.mailer.reader();
        let link = self.link("/ops");
        let text = alert
            .text(reader, link.as_ref())
            .ok_or_else(|| poison(format!("no alert is called {}", alert.rule)))?;
        let event = event_of(&alert.id);
        let mail = NewMail {
            id: alert.id,
            kind: "alert",
            recipient: alert.to,
            lang: reader.language.tag(),
            order_seq: None,
            event,
            after: None,
            subject: text.subject,
            text: text.text,
            html: text.html,
            created_at: self.engine.now(),
        };
        self.effects
            .0
            .write(move |transaction| mails::add(transaction, &mail))
            .await?;
        Ok(event)
    }
}

/// An alert is no entry of the log: its number is above all that entries have.
fn event_of(id: &str) -> u64 {
    let hash = blake3::hash(id.as_bytes());
    let bytes: [u8; 8] = hash.as_bytes()[..8].try_into().expect("a hash is longer");
    u64::from_le_bytes(bytes) >> 2 | 1 << 62
}
