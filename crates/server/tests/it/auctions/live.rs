//! Live streams of auctions and of single bids: nothing missed, nothing twice.

use serde_json::{Value, json};

use super::{
    act, after_ms, auction, bid, bid_body, bids, delete, id, name, open, own, taken, up_to,
};
use crate::harness::sse::{Event, Events};
use crate::harness::{Settings, Shop};

async fn resume(shop: &Shop, path: &str, after: u64) -> Events {
    let after = after.to_string();
    Events::open(shop.connect().await, path, &[("last-event-id", &after)]).await
}

fn check(event: &Event, name: &str, members: &Value) {
    assert_eq!(event.name, name, "{event:?}");
    assert_eq!(event.data["seq"], event.id);
    assert_eq!(event.data["type"], name);
    assert!(event.data["at"].as_str().unwrap().ends_with('Z'));
    for (member, value) in members.as_object().unwrap() {
        assert_eq!(event.data[member], *value, "{member} of {event:?}");
    }
}

#[tokio::test]
async fn an_auction_s_events_tell_everything_that_a_page_shows() {
    let shop = Shop::start(Settings::new()).await;
    let rule = json!({"withinMs": 600_000, "beforeEndMs": 0});
    let soft = json!({
        "windowMs": 7_200_000, "extendMs": 7_200_000, "hardEnd": after_ms(&shop, 10_800_000).await,
    });
    let fields =
        json!({"reservePrice": 300, "buyNowPrice": 5_000, "retraction": rule, "softClose": soft});
    let guitar = open(&shop, fields).await;
    let mut all = shop.events("/events?since=0").await;
    let path = format!("/auctions/{}/events", id(&guitar));
    let mut events = shop.events(&format!("{path}?since=0")).await;
    let ada = up_to(&shop, &guitar, "ada", 100, 250).await;
    let bob = taken(&shop, &guitar, "bob", 400).await;
    bid(&shop, &guitar, "carl", 400)
        .await
        .problem(409, "bid_too_low");
    delete(&shop, &format!("/bids/by-id/{}", id(&bob)))
        .await
        .expect(200);
    shop.offer("A-1", json!({})).await;
    let carl = act(&shop, &guitar, "buy-now", json!({"bidderId": "carl"}))
        .await
        .expect(201);
    act(&shop, &guitar, "settle", json!({"bidderId": "carl"}))
        .await
        .expect(200);

    let (ada, bob, carl) = (name(&ada), name(&bob), name(&carl));
    let expected = [
        (
            "auction.created",
            json!({"product": "Guitar", "seller": guitar["seller"]}),
        ),
        ("auction.opened", json!({})),
        (
            "bid.accepted",
            json!({
            "no": 1, "bidder": ada, "amount": 100, "price": 100, "leading": true, "bids": 1,
            "extended": true, "outbid": null, "reserveMet": null}),
        ),
        (
            "bid.accepted",
            json!({
            "no": 2, "bidder": bob, "amount": 400, "price": 400, "leading": true, "bids": 2,
            "outbid": [ada], "reserveMet": true}),
        ),
        (
            "bid.refused",
            json!({"bidder": carl, "amount": 400, "reason": "too_low", "least": 401}),
        ),
        (
            "bid.retracted",
            json!({
            "no": 2, "bidder": bob, "price": 100, "bids": 1, "outbid": [bob], "regained": [ada],
            "reserveMet": false}),
        ),
        (
            "bid.accepted",
            json!({
            "no": 3, "bidder": carl, "amount": 5_000, "price": 5_000, "leading": true,
            "buyNow": true, "outbid": [ada]}),
        ),
        (
            "auction.closed",
            json!({
            "status": "closed", "reason": "bought_now", "price": 5_000,
            "winners": [{"bidder": carl, "no": 3, "price": 5_000}]}),
        ),
        (
            "auction.settled",
            json!({"bidder": carl, "price": 5_000, "status": "settled"}),
        ),
    ];
    let mut last = 0;
    for (name, members) in &expected {
        let event = events.next().await.unwrap();
        check(&event, name, members);
        assert_eq!(event.data["auction"], guitar["id"]);
        assert!(event.id > last, "in order");
        last = event.id;
        // Everything that happens has it too, between what else there is.
        let same = loop {
            let event = all.next().await.unwrap();
            if event.data["auction"].is_string() {
                break event;
            }
            assert_eq!(event.name, "product.created");
        };
        assert_eq!((same.id, same.data), (event.id, event.data));
    }
    assert_eq!(auction(&shop, &guitar).await["lastEvent"], last);
}

