//! What the customers database keeps: points, tiers, and notices for the marketing system.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::super::neighbour::Neighbour;
use super::{SECRET, Sent, World, day, events, heard, is, is_reversal, parts, rows, text};
use crate::config::Secret;
use crate::workers::consumer::Consumer;
use crate::workers::marketing::Marketing;
use crate::workers::mileage::Mileage;
use crate::workers::testing::delivery;
use crate::workers::testing::shop::{Shop, product};
use crate::workers::testing::time::stand_still;
use crate::workers::vip::Vip;

/// Qualifying units that make a VIP here.
const BOUND: u64 = 50;

pub(in crate::workers::faults) struct Points(Shop);

impl Points {
    pub(in crate::workers::faults) async fn open() -> Self {
        let shop = Shop::open(|_| {});
        day(&shop).await;
        Self(shop)
    }
}

impl World for Points {
    fn shop(&self) -> &Shop {
        &self.0
    }

    fn process(&self) -> Arc<dyn Consumer> {
        Arc::new(Mileage::new(parts(&self.0).customers, 200))
    }

    fn messages(&self) -> Vec<Sent> {
        heard(&self.0, self.process().hears())
    }

    fn effects(&self) -> Vec<String> {
        let query = "SELECT cause || ' ' || points FROM mileage WHERE points <> 0 ORDER BY 1";
        let mut effects = rows(self.0.parts.config.customers_file(), query);
        let query = "SELECT name || ' ' || balance FROM customer ORDER BY 1";
        effects.extend(rows(self.0.parts.config.customers_file(), query));
        effects
    }

    fn fold(&self) -> Vec<String> {
        let (mut causes, mut balances) = (BTreeSet::new(), BTreeMap::<String, i64>::new());
        for event in events(&self.0) {
            let order = &event["order"];
            let points = |sign: i64| {
                let (price, units) = (&order["unitPrice"], &order["quantity"]);
                sign * price.as_i64().unwrap() * units.as_i64().unwrap() * 2 / 100
            };
            let (cause, points) = if is(&event, "order.accepted") {
                ("accepted", points(1))
            } else if is_reversal(&event) {
                ("cancelled", points(-1))
            } else {
                continue;
            };
            causes.insert(format!("order:{}:{cause} {points}", order["seq"]));
            *balances.entry(text(&order["customer"])).or_default() += points;
        }
        let balances = balances
            .iter()
            .map(|(who, points)| format!("{who} {points}"));
        causes.into_iter().chain(balances).collect()
    }
}

pub(in crate::workers::faults) struct Tiers(Shop);

impl Tiers {
    pub(in crate::workers::faults) async fn open() -> Self {
        let shop = Shop::open(|_| {});
        day(&shop).await;
        Self(shop)
    }
}

impl World for Tiers {
    fn shop(&self) -> &Shop {
        &self.0
    }

    fn process(&self) -> Arc<dyn Consumer> {
        Arc::new(Vip::new(parts(&self.0).customers, BOUND))
    }

    fn messages(&self) -> Vec<Sent> {
        let told = self.0.heard(self.process().hears()).into_iter();
        told.map(|told| Sent {
            body: told.body,
            group: told.customer,
        })
        .collect()
    }

    fn is_fifo(&self) -> bool {
        true
    }

    fn effects(&self) -> Vec<String> {
        let file = self.0.parts.config.customers_file();
        let query = "SELECT name || ' ' || tier || ' ' || units FROM customer ORDER BY name";
        let mut effects = rows(file.clone(), query);
        let query = "SELECT 'told ' || name || ' ' || notice.units FROM notice
                     JOIN customer ON customer.id = notice.customer ORDER BY 1";
        effects.extend(rows(file, query));
        effects
    }

    fn fold(&self) -> Vec<String> {
        let (mut units, mut vips) = (BTreeMap::<String, i64>::new(), BTreeMap::new());
        for event in events(&self.0) {
            let quantity = event["order"]["quantity"].as_i64();
            let change = if is(&event, "order.accepted") {
                quantity.unwrap()
            } else if is_reversal(&event) {
                -quantity.unwrap()
            } else {
                continue;
            };
            let who = text(&event["order"]["customer"]);
            let units = units.entry(who.clone()).or_default();
            *units += change;
            if *units >= i64::try_from(BOUND).unwrap() {
                vips.entry(who).or_insert(*units);
            }
        }
        assert_eq!(vips.len(), 1, "the day has one");
        let tier = |who| {
            if vips.contains_key(who) {
                "vip"
            } else {
                "normal"
            }
        };
        let tiers = units
            .iter()
            .map(|(who, units)| format!("{who} {} {units}", tier(who)));
        let told = vips
            .iter()
            .map(|(who, units)| format!("told {who} {units}"));
        tiers.chain(told).collect()
    }
}

/// Notices of VIPs, for the marketing system.
pub(in crate::workers::faults) struct Notices {
    shop: Shop,
    pub system: Neighbour,
    ids: Vec<String>,
}

impl Notices {
    pub(in crate::workers::faults) async fn open() -> Self {
        let system = Neighbour::open().await;
        let shop = Shop::open(|config| {
            config.marketing.url = Some(system.url());
            config.marketing.secret = Some(Secret(SECRET.to_owned()));
        });
        shop.offer(product("A-1", 1_000)).await;
        for n in 0..7 {
            shop.buy("A-1", &format!("vip{n}@example.com"), 50).await;
        }
        let vip = Vip::new(shop.parts.customers.clone(), BOUND);
        let still = stand_still();
        for told in shop.heard(vip.hears()) {
            vip.handle(&[delivery(&told.body)]).await;
        }
        let ids = shop.parts.customers.unqueued_notices(100).await.unwrap();
        assert_eq!(ids.len(), 7);
        drop(still);
        Self { shop, system, ids }
    }
}

impl World for Notices {
    fn shop(&self) -> &Shop {
        &self.shop
    }

    fn process(&self) -> Arc<dyn Consumer> {
        Arc::new(Marketing::new(&parts(&self.shop)))
    }

    fn messages(&self) -> Vec<Sent> {
        let body = |id: &String| serde_json::json!({"notice": id}).to_string();
        let sent = |id| Sent {
            body: body(id),
            group: None,
        };
        self.ids.iter().map(sent).collect()
    }

    fn effects(&self) -> Vec<String> {
        // The same id is the same bytes, however often it came.
        let heard: BTreeSet<(String, String)> = self.system.heard().into_iter().collect();
        let customer = |body: &str| {
            let body: Value = serde_json::from_str(body).unwrap();
            text(&body["data"]["customer"])
        };
        let mut lines: Vec<String> = heard.iter().map(|(_, body)| customer(body)).collect();
        lines.sort();
        let query = "SELECT 'told ' || id FROM notice WHERE told_at IS NOT NULL ORDER BY 1";
        lines.extend(rows(self.shop.parts.config.customers_file(), query));
        lines
    }

    fn fold(&self) -> Vec<String> {
        let customers = (0..7).map(|n| format!("vip{n}@example.com"));
        let mut told: Vec<String> = self.ids.iter().map(|id| format!("told {id}")).collect();
        told.sort();
        customers.chain(told).collect()
    }

    fn told_once(&self) -> bool {
        self.system.heard().len() == self.ids.len()
    }

    fn tells_once_side_by_side(&self) -> bool {
        false
    }
}
