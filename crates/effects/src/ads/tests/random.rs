//! Made-up histories of two products, their news in any order and again and again, with servers
//! that fail and processes that die, against what a person with a list would say.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// What the shop did, in its order.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Request { sellable: bool },
    Fail,
    Reopen,
    Receive { which: usize, sellable: bool },
    ByHand { sellable: bool },
}

/// What became of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Sent,
    Refused,
    Deferred,
    Down,
    /// The answer was lost; whether it was taken.
    Cut {
        taken: bool,
    },
    /// The process died; whether it was taken before.
    Died {
        taken: bool,
    },
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Wait(Millis),
    /// One of the news that are there is handed to the consumer, which hands over its e-mails.
    News {
        which: usize,
        fate: Fate,
    },
}

fn deed() -> impl Strategy<Value = (bool, Millis, Deed)> {
    let deed = prop_oneof![
        4 => prop::bool::weighted(0.2).prop_map(|sellable| Deed::Request { sellable }),
        1 => Just(Deed::Fail),
        1 => Just(Deed::Reopen),
        3 => (any::<usize>(), prop::bool::weighted(0.7))
            .prop_map(|(which, sellable)| Deed::Receive { which, sellable }),
        1 => any::<bool>().prop_map(|sellable| Deed::ByHand { sellable }),
    ];
    let apart = prop_oneof![Just(0), 1..GRACE_MS, GRACE_MS..4 * GRACE_MS];
    (any::<bool>(), apart, deed)
}

fn step() -> impl Strategy<Value = Step> {
    let fate = prop_oneof![
        6 => Just(Fate::Sent),
        1 => Just(Fate::Refused),
        1 => Just(Fate::Deferred),
        1 => Just(Fate::Down),
        1 => any::<bool>().prop_map(|taken| Fate::Cut { taken }),
        1 => any::<bool>().prop_map(|taken| Fate::Died { taken }),
    ];
    prop_oneof![
        1 => (1..2 * GRACE_MS).prop_map(Step::Wait),
        4 => (any::<usize>(), fate).prop_map(|(which, fate)| Step::News { which, fate }),
    ]
}

/// The shop's own books: every replenishment with its status after each entry.
#[derive(Default)]
struct Shop {
    events: Vec<Event>,
    at: Millis,
    /// Of each product: its replenishments, open, failed or received.
    books: BTreeMap<bool, Vec<(u64, &'static str)>>,
}

impl Shop {
    fn tell(&mut self, product: bool, sellable: bool, what: What) {
        self.events.push(Event {
            seq: self.events.len() as u64 + 1,
            at: self.at,
            sku: format!("P-{product}"),
            what,
            sellable,
        });
    }

    fn request(&mut self, product: bool, replenishment: u64, sellable: bool) {
        let what = What::Requested {
            replenishment,
            quantity: 10,
            factory: "FF-1".to_owned(),
        };
        self.tell(product, sellable, what);
    }

    fn does(&mut self, product: bool, deed: Deed) {
        let next = self.events.len() as u64 + 1;
        let book = self.books.entry(product).or_default();
        let open = book.iter().position(|(_, status)| *status == "open");
        let failed = book.iter().position(|(_, status)| *status == "failed");
        match deed {
            Deed::Request { sellable } if open.is_none() => {
                book.push((next, "open"));
                self.request(product, next, sellable);
            }
            Deed::Reopen if open.is_none() => {
                let Some(at) = failed else { return };
                book[at].1 = "open";
                let replenishment = book[at].0;
                self.request(product, replenishment, false);
            }
            Deed::Fail => {
                let Some(at) = open else { return };
                book[at].1 = "failed";
                let replenishment = book[at].0;
                self.tell(product, false, What::Failed { replenishment });
            }
            Deed::Receive { which, sellable } => {
                let mut owed: Vec<_> = book
                    .iter_mut()
                    .filter(|(_, status)| *status != "received")
                    .collect();
                if owed.is_empty() {
                    return;
                }
                let which = which % owed.len();
                owed[which].1 = "received";
                let replenishment = owed[which].0;
                self.tell(product, sellable, What::Arrived { quantity: 3 });
                let what = What::Received {
                    replenishment,
                    quantity: 3,
                };
                self.tell(product, sellable, what);
            }
            Deed::ByHand { sellable } => {
                self.tell(product, sellable, What::Arrived { quantity: 3 });
            }
            Deed::Request { .. } | Deed::Reopen => {}
        }
    }

    /// By a look at everything that had happened by then.
    fn is_open(&self, replenishment: u64, now: Millis) -> bool {
        let mut open = false;
        for event in self.events.iter().filter(|event| event.at <= now) {
            match &event.what {
                What::Requested {
                    replenishment: of, ..
                } if *of == replenishment => open = true,
                What::Failed { replenishment: of } if *of == replenishment => open = false,
                What::Received {
                    replenishment: of, ..
                } if *of == replenishment => return false,
                What::Requested { .. }
                | What::Failed { .. }
                | What::Received { .. }
                | What::Arrived { .. } => {}
            }
        }
        open
    }
}

fn replenishment_of(event: &Event) -> Option<u64> {
    match event.what {
        What::Requested { replenishment, .. } => Some(replenishment),
        What::Received { .. } | What::Failed { .. } | What::Arrived { .. } => None,
    }
}

/// The consumer with its queue, and the box of the managers.
struct World {
    shop: Shop,
    connection: Connection,
    now: Millis,
    done: Vec<bool>,
    /// What arrived, the first time of each.
    inbox: Vec<String>,
    any_refused: bool,
    /// E-mails that somebody may have.
    uncertain: BTreeSet<String>,
}

impl World {
    /// One message is worked on as the consumer does it. True when it is done with.
    fn work(&mut self, which: usize, fate: Fate) -> bool {
        let event = self.shop.events[which].clone();
        let is_open = replenishment_of(&event)
            .is_some_and(|replenishment| self.shop.is_open(replenishment, self.now));
        let moment = Moment {
            now: self.now,
            grace_ms: GRACE_MS,
            is_open,
        };
        let transaction = self.connection.transaction().unwrap();
        let again = handle(&transaction, &event, &moment, &write).unwrap();
        let mails = mails::of_event(&transaction, event.seq).unwrap();
        transaction.commit().unwrap();
        let mut is_done = again.is_none();
        for id in mails {
            is_done &= self.hand_over(&id, fate);
        }
        is_done
    }

