//! The consumer itself, over a shop that it follows.

use std::sync::Arc;
use std::time::Duration;

use super::super::consumers::tests::rig::start_real;
use super::super::testing::shop::{Shop, product, restocked};
use super::*;

const GRACE_S: u64 = 25;

#[tokio::test(start_paused = true)]
async fn ads_that_are_parked_hold_up_no_verdict() {
    let shop = Shop::open(|config| {
        config.mail.verdicts = true;
        config.mail.ads_grace_s = GRACE_S;
    });
    let emails = Arc::new(Emails::new(&shop.parts, shop.engine.clone()));
    let queue = shop.queue();
    let running = start_real(&queue, Arc::clone(&emails) as _);
    // One by one: each is a batch that can only be put off.
    for n in 0..10 {
        shop.offer(restocked(&format!("R-{n}"), 0)).await;
    }
    let parked = shop.heard(emails.hears());
    assert_eq!(parked.len(), 10, "{parked:?}");
    for told in &parked {
        queue.send_body(&told.seq.to_string(), &told.body, None);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(queue.left().len(), 10);
    shop.offer(product("A-1", 5)).await;
    shop.buy("A-1", "ada@example.com", 1).await;
    let verdict = shop.heard(emails.hears()).pop().unwrap();
    assert_eq!(verdict.kind, "order.accepted");
    queue.send_body("verdict", &verdict.body, None);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(shop.post.ids(), [format!("order-{}-accepted", verdict.seq)]);
    // And the parked ones are told in their time, once each.
    running.is_empty(Duration::from_secs(GRACE_S)).await;
    assert_eq!(shop.post.ids().len(), 11);
    assert!(queue.dead().is_empty());
    running.stop().await;
}
