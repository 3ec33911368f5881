//! How far the log has come, told by two.

use commerce::{LineId, genesis};

use super::*;
use crate::entry::Kind;

fn entry(seq: u64) -> Entry {
    Entry {
        seq,
        line: LineId::System,
        prev: seq - 1,
        kind: Kind::MessageDeadLettered,
        at: 0,
        subject: 0,
        data: "{}".into(),
        hash: genesis("firstcome.system"),
        buyer: None,
        sealed: None,
    }
}

#[test]
fn a_batch_that_is_published_late_takes_nothing_back() {
    let feed = Feed::new(10);
    feed.told_by_others(20);
    feed.publish(vec![entry(11), entry(12)]);
    assert_eq!(feed.last_seq(), 20);
    feed.told_by_others(15);
    assert_eq!(feed.last_seq(), 20);
    feed.publish(vec![entry(21)]);
    assert_eq!(feed.last_seq(), 21);
}

#[test]
fn readers_are_woken_when_there_is_news_and_not_else() {
    let feed = Feed::new(10);
    let mut receiver = feed.sender.subscribe();
    feed.told_by_others(10);
    assert!(receiver.is_empty());
    feed.told_by_others(11);
    assert!(receiver.try_recv().unwrap().is_empty());
    assert!(receiver.is_empty());
}
