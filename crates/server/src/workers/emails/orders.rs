//! Verdicts on orders, for their buyers.

use commerce::{OrderId, Quantity, Sku, StockLevels};
use effects::mails::{self, NewMail};
use engine::Kind;
use mail::texts::{OrderAccepted, OrderCancelled, OrderSoldOut, Text};
use serde::Deserialize;

use super::{Emails, Stopped, parse, poison};
use crate::workers::events;

/// What a verdict says beside the order itself.
#[derive(Deserialize)]
struct Verdict {
    data: VerdictData,
}

#[derive(Deserialize)]
struct VerdictData {
    place: u64,
    stock: StockLevels,
}

impl Emails {
    pub(super) async fn hear_verdict(&self, kind: Kind, body: &str) -> Result<(), Stopped> {
        if kind == Kind::OrderPlaced {
            return Ok(());
        }
        let event = events::parse(body).map_err(poison)?;
        let verdict: Verdict = parse(body)?;
        let facts = event.order;
        let order = OrderId::parse(&facts.id).map_err(|_| poison("the message names no order"))?;
        let sku = Sku::new(&facts.sku).map_err(poison)?;
        let quantity = u32::try_from(facts.quantity).unwrap_or(0);
        let quantity = Quantity::new(quantity).map_err(poison)?;
        let wanted = sku.clone();
        let found = self
            .engine
            .read(move |reader| reader.product(&wanted))
            .await?;
        let name = found
            .ok_or_else(|| poison(format!("no product has the sku {sku}")))?
            .name;
        let (product, place, price, currency) =
            (&name, verdict.data.place, facts.unit_price, facts.currency);
        let reader = self.mailer.reader();
        // Behind the hash, so that whose order it is stands in no log; the page asks for it.
        let link = self.link(&format!("/shop/{sku}#order={order}"));
        let link = link.as_ref();
        let Text {
            subject,
            text,
            html,
        } = if kind == Kind::OrderAccepted {
            OrderAccepted {
                order,
                product,
                quantity,
                place,
                price,
                currency,
                link,
            }
            .write(reader)
        } else if kind == Kind::OrderSoldOut {
            let left = verdict.data.stock.available();
            OrderSoldOut {
                order,
                product,
                quantity,
                left,
                place,
                price,
                currency,
                link,
            }
            .write(reader)
        } else {
            OrderCancelled {
                order,
                product,
                quantity,
                place,
                price,
                currency,
                link,
            }
            .write(reader)
        };
        let id = |kind: Kind| format!("order-{}-{}", facts.seq, short(kind));
        let is_cancelled = kind == Kind::OrderCancelled;
        let mail = NewMail {
            id: id(kind),
            kind: kind.as_str(),
            recipient: facts.customer,
            lang: reader.language.tag(),
            order_seq: Some(facts.seq),
            event: event.seq,
            // The verdict before it, if there was one.
            after: is_cancelled.then(|| id(Kind::OrderAccepted)),
            subject,
            text,
            html,
            created_at: self.engine.now(),
        };
        let cancellation = id(Kind::OrderCancelled);
        self.effects
            .0
            .write(move |transaction| {
                // The news overtook each other: it is not accepted any more.
                if !is_cancelled && mails::get(transaction, &cancellation)?.is_some() {
                    return Ok(());
                }
                mails::add(transaction, &mail).map(drop)
            })
            .await?;
        Ok(())
    }
}

/// The kind without its family, as ids have it.
fn short(kind: Kind) -> &'static str {
    let (_, name) = kind.as_str().split_once('.').unwrap_or_default();
    name
}
