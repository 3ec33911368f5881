//! A small catalogue to try things with, only for a store that has none.

use commerce::{Currency, Money, Name, NewProduct, Reorder, Sku, WhenSoldOut};
use engine::{Command, Engine, EngineError};

pub const DONUT: &str = "CP-502101";
pub const FACTORY: &str = "FF-500293";

fn product(sku: &str, name: &str, price: i64, stock: u64, when: WhenSoldOut) -> NewProduct {
    NewProduct {
        sku: Sku::new(sku).expect("a valid sku"),
        name: Name::new(name).expect("a valid name"),
        price: Money::new(price).expect("a valid price"),
        currency: Currency::new("KRW").expect("a valid currency"),
        stock,
        purchase_limit: None,
        when_sold_out: when,
        opens_at: None,
        reorder: None,
        ad_manager: None,
    }
}

/// Offers a donut that a factory makes, a poster with none to come, and a ticket whose buyers
/// wait in line.
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
    donut.reorder = Some(Reorder::new(0, 10, factory).expect("bounds are kept"));
    let poster = product("POSTER-1", "Tour poster", 25_000, 5, WhenSoldOut::Reject);
    let ticket = product("TICKET-1", "Concert ticket", 110_000, 3, WhenSoldOut::Wait);
    for new in [donut, poster, ticket] {
        // Refused only when it is there already, which is as well.
        let _ = engine.decide(Command::CreateProduct(Box::new(new))).await?;
    }
    Ok(())
}
