mod random;

use rusqlite::Connection;

use super::*;
use crate::mails::{Claim, Ended, Status};

const GRACE_MS: Millis = 5_000;
const LEASE_MS: Millis = 1_000;

/// A database of its own, with a manager for every product, and a server that takes everything.
struct Office {
    connection: Connection,
    now: Millis,
    is_open: bool,
}

fn opened() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    for schema in [mails::SCHEMA, SCHEMA] {
        connection.execute_batch(schema).unwrap();
    }
    connection
}

fn write(notice: &Notice) -> Option<Written> {
    let manager = format!("ads-{}@example.com", notice.sku);
    Some(Written {
        recipient: notice.recipient.clone().unwrap_or(manager),
        lang: "en",
        subject: notice.kind.as_str().to_owned(),
        text: format!("{} {:?}", notice.quantity, notice.took_ms),
        html: String::new(),
    })
}

impl Office {
    fn new() -> Self {
        Self {
            connection: opened(),
            now: 0,
            is_open: true,
        }
    }

    /// Hands an event in at this moment.
    fn hear(&mut self, now: Millis, event: &Event) -> Option<Millis> {
        self.now = now;
        let moment = Moment {
            now,
            grace_ms: GRACE_MS,
            is_open: self.is_open,
        };
        let transaction = self.connection.transaction().unwrap();
        let again = handle(&transaction, event, &moment, &write).unwrap();
        transaction.commit().unwrap();
        again
    }

    fn deliver(&mut self, id: &str, ended: &Ended) {
        let transaction = self.connection.transaction().unwrap();
        let claimed = mails::claim(&transaction, id, self.now, LEASE_MS).unwrap();
        assert!(matches!(claimed, Claim::Ours(_)), "{id}: {claimed:?}");
        mails::settle(&transaction, id, ended, self.now).unwrap();
        transaction.commit().unwrap();
    }

    fn send_all(&mut self) {
        for (id, _) in self.mails(Status::Pending) {
            self.deliver(&id, &Ended::Sent);
        }
    }

    /// Oldest first, with what they say.
    fn mails(&mut self, status: Status) -> Vec<(String, String)> {
        let transaction = self.connection.transaction().unwrap();
        let mut page = mails::page(&transaction, None, 100).unwrap();
        page.mails.retain(|mail| mail.status == status);
        page.mails.reverse();
        let shown = |mail: mails::Mail| (mail.new.id, mail.new.text);
        page.mails.into_iter().map(shown).collect()
    }

    fn sent(&mut self) -> Vec<String> {
        let sent = self.mails(Status::Sent);
        sent.into_iter().map(|(id, _)| id).collect()
    }
}

fn event(seq: u64, sellable: bool, what: What) -> Event {
    Event {
        seq,
        at: i64::try_from(seq).unwrap() * 1_000,
        sku: "DONUT".to_owned(),
        what,
        sellable,
    }
}

fn requested(seq: u64, replenishment: u64) -> Event {
    let what = What::Requested {
        replenishment,
        quantity: 10,
        factory: "FF-1".to_owned(),
    };
    event(seq, false, what)
}

fn received(seq: u64, replenishment: u64, quantity: u64, sellable: bool) -> [Event; 2] {
    let closed = What::Received {
        replenishment,
        quantity,
    };
    [
        event(seq, sellable, What::Arrived { quantity }),
        event(seq + 1, sellable, closed),
    ]
}

#[test]
fn a_slow_factory_pauses_and_resumes_the_ads_once() {
    let mut office = Office::new();
    assert_eq!(office.hear(1_000, &requested(1, 1)), Some(6_000));
    assert_eq!(office.hear(5_999, &requested(1, 1)), Some(6_000));
    assert_eq!(office.hear(6_000, &requested(1, 1)), None);
    assert_eq!(office.hear(6_001, &requested(1, 1)), None);
    office.send_all();
    for news in received(20, 1, 7, true) {
        for _ in 0..2 {
            office.hear(20_000, &news);
        }
    }
    assert_eq!(
        office.mails(Status::Pending),
        [("ads-20-resume".to_owned(), "7 Some(19000)".to_owned())]
    );
    office.send_all();
    assert_eq!(office.sent(), ["ads-1-pause", "ads-20-resume"]);
}

