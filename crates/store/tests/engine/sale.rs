//! A random sale, in batches, with crashes, against the model in [`model`]: every answer, and
//! everything that is stored afterwards.

mod model;
mod steps;

use std::collections::HashMap;
use std::time::Duration;

use commerce::{OrderId, ReplenishmentId, Secret};
use engine::ports::Clock as _;
use engine::{EngineError, Entry, Kind, Limits, OrderRecord, OrderStatus, Refusal, Reply};
use proptest::prelude::*;

use self::model::{Expected, Model};
use self::steps::{Act, Step};
use crate::rig::{Answer, Fail, Place, Rig, cases, runtime};
use crate::sealed::CROWDED;

const LIMITS: fn() -> Limits = || Limits {
    key_retention: Duration::from_secs(10),
    keys_per_customer: 4,
    products_max: 4,
    ..Limits::default()
};

/// The ids that the model's orders and replenishments have in the store.
#[derive(Default)]
struct Known {
    orders: HashMap<usize, OrderId>,
    replenishments: HashMap<usize, ReplenishmentId>,
}

impl Known {
    fn order(&self, number: usize) -> OrderId {
        let nobody = OrderId {
            seq: 1 << 40,
            secret: Secret([1; 10]),
        };
        self.orders.get(&number).copied().unwrap_or(nobody)
    }

    fn replenishment(&self, number: usize) -> ReplenishmentId {
        let nobody = ReplenishmentId {
            seq: 1 << 40,
            secret: Secret([1; 10]),
        };
        let known = self.replenishments.get(&number);
        known.copied().unwrap_or(nobody)
    }

    /// Reads what is there: by product and place, and in the order of the requests.
    fn learn(&mut self, rig: &Rig, model: &Model) {
        let reader = rig.reader();
        let log = reader.entries(0, usize::MAX >> 1).unwrap();
        let mut requested = 0;
        for entry in log.iter().filter(|entry| entry.subject == entry.seq) {
            if let Some(order) = reader.order(entry.seq).unwrap() {
                let number = model.find(order.sku.as_str(), order.place);
                self.orders.insert(number, order.id);
            } else if entry.kind == Kind::ReplenishmentRequested {
                let replenishment = reader.replenishment(entry.seq).unwrap().unwrap();
                self.replenishments.insert(requested, replenishment.id());
                requested += 1;
            }
        }
        assert_eq!(requested, model.replenishments.len());
    }
}

fn check_answer(step: &Step, expected: &Expected, answer: &Answer, known: &Known) {
    let got = match answer {
        Err(error) => panic!("{step:?}: {error}"),
        Ok(Err(Refusal::PurchaseLimit { limit, bought, .. })) => Expected::OverLimit {
            limit: *limit,
            bought: *bought,
        },
        Ok(Err(refusal)) => Expected::Refused(refusal.code()),
        Ok(Ok(Reply::Order(reply))) => {
            let order = &reply.order;
            if let Expected::Order { number, .. } = expected
                && let Some(id) = known.orders.get(number)
            {
                assert_eq!(order.id, *id, "{step:?}");
            }
            Expected::Order {
                number: match expected {
                    Expected::Order { number, .. } => *number,
                    _ => usize::MAX,
                },
                place: order.place,
                status: order.status,
                replay: reply.replay,
                available: reply.available,
            }
        }
        Ok(Ok(Reply::Product(product))) => Expected::Product {
            on_hand: product.stock.on_hand,
            allocated: product.stock.allocated,
            waiting: product.waiting,
        },
        Ok(Ok(Reply::Receipt(reply))) => Expected::Receipt {
            granted: reply.granted,
            repeated: reply.repeated,
            on_hand: reply.product.stock.on_hand,
        },
        Ok(Ok(Reply::Replenishment(reply))) => Expected::Replenishment {
            status: reply.replenishment.status,
            repeated: reply.repeated,
            received: reply.replenishment.received,
            on_hand: reply.on_hand,
        },
        Ok(Ok(Reply::Count(count))) => Expected::Count(*count),
        Ok(Ok(other)) => panic!("{step:?}: {other:?}"),
    };
    assert_eq!(got, *expected, "{step:?}");
}

