//! Goods that are asked for and arrive: the ads of the product pause and go on.

use std::time::Duration;

use commerce::{Email, Millis, Name, ReplenishmentId, Sku, StockLevels};
use effects::ads::{self, Moment, Notice, What, Written};
use engine::Kind;
use mail::texts::{Link, PauseAds, Reader, ResumeAds, Text};
use serde::Deserialize;

use super::{Emails, Event, Stopped, parse, poison};

#[derive(Deserialize)]
struct Goods {
    sku: Sku,
    #[serde(default)]
    quantity: u64,
    #[serde(default)]
    replenishment: Option<String>,
    #[serde(default)]
    factory: Option<String>,
    stock: StockLevels,
}

/// What a product's e-mails need of it.
struct About {
    name: Name,
    manager: Option<Email>,
    reader: Reader,
    link: Option<Link>,
}

impl Emails {
    pub(super) async fn hear_goods(
        &self,
        kind: Kind,
        body: &str,
    ) -> Result<Option<Millis>, Stopped> {
        let event: Event<Goods> = parse(body)?;
        let Some(what) = what(kind, &event.data)? else {
            return Ok(None);
        };
        let (sku, stock) = (event.data.sku, event.data.stock);
        let asked = match what {
            What::Requested { replenishment, .. } => Some(replenishment),
            What::Received { .. } | What::Failed { .. } | What::Arrived { .. } => None,
        };
        let wanted = sku.clone();
        let (product, is_open) = self
            .engine
            .read(move |reader| {
                let replenishment = match asked {
                    Some(seq) => reader.replenishment(seq)?,
                    None => None,
                };
                let is_open = replenishment.is_some_and(|replenishment| replenishment.is_open());
                Ok((reader.product(&wanted)?, is_open))
            })
            .await?;
        let Some(product) = product else {
            return Err(poison(format!("no product has the sku {sku}")));
        };
        let about = About {
            name: product.name,
            manager: product.ad_manager,
            reader: self.mailer.reader(),
            link: self.link(&format!("/shop/{sku}")),
        };
        let moment = Moment {
            now: self.engine.now(),
            grace_ms: self.grace_ms,
            is_open,
        };
        let event = ads::Event {
            seq: event.seq,
            at: event.at,
            sku: sku.as_str().to_owned(),
            what,
            sellable: stock.available() > stock.waiting_units,
        };
        let again = self
            .effects
            .0
            .write(move |transaction| {
                ads::handle(transaction, &event, &moment, &|notice| about.write(notice))
            })
            .await?;
        Ok(again)
    }
}

fn what(kind: Kind, goods: &Goods) -> Result<Option<What>, Stopped> {
    let replenishment = || {
        let id = goods.replenishment.as_deref().unwrap_or_default();
        let parsed = ReplenishmentId::parse(id);
        parsed
            .map(|id| id.seq)
            .map_err(|_| poison("the message names no replenishment"))
    };
    Ok(if kind == Kind::ReplenishmentRequested {
        Some(What::Requested {
            replenishment: replenishment()?,
            quantity: goods.quantity,
            factory: goods.factory.clone().unwrap_or_default(),
        })
    } else if kind == Kind::ReplenishmentReceived {
        Some(What::Received {
            replenishment: replenishment()?,
            quantity: goods.quantity,
        })
    } else if kind == Kind::ReplenishmentFailed {
        Some(What::Failed {
            replenishment: replenishment()?,
        })
    } else if kind == Kind::StockReceived {
        Some(What::Arrived {
            quantity: goods.quantity,
        })
    } else {
        None
    })
}

impl About {
    /// None when there is nobody to write to.
    fn write(&self, notice: &Notice) -> Option<Written> {
        let manager = self.manager.as_ref().map(ToString::to_string);
        let recipient = notice.recipient.clone().or(manager)?;
        let sku = &Sku::new(&notice.sku).ok()?;
        let factory = &Sku::new(&notice.factory).ok()?;
        let (product, quantity, link) = (&self.name, notice.quantity, self.link.as_ref());
        let Text {
            subject,
            text,
            html,
        } = match notice.kind {
            ads::Kind::Pause => PauseAds {
                product,
                sku,
                factory,
                quantity,
                lead_time: None,
                link,
            }
            .write(self.reader),
            ads::Kind::Resume => ResumeAds {
                product,
                sku,
                factory,
                quantity,
                lead_time: notice
                    .took_ms
                    .and_then(|took| u64::try_from(took).ok())
                    .map(Duration::from_millis),
                link,
            }
            .write(self.reader),
        };
        Some(Written {
            recipient,
            lang: self.reader.language.tag(),
            subject,
            text,
            html,
        })
    }
}