    fn hand_over(&mut self, id: &str, fate: Fate) -> bool {
        let transaction = self.connection.transaction().unwrap();
        let claimed = mails::claim(&transaction, id, self.now, LEASE_MS).unwrap();
        transaction.commit().unwrap();
        match claimed {
            Claim::Ours(_) => {}
            Claim::Over => return true,
            Claim::Busy { .. } | Claim::Behind => return false,
        }
        let reason = String::new();
        // A server that took it does not refuse it afterwards.
        let fate = match fate {
            Fate::Refused if self.uncertain.contains(id) => Fate::Sent,
            fate => fate,
        };
        if matches!(fate, Fate::Cut { .. } | Fate::Died { .. }) {
            self.uncertain.insert(id.to_owned());
        }
        let (taken, ended) = match fate {
            Fate::Sent => (true, Some(Ended::Sent)),
            Fate::Refused => (false, Some(Ended::Failed { reason })),
            Fate::Deferred => (
                false,
                Some(Ended::Deferred {
                    reason,
                    may_be_taken: false,
                }),
            ),
            Fate::Down => (
                false,
                Some(Ended::Interrupted {
                    reason,
                    may_be_taken: false,
                }),
            ),
            Fate::Cut { taken } => (
                taken,
                Some(Ended::Interrupted {
                    reason,
                    may_be_taken: true,
                }),
            ),
            Fate::Died { taken } => (taken, None),
        };
        self.any_refused |= fate == Fate::Refused;
        if taken && !self.inbox.iter().any(|known| known == id) {
            self.inbox.push(id.to_owned());
        }
        if let Some(ended) = ended {
            let transaction = self.connection.transaction().unwrap();
            mails::settle(&transaction, id, &ended, self.now).unwrap();
            transaction.commit().unwrap();
        }
        matches!(fate, Fate::Sent | Fate::Refused)
    }

    /// Everything that is left is done in good order.
    fn finish(&mut self) {
        self.now = self.now.max(self.shop.at) + GRACE_MS + LEASE_MS;
        for _ in 0..20 {
            self.now += LEASE_MS;
            for which in 0..self.done.len() {
                if !self.done[which] {
                    self.done[which] = self.work(which, Fate::Sent);
                }
            }
        }
        assert!(self.done.iter().all(|done| *done), "every message ends");
    }

    fn check(&self, product: bool) {
        let of_product = |id: &&String| {
            let seq: usize = id.split('-').nth(1).unwrap().parse().unwrap();
            self.shop.events[seq - 1].sku == format!("P-{product}")
        };
        let mails: Vec<&String> = self.inbox.iter().filter(of_product).collect();
        for (n, id) in mails.iter().enumerate() {
            let turn = if n % 2 == 0 { "pause" } else { "resume" };
            assert!(id.ends_with(turn), "they take turns: {mails:?}");
        }
        if self.any_refused {
            return;
        }
        let sku = format!("P-{product}");
        let of: Vec<&Event> = self
            .shop
            .events
            .iter()
            .filter(|event| event.sku == sku)
            .collect();
        let newest = |wanted: &dyn Fn(&Event) -> bool| {
            let found = of.iter().rev().find(|event| wanted(event));
            found.map_or(0, |event| event.seq)
        };
        let arrived = newest(&|event| {
            event.sellable && matches!(event.what, What::Arrived { .. } | What::Received { .. })
        });
        let requested = newest(&|event| matches!(event.what, What::Requested { .. }));
        let is_open = of
            .iter()
            .filter_map(|event| replenishment_of(event))
            .any(|one| self.shop.is_open(one, self.now));
        let is_paused = mails.len() % 2 == 1;
        if is_open && requested > arrived {
            assert!(is_paused, "nothing to sell, and it is open: {mails:?}");
        }
        if arrived > requested {
            assert!(!is_paused, "there is something to sell: {mails:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn managers_hear_pause_and_resume_in_turns_and_end_where_the_stock_does(
        deeds in prop::collection::vec(deed(), 1..12),
        steps in prop::collection::vec(step(), 0..40),
    ) {
        let mut shop = Shop::default();
        for (product, apart, deed) in deeds {
            shop.at += apart;
            shop.does(product, deed);
        }
        let done = vec![false; shop.events.len()];
        let mut world = World {
            shop,
            connection: opened(),
            now: 0,
            done,
            inbox: Vec::new(),
            any_refused: false,
            uncertain: BTreeSet::new(),
        };
        for step in steps {
            match step {
                Step::Wait(ms) => world.now += ms,
                Step::News { which, fate } => {
                    let told = world.shop.events.iter().filter(|event| event.at <= world.now).count();
                    if told > 0 {
                        let which = which % told;
                        // A repeat that does not end is a message like any other.
                        world.done[which] = world.work(which, fate);
                    }
                }
            }
        }
        world.finish();
        for product in [false, true] {
            world.check(product);
        }
    }
}
