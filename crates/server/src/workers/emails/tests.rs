//! The consumer itself, over a shop that it follows.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use commerce::auction::{Bidder, Format, Increment, Terms};
use commerce::{AuctionId, Currency, Money, Name};
use effects::mails;
use engine::{Aftermath, BodyHash, Command, CreateAuction, Offer, PlaceBid, Reply};

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

#[tokio::test(start_paused = true)]
async fn a_verdict_links_to_its_order() {
    let shop = Shop::open(|config| config.mail.verdicts = true);
    let emails = Arc::new(Emails::new(&shop.parts, shop.engine.clone()));
    let queue = shop.queue();
    let running = start_real(&queue, Arc::clone(&emails) as _);
    shop.offer(product("A-1", 5)).await;
    shop.buy("A-1", "ada@example.com", 1).await;
    let verdict = shop.heard(emails.hears()).pop().unwrap();
    queue.send_body("verdict", &verdict.body, None);
    running.is_empty(Duration::from_secs(60)).await;
    running.stop().await;
    let read = shop.parts.effects.0.read(|tx| mails::page(tx, None, 100));
    let mail = read.await.unwrap().mails.pop().unwrap().new;
    let event = crate::workers::events::parse(&verdict.body).unwrap();
    let link = format!("http://shop.example/shop/A-1#order={}", event.order.id);
    assert!(mail.text.contains(&link), "{}", mail.text);
    assert!(mail.html.contains(&link), "{}", mail.html);
}

const MINUTE_MS: i64 = 60_000;

fn who(text: &str) -> Bidder {
    Bidder::new(text).unwrap()
}

fn won(amount: i64) -> Money {
    Money::new(amount).unwrap()
}

/// An auction of a minute in this shop: who bids up to how much, in this order.
async fn auction(shop: &Shop, lots: u32, reserve: Option<i64>, bids: &[(&str, i64)]) -> AuctionId {
    let create = CreateAuction {
        product: Name::new("A teapot").unwrap(),
        seller: who("seller"),
        terms: Terms {
            format: Format::English,
            currency: Currency::new("KRW").unwrap(),
            starting_price: won(10_000),
            increment: Increment::Fixed(won(1_000)),
            lots,
            reserve_price: reserve.map(won),
            buy_now_price: None,
            starts_at: shop.now(),
            ends_at: shop.now() + MINUTE_MS,
            soft_close: None,
            retraction: None,
        },
        closing_soon_ms: 0,
        key: None,
        body: BodyHash(0),
    };
    let id = match shop.done(Command::CreateAuction(Box::new(create))).await {
        Reply::Made { auction, .. } => auction.id(),
        other => panic!("{other:?}"),
    };
    for (bidder, most) in bids {
        shop.done(Command::PlaceBid(Box::new(PlaceBid {
            auction: id,
            bidder: who(bidder),
            offer: Offer::Amount {
                // With several lots a bid is its amount.
                amount: won(if lots == 1 { 21_000.min(*most) } else { *most }),
                maximum: (lots == 1).then(|| won(*most)),
                currency: None,
            },
            key: None,
            body: BodyHash(0),
            defer: false,
            message: None,
        })))
        .await;
    }
    tokio::time::sleep(Duration::from_millis(61_000)).await;
    shop.done(Command::AuctionDue { auction: id }).await;
    id
}

/// The e-mails there are, once their events came twice: id, to whom, subject and text.
async fn mailed(shop: &Shop) -> Vec<(String, String, String, String)> {
    let emails = Arc::new(Emails::new(&shop.parts, shop.engine.clone()));
    let queue = shop.queue();
    let closed = shop.heard(&[AUCTIONS]);
    assert!(!closed.is_empty());
    for (n, told) in closed.iter().chain(&closed).enumerate() {
        queue.send_body(&n.to_string(), &told.body, None);
    }
    let running = start_real(&queue, emails);
    running.is_empty(Duration::from_secs(60)).await;
    running.stop().await;
    assert_eq!(queue.dead(), []);
    let read = shop.parts.effects.0.read(|tx| mails::page(tx, None, 100));
    let mut mails = read.await.unwrap().mails;
    mails.reverse();
    let mut taken = shop.post.ids();
    taken.sort();
    let mut written: Vec<String> = mails.iter().map(|mail| mail.new.id.clone()).collect();
    written.sort();
    assert_eq!(taken, written, "each was handed over once");
    let of = mails.into_iter().map(|mail| mail.new);
    of.map(|new| (new.id, new.recipient, new.subject, new.text))
        .collect()
}