#[tokio::test]
async fn a_listener_of_an_auction_resumes_and_misses_nothing() {
    const BIDS: i64 = 300;
    let mut shop = Shop::start(Settings::new()).await;
    let guitar = open(&shop, json!({})).await;
    let path = format!("/auctions/{}/events", id(&guitar));
    let since = auction(&shop, &guitar).await["lastEvent"].as_u64().unwrap();
    let mut seen: Vec<Event> = Vec::new();
    let mut events = resume(&shop, &path, since).await;
    let flood = async {
        let mut connection = shop.connect().await;
        for n in 0..BIDS {
            let body = bid_body(&guitar, "many@example.com", 100 + n).to_string();
            let answer = connection.send("POST", "/bids", &[], Some(&body)).await;
            answer.unwrap().expect(201);
        }
    };
    // Cut off while bids flow, again and again.
    let cuts = async {
        for _ in 0..5 {
            for _ in 0..40 {
                seen.push(events.next().await.unwrap());
            }
            events = resume(&shop, &path, seen.last().unwrap().id).await;
        }
    };
    tokio::join!(flood, cuts);
    shop.kill();
    shop.restart().await;
    let mut events = resume(&shop, &path, seen.last().unwrap().id).await;
    while seen.last().unwrap().data["no"] != BIDS {
        seen.push(events.next().await.unwrap());
    }
    assert!(seen.is_sorted_by(|a, b| a.id < b.id), "in order, once each");
    let numbers = seen.iter().map(|event| event.data["no"].as_i64().unwrap());
    assert!(numbers.eq(1..=BIDS), "every bid, once");
}

#[tokio::test]
async fn a_sequence_that_was_never_given_out_is_answered_with_a_reset() {
    let shop = Shop::start(Settings::new()).await;
    let guitar = open(&shop, json!({})).await;
    let ada = taken(&shop, &guitar, "ada", 100).await;
    for path in [
        format!("/auctions/{}/events", id(&guitar)),
        format!("/bids/by-id/{}/events", id(&ada)),
    ] {
        for since in [1_000, u64::MAX] {
            let mut events = resume(&shop, &path, since).await;
            assert_eq!(events.next().await.unwrap().name, "reset", "{path}");
        }
    }
}

#[tokio::test]
async fn a_bid_s_stream_begins_with_the_bid_and_tells_when_it_is_outbid() {
    let shop = Shop::start(Settings::new()).await;
    let rule = json!({"withinMs": 600_000, "beforeEndMs": 0});
    let guitar = open(&shop, json!({"retraction": rule})).await;
    let ada = taken(&shop, &guitar, "ada", 100).await;
    let path = format!("/bids/by-id/{}/events", id(&ada));
    let mut events = shop.events(&path).await;
    let first = events.next().await.unwrap();
    check(&first, "bid", &own(&shop, &ada).await);

    // What is not about it is not told: the bids in between, and what others are refused.
    let bob = taken(&shop, &guitar, "bob", 200).await;
    taken(&shop, &guitar, "carl", 300).await;
    bid(&shop, &guitar, "dora", 250)
        .await
        .problem(409, "bid_too_low");
    let again = taken(&shop, &guitar, "ada", 400).await;
    taken(&shop, &guitar, "carl", 500).await;
    delete(&shop, &format!("/bids/by-id/{}", id(&ada)))
        .await
        .expect(200);

    let (ada_name, bob_name) = (name(&ada), name(&bob));
    let expected = [
        (
            "bid.accepted",
            json!({"bidder": bob_name, "price": 200, "outbid": [ada_name]}),
        ),
        (
            "bid.accepted",
            json!({"no": 5, "price": 500, "outbid": [ada_name]}),
        ),
        ("bid.retracted", json!({"no": 1, "bidder": ada_name})),
    ];
    let mut seen = Vec::new();
    for (name, members) in &expected {
        let event = events.next().await.unwrap();
        check(&event, name, members);
        seen.push(event);
    }
    // The same from the past: its own first entry, and what followed.
    let begun = first.id - 1;
    let mut resumed = resume(&shop, &path, begun).await;
    let own_entry = resumed.next().await.unwrap();
    check(&own_entry, "bid.accepted", &json!({"no": 1, "amount": 100}));
    for event in &seen {
        let same = resumed.next().await.unwrap();
        assert_eq!((same.id, &same.data), (event.id, &event.data));
    }
    let mut rest = resume(&shop, &path, seen[0].id).await;
    assert_eq!(rest.next().await.unwrap().id, seen[1].id);
    // The bidder's other bid is told of the same bidder's fate, and not of this one's end.
    let other = format!("/bids/by-id/{}/events", id(&again));
    let mut other = resume(&shop, &other, begun).await;
    let told: Vec<u64> = [
        other.next().await.unwrap(),
        other.next().await.unwrap(),
        other.next().await.unwrap(),
    ]
    .iter()
    .map(|event| event.data["no"].as_u64().unwrap())
    .collect();
    assert_eq!(told, [2, 4, 5]);
}

