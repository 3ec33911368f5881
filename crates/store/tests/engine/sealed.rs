//! Idempotency keys that were sealed long ago: the same answers as when they were fresh, also
//! after a restart, and no customer is refused for what others hold.

use std::time::Duration;

use commerce::WhenSoldOut;
use engine::{BodyHash, Command, Limits, OrderStatus, PlaceOrder, Refusal};
use store::sqlite::BlockSizes;

use crate::rig::{Answer, Place, Rig, create, email, key, order_of, reply_order, runtime};

/// A block is full after a few look-ups, and all customers share a few counters.
pub(crate) const CROWDED: BlockSizes = BlockSizes {
    rows: 4,
    sorted_after: 1,
    pages_at_once: 1,
    page_rows: 3,
    generation_keys: 12,
    sketch_lines: 1,
    counts_max: 8,
};

/// Blocks that are full after some batches, and room for the rest.
const SMALL: BlockSizes = BlockSizes {
    rows: 64,
    sorted_after: 2,
    pages_at_once: 2,
    page_rows: 24,
    generation_keys: 512,
    sketch_lines: 16,
    counts_max: 64,
};

const HOUR: i64 = 3_600_000;

fn keyed(customer: &str, number: u64) -> PlaceOrder {
    PlaceOrder {
        customer: email(customer),
        key: Some(key(number)),
        ..order_of("A")
    }
}

async fn place_all(rig: &Rig, orders: impl IntoIterator<Item = PlaceOrder>) -> Vec<Answer> {
    let mut orders = orders.into_iter().map(Command::PlaceOrder).peekable();
    let mut answers = Vec::new();
    while orders.peek().is_some() {
        answers.extend(rig.batch(orders.by_ref().take(250).collect()).await);
    }
    answers
}

fn accepted(answers: &[Answer]) -> usize {
    let replies = answers.iter().map(reply_order);
    replies.filter(|reply| !reply.replay).count()
}

#[test]
fn a_key_that_was_sealed_long_ago_gives_the_same_order() {
    runtime().block_on(async {
        let mut rig = Rig::new(Place::blocks(SMALL));
        rig.done(create("A", 1_000, WhenSoldOut::Reject)).await;
        let first = rig.order(keyed("ada@example.com", 0)).await;
        // Past two generations.
        let others = (1..1_200).map(|number| keyed("bob@example.com", number));
        // Nobody may hold so many.
        let others = others.enumerate().map(|(n, order)| PlaceOrder {
            customer: email(&format!("bob{}@example.com", n % 7)),
            ..order
        });
        let answers = place_all(&rig, others).await;
        assert_eq!(accepted(&answers), 1_199);
        let sold_out = reply_order(&answers[1_100]).order.clone();
        assert_eq!(sold_out.status, OrderStatus::SoldOut);
        for _ in 0..2 {
            for (number, earlier) in [(0, &first.order), (1_101, &sold_out)] {
                let again = rig.order(keyed("eve@example.com", number)).await;
                assert!(again.replay);
                assert_eq!(&again.order, earlier);
                let other = PlaceOrder {
                    body: BodyHash(2),
                    ..keyed("ada@example.com", number)
                };
                let refused = rig.refused(Command::PlaceOrder(other)).await;
                assert_eq!(refused, Refusal::KeyReused);
            }
            rig.restart().await;
        }
        // It stands as it was changed since.
        rig.done(Command::CancelOrder { id: first.order.id }).await;
        let again = rig.order(keyed("ada@example.com", 0)).await;
        assert!(again.replay);
        assert_eq!(again.order.status, OrderStatus::Cancelled);
        // And when it is too old it makes another one, once.
        rig.clock.advance(25 * HOUR);
        let anew = rig.order(keyed("ada@example.com", 0)).await;
        assert!(!anew.replay);
        assert_ne!(anew.order.id, first.order.id);
        rig.restart().await;
        let again = rig.order(keyed("ada@example.com", 0)).await;
        assert!(again.replay);
        assert_eq!(again.order.id, anew.order.id);
        rig.audit_clean();
    });
}