#[test]
fn of_a_fast_factory_nobody_hears_whatever_the_order_of_the_news() {
    let [arrived, closed] = received(3, 1, 10, true);
    for order in [
        [&requested(1, 1), &arrived, &closed],
        [&closed, &requested(1, 1), &arrived],
        [&arrived, &closed, &requested(1, 1)],
    ] {
        let mut office = Office::new();
        for news in order {
            office.hear(3_000, news);
        }
        assert_eq!(office.hear(9_000, &requested(1, 1)), None);
        assert_eq!(office.mails(Status::Pending), []);
    }
}

#[test]
fn the_shop_itself_is_asked_whether_it_is_still_open() {
    let mut office = Office::new();
    office.is_open = false;
    assert_eq!(office.hear(6_000, &requested(1, 1)), None);
    assert_eq!(office.mails(Status::Pending), []);
}

#[test]
fn a_failure_and_the_next_request_are_one_pause() {
    let mut office = Office::new();
    office.hear(6_000, &requested(1, 1));
    office.send_all();
    office.hear(7_000, &event(7, false, What::Failed { replenishment: 1 }));
    office.hear(60_000, &requested(50, 50));
    assert_eq!(office.mails(Status::Pending), []);
    for news in received(70, 50, 10, true) {
        office.hear(70_000, &news);
    }
    office.send_all();
    assert_eq!(office.sent(), ["ads-1-pause", "ads-70-resume"]);
}

#[test]
fn a_part_that_those_who_wait_take_leaves_the_ads_paused() {
    let mut office = Office::new();
    office.hear(6_000, &requested(1, 1));
    office.send_all();
    for news in received(20, 1, 2, false) {
        office.hear(20_000, &news);
    }
    office.hear(30_000, &requested(22, 22));
    assert_eq!(office.mails(Status::Pending), []);
    office.hear(40_000, &event(40, true, What::Arrived { quantity: 3 }));
    office.send_all();
    assert_eq!(office.sent(), ["ads-1-pause", "ads-40-resume"]);
}

#[test]
fn what_was_sold_out_again_before_the_news_came_is_not_resumed() {
    let mut office = Office::new();
    office.hear(6_000, &requested(1, 1));
    office.send_all();
    let [arrived, closed] = received(20, 1, 10, true);
    office.hear(25_000, &requested(22, 22));
    office.hear(26_000, &arrived);
    office.hear(26_000, &closed);
    assert_eq!(office.hear(40_000, &requested(22, 22)), None);
    assert_eq!(office.mails(Status::Pending), []);
}

#[test]
fn a_pause_that_was_never_handed_over_is_withdrawn_with_its_resume() {
    let refused = Ended::Failed {
        reason: "550".to_owned(),
    };
    let down = Ended::Interrupted {
        reason: "refused".to_owned(),
        may_be_taken: false,
    };
    for ended in [None, Some(refused), Some(down)] {
        let mut office = Office::new();
        office.hear(6_000, &requested(1, 1));
        if let Some(ended) = ended {
            office.deliver("ads-1-pause", &ended);
        }
        for news in received(20, 1, 10, true) {
            office.hear(20_000, &news);
        }
        assert_eq!(office.mails(Status::Pending), []);
        assert_eq!(office.mails(Status::Withdrawn).len(), 1);
        assert_eq!(office.hear(20_000, &requested(1, 1)), None);
    }
}

#[test]
fn a_resume_that_was_never_handed_over_is_withdrawn_when_it_is_sold_out_again() {
    let mut office = Office::new();
    office.hear(6_000, &requested(1, 1));
    office.send_all();
    let [arrived, _] = received(20, 1, 10, true);
    office.hear(20_000, &arrived);
    office.hear(30_000, &requested(22, 22));
    assert_eq!(office.mails(Status::Pending), []);
    for news in received(40, 22, 10, true) {
        office.hear(40_000, &news);
    }
    office.send_all();
    assert_eq!(office.sent(), ["ads-1-pause", "ads-40-resume"]);
}

#[test]
fn a_request_that_an_operator_opens_again_has_a_grace_of_its_own() {
    let mut office = Office::new();
    office.hear(1_000, &requested(1, 1));
    office.hear(3_000, &event(3, false, What::Failed { replenishment: 1 }));
    assert_eq!(office.hear(10_000, &requested(1, 1)), None);
    assert_eq!(office.hear(10_000, &requested(10, 1)), Some(15_000));
    assert_eq!(office.hear(15_000, &requested(10, 1)), None);
    office.send_all();
    assert_eq!(office.sent(), ["ads-10-pause"]);
}