#[tokio::test]
async fn the_verdict_on_a_queued_bid_is_pushed() {
    let shop = Shop::start(Settings::new()).await;
    let guitar = open(&shop, json!({})).await;
    taken(&shop, &guitar, "bob", 300).await;
    // It listens before there is a bid: first that it waits, then its verdict.
    let mut live = shop
        .events(&format!("/auctions/{}/events", id(&guitar)))
        .await;
    for (amount, verdict, status) in [
        (200, "bid.refused", "too_low"),
        (400, "bid.accepted", "leading"),
    ] {
        let body = bid_body(&guitar, "ada", amount);
        let ada = shop.post("/bid", &body).await.expect(202);
        assert_eq!(ada["status"], "pending");
        let placed = live.next().await.unwrap();
        check(&placed, "bid.placed", &json!({"auction": guitar["id"]}));
        let told = live.next().await.unwrap();
        let members = json!({"bidder": name(&ada), "amount": amount, "placed": placed.id});
        check(&told, verdict, &members);
        assert_eq!(own(&shop, &ada).await["status"], status);
        // The bid's own stream, from before it was placed: the same two.
        let path = format!("/bids/by-id/{}/events", id(&ada));
        let mut resumed = resume(&shop, &path, placed.id - 1).await;
        for event in [&placed, &told] {
            let same = resumed.next().await.unwrap();
            assert_eq!((same.id, &same.data), (event.id, &event.data));
        }
    }
}

#[tokio::test]
async fn a_bid_s_stream_tells_the_result() {
    let shop = Shop::start(Settings::new()).await;
    let fields = json!({"buyNowPrice": 5_000, "endTime": after_ms(&shop, 2_000).await});
    let sold = open(&shop, fields).await;
    let called_off = open(&shop, json!({})).await;
    let ada = taken(&shop, &sold, "ada", 100).await;
    let bob = taken(&shop, &sold, "bob", 200).await;
    let carl = taken(&shop, &called_off, "carl", 100).await;
    let path = |bid: &Value| format!("/bids/by-id/{}/events", id(bid));
    let mut streams = [
        shop.events(&path(&ada)).await,
        shop.events(&path(&bob)).await,
        shop.events(&path(&carl)).await,
    ];
    delete(&shop, &format!("/auctions/{}", id(&called_off)))
        .await
        .expect(200);
    let event = streams[2].next_named("auction.cancelled").await;
    assert_eq!(event.data["auction"], called_off["id"]);
    assert_eq!(own(&shop, &carl).await["status"], "lost");
    let winners = json!([{"bidder": name(&bob), "no": 2, "price": 200}]);
    let mut closed = Vec::new();
    for events in &mut streams[..2] {
        let event = events.next_named("auction.closed").await;
        assert_eq!(event.data["winners"], winners);
        closed.push(event);
    }
    assert_eq!(own(&shop, &ada).await["status"], "lost");
    assert_eq!(own(&shop, &bob).await["status"], "winning");
    // Also to somebody who was away; and the other auction's end is not theirs.
    let mut resumed = resume(&shop, &path(&ada), closed[0].id - 1).await;
    let same = resumed.next().await.unwrap();
    assert_eq!((same.id, &same.data), (closed[0].id, &closed[0].data));
}