/// What customers have, asked for with orders that are too large by one.
async fn check_limits(rig: &Rig, model: &mut Model, known: &Known) {
    model.begin_batch(rig.clock.now());
    for step in model.orders_over_limits() {
        let answer = rig.decide(step.command(known)).await;
        check_answer(&step, &model.apply(&step), &answer, known);
    }
}

/// Everything that is stored is what the model says.
fn check_store(rig: &Rig, model: &Model, known: &Known) {
    let reader = rig.reader();
    for product in &model.products {
        let stored = reader.product(&product.sku).unwrap().unwrap();
        let levels = model.levels(product);
        assert_eq!(stored.stock.on_hand, levels.on_hand);
        assert_eq!(stored.stock.received, levels.on_hand);
        assert_eq!(stored.stock.allocated, levels.allocated);
        assert_eq!(stored.stock.reserved, 0);
        assert_eq!(
            (stored.waiting, stored.waiting_units),
            (levels.waiting, levels.waiting_units)
        );
        assert_eq!(stored.last_place, levels.places);
        let open = model
            .open_replenishment(&product.sku)
            .map(|n| known.replenishment(n).seq);
        assert_eq!(stored.open_replenishment, open);

        let line = reader.waiting(stored.id, 0, 10_000).unwrap();
        let pending: Vec<(u64, u64, u64)> = model
            .line(&product.sku)
            .map(|(number, order)| (order.place, known.order(number).seq, order.units))
            .collect();
        let stored_line: Vec<(u64, u64, u64)> = line
            .iter()
            .map(|w| (w.place, w.order, w.quantity.units()))
            .collect();
        assert_eq!(stored_line, pending);
        let mut before = (0, 0);
        for waiting in &line {
            let ahead = reader.ahead(stored.id, waiting.place).unwrap();
            assert_eq!((ahead.orders, ahead.units), before);
            assert_eq!(ahead.last_seq, reader.last_seq().unwrap());
            before = (before.0 + 1, before.1 + waiting.quantity.units());
        }
    }
    let log = reader.entries(0, usize::MAX >> 1).unwrap();
    for (number, order) in model.orders.iter().enumerate() {
        let stored = reader.order(known.order(number).seq).unwrap().unwrap();
        assert_eq!(stored.id, known.order(number));
        assert_eq!(stored.sku, order.sku);
        assert_eq!(stored.place, order.place);
        assert_eq!(stored.status, order.status);
        assert_eq!(stored.quantity.units(), order.units);
        assert_eq!(&*stored.customer, order.customer);
        assert_eq!(stored.placed_at, order.placed_at);
        // Whoever hears of every entry in turn knows as much as who reads it.
        let mut heard =
            OrderRecord::from_entry(&reader.entry(stored.id.seq).unwrap().unwrap()).unwrap();
        log.iter().for_each(|entry| heard.follow(entry));
        assert_eq!(heard, stored);
        assert_eq!(stored.decided_at.is_some(), order.was_decided);
        assert_eq!(
            stored.cancelled_at.is_some(),
            order.status == OrderStatus::Cancelled
        );
    }
    for (number, replenishment) in model.replenishments.iter().enumerate() {
        let seq = known.replenishment(number).seq;
        let stored = reader.replenishment(seq).unwrap().unwrap();
        assert_eq!(stored.sku, replenishment.sku);
        assert_eq!(stored.status, replenishment.status);
        assert_eq!(stored.received, replenishment.received);
        assert_eq!(stored.quantity, replenishment.quantity);
    }
    let report = rig.audit_clean();
    assert_eq!(report.orders, model.orders.len() as u64);
    assert_eq!(report.products, model.products.len() as u64);
    assert_eq!(report.replenishments, model.replenishments.len() as u64);
    let ever_accepted = model
        .orders
        .iter()
        .filter(|order| order.was_accepted)
        .count();
    assert_eq!(report.accepted, ever_accepted as u64);
}

