//! What is read once for all who are told of it: how an auction stands, for those who look at it, and
//! how fast a line moves, for those who wait in it.

use std::sync::Arc;

use commerce::{LineId, Product, Sku};
use engine::{Engine, EngineError};

use crate::http::auctions::{ShownAuctionView, read_shown};
use crate::realtime::hub::{Group, Subject};
use crate::realtime::leaving::Leaving;
use crate::realtime::render::{LiveEvent, whole};

/// Whether something is read before it is told to this subject.
pub(super) fn is_read_for(subject: Subject) -> bool {
    match subject {
        Subject::Latest(line) => matches!(line, LineId::Auction(_)),
        Subject::Leaving(_) => true,
        Subject::Everything
        | Subject::Line(_)
        | Subject::Order(_)
        | Subject::Bid(_)
        | Subject::Outbid(..)
        | Subject::Over(_) => false,
    }
}

/// A group with what is read for its subject, further than the log was told, perhaps.
pub(super) async fn read_for(
    engine: &Engine,
    subject: Subject,
    mut group: Group,
) -> Result<Group, EngineError> {
    let Some(first) = group.first() else {
        return Ok(group);
    };
    match subject {
        Subject::Latest(LineId::Auction(seq)) => {
            let from = first.entry.seq;
            let retracted = group.iter().filter_map(|event| event.retracted());
            let retracted = retracted.collect();
            group.whole = Some(of_auction(engine, seq, from, retracted).await?);
        }
        Subject::Leaving(_) => {
            let sku = first.entry.data().sku;
            let product = product(engine, sku.as_deref()).await.unwrap_or(None);
            group.leaving = Leaving::new(&group, product).map(Arc::new);
        }
        _ => {}
    }
    Ok(group)
}

async fn product(engine: &Engine, sku: Option<&str>) -> Result<Option<Arc<Product>>, EngineError> {
    let Some(sku) = sku.and_then(|sku| Sku::new(sku).ok()) else {
        return Ok(None);
    };
    let product = engine.read(move |reader| reader.product(&sku)).await?;
    Ok(product.map(Arc::new))
}

/// The auction that was made by this entry, with its newest bids since `from`.
pub(super) async fn of_auction(
    engine: &Engine,
    seq: u64,
    from: u64,
    retracted: Vec<u64>,
) -> Result<LiveEvent, EngineError> {
    let read = engine.read(move |reader| read_shown(reader, seq, from));
    let (stored, bids) = read.await?;
    let now = engine.log_time();
    let view = ShownAuctionView::new(&stored, now, bids, retracted);
    Ok(whole(stored.last_seq, "auction", now, &view))
}
