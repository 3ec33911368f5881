//! Lists: auctions newest first, bids newest first, page by page.

use serde_json::{Value, json};

use super::{auction, becomes, bid_body, delete, id, open, taken};
use crate::harness::{Settings, Shop};

fn names(auctions: &Value) -> Vec<&str> {
    let auctions = auctions["auctions"].as_array().unwrap().iter();
    auctions
        .map(|auction| auction["product"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn auctions_are_paged_newest_first() {
    let shop = Shop::start(Settings::new()).await;
    let mut made = Vec::new();
    for product in ["A", "B", "C", "D", "E"] {
        made.push(open(&shop, json!({"product": product})).await);
    }
    delete(&shop, &format!("/auctions/{}", id(&made[1])))
        .await
        .expect(200);
    let mut path = "/auctions?limit=2".to_owned();
    let mut pages = Vec::new();
    loop {
        let page = shop.get(&path).await.expect(200);
        pages.push(names(&page).join(""));
        match page["next"].as_u64() {
            Some(next) => path = format!("/auctions?limit=2&after={next}"),
            None => break,
        }
    }
    assert_eq!(pages, ["ED", "CB", "A"]);
    let open_ones = shop.get("/auctions?status=open").await.expect(200);
    assert_eq!(names(&open_ones), ["E", "D", "C", "A"]);
    let cancelled = shop
        .get("/auctions?status=cancelled&limit=1")
        .await
        .expect(200);
    assert_eq!(names(&cancelled), ["B"]);
    assert_eq!(cancelled["next"], Value::Null);
    let mut listed = cancelled["auctions"][0].clone();
    let mut alone = auction(&shop, &made[1]).await;
    for view in [&mut listed, &mut alone] {
        for moving in ["serverTime", "timeLeftMs"] {
            view.as_object_mut().unwrap().remove(moving).unwrap();
        }
    }
    assert_eq!(listed, alone, "a list shows what the auction shows");
    assert_eq!(
        names(&shop.get("/auctions?status=settled").await.expect(200)),
        [""; 0]
    );
}

/// So many bids, each higher by one, over several connections.
async fn many_bids(shop: &Shop, of: &Value, count: i64) {
    let mut connection = shop.connect().await;
    for n in 0..count {
        let body = bid_body(of, "many@example.com", 100 + n).to_string();
        connection
            .ask("POST", "/bids", &[], Some(&body))
            .await
            .unwrap();
        // Pipelined, so that they share commits.
        if n % 50 == 49 {
            for _ in 0..50 {
                connection.answer().await.unwrap().expect(201);
            }
        }
    }
}

#[tokio::test]
async fn bids_are_paged_newest_first_and_no_page_is_far_away() {
    const BIDS: i64 = 1_500;
    let shop = Shop::start(Settings::new()).await;
    shop.offer("A-1", json!({"stock": 10_000})).await;
    let guitar = open(&shop, json!({})).await;
    many_bids(&shop, &guitar, BIDS).await;
    // Much else between the first bids and the last ones.
    let order = json!({"sku": "A-1", "customer": "many@example.com"}).to_string();
    let mut connection = shop.connect().await;
    for _ in 0..20 {
        for _ in 0..50 {
            connection
                .ask("POST", "/orders", &[], Some(&order))
                .await
                .unwrap();
        }
        for _ in 0..50 {
            connection.answer().await.unwrap().expect(201);
        }
    }
    taken(&shop, &guitar, "late@example.com", 100 + BIDS).await;

    let path = format!("/bids/{}", id(&guitar));
    let same = format!("/auctions/{}/bids", id(&guitar));
    let mut numbers = Vec::new();
    let mut before = String::new();
    loop {
        let query = format!("?limit=200{before}");
        let page = shop.get(&format!("{path}{query}")).await.expect(200);
        assert_eq!(shop.get(&format!("{same}{query}")).await.expect(200), page);
        for bid in page["bids"].as_array().unwrap() {
            let no = bid["no"].as_i64().unwrap();
            assert_eq!(bid["bidAmount"], 99 + no);
            numbers.push(no);
        }
        match page["next"].as_i64() {
            Some(next) => {
                assert_eq!(Some(&next), numbers.last());
                before = format!("&before={next}");
            }
            None => break,
        }
    }
    assert!(numbers.into_iter().eq((1..=BIDS + 1).rev()));

    let numbers_of = async |query: &str| -> Vec<i64> {
        let page = shop.get(&format!("{path}?{query}")).await.expect(200);
        let bids = page["bids"].as_array().unwrap().iter();
        bids.map(|bid| bid["no"].as_i64().unwrap()).collect()
    };
    assert_eq!(numbers_of("limit=3&before=700").await, [699, 698, 697]);
    assert_eq!(numbers_of("limit=2&before=99999").await, [BIDS + 1, BIDS]);
    assert_eq!(numbers_of("before=2").await, [1]);
    assert_eq!(numbers_of("before=1").await, [0; 0]);
    assert_eq!(numbers_of("before=0").await, [0; 0]);
    assert_eq!(numbers_of("").await.len(), 50);
}

#[tokio::test]
async fn what_happens_between_two_pages_changes_nothing_of_the_next() {
    let shop = Shop::start(Settings::new()).await;
    let mut made = Vec::new();
    for product in ["A", "B", "C", "D", "E"] {
        made.push(open(&shop, json!({"product": product})).await);
    }
    let guitar = &made[0];
    many_bids(&shop, guitar, 50).await;
    let (mut numbers, mut products) = (Vec::new(), String::new());
    let bids = format!("/auctions/{}/bids?limit=20", id(guitar));
    let (mut before, mut after) = (String::new(), String::new());
    for round in 0..3 {
        let page = shop.get(&format!("{bids}{before}")).await.expect(200);
        for bid in page["bids"].as_array().unwrap() {
            let no = bid["no"].as_i64().unwrap();
            assert_eq!(bid["bidAmount"], 99 + no, "each is what it was");
            numbers.push(no);
        }
        before = format!("&before={}", page["next"]);
        let list = shop.get(&format!("/auctions?limit=2{after}")).await;
        let list = list.expect(200);
        products += &names(&list).join("");
        after = format!("&after={}", list["next"]);
        let is_last = round == 2;
        for page in [&page, &list] {
            assert_eq!(page["next"].is_null(), is_last, "{page}");
        }
        // In front of everything, and more than a page.
        for n in 0..25 {
            taken(&shop, guitar, "late@example.com", 1_000 + 100 * round + n).await;
        }
        open(&shop, json!({"product": "Z"})).await;
    }
    assert!(
        numbers.into_iter().eq((1..=50).rev()),
        "none twice, none missed"
    );
    assert_eq!(products, "EDCBA");
}

#[tokio::test]
async fn bids_of_a_sealed_format_show_their_amounts_after_the_close() {
    let shop = Shop::start(Settings::new()).await;
    let fields = json!({"format": "sealed-second", "endTime": super::after_ms(&shop, 1_500).await});
    let guitar = open(&shop, fields).await;
    taken(&shop, &guitar, "ada", 300).await;
    taken(&shop, &guitar, "bob", 200).await;
    let seen = |bids: &[Value]| -> Vec<(Value, Value)> {
        let bids = bids.iter();
        bids.map(|bid| (bid["bidAmount"].clone(), bid["status"].clone()))
            .collect()
    };
    let hidden = (json!(null), json!("accepted"));
    let before = super::bids(&shop, &guitar).await;
    assert_eq!(seen(&before), [hidden.clone(), hidden]);
    becomes(&shop, &guitar, "closed").await;
    let after = super::bids(&shop, &guitar).await;
    assert_eq!(
        seen(&after),
        [(json!(200), json!("lost")), (json!(300), json!("winning"))]
    );
}
