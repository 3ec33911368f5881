//! The client of the hand-made system, field for field: it knows nothing of what is new.

use serde_json::{Value, json};

use super::after_ms;
use crate::harness::{Settings, Shop};

/// Every field is there and no other answers under its name.
fn pick<'a>(from: &'a Value, names: &[&str]) -> Vec<&'a Value> {
    let object = from.as_object().unwrap();
    names.iter().map(|name| &object[*name]).collect()
}

#[tokio::test]
async fn a_client_of_the_hand_made_system_works_unchanged() {
    let shop = Shop::start(Settings::new()).await;
    let end_time = after_ms(&shop, 3_600_000).await;
    let body = json!({"product": "Vintage Camera", "startingPrice": 100, "endTime": end_time});
    let answer = shop.post("/auctions", &body).await;
    let auction = answer.expect(201);
    let fields = [
        "product",
        "startingPrice",
        "currentHighestBid",
        "highestBidder",
        "endTime",
    ];
    assert_eq!(
        pick(&auction, &fields),
        [
            &json!("Vintage Camera"),
            &json!(100),
            &Value::Null,
            &Value::Null,
            &json!(end_time)
        ]
    );
    let id = auction["id"].as_str().unwrap();
    assert_eq!(
        answer.header("location").unwrap(),
        format!("/auctions/{id}")
    );
    let bid = async |bidder: &str, amount: i64| {
        let body = json!({"auctionId": id, "bidderId": bidder, "bidAmount": amount});
        shop.post("/bids", &body).await
    };

    // What is higher counts, by 5 or more at this price; what is not higher is refused.
    let first = bid("user1", 150).await.expect(201);
    assert_eq!(
        pick(&first, &["auctionId", "bidderId", "bidAmount"]),
        [&json!(id), &json!("user1"), &json!(150)]
    );
    assert!(first["timestamp"].is_string());
    bid("user2", 150).await.problem(409, "bid_too_low");
    bid("user2", 149).await.problem(409, "bid_too_low");
    bid("user2", 151).await.problem(409, "bid_too_low");
    bid("user2", 155).await.expect(201);
    bid("user1", 300).await.expect(201);

    let auction = shop.get(&format!("/auctions/{id}")).await.expect(200);
    assert_eq!(auction["currentHighestBid"], 300);
    assert!(auction["highestBidder"].is_string());
    let list = shop.get(&format!("/bids/{id}")).await.expect(200);
    let bids = list["bids"].as_array().unwrap();
    let amounts: Vec<&Value> = bids.iter().map(|bid| &bid["bidAmount"]).collect();
    assert_eq!(amounts, [300, 155, 150], "newest first");
    for bid in bids {
        assert_eq!(bid["auctionId"], id);
        assert!(bid["bidderId"].is_string() && bid["timestamp"].is_string());
    }
    shop.get("/auctions/63f1")
        .await
        .problem(404, "auction_not_found");
    shop.get("/bids/63f1")
        .await
        .problem(404, "auction_not_found");
}

#[tokio::test]
async fn of_many_bids_at_once_the_highest_wins() {
    const BIDS: i64 = 200;
    let shop = Shop::start(Settings::new()).await;
    let end_time = after_ms(&shop, 3_600_000).await;
    let body =
        json!({"product": "Camera", "startingPrice": 100, "endTime": end_time, "increment": 1});
    let auction = shop.post("/auctions", &body).await.expect(201);
    let id = auction["id"].as_str().unwrap();
    let answers = (0..BIDS).map(async |n| {
        // Neither rising nor falling: 37 and 200 have no common divisor.
        let amount = 101 + n * 37 % BIDS;
        let bidder = format!("user{n}");
        let body = json!({"auctionId": id, "bidderId": bidder, "bidAmount": amount});
        (amount, shop.post("/bids", &body).await)
    });
    let answers = futures_util::future::join_all(answers).await;
    let mut taken = 0;
    for (amount, answer) in &answers {
        if answer.status == 201 {
            taken += 1;
        } else {
            let problem = answer.problem(409, "bid_too_low");
            assert!(problem["currentPrice"].as_i64().unwrap() >= *amount);
        }
    }
    let auction = shop.get(&format!("/auctions/{id}")).await.expect(200);
    assert_eq!(auction["currentHighestBid"], 100 + BIDS);
    assert_eq!(auction["bidCount"], taken);
    // The log shows them in the order in which they were decided: each higher than the last.
    let list = shop.get(&format!("/bids/{id}?limit=200")).await.expect(200);
    let bids = list["bids"].as_array().unwrap();
    assert_eq!(bids.len(), taken);
    assert!(
        bids.is_sorted_by(|newer, older| newer["bidAmount"].as_i64() > older["bidAmount"].as_i64())
    );
}
