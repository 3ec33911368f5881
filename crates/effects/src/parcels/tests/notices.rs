use super::super::{Answer, Notice, Noticed, Outcome, ParcelStatus};
use super::{NOW, Rig, accepted, cancelled, order_id};

use ParcelStatus::{Created, Delivered, InTransit, Packed, Returned};

impl Rig {
    async fn tracking_id(&self, order: u64) -> String {
        let parcel = self.effects.parcel_of_order(order_id(order), order).await;
        parcel.unwrap().unwrap().tracking_id
    }

    /// A notice of the parcel of order 1.
    async fn notice(&self, status: ParcelStatus, at: i64, id: Option<&str>) -> Noticed {
        let notice = Notice {
            tracking_id: self.tracking_id(1).await,
            status,
            at: NOW + at,
            place: Some("서울".to_owned()),
            webhook: id.map(|id| (id.to_owned(), [status as u8; 32])),
        };
        self.effects.notice(notice, NOW).await.unwrap()
    }
}

fn answered(outcome: Outcome, status: ParcelStatus, at: i64, replay: bool) -> Noticed {
    let answer = Answer {
        outcome,
        status,
        changed_at: NOW + at,
    };
    Noticed::Answered { answer, replay }
}

#[tokio::test]
async fn notices_move_a_parcel_forward_only() {
    let rig = Rig::new();
    rig.fold(vec![accepted(1)]).await;
    use Outcome::{Known, Moved, Refused};
    for (status, at, expected) in [
        (Created, 50, answered(Known, Created, 10, false)),
        (InTransit, 100, answered(Moved, InTransit, 100, false)),
        (Packed, 60, answered(Known, InTransit, 100, false)),
        (InTransit, 110, answered(Known, InTransit, 100, false)),
        (Delivered, 200, answered(Moved, Delivered, 200, false)),
        (Returned, 300, answered(Refused, Delivered, 200, false)),
        (InTransit, 120, answered(Known, Delivered, 200, false)),
    ] {
        assert_eq!(rig.notice(status, at, None).await, expected, "{status:?}");
    }
    let id = rig.tracking_id(1).await;
    let (_, changes) = rig.effects.parcel(id).await.unwrap().unwrap();
    let history: Vec<_> = changes.iter().map(|one| (one.status, one.at)).collect();
    assert_eq!(
        history,
        [
            (Created, NOW + 10),
            (InTransit, NOW + 100),
            (Delivered, NOW + 200)
        ]
    );
    assert_eq!(changes[1].place.as_deref(), Some("서울"));
}

#[tokio::test]
async fn a_webhook_that_comes_again_is_answered_as_before() {
    let rig = Rig::new();
    rig.fold(vec![accepted(1)]).await;
    use Outcome::{Moved, Refused};
    let moved = answered(Moved, Packed, 50, false);
    assert_eq!(rig.notice(Packed, 50, Some("a")).await, moved);
    rig.notice(Delivered, 60, Some("b")).await;
    let refused = answered(Refused, Delivered, 60, false);
    assert_eq!(rig.notice(Returned, 70, Some("c")).await, refused);
    for (status, id, expected) in [
        (Packed, "a", answered(Moved, Packed, 50, true)),
        (Returned, "c", answered(Refused, Delivered, 60, true)),
        (Delivered, "a", Noticed::IdReused),
    ] {
        assert_eq!(rig.notice(status, 90, Some(id)).await, expected, "{id}");
    }
    let id = rig.tracking_id(1).await;
    let (parcel, changes) = rig.effects.parcel(id).await.unwrap().unwrap();
    assert_eq!((parcel.status, changes.len()), (Delivered, 3));
}

#[tokio::test]
async fn nobody_s_parcel_is_not_found() {
    let rig = Rig::new();
    let notice = Notice {
        tracking_id: "trk_none".to_owned(),
        status: Packed,
        at: NOW,
        place: None,
        webhook: Some(("a".to_owned(), [0; 32])),
    };
    let noticed = rig.effects.notice(notice, NOW).await.unwrap();
    assert_eq!(noticed, Noticed::NotFound);
}

#[tokio::test]
async fn a_cancelled_order_s_parcel_on_its_way_is_the_carrier_s() {
    let rig = Rig::new();
    rig.fold(vec![accepted(1)]).await;
    rig.notice(InTransit, 15, None).await;
    rig.fold(vec![cancelled(1)]).await;
    let parcel = rig.effects.parcel_of_order(order_id(1), 1).await;
    let parcel = parcel.unwrap().unwrap();
    assert_eq!((parcel.status, parcel.cancelled), (InTransit, true));
    let returned = answered(Outcome::Moved, Returned, 40, false);
    assert_eq!(rig.notice(Returned, 40, None).await, returned);
}

#[tokio::test]
async fn answers_to_notices_are_forgotten_in_time() {
    let rig = Rig::new();
    rig.fold(vec![accepted(1)]).await;
    rig.notice(Packed, 0, Some("a")).await;
    let later = NOW + 29 * 24 * 60 * 60 * 1_000;
    let said = |id: &str, tracking_id| Notice {
        tracking_id,
        status: InTransit,
        at: later,
        place: None,
        webhook: Some((id.to_owned(), [9; 32])),
    };
    let id = rig.tracking_id(1).await;
    rig.effects
        .notice(said("b", id.clone()), later)
        .await
        .unwrap();
    let again = rig.effects.notice(said("a", id), later).await.unwrap();
    assert!(
        matches!(again, Noticed::Answered { replay: false, .. }),
        "{again:?}"
    );
}
