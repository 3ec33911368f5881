use commerce::{Currency, Money, Name, NewProduct, Sku, WhenSoldOut};
use engine::{Command, Limits};
use futures_util::poll;
use store::memory::Memory;

use super::*;
use crate::adapters::{OsIds, SystemClock};

async fn offer(engine: &Engine, number: usize) {
    let product = NewProduct {
        sku: Sku::new(&format!("A-{number}")).unwrap(),
        name: Name::new("Thing").unwrap(),
        price: Money::new(1).unwrap(),
        currency: Currency::new("KRW").unwrap(),
        stock: 1,
        purchase_limit: None,
        when_sold_out: WhenSoldOut::Reject,
        opens_at: None,
        reorder: None,
        ad_manager: None,
    };
    let made = engine
        .decide(Command::CreateProduct(Box::new(product)))
        .await;
    made.unwrap().unwrap();
}

async fn engine() -> Engine {
    let ids = Arc::new(OsIds::new().unwrap());
    let opened = Memory::default().open();
    Engine::start(opened, Arc::new(SystemClock), ids, Limits::default()).unwrap()
}

#[tokio::test]
async fn a_backlog_is_read_in_pages_and_whole() {
    let engine = engine().await;
    let many = 2 * PAGE + 1;
    for number in 0..many {
        offer(&engine, number).await;
    }
    let all: Vec<u64> = (1..=many as u64).collect();
    let mut missed = Missed::new(&engine, &ReadBack::default(), all.clone());
    let (mut read, mut pages) = (Vec::new(), Vec::new());
    loop {
        let page = missed.page().await.unwrap();
        if page.is_empty() {
            break;
        }
        pages.push(page.len());
        read.extend(page.iter().map(|entry| entry.seq));
    }
    assert_eq!(read, all);
    assert_eq!(pages, [PAGE, PAGE, 1]);
}

#[tokio::test]
async fn however_many_read_the_past_others_read_what_is() {
    let engine = engine().await;
    offer(&engine, 0).await;
    let turns = ReadBack::default();
    let (ends, hold) = std::sync::mpsc::channel::<()>();
    let hold = Arc::new(std::sync::Mutex::new(hold));
    let mut behind: Vec<_> = (0..100)
        .map(|_| {
            let hold = Arc::clone(&hold);
            Box::pin(turns.read(&engine, move |reader| {
                // Until the test is through with it.
                let _ = hold.lock().unwrap().recv();
                reader.last_seq()
            }))
        })
        .collect();
    for read in &mut behind {
        assert!(poll!(read.as_mut()).is_pending());
    }
    let newest = engine.read(|reader| reader.last_seq());
    let newest = tokio::time::timeout(std::time::Duration::from_secs(60), newest).await;
    drop(ends);
    assert_eq!(newest.expect("nobody is in its way").unwrap(), 1);
    for read in behind {
        assert_eq!(read.await.unwrap(), 1);
    }
}