#[tokio::test]
async fn the_end_is_announced_and_told() {
    let shop = Shop::start(Settings::new()).await;
    let fields = json!({"endTime": after_ms(&shop, 1_500).await, "closingSoonMs": 1_000});
    let guitar = open(&shop, fields).await;
    let path = format!("/auctions/{}/events?since=0", id(&guitar));
    let mut events = shop.events(&path).await;
    let ada = taken(&shop, &guitar, "ada", 100).await;
    for (kind, members) in [
        ("auction.created", json!({})),
        ("auction.opened", json!({})),
        ("bid.accepted", json!({"bidder": name(&ada)})),
        ("auction.closing_soon", json!({})),
        (
            "auction.closed",
            json!({"status": "closed", "reason": "end_time", "price": 100}),
        ),
    ] {
        check(&events.next().await.unwrap(), kind, &members);
    }
}

/// Without what depends on the moment of the answer.
fn lasting(mut auction: Value) -> Value {
    for member in ["timeLeftMs", "serverTime"] {
        assert!(auction.as_object_mut().unwrap().remove(member).is_some());
    }
    auction
}

/// What the event says of the auction itself.
fn shown(event: &Event) -> Value {
    assert_eq!(event.name, "auction");
    assert_eq!(event.data["type"], "auction");
    assert_eq!(event.data["seq"], event.id);
    assert_eq!(event.data["lastEvent"], event.id);
    let mut auction = event.data.clone();
    let members = auction.as_object_mut().unwrap();
    for member in ["seq", "type", "at", "bids", "retracted"] {
        assert!(members.remove(member).is_some(), "{member} of {event:?}");
    }
    lasting(auction)
}

/// The bids as the list of them has them, without the auction.
async fn shown_bids(shop: &Shop, of: &Value) -> Vec<Value> {
    let mut bids = bids(shop, of).await;
    for bid in &mut bids {
        assert!(bid.as_object_mut().unwrap().remove("auctionId").is_some());
    }
    bids
}

