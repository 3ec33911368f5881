use engine::Kind;

use super::*;

fn group() -> Group {
    Group::default()
}

#[tokio::test]
async fn a_slow_listener_is_dropped_from_all_its_subjects() {
    let hub = Hub::new(10, 0);
    let subjects = [Subject::Everything, Subject::Order(1)];
    let mut listener = hub.listen(&subjects).unwrap();
    let sender = |subject| hub.subjects()[&subject][0].clone();
    let (one, other) = (sender(Subject::Everything), sender(Subject::Order(1)));
    for _ in 0..BUFFER {
        assert!(send(&one, &group()));
    }
    assert!(!send(&one, &group()));
    assert!(
        !send(&other, &group()),
        "one lost group ends the other subject too"
    );
    for _ in 0..BUFFER {
        assert!(listener.next().await.is_some());
    }
    assert!(listener.next().await.is_none());
    drop(listener);
    assert_eq!(hub.listeners(), 0);
    assert!(hub.subjects().is_empty(), "nothing is left of who has gone");
}

fn outbid_entry(seq: u64, auction: u64, name: &str) -> Arc<Entry> {
    let data = format!(r#"{{"auction":"auc_1","outbid":["{name}"]}}"#);
    Arc::new(Entry {
        seq,
        line: LineId::Auction(auction),
        prev: seq - 1,
        kind: Kind::BidAccepted,
        at: 0,
        subject: 7,
        data: data.into(),
        hash: [0; 32],
        buyer: None,
        sealed: None,
    })
}

#[tokio::test]
async fn one_commit_does_not_make_a_listener_slow_however_much_it_holds() {
    const NAME: &str = "bidder-0123456789ab";
    let hub = Hub::new(10, 0);
    let name = MaskedName::parse(NAME).unwrap();
    let subjects = [Subject::Bid(7), Subject::Outbid(1, name)];
    let mut listener = hub.listen(&subjects).unwrap();
    let commit = |from: u64, entries: u64| -> Committed {
        let entries = from..from + entries;
        entries.map(|seq| outbid_entry(seq, 1, NAME)).collect()
    };
    let many = 10 * BUFFER as u64;
    hub.dispatch(&commit(8, many), &mut Later::default());
    let group = listener.next().await.unwrap();
    let heard: Vec<u64> = group.iter().map(|event| event.entry.seq).collect();
    let all: Vec<u64> = (8..8 + many).collect();
    assert_eq!(heard, all, "each once, in the log's order");

    // Who takes nothing is slow.
    for commits in 0..BUFFER as u64 {
        hub.dispatch(&commit(10_000 + commits, 1), &mut Later::default());
    }
    assert!(!listener.dropped.load(Ordering::Acquire));
    hub.dispatch(&commit(20_000, 1), &mut Later::default());
    for _ in 0..BUFFER {
        assert!(listener.next().await.is_some());
    }
    assert!(listener.next().await.is_none());
    drop(listener);
    assert!(hub.subjects().is_empty());
}

#[test]
fn there_are_only_so_many_listeners() {
    let hub = Hub::new(1, 0);
    let first = hub.listen(&[Subject::Everything]).unwrap();
    assert!(hub.listen(&[Subject::Everything]).is_none());
    drop(first);
    assert!(hub.listen(&[Subject::Everything]).is_some());
}

fn tell_later(hub: &Hub, later: &mut Later) {
    for (subject, group) in hub.due(later) {
        hub.tell_soon(later, subject, group);
    }
    later.tell_some(hub);
}

fn order_entry(seq: u64, kind: Kind, subject: u64, data: &str) -> Arc<Entry> {
    Arc::new(Entry {
        line: commerce::ProductId(1).into(),
        kind,
        subject,
        data: data.into(),
        ..(*outbid_entry(seq, 1, "")).clone()
    })
}

#[tokio::test]
async fn a_line_hears_of_those_who_leave_it() {
    let hub = Hub::new(10, 0);
    let line = commerce::ProductId(1).into();
    let mut listener = hub.listen(&[Subject::Leaving(line)]).unwrap();
    let entries = [
        order_entry(1, Kind::OrderPlaced, 1, r#"{"place":1,"quantity":2}"#),
        order_entry(2, Kind::OrderAccepted, 2, r#"{"place":2,"quantity":1}"#),
        order_entry(3, Kind::OrderSoldOut, 3, r#"{"place":3,"quantity":1}"#),
        // These waited; of the last one only the verdict did.
        order_entry(4, Kind::OrderAccepted, 1, r#"{"place":1,"quantity":2}"#),
        order_entry(
            5,
            Kind::OrderCancelled,
            9,
            r#"{"place":4,"quantity":5,"was":"pending"}"#,
        ),
        order_entry(
            6,
            Kind::OrderCancelled,
            1,
            r#"{"place":1,"quantity":2,"was":"accepted"}"#,
        ),
        order_entry(7, Kind::StockReceived, 0, r#"{"quantity":3}"#),
    ];
    let batch: Committed = entries.into();
    let mut later = Later::default();
    hub.dispatch(&batch, &mut later);
    tell_later(&hub, &mut later);
    let group = listener.next().await.unwrap();
    let left: Vec<_> = group
        .iter()
        .map(|event| {
            let left = event.left().unwrap();
            (event.entry.seq, left.place, left.units)
        })
        .collect();
    assert_eq!(left, [(4, 1, 2), (5, 4, 5)]);
    // Of others nobody is told.
    let mut later = Later::default();
    hub.dispatch(&batch[..3].into(), &mut later);
    tell_later(&hub, &mut later);
    assert!(listener.receiver.try_recv().is_err());
}

#[test]
fn who_looks_at_an_auction_is_not_told_of_what_nobody_sees() {
    let hub = Hub::new(10, 0);
    let looks = Subject::Latest(LineId::Auction(1));
    let _listener = hub.listen(&[looks]).unwrap();
    let told = |kind| {
        let entry = Entry {
            kind,
            ..(*outbid_entry(8, 1, "")).clone()
        };
        let mut later = Later::default();
        hub.dispatch(&[Arc::new(entry)].into(), &mut later);
        hub.due(&mut later).len()
    };
    for hidden in [Kind::BidPlaced, Kind::BidRefused] {
        assert_eq!(told(hidden), 0, "{hidden:?}");
    }
    for seen in [Kind::BidAccepted, Kind::BidRetracted, Kind::AuctionClosed] {
        assert_eq!(told(seen), 1, "{seen:?}");
    }
}

#[tokio::test]
async fn very_many_are_told_some_at_a_time_and_in_order() {
    let hub = Hub::new(1_000, 0);
    let line = commerce::ProductId(1).into();
    let subjects = [Subject::Line(line)];
    let mut listeners: Vec<_> = (0..AT_ONCE * 2 + 1)
        .map(|_| hub.listen(&subjects).unwrap())
        .collect();
    let mut later = Later::default();
    for seq in 1..=2 {
        let entry = order_entry(seq, Kind::OrderSoldOut, seq, r#"{"place":1}"#);
        hub.dispatch(&[entry].into(), &mut later);
    }
    let mut turns = 0;
    loop {
        tell_later(&hub, &mut later);
        turns += 1;
        if later.telling.is_empty() {
            break;
        }
    }
    assert_eq!(turns, 3);
    for listener in &mut listeners {
        let group = listener.next().await.unwrap();
        let heard: Vec<u64> = group.iter().map(|event| event.entry.seq).collect();
        assert_eq!(heard, [1, 2]);
    }
}

#[tokio::test]
async fn what_a_listener_knows_does_not_keep_it_from_hearing_the_next_at_once() {
    let hub = Hub::new(10, 0);
    let looks = Subject::Latest(commerce::ProductId(1).into());
    let mut listener = hub.listen_after(5, &[looks]).unwrap();
    let mut later = Later::default();
    for seq in 4..=6 {
        let entry = order_entry(seq, Kind::OrderAccepted, seq, r#"{"place":1}"#);
        hub.dispatch(&[entry].into(), &mut later);
        let due = hub.due(&mut later);
        for (subject, group) in due {
            hub.tell_soon(&mut later, subject, group);
        }
        later.tell_some(&hub);
    }
    let group = listener.receiver.try_recv().unwrap();
    let heard: Vec<u64> = group.iter().map(|event| event.entry.seq).collect();
    assert_eq!(heard, [6]);
    assert!(listener.receiver.try_recv().is_err());
}

#[tokio::test]
async fn verdicts_are_told_some_at_a_time_first_come_first_told() {
    let many = AT_ONCE as u64 * 2 + 1;
    let hub = Hub::new(1_000, 0);
    let mut listeners: Vec<_> = (1..=many)
        .map(|order| hub.listen(&[Subject::Order(order)]).unwrap())
        .collect();
    let mut later = Later::default();
    let mut commit = |kind, after: u64| {
        let entries = (1..=many).map(|order| order_entry(after + order, kind, order, "{}"));
        hub.dispatch(&entries.collect(), &mut later);
    };
    commit(Kind::OrderAccepted, 1_000);
    // What comes of an order after that is told after it.
    commit(Kind::OrderCancelled, 2_000);
    let mut told = vec![0; listeners.len()];
    let mut turns = 0;
    while later.has_to_tell() {
        later.tell_some(&hub);
        turns += 1;
        for (listener, told) in listeners.iter_mut().zip(&mut told) {
            while let Ok(group) = listener.receiver.try_recv() {
                *told += 1;
                let heard: Vec<u64> = group.iter().map(|event| event.entry.seq / 1_000).collect();
                assert_eq!(heard, [*told]);
            }
        }
        assert!(
            told.is_sorted_by(|before, after| before >= after),
            "{told:?}"
        );
        assert!(told.iter().sum::<u64>() <= turns * AT_ONCE as u64);
    }
    assert_eq!(told, vec![2; listeners.len()]);
}

#[test]
fn bids_are_looked_into_while_somebody_listens_to_one() {
    let hub = Hub::new(10, 0);
    let name = MaskedName::parse("bidder-0123456789ab").unwrap();
    let outbid = || hub.inner.outbid.load(Ordering::Relaxed);
    let listener = hub.listen(&[Subject::Bid(1), Subject::Outbid(1, name)]);
    assert_eq!(outbid(), 1);
    drop(listener);
    assert_eq!(outbid(), 0);
    assert!(hub.subjects().is_empty());
}

#[test]
fn a_masked_name_is_a_number() {
    let name = |text| MaskedName::parse(text).map(|name| name.0);
    assert_eq!(name("bidder-00000000000a"), Some(10));
    assert_eq!(name("bidder-ffffffffffff"), Some((1 << 48) - 1));
    for other in ["house", "bidder-", "bidder-x", ""] {
        assert_eq!(name(other), None, "{other}");
    }
}
