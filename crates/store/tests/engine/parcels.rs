//! What is told of parcels: notes about orders that are there, and nothing else.

use commerce::{OrderId, Secret, WhenSoldOut};
use engine::{Command, Kind, PARCEL_NOTES_MAX, ParcelNote, Refusal, Reply};

use crate::rig::{Place, Rig, create, order_of, runtime};

fn on_each_store(test: impl AsyncFn(Rig)) {
    runtime().block_on(async {
        for place in Place::both() {
            let rig = Rig::new(place);
            rig.done(create("A", 5, WhenSoldOut::Reject)).await;
            test(rig).await;
        }
    });
}

fn note(order: OrderId, status: &'static str, is_new: bool) -> ParcelNote {
    ParcelNote {
        order,
        tracking_id: "trk_1".to_owned(),
        status,
        is_new,
    }
}

async fn tell(rig: &Rig, notes: Vec<ParcelNote>) -> Vec<Result<(), Refusal>> {
    match rig.done(Command::TellParcels { notes }).await {
        Reply::Batch(told) => told.into_iter().map(|one| one.map(drop)).collect(),
        other => panic!("{other:?}"),
    }
}

async fn accepted(rig: &Rig) -> OrderId {
    rig.order(order_of("A")).await.order.id
}

#[test]
fn a_note_is_an_entry_about_its_order_and_a_repeat_another() {
    on_each_store(async |rig| {
        let id = accepted(&rig).await;
        let told = tell(
            &rig,
            vec![note(id, "created", true), note(id, "packed", false)],
        )
        .await;
        assert_eq!(told, [Ok(()), Ok(())]);
        assert_eq!(tell(&rig, vec![note(id, "packed", false)]).await, [Ok(())]);
        rig.done(Command::CancelOrder { id }).await;
        assert_eq!(
            tell(&rig, vec![note(id, "returned", false)]).await,
            [Ok(())]
        );

        let entries = rig.reader().entries(0, 100).unwrap();
        let notes: Vec<_> = entries
            .iter()
            .filter(|entry| [Kind::ParcelCreated, Kind::ParcelMoved].contains(&entry.kind))
            .map(|entry| {
                (
                    entry.kind,
                    entry.subject,
                    entry.data().status.unwrap().into_owned(),
                )
            })
            .collect();
        let of = |kind, status: &str| (kind, id.seq, status.to_owned());
        assert_eq!(
            notes,
            [
                of(Kind::ParcelCreated, "created"),
                of(Kind::ParcelMoved, "packed"),
                of(Kind::ParcelMoved, "packed"),
                of(Kind::ParcelMoved, "returned"),
            ]
        );
        let data = entries.last().unwrap().data();
        assert_eq!(
            (data.sku.as_deref(), data.reference.as_deref()),
            (Some("A"), Some("trk_1"))
        );
        let stands = rig.reader().order(id.seq).unwrap().unwrap();
        assert_eq!(
            stands.status,
            engine::OrderStatus::Cancelled,
            "a note changes no order"
        );
        rig.audit_clean();
    });
}

#[test]
fn a_note_about_no_order_is_refused_and_the_others_are_written() {
    on_each_store(async |rig| {
        let id = accepted(&rig).await;
        let forged = OrderId {
            secret: Secret([0; 10]),
            ..id
        };
        let nowhere = OrderId {
            seq: id.seq + 100,
            ..id
        };
        let notes = [forged, id, nowhere].map(|id| note(id, "created", true));
        let told = tell(&rig, notes.to_vec()).await;
        let no_order = Err(Refusal::OrderNotFound);
        assert_eq!(told, [no_order.clone(), Ok(()), no_order]);
        rig.audit_clean();
    });
}

#[test]
fn there_are_only_so_many_notes_in_one_command() {
    on_each_store(async |rig| {
        let id = accepted(&rig).await;
        let notes = vec![note(id, "created", true); PARCEL_NOTES_MAX + 1];
        let refused = rig.decide(Command::TellParcels { notes }).await.unwrap();
        assert!(matches!(
            refused,
            Err(Refusal::TooMany {
                limit: PARCEL_NOTES_MAX,
                ..
            })
        ));
        let notes = vec![note(id, "created", true); PARCEL_NOTES_MAX];
        assert_eq!(tell(&rig, notes).await.len(), PARCEL_NOTES_MAX);
    });
}