fn numbers(event: &Event) -> Vec<i64> {
    let bids = event.data["bids"].as_array().unwrap().iter();
    bids.map(|bid| bid["no"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn who_comes_while_others_are_still_to_be_told_is_not_told_again() {
    let shop = Shop::start(Settings::new()).await;
    let guitar = open(&shop, json!({})).await;
    let path = format!("/auctions/{}/events?latest=true", id(&guitar));
    let mut early = shop.events(&path).await;
    early.next().await.unwrap();
    taken(&shop, &guitar, "ada", 100).await;
    assert_eq!(early.next().await.unwrap().data["bidCount"], 1, "at once");
    // This one is told a quarter of a second after that.
    taken(&shop, &guitar, "bob", 200).await;
    let mut late = shop.events(&path).await;
    assert_eq!(late.next().await.unwrap().data["bidCount"], 2);
    assert_eq!(early.next().await.unwrap().data["bidCount"], 2);
    taken(&shop, &guitar, "carl", 300).await;
    for events in [&mut early, &mut late] {
        assert_eq!(events.next().await.unwrap().data["bidCount"], 3);
    }
}

#[tokio::test]
async fn who_only_looks_at_an_auction_is_told_how_it_stands_once_in_a_while() {
    const BIDS: i64 = 600;
    let shop = Shop::start(Settings::new()).await;
    let rule = json!({"withinMs": 600_000, "beforeEndMs": 0});
    let soft = json!({
        "windowMs": 7_200_000, "extendMs": 7_200_000, "hardEnd": after_ms(&shop, 10_800_000).await,
    });
    let fields = json!({"reservePrice": 300, "retraction": rule, "softClose": soft});
    let guitar = open(&shop, fields).await;
    let ada = up_to(&shop, &guitar, "ada", 100, 250).await;
    let path = format!("/auctions/{}/events?latest=true", id(&guitar));
    // It begins with how the auction stands.
    let mut looks = shop.events(&path).await;
    let first = looks.next().await.unwrap();
    let as_it_stands = async || lasting(auction(&shop, &guitar).await);
    assert_eq!(shown(&first), as_it_stands().await);
    assert_eq!(first.data["bids"], json!(shown_bids(&shop, &guitar).await));
    assert_eq!(first.data["retracted"], json!([]));

    // Then very many bids, told a few times.
    let flood = async {
        let mut connection = shop.connect().await;
        for n in 0..BIDS {
            let body = bid_body(&guitar, "many@example.com", 300 + n).to_string();
            let answer = connection.send("POST", "/bids", &[], Some(&body)).await;
            answer.unwrap().expect(201);
        }
        bid(&shop, &guitar, "carl", 101)
            .await
            .problem(409, "bid_too_low");
    };
    let heard = async {
        let mut heard: Vec<Event> = Vec::new();
        while heard
            .last()
            .is_none_or(|last| last.data["bidCount"] != BIDS + 1)
        {
            heard.push(looks.next().await.unwrap());
        }
        heard
    };
    let ((), heard) = tokio::join!(flood, heard);
    assert!(heard.is_sorted_by(|a, b| a.id < b.id), "forwards");
    let at =
        |event: &Event| -> jiff::Timestamp { event.data["at"].as_str().unwrap().parse().unwrap() };
    let took = at(heard.last().unwrap()).duration_since(at(&heard[0]));
    let most = 3 + usize::try_from(took.as_millis() / 250).unwrap();
    assert!(heard.len() <= most, "{} in {took:?}", heard.len());
    assert!(
        heard[0].data["bidCount"].as_i64().unwrap() < BIDS,
        "the first at once"
    );
    let mut newest = 1;
    for event in &heard {
        let told = numbers(event);
        assert!((1..=20).contains(&told.len()), "{told:?}");
        assert!(
            told.is_sorted_by(|a, b| *a == b + 1),
            "newest first: {told:?}"
        );
        assert!(
            told.len() == 20 || *told.last().unwrap() <= newest + 1,
            "no gap without need"
        );
        newest = told[0];
    }
    let last = heard.last().unwrap();
    assert_eq!(newest, BIDS + 1);
    assert_eq!(shown(last)["currentPrice"], 299 + BIDS);
    assert_eq!(last.data["reserveMet"], true);
    assert!(last.data["extensions"].as_i64().unwrap() > 0);
    assert_eq!(last.data["bids"][0], shown_bids(&shop, &guitar).await[0]);

    // A bid far back is taken back: which one it was is told.
    delete(&shop, &format!("/bids/by-id/{}", id(&ada)))
        .await
        .expect(200);
    // What was read further than the log had been told may be told again.
    let event = loop {
        let event = looks.next().await.unwrap();
        if event.data["bidCount"] != BIDS + 1 {
            break event;
        }
        assert_eq!(event.data["retracted"], json!([]));
    };
    assert_eq!(event.data["retracted"], json!([1]));
    assert_eq!(
        (numbers(&event), &event.data["bidCount"]),
        (vec![], &json!(BIDS))
    );
    assert_eq!(shown(&event), as_it_stands().await);

    // Who resumes is told how it stands, if that has changed; what nobody may see is no change.
    let mut missed = resume(&shop, &path, first.id).await;
    let same = missed.next().await.unwrap();
    assert_eq!((same.id, shown(&same)), (event.id, shown(&event)));
    assert_eq!(numbers(&same).len(), 20);
    let mut unmoved = resume(&shop, &path, event.id).await;
    bid(&shop, &guitar, "carl", 102)
        .await
        .problem(409, "bid_too_low");
    delete(&shop, &format!("/auctions/{}", id(&guitar)))
        .await
        .expect(200);
    for events in [&mut looks, &mut missed, &mut unmoved] {
        let event = events.next().await.unwrap();
        assert_eq!(event.data["status"], "cancelled");
        assert_eq!(shown(&event), as_it_stands().await);
    }
    let mut unknown = resume(&shop, &path, 1_000_000).await;
    assert_eq!(unknown.next().await.unwrap().name, "reset");
    assert_eq!(shown(&unknown.next().await.unwrap()), as_it_stands().await);
    let path = format!("/auctions/{}/events?latest=perhaps", id(&guitar));
    let wrong = shop.get(&path).await;
    assert_eq!(wrong.problem(400, "invalid_parameter")["field"], "latest");
}
