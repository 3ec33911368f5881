//! What `effects.db` keeps of orders: parcels, e-mails, and the example's sums.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Sent, World, day, events, heard, is, is_reversal, parts, rows, text};
use crate::workers::consumer::Consumer;
use crate::workers::emails::Emails;
use crate::workers::examples::sold_units::{SCHEMA, SoldUnits};
use crate::workers::testing::shop::{Shop, product, restocked};
use crate::workers::tracking::Tracking;

pub(in crate::workers::faults) struct Parcels(Shop);

impl Parcels {
    pub(in crate::workers::faults) async fn open() -> Self {
        let shop = Shop::open(|_| {});
        day(&shop).await;
        Self(shop)
    }
}

impl World for Parcels {
    fn shop(&self) -> &Shop {
        &self.0
    }

    fn process(&self) -> Arc<dyn Consumer> {
        let effects = parts(&self.0).effects;
        Arc::new(Tracking::new(
            self.0.engine.clone(),
            effects,
            Arc::default(),
        ))
    }

    fn messages(&self) -> Vec<Sent> {
        heard(&self.0, self.process().hears())
    }

    fn effects(&self) -> Vec<String> {
        let query = "SELECT printf('%s %s %d %d, %d of it', cause, customer, quantity, cancelled,
                       (SELECT count(*) FROM parcel_change WHERE parcel = parcel.id AND status = 0))
                     FROM parcel ORDER BY 1";
        rows(self.0.directory.path().join("effects.db"), query)
    }

    fn fold(&self) -> Vec<String> {
        let mut parcels = BTreeMap::new();
        for event in events(&self.0) {
            let order = &event["order"];
            let cause = format!("order:{}", order["seq"]);
            if is(&event, "order.accepted") {
                let about = format!("{} {}", text(&order["customer"]), order["quantity"]);
                parcels.insert(cause, (about, 0));
            } else if is_reversal(&event) {
                parcels.get_mut(&cause).unwrap().1 = 1;
            }
        }
        let line = |(cause, (about, cancelled))| format!("{cause} {about} {cancelled}, 1 of it");
        let mut lines: Vec<String> = parcels.into_iter().map(line).collect();
        lines.sort();
        lines
    }
}

/// The example of `docs/CONSUMERS.md`.
pub(in crate::workers::faults) struct Sold(Shop);

impl Sold {
    pub(in crate::workers::faults) async fn open() -> Self {
        let shop = Shop::open(|_| {});
        day(&shop).await;
        let made = shop.parts.effects.0.write(|tx| tx.execute_batch(SCHEMA));
        made.await.unwrap();
        Self(shop)
    }
}

impl World for Sold {
    fn shop(&self) -> &Shop {
        &self.0
    }

    fn process(&self) -> Arc<dyn Consumer> {
        Arc::new(SoldUnits {
            effects: parts(&self.0).effects,
            clock: Arc::clone(&self.0.parts.clock),
        })
    }

    fn messages(&self) -> Vec<Sent> {
        heard(&self.0, self.process().hears())
    }

    fn effects(&self) -> Vec<String> {
        let query = "SELECT sku || ' ' || units FROM sold_units ORDER BY 1";
        rows(self.0.directory.path().join("effects.db"), query)
    }

    fn fold(&self) -> Vec<String> {
        let mut sold = BTreeMap::<String, i64>::new();
        for event in events(&self.0) {
            let quantity = event["order"]["quantity"].as_i64().unwrap_or(0);
            let is_accepted = is(&event, "order.accepted");
            let change = i64::from(is_accepted) - i64::from(is_reversal(&event));
            if change != 0 {
                *sold.entry(text(&event["order"]["sku"])).or_default() += change * quantity;
            }
        }
        sold.iter()
            .map(|(sku, units)| format!("{sku} {units}"))
            .collect()
    }
}

/// Verdicts for buyers, and ads that pause. Of a cancelled order it depends on what comes first
/// which e-mails there are, so none is cancelled here.
pub(in crate::workers::faults) struct Letters(Shop);

impl Letters {
    pub(in crate::workers::faults) async fn open() -> Self {
        let shop = Shop::open(|config| {
            config.mail.verdicts = true;
            config.mail.ads_grace_s = 5;
        });
        shop.offer(product("A-1", 5)).await;
        for who in ["ada", "bob", "cho"] {
            shop.buy("A-1", &format!("{who}@example.com"), 1).await;
        }
        shop.offer(restocked("R-1", 0)).await;
        shop.buy("A-1", "dan@example.com", 1).await;
        shop.offer(restocked("R-2", 0)).await;
        shop.buy("A-1", "eve@example.com", 1).await;
        Self(shop)
    }
}

impl World for Letters {
    fn shop(&self) -> &Shop {
        &self.0
    }

    fn process(&self) -> Arc<dyn Consumer> {
        Arc::new(Emails::new(&parts(&self.0), self.0.engine.clone()))
    }

    fn messages(&self) -> Vec<Sent> {
        heard(&self.0, self.process().hears())
    }

    fn effects(&self) -> Vec<String> {
        // Handed over twice under one id it is one e-mail.
        let taken: BTreeSet<String> = self.0.post.ids().into_iter().collect();
        let query = "SELECT id || CASE WHEN sent_at IS NULL THEN ' open' ELSE '' END
                     FROM mail ORDER BY 1";
        let written = rows(self.0.directory.path().join("effects.db"), query);
        assert_eq!(taken, written.iter().cloned().collect(), "written and sent");
        written
    }

    fn fold(&self) -> Vec<String> {
        let mut mails = BTreeSet::new();
        for event in events(&self.0) {
            if is(&event, "order.accepted") {
                mails.insert(format!("order-{}-accepted", event["order"]["seq"]));
            } else if is(&event, "replenishment.requested") {
                mails.insert(format!("ads-{}-pause", event["seq"]));
            }
        }
        assert_eq!(mails.len(), 7);
        mails.into_iter().collect()
    }

    fn told_once(&self) -> bool {
        let all = self.0.post.ids();
        all.iter().collect::<BTreeSet<_>>().len() == all.len()
    }
}
