//! A small catalogue to try things with, only for a store that has none.

use commerce::auction::{Bidder, Format, Increment, SoftClose, Terms};
use commerce::{Currency, Email, Millis, Money, Name, NewProduct, Reorder, Sku, WhenSoldOut};
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

/// Offers a donut that a factory makes, a poster with none to come, a ticket whose buyers wait
/// in line, and a few auctions.
///
/// # Errors
/// When the store cannot be read or written.
pub async fn load(engine: &Engine) -> Result<(), EngineError> {
    let empty = engine
        .read(|reader| Ok(reader.products(None, 1)?.is_empty()))
        .await?;
    if !empty {
        return Ok(());
    }
    let factory = Sku::new(FACTORY).expect("a valid name");
    let mut donut = product(DONUT, "Glazed donut", 19_900, 5, WhenSoldOut::Wait);
    donut.ad_manager = Some(Email::new("ads@shop.example").expect("a valid address"));
    donut.reorder = Some(Reorder::new(0, 10, factory).expect("bounds are kept"));
    let poster = product("POSTER-1", "Tour poster", 25_000, 5, WhenSoldOut::Reject);
    let ticket = product("TICKET-1", "Concert ticket", 110_000, 3, WhenSoldOut::Wait);
    for new in [donut, poster, ticket] {
        // Refused only when it is there already, which is as well.
        let _ = engine.decide(Command::CreateProduct(Box::new(new))).await?;
    }
    for new in auctions(engine.now()) {
        let _ = engine.decide(Command::CreateAuction(Box::new(new))).await?;
    }
    Ok(())
}
