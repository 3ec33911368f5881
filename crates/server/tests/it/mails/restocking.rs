//! The donut sells out, and the advertising manager hears of it, or need not.

use super::{DONUT, demo, files, mails, queue_is_empty, told};
use crate::harness::Shop;
use crate::harness::wait::eventually;

#[tokio::test]
async fn a_slow_factory_is_a_pause_and_a_resume() {
    let shop = Shop::start(demo(3_000, 1)).await;
    shop.place(DONUT, "a@example.com", 5).await;
    told(&shop, &[("ads.pause", "sent")]).await;
    assert_eq!(files(&shop).len(), 1);
    shop.replenishment(DONUT, "received").await;
    told(&shop, &[("ads.pause", "sent"), ("ads.resume", "sent")]).await;
    queue_is_empty(&shop).await;
    let mails = mails(&shop).await;
    for mail in &mails {
        assert_eq!(mail["to"], "ads@shop.example");
        assert_eq!(mail["attempts"], 1);
        assert_eq!(mail["language"], "en");
    }
    assert_eq!(files(&shop).len(), 2, "each is there once");
    assert!(!shop.log_text().contains("ads@shop.example"));
}

#[tokio::test]
async fn of_a_fast_factory_nobody_hears() {
    let shop = Shop::start(demo(100, 2)).await;
    shop.place(DONUT, "a@example.com", 5).await;
    shop.replenishment(DONUT, "received").await;
    queue_is_empty(&shop).await;
    assert_eq!(mails(&shop).await, Vec::<serde_json::Value>::new());
    assert_eq!(files(&shop), Vec::<String>::new());
}

#[tokio::test]
async fn killed_again_and_again_each_is_sent_once() {
    let mut shop = Shop::start(demo(25_000, 2)).await;
    shop.place(DONUT, "a@example.com", 5).await;
    // Within the grace. What is in flight comes again after 15 seconds at most.
    eventually("the request is heard of", async || {
        let queue = shop.get("/ops/queues/emails").await.expect(200);
        (queue["inFlight"].as_u64() > Some(0)).then_some(())
    })
    .await;
    shop.kill();
    shop.restart().await;
    told(&shop, &[("ads.pause", "sent")]).await;
    shop.kill();
    shop.restart().await;
    shop.replenishment(DONUT, "received").await;
    told(&shop, &[("ads.pause", "sent"), ("ads.resume", "sent")]).await;
    shop.kill();
    shop.restart().await;
    told(&shop, &[("ads.pause", "sent"), ("ads.resume", "sent")]).await;
    assert_eq!(files(&shop).len(), 2);
}

#[tokio::test]
async fn a_mailbox_that_is_away_is_waited_for() {
    let shop = Shop::start(demo(60_000, 0)).await;
    let directory = shop.data().join("mail");
    std::fs::write(&directory, "a file where a directory must be").unwrap();
    shop.place(DONUT, "a@example.com", 5).await;
    eventually("an attempt fails", async || {
        let mails = mails(&shop).await;
        let error = mails.first()?["lastError"].as_str()?.to_owned();
        error.starts_with("storage").then_some(())
    })
    .await;
    told(&shop, &[("ads.pause", "pending")]).await;
    std::fs::remove_file(&directory).unwrap();
    told(&shop, &[("ads.pause", "sent")]).await;
}