fn of_winners(language: &str) -> Shop {
    Shop::open(|config| {
        config.mail.winners = true;
        config.mail.language = language.to_owned();
    })
}

#[tokio::test(start_paused = true)]
async fn a_winner_reads_the_price_in_the_language_of_the_shop() {
    for (language, subject, price, closed) in [
        (
            "en",
            "You won: A teapot",
            "Price: ₩21,000",
            "You won A teapot at",
        ),
        (
            "ko",
            "낙찰받으셨어요: A teapot",
            "21,000",
            "A teapot 경매에서",
        ),
    ] {
        let shop = of_winners(language);
        let bids = [("ada@example.com", 20_000), ("bob@example.com", 50_000)];
        let id = auction(&shop, 1, None, &bids).await;
        let mails = mailed(&shop).await;
        let [(mail, to, told, text)] = &mails[..] else {
            panic!("the loser hears nothing: {mails:?}");
        };
        assert_eq!(to, "bob@example.com");
        assert!(
            mail.starts_with(&format!("auction-{}-won-", id.seq)),
            "{mail}"
        );
        assert_eq!(told, subject);
        assert!(text.contains(price), "the second price and a step: {text}");
        assert!(text.contains(closed), "{text}");
        assert!(
            !text.contains("50,000"),
            "what he would have paid is his own: {text}"
        );
        assert!(
            text.contains(&format!("http://shop.example/saleroom/{id}#bid=bid_")),
            "{text}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn each_winner_of_several_lots_gets_one() {
    let shop = of_winners("en");
    let bids = [
        ("ada@example.com", 12_000),
        ("bob@example.com", 15_000),
        // A name is somebody else's to reach.
        ("kim", 20_000),
        ("cho@example.com", 13_000),
    ];
    auction(&shop, 3, None, &bids).await;
    let mails = mailed(&shop).await;
    let mut told: Vec<&str> = mails.iter().map(|(_, to, ..)| to.as_str()).collect();
    told.sort_unstable();
    assert_eq!(told, ["bob@example.com", "cho@example.com"]);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_told_that_he_won_what_was_not_sold() {
    for (reserve, bids) in [
        (Some(30_000), &[("ada@example.com", 20_000)][..]),
        (None, &[]),
    ] {
        let shop = of_winners("en");
        auction(&shop, 1, reserve, bids).await;
        assert_eq!(mailed(&shop).await, []);
    }
    // The same bid wins where it is enough.
    let shop = of_winners("en");
    auction(&shop, 1, Some(20_000), &[("ada@example.com", 20_000)]).await;
    assert_eq!(mailed(&shop).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_gets_a_second_chance_hears_until_when_and_nobody_after_that() {
    for (offer_ms, language, expected) in [
        (
            600 * MINUTE_MS,
            "en",
            &["You won: A teapot", "Offered to you: A teapot"][..],
        ),
        (
            600 * MINUTE_MS,
            "ko",
            &["낙찰받으셨어요: A teapot", "구매 기회가 왔어요: A teapot"],
        ),
        // It has run out by the time that it would be told.
        (MINUTE_MS, "en", &["You won: A teapot"]),
    ] {
        let shop = of_winners(language);
        let bids = [("ada@example.com", 20_000), ("bob@example.com", 50_000)];
        let id = auction(&shop, 1, None, &bids).await;
        let bidder = who("bob@example.com");
        let until = shop.now() + offer_ms;
        for what in [
            Aftermath::Forfeit { bidder },
            Aftermath::SecondChance { until },
        ] {
            shop.done(Command::AfterClose { auction: id, what }).await;
        }
        if offer_ms == MINUTE_MS {
            tokio::time::sleep(Duration::from_millis(61_000)).await;
        }
        let mails = mailed(&shop).await;
        let subjects = mails.iter().map(|(.., subject, _)| subject.as_str());
        // They are of two messages: nobody promises which is written first.
        let expected: BTreeSet<&str> = expected.iter().copied().collect();
        assert_eq!(subjects.collect::<BTreeSet<_>>(), expected);
        assert_eq!(mails.len(), expected.len());
        let offered = mails.iter().find(|(_, to, ..)| to == "ada@example.com");
        assert_eq!(offered.is_some(), offer_ms > MINUTE_MS);
        if let Some((.., text)) = offered {
            assert!(
                text.contains(&format!("http://shop.example/saleroom/{id}#bid=bid_")),
                "{text}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn winners_hear_nothing_where_the_shop_does_not_want_it() {
    let shop = Shop::open(|config| config.mail.verdicts = true);
    auction(&shop, 1, None, &[("ada@example.com", 20_000)]).await;
    assert_eq!(mailed(&shop).await, []);
}
