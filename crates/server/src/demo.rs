//! A small catalogue to try things with, only for a store that offers nothing else.

use commerce::auction::{Bidder, Format, Increment, SoftClose, Terms};
use commerce::{Currency, Email, Millis, Money, Name, NewProduct, Reorder, Sku, WhenSoldOut};
use engine::ports::Reader;
use engine::{BodyHash, Command, CreateAuction, Engine, EngineError};

pub const DONUT: &str = "CP-502101";
pub const FACTORY: &str = "FF-500293";

fn product(sku: &str, name: &str, price: i64, stock: u64, when: WhenSoldOut) -> NewProduct {
    NewProduct {
        sku: Sku::new(sku).expect("a valid sku"),
        name: Name::new(name).expect("a valid name"),
        price: money(price),
        currency: won(),
        stock,
        purchase_limit: None,
        when_sold_out: when,
        opens_at: None,
        reorder: None,
        ad_manager: None,
    }
}

const MINUTE_MS: Millis = 60_000;
const HOUR_MS: Millis = 60 * MINUTE_MS;

fn money(minor: i64) -> Money {
    Money::new(minor).expect("a valid price")
}

fn won() -> Currency {
    Currency::new("KRW").expect("a valid currency")
}

fn terms(format: Format, starting_price: i64, starts_at: Millis, ends_at: Millis) -> Terms {
    Terms {
        format,
        currency: won(),
        starting_price: money(starting_price),
        increment: Increment::Fixed(money(1_000)),
        lots: 1,
        reserve_price: None,
        buy_now_price: None,
        starts_at,
        ends_at,
        soft_close: None,
        retraction: None,
    }
}

/// A guitar whose end moves while people bid, a lamp whose price falls, a sealed auction for a
/// chair, and a case of wine that opens later.
fn auctions(now: Millis) -> Vec<CreateAuction> {
    let auction = |product: &str, terms: Terms| CreateAuction {
        product: Name::new(product).expect("a valid name"),
        seller: Bidder::new("house").expect("a valid name"),
        terms,
        closing_soon_ms: MINUTE_MS,
        key: None,
        body: BodyHash(0),
    };
    let ends_at = now + 20 * MINUTE_MS;
    let guitar = Terms {
        reserve_price: Some(money(300_000)),
        soft_close: Some(SoftClose {
            window_ms: MINUTE_MS,
            extend_ms: MINUTE_MS,
            hard_end: ends_at + 10 * MINUTE_MS,
        }),
        ..terms(Format::English, 100_000, now, ends_at)
    };
    let falling = Format::Dutch {
        step: money(1_000),
        every_ms: 10_000,
        floor: money(20_000),
    };
    vec![
        auction("Signed guitar", guitar),
        auction(
            "Desk lamp",
            terms(falling, 90_000, now, now + 15 * MINUTE_MS),
        ),
        auction(
            "Lounge chair",
            terms(Format::SealedSecond, 50_000, now, now + HOUR_MS),
        ),
        auction(
            "Case of wine",
            terms(Format::English, 60_000, now + HOUR_MS, now + 3 * HOUR_MS),
        ),
    ]
}

/// A donut that a factory makes, a poster with none to come, and a ticket whose buyers wait in line.
fn products() -> Vec<NewProduct> {
    let factory = Sku::new(FACTORY).expect("a valid name");
    let donut = NewProduct {
        ad_manager: Some(Email::new("ads@shop.example").expect("a valid address")),
        reorder: Some(Reorder::new(0, 10, factory).expect("bounds are kept")),
        ..product(DONUT, "Glazed donut", 19_900, 5, WhenSoldOut::Wait)
    };
    vec![
        donut,
        product("POSTER-1", "Tour poster", 25_000, 5, WhenSoldOut::Reject),
        product("TICKET-1", "Concert ticket", 110_000, 3, WhenSoldOut::Wait),
    ]
}

/// What a store offers, as far as it matters whether it is the demo's: products by sku, auctions in
/// the order in which they were made, and one more of each at most than the demo has.
struct Offered {
    skus: Vec<Sku>,
    auctions: Vec<(Name, Bidder)>,
}

async fn offered(engine: &Engine) -> Result<Offered, EngineError> {
    let products_max = products().len() + 1;
    let auctions_max = auctions(0).len() + 1;
    let read = move |reader: &dyn Reader| {
        let products = reader.products(None, products_max)?;
        let newest_first = reader.auctions(None, None, auctions_max)?;
        Ok(Offered {
            skus: products.into_iter().map(|product| product.sku).collect(),
            auctions: newest_first
                .into_iter()
                .rev()
                .map(|stored| (stored.auction.product, stored.auction.seller))
                .collect(),
        })
    };
    engine.read(read).await
}

/// How many of the wanted there are already, when there is nothing but those that come first.
fn begun<T: PartialEq>(wanted: &[T], there: &[T]) -> Option<usize> {
    wanted.starts_with(there).then_some(there.len())
}

/// Offers the catalogue in a store that offers nothing. One that holds the first of it, since the
/// start that made them was cut short, gets the others; one in which there is anything else, nothing.
///
/// # Errors
/// When the store cannot be read or written.
pub async fn load(engine: &Engine) -> Result<(), EngineError> {
    let (products, auctions) = (products(), auctions(engine.now()));
    let there = offered(engine).await?;
    let skus: Vec<Sku> = products.iter().map(|new| new.sku.clone()).collect();
    let lots: Vec<(Name, Bidder)> = auctions
        .iter()
        .map(|new| (new.product.clone(), new.seller.clone()))
        .collect();
    let (Some(had), Some(had_lots)) = (begun(&skus, &there.skus), begun(&lots, &there.auctions))
    else {
        return Ok(());
    };
    let has_other_lots = had < products.len() && had_lots > 0;
    if has_other_lots {
        // The products come first.
        return Ok(());
    }
    for new in products.into_iter().skip(had) {
        // Refused only when it is there already, which is as well.
        let _ = engine.decide(Command::CreateProduct(Box::new(new))).await?;
    }
    for new in auctions.into_iter().skip(had_lots) {
        let _ = engine.decide(Command::CreateAuction(Box::new(new))).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