/// Runs a batch, and tells the model. `fail` is how its commit goes wrong.
async fn run_batch(
    rig: &mut Rig,
    model: &mut Model,
    known: &mut Known,
    steps: &[Step],
    fail: Option<Fail>,
) {
    model.begin_batch(rig.clock.now());
    let commands = steps.iter().map(|step| step.command(known)).collect();
    if let Some(fail) = fail {
        rig.steering.fail_next(fail);
    }
    let answers = rig.batch(commands).await;
    let failed = fail.is_some() && !rig.steering.forgive();
    if !failed {
        for (step, answer) in steps.iter().zip(&answers) {
            let expected = model.apply(step);
            check_answer(step, &expected, answer, known);
            model.end_batch_after(step);
        }
        rig.settled().await;
        model.end_batch();
        known.learn(rig, model);
        return;
    }
    // Nobody was told anything, and nobody will be.
    for answer in answers {
        assert!(matches!(answer, Err(EngineError::Store(_))), "{answer:?}");
    }
    let later = rig.decide(engine::Command::Probe).await;
    assert!(matches!(later, Err(EngineError::Store(_))), "{later:?}");
    if fail == Some(Fail::CommitKept) {
        for step in steps {
            model.apply(step);
        }
    }
    rig.stop_and_start().await;
    rig.settled().await;
    model.restart();
    known.learn(rig, model);
}

async fn run(place: Place, acts: &[Act]) -> Rig {
    let mut rig = Rig::with_limits(place, LIMITS());
    let mut model = Model::new(LIMITS());
    let mut known = Known::default();
    for act in acts {
        match act {
            Act::Wait(seconds) => rig.clock.advance(i64::from(*seconds) * 1_000),
            Act::Batch(steps) => run_batch(&mut rig, &mut model, &mut known, steps, None).await,
            Act::Crash { fail, steps } => {
                // What ends a batch would leave it open which half was kept.
                let steps: Vec<Step> = steps
                    .iter()
                    .filter(|step| !step.ends_batch())
                    .cloned()
                    .collect();
                run_batch(&mut rig, &mut model, &mut known, &steps, Some(*fail)).await;
            }
            Act::Restart => {
                rig.restart().await;
                rig.settled().await;
                model.now = rig.clock.now();
                model.restart();
                known.learn(&rig, &model);
            }
        }
    }
    check_limits(&rig, &mut model, &known).await;
    check_store(&rig, &model, &known);
    let heads = rig.audit().heads;
    rig.restart().await;
    rig.settled().await;
    model.now = rig.clock.now();
    model.restart();
    known.learn(&rig, &model);
    check_limits(&rig, &mut model, &known).await;
    check_store(&rig, &model, &known);
    for (line, head) in heads {
        // Starting again rewrites nothing; it may have asked a factory.
        let log = rig.reader().entries(0, usize::MAX >> 1).unwrap();
        assert!(log.iter().any(|entry| entry.hash == head), "{line}");
    }
    rig
}

/// An entry but for the random parts of ids, and the hashes over them.
fn without_chance(entry: &Entry) -> impl PartialEq + std::fmt::Debug {
    let mut data = entry.data();
    data.buyer = None;
    data.replenishment = None;
    data.reference = data.reference.filter(|text| !text.starts_with("rep_"));
    let data = serde_json::to_string(&data).unwrap();
    let buyer = entry
        .buyer
        .as_ref()
        .map(|buyer| (buyer.customer.clone(), buyer.key, buyer.body));
    let place = (entry.seq, entry.line, entry.prev, entry.subject);
    (place, entry.kind, entry.at, data, buyer)
}

proptest! {
    #![proptest_config(cases(300))]
    #[test]
    fn a_sale_goes_by_the_rules_in_memory(acts in steps::acts(30)) {
        runtime().block_on(run(Place::memory(), &acts));
    }
}

proptest! {
    #![proptest_config(cases(20))]
    #[test]
    fn a_sale_goes_by_the_rules_on_disk_and_leaves_the_same_log(acts in steps::acts(30)) {
        runtime().block_on(async {
            let disk = run(Place::disk(), &acts).await;
            let memory = run(Place::memory(), &acts).await;
            let log = |rig: &Rig| rig.reader().entries(0, usize::MAX >> 1).unwrap();
            let (disk, memory) = (log(&disk), log(&memory));
            assert_eq!(disk.len(), memory.len());
            for (disk, memory) in disk.iter().zip(&memory) {
                assert_eq!(without_chance(disk), without_chance(memory));
            }
        });
    }
}

proptest! {
    #![proptest_config(cases(40))]
    #[test]
    fn a_sale_goes_by_the_rules_when_its_keys_are_sealed(acts in steps::acts(30)) {
        runtime().block_on(run(Place::blocks(CROWDED), &acts));
    }
}
