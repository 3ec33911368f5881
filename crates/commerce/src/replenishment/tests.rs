//! Every change in every state, as a table.

use super::*;

fn replenishment(status: ReplenishmentStatus) -> Replenishment {
    let id = ReplenishmentId {
        seq: 7,
        secret: Secret([1; 10]),
    };
    let sku = |text| Sku::new(text).unwrap();
    let mut replenishment = Replenishment::new(
        id,
        ProductId(1),
        sku("A"),
        sku("F"),
        10,
        Token("t".into()),
        1,
    );
    replenishment.status = status;
    if status == ReplenishmentStatus::Received {
        replenishment.received = 4;
    }
    replenishment
}

#[test]
fn every_change_in_every_state() {
    use ReplenishmentRefusal::{AlreadyReceived, AnotherIsOpen, Closed};
    use ReplenishmentStatus::{Failed, InProduction, Received, Requested};
    type Change = fn(&mut Replenishment) -> Result<(), ReplenishmentRefusal>;
    let start: Change = |r| r.start(2).map(|_| ());
    let attempt: Change = |r| r.note_attempt(FailReason::FactoryTimeout, "slow");
    let fail: Change = |r| r.fail(FailReason::Overdue, "late", 3);
    let receive: Change = |r| r.receive(4, 4);
    let reopen: Change = |r| r.reopen(false, 5);
    let reopen_beside: Change = |r| r.reopen(true, 5);
    let table: [(
        ReplenishmentStatus,
        &str,
        Change,
        Result<(), ReplenishmentRefusal>,
        ReplenishmentStatus,
    ); 24] = [
        (Requested, "start", start, Ok(()), InProduction),
        (InProduction, "start", start, Ok(()), InProduction),
        (Received, "start", start, Err(Closed), Received),
        (Failed, "start", start, Err(Closed), Failed),
        (Requested, "attempt", attempt, Ok(()), Requested),
        (InProduction, "attempt", attempt, Err(Closed), InProduction),
        (Received, "attempt", attempt, Err(Closed), Received),
        (Failed, "attempt", attempt, Err(Closed), Failed),
        (Requested, "fail", fail, Ok(()), Failed),
        (InProduction, "fail", fail, Ok(()), Failed),
        (Received, "fail", fail, Err(Closed), Received),
        (Failed, "fail", fail, Err(Closed), Failed),
        (Requested, "receive", receive, Ok(()), Received),
        (InProduction, "receive", receive, Ok(()), Received),
        (Received, "receive", receive, Err(AlreadyReceived), Received),
        (Failed, "receive", receive, Ok(()), Received),
        (Requested, "reopen", reopen, Ok(()), Requested),
        (InProduction, "reopen", reopen, Ok(()), InProduction),
        (Received, "reopen", reopen, Err(AlreadyReceived), Received),
        (Failed, "reopen", reopen, Ok(()), Requested),
        (Requested, "reopen beside", reopen_beside, Ok(()), Requested),
        (
            InProduction,
            "reopen beside",
            reopen_beside,
            Ok(()),
            InProduction,
        ),
        (
            Received,
            "reopen beside",
            reopen_beside,
            Err(AlreadyReceived),
            Received,
        ),
        (
            Failed,
            "reopen beside",
            reopen_beside,
            Err(AnotherIsOpen),
            Failed,
        ),
    ];
    for (from, name, change, answer, to) in table {
        let mut replenishment = replenishment(from);
        assert_eq!(change(&mut replenishment), answer, "{name} when {from:?}");
        assert_eq!(replenishment.status, to, "{name} when {from:?}");
    }
}

#[test]
fn what_really_arrived_is_what_counts() {
    let mut replenishment = replenishment(ReplenishmentStatus::InProduction);
    replenishment.receive(3, 9).unwrap();
    assert_eq!((replenishment.quantity, replenishment.received), (10, 3));
    assert_eq!(replenishment.closed_at, Some(9));
    let closed = replenishment.clone();
    for (units, refusal) in [
        (3, ReplenishmentRefusal::AlreadyReceived),
        (7, ReplenishmentRefusal::ReceivedOther { received: 3 }),
    ] {
        assert_eq!(replenishment.receive(units, 10), Err(refusal), "{units}");
        assert_eq!(replenishment, closed, "{units}");
    }
}

#[test]
fn time_begins_anew_with_each_step() {
    let mut request = replenishment(ReplenishmentStatus::Requested);
    request.requested_at = 1;
    assert_eq!(request.since(), 1);
    request.start(2).unwrap();
    assert_eq!(request.since(), 2);
    request.fail(FailReason::Overdue, "late", 3).unwrap();
    request.reopen(false, 9).unwrap();
    assert_eq!(request.since(), 9);
    request.start(10).unwrap();
    assert_eq!(request.since(), 10);
}
