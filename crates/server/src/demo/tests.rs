use std::sync::Arc;

use engine::Limits;
use store::memory::Memory;

use super::*;
use crate::adapters::{OsIds, SystemClock};

fn engine() -> Engine {
    let ids = Arc::new(OsIds::new().unwrap());
    let opened = Memory::default().open();
    Engine::start(opened, Arc::new(SystemClock), ids, Limits::default()).unwrap()
}

/// What a start does, one commit after the other.
fn commands(now: Millis) -> Vec<Command> {
    let products = products().into_iter();
    let products = products.map(|new| Command::CreateProduct(Box::new(new)));
    let auctions = auctions(now).into_iter();
    let auctions = auctions.map(|new| Command::CreateAuction(Box::new(new)));
    products.chain(auctions).collect()
}

async fn names(engine: &Engine) -> Vec<String> {
    let read = |reader: &dyn Reader| {
        let products = reader.products(None, 100)?;
        let auctions = reader.auctions(None, None, 100)?;
        Ok((products, auctions))
    };
    let (products, auctions) = engine.read(read).await.unwrap();
    let products = products.iter().map(|product| product.sku.to_string());
    let auctions = auctions.iter().rev();
    let auctions = auctions.map(|stored| stored.auction.product.to_string());
    products.chain(auctions).collect()
}

const WHOLE: [&str; 7] = [
    DONUT,
    "POSTER-1",
    "TICKET-1",
    "Signed guitar",
    "Desk lamp",
    "Lounge chair",
    "Case of wine",
];

#[tokio::test]
async fn a_start_that_was_cut_short_anywhere_is_finished_by_the_next_one() {
    for made in 0..=WHOLE.len() {
        let engine = engine();
        for command in commands(engine.now()).into_iter().take(made) {
            engine.decide(command).await.unwrap().unwrap();
        }
        assert_eq!(names(&engine).await, WHOLE[..made]);
        load(&engine).await.unwrap();
        assert_eq!(names(&engine).await, WHOLE, "cut short after {made}");
        load(&engine).await.unwrap();
        assert_eq!(names(&engine).await, WHOLE, "nothing comes twice");
    }
}

#[tokio::test]
async fn a_store_with_something_of_somebody_s_own_is_left_as_it_is() {
    let own_product = |sku| product(sku, "Thing", 1_000, 1, WhenSoldOut::Reject);
    let own_auction = |now| CreateAuction {
        product: Name::new("Thing").unwrap(),
        ..auctions(now).remove(0)
    };
    // How much of the demo there is beside it.
    for made in 0..=WHOLE.len() {
        for own in ["A-1", "Z-1", "an auction"] {
            let engine = engine();
            for command in commands(engine.now()).into_iter().take(made) {
                engine.decide(command).await.unwrap().unwrap();
            }
            let command = match own {
                "an auction" => Command::CreateAuction(Box::new(own_auction(engine.now()))),
                sku => Command::CreateProduct(Box::new(own_product(sku))),
            };
            engine.decide(command).await.unwrap().unwrap();
            let before = names(&engine).await;
            load(&engine).await.unwrap();
            assert_eq!(names(&engine).await, before, "{own} beside {made}");
        }
    }
}