#[test]
fn a_customer_with_a_thousand_sealed_keys_is_refused_and_one_with_a_key_less_is_not() {
    runtime().block_on(async {
        let mut rig = Rig::new(Place::blocks(SMALL));
        rig.done(create("A", 1, WhenSoldOut::Reject)).await;
        let (ada, bob) = ("ada@example.com", "bob@example.com");
        // Between them 1,984 and some, and then as many of others as close the block.
        let orders =
            (0..999).flat_map(|number| [keyed(ada, 10_000 + number), keyed(bob, 20_000 + number)]);
        assert_eq!(accepted(&place_all(&rig, orders).await), 1_998);
        assert_eq!(accepted(&place_all(&rig, [keyed(bob, 30_000)]).await), 1);
        let others = (0..64).map(|number| keyed(&format!("c{number}@example.com"), number));
        assert_eq!(accepted(&place_all(&rig, others).await), 64);

        for restarted in [false, true] {
            if restarted {
                rig.restart().await;
            }
            let refused = rig.refused(Command::PlaceOrder(keyed(bob, 30_001))).await;
            assert_eq!(refused, Refusal::TooManyKeys { limit: 1_000 });
        }
        // One more, and in the same batch no other.
        let both = [keyed(ada, 40_000), keyed(ada, 40_001), keyed(ada, 40_000)];
        let answers = place_all(&rig, both).await;
        assert!(!reply_order(&answers[0]).replay);
        let refused = Refusal::TooManyKeys { limit: 1_000 };
        assert!(matches!(&answers[1], Ok(Err(refusal)) if *refusal == refused));
        assert!(reply_order(&answers[2]).replay);
        rig.restart().await;
        let refused = rig.refused(Command::PlaceOrder(keyed(ada, 40_001))).await;
        assert_eq!(refused, Refusal::TooManyKeys { limit: 1_000 });
        // Whoever brings none may buy; others are as they were.
        rig.order(PlaceOrder {
            key: None,
            ..keyed(ada, 0)
        })
        .await;
        rig.order(keyed("c1@example.com", 50_000)).await;
        // Their keys get old.
        rig.clock.advance(25 * HOUR);
        for (who, number) in [(ada, 40_001), (bob, 30_001)] {
            assert!(!rig.order(keyed(who, number)).await.replay);
        }
    });
}

#[test]
fn keys_of_a_customer_become_free_one_by_one_while_their_block_is_live() {
    runtime().block_on(async {
        let limits = Limits {
            keys_per_customer: 20,
            key_retention: Duration::from_secs(3_600),
            ..Limits::default()
        };
        let mut rig = Rig::with_limits(Place::blocks(SMALL), limits);
        rig.done(create("A", 1, WhenSoldOut::Reject)).await;
        for number in 0..20 {
            rig.order(keyed("ada@example.com", number)).await;
            rig.order(keyed(&format!("c{number}@example.com"), 1_000 + number))
                .await;
            rig.clock.advance(2_000);
        }
        let others = (0..64).map(|number| keyed(&format!("d{number}@example.com"), 2_000 + number));
        place_all(&rig, others).await;
        let mut held = 20;
        let mut next = 3_000;
        rig.clock.advance(HOUR - 40_000);
        for round in 0..20 {
            if round % 7 == 3 {
                rig.restart().await;
            }
            // The first may still be there to the millisecond.
            rig.clock.advance(2_000);
            held -= 1;
            let answers = place_all(&rig, (0..3).map(|n| keyed("ada@example.com", next + n))).await;
            next += 3;
            let room = 20 - held;
            assert_eq!(room, 1, "round {round}");
            assert!(!reply_order(&answers[0]).replay);
            for answer in &answers[1..] {
                let refused = Refusal::TooManyKeys { limit: 20 };
                assert!(matches!(answer, Ok(Err(refusal)) if *refusal == refused));
            }
            held += 1;
        }
    });
}

#[test]
fn nobody_is_refused_for_what_others_hold() {
    runtime().block_on(async {
        // All counters are shared by all, in many sketches, or in one in which they are soon full.
        let one = BlockSizes {
            generation_keys: 10_000,
            ..CROWDED
        };
        for (limit, sizes) in [
            (1, CROWDED),
            (2, CROWDED),
            (5, one),
            (300, CROWDED),
            (300, one),
        ] {
            let limits = Limits {
                keys_per_customer: limit,
                ..Limits::default()
            };
            let mut rig = Rig::with_limits(Place::blocks(sizes), limits);
            rig.done(create("A", 1, WhenSoldOut::Reject)).await;
            let customers = 900 / u64::from(limit);
            let order =
                |number: u64| keyed(&format!("c{}@example.com", number % customers), number);
            let all = customers * u64::from(limit);
            let answers = place_all(&rig, (0..all).map(order)).await;
            assert_eq!(accepted(&answers), usize::try_from(all).unwrap());
            for _ in 0..2 {
                for customer in 0..customers.min(20) {
                    let refused = rig
                        .refused(Command::PlaceOrder(order(all + customer)))
                        .await;
                    assert_eq!(refused, Refusal::TooManyKeys { limit });
                }
                rig.restart().await;
            }
            rig.order(keyed("new@example.com", 1_000_000)).await;
        }
    });
}
