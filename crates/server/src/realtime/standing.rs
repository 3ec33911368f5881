//! How an auction stands, as an event: read once for all who look at it.

use commerce::LineId;
use engine::{Engine, EngineError};

use crate::http::auctions::{ShownAuctionView, read_shown};
use crate::realtime::hub::{Group, Subject};
use crate::realtime::render::{LiveEvent, whole};

/// The auction that was made by this entry, with its newest bids since `from`. Further than the log
/// was told, perhaps.
pub(super) async fn of_auction(
    engine: &Engine,
    seq: u64,
    from: u64,
    retracted: Vec<u64>,
) -> Result<LiveEvent, EngineError> {
    let read = engine.read(move |reader| read_shown(reader, seq, from));
    let (stored, bids) = read.await?;
    let now = engine.now();
    let view = ShownAuctionView::new(&stored, now, bids, retracted);
    Ok(whole(stored.last_seq, "auction", now, &view))
}

/// What a group that is told to `subject` made of its auction; nothing of other subjects.
pub(super) async fn of_group(
    engine: &Engine,
    subject: Subject,
    group: &Group,
) -> Result<Option<LiveEvent>, EngineError> {
    let (Subject::Latest(LineId::Auction(seq)), Some(first)) = (subject, group.first()) else {
        return Ok(None);
    };
    let retracted = group.iter().filter_map(|event| event.retracted());
    let event = of_auction(engine, seq, first.entry.seq, retracted.collect()).await?;
    Ok(Some(event))
}
