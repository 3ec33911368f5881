use proptest::prelude::*;

use super::super::{Folded, ParcelEvent, ParcelStatus, PurchaseParcel, Untold};
use super::{NOW, Rig, accepted, cancelled, order_id};

/// What anybody can see of an order's parcel, without its tracking id.
type Seen = Option<(ParcelStatus, bool, i64, i64, Vec<(ParcelStatus, i64)>)>;

async fn seen(rig: &Rig, order: u64) -> Seen {
    let found = rig
        .effects
        .parcel_history_of_order(order_id(order), order)
        .await
        .unwrap();
    found.map(|(parcel, changes)| {
        (
            parcel.status,
            parcel.cancelled,
            parcel.created_at,
            parcel.changed_at,
            changes.iter().map(|one| (one.status, one.at)).collect(),
        )
    })
}

/// What the events come to, worked out without the code.
fn model(is_accepted: bool, is_cancelled: bool) -> Seen {
    use ParcelStatus::{Created, Returned};
    let created = (Created, NOW + 10);
    match (is_accepted, is_cancelled) {
        (false, _) => None,
        (true, false) => Some((Created, false, NOW + 10, NOW + 10, vec![created])),
        (true, true) => {
            let changes = vec![created, (Returned, NOW + 20)];
            Some((Returned, true, NOW + 10, NOW + 20, changes))
        }
    }
}

/// Tells as the teller does; dies between telling and marking when it is told to.
async fn tell(rig: &Rig, max: usize, dies: bool, told: &mut Vec<Untold>) {
    let untold = rig.effects.untold_parcels(max).await.unwrap();
    told.extend(untold.iter().cloned());
    if !dies {
        let ids = untold.iter().map(|one| one.id).collect();
        rig.effects.parcels_told(ids).await.unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Events of six orders in any order, repeated, in batches of any size, with the teller
    /// running between them and dying at any time.
    #[test]
    fn the_parcels_are_the_fold_over_the_events(
        picked in prop::collection::vec((0..6u64, any::<bool>()), 0..40),
        cuts in prop::collection::vec((1..6usize, any::<bool>()), 40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let rig = Rig::new();
            let mut told = Vec::new();
            let mut left: Vec<ParcelEvent> = picked
                .iter()
                .map(|(order, cancels)| if *cancels { cancelled(*order) } else { accepted(*order) })
                .collect();
            for (size, dies) in cuts {
                if left.is_empty() {
                    break;
                }
                let rest = left.split_off(size.min(left.len()));
                rig.fold(std::mem::replace(&mut left, rest)).await;
                tell(&rig, 2, dies, &mut told).await;
            }
            tell(&rig, 100, false, &mut told).await;
            assert_eq!(rig.effects.untold_parcels(10).await.unwrap(), []);
            for order in 0..6 {
                let expected = model(picked.contains(&(order, false)), picked.contains(&(order, true)));
                assert_eq!(seen(&rig, order).await, expected, "order {order}: {picked:?}");
                // Every change was told, in its order; again only what had been told before.
                let mut changes: Vec<&Untold> =
                    told.iter().filter(|one| one.order_id == order_id(order)).collect();
                changes.sort_by_key(|one| one.id);
                changes.dedup();
                let told: Vec<ParcelStatus> = changes.iter().map(|one| one.status).collect();
                let expected = expected.map_or(Vec::new(), |seen| {
                    seen.4.into_iter().map(|(status, _)| status).collect()
                });
                assert_eq!(told, expected);
            }
        });
    }
}

#[tokio::test]
async fn a_tracking_id_cannot_be_guessed_and_differs_between_shops() {
    let (one, two) = (Rig::new(), Rig::new());
    let mut ids = Vec::new();
    for rig in [&one, &two] {
        rig.fold(vec![accepted(1), accepted(2)]).await;
        for order in [1, 2] {
            let parcel = rig.effects.parcel_of_order(order_id(order), order).await;
            ids.push(parcel.unwrap().unwrap().tracking_id);
        }
    }
    for id in &ids {
        assert_eq!(id.len(), "trk_".len() + 16, "{id}");
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4);
}

#[tokio::test]
async fn an_order_s_parcel_is_shown_to_its_id_only() {
    let rig = Rig::new();
    rig.fold(vec![accepted(1)]).await;
    let other = rig.effects.parcel_of_order("ord_other".to_owned(), 1).await;
    assert_eq!(other.unwrap(), None);
}

#[tokio::test]
async fn a_customer_s_parcels_come_newest_first() {
    let rig = Rig::new();
    rig.fold((1..=6).map(accepted).collect()).await;
    let of = async |who: &str, limit| {
        let parcels = rig.effects.parcels_of(who, limit).await.unwrap();
        parcels
            .iter()
            .map(|one| one.order_seq.unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(of("buyer1@example.com", 10).await, [5, 3, 1]);
    assert_eq!(of("buyer0@example.com", 2).await, [6, 4]);
    assert_eq!(of("nobody@example.com", 2).await, [0; 0]);
}

fn purchase(id: &str, tracking_id: &str) -> ParcelEvent {
    ParcelEvent::Purchased(PurchaseParcel {
        id: id.to_owned(),
        customer: "user".to_owned(),
        tracking_id: tracking_id.to_owned(),
        at: NOW,
    })
}

#[tokio::test]
async fn a_purchase_starts_one_parcel_and_has_no_order_to_tell() {
    let rig = Rig::new();
    let folded = rig
        .fold(vec![
            purchase("1", "t-1"),
            purchase("1", "t-1"),
            purchase("1", "t-2"),
            purchase("2", "t-1"),
            purchase("2", "t-2"),
        ])
        .await;
    use Folded::{Changed, Contradicts, Known};
    assert_eq!(folded[..2], [Changed, Known]);
    assert!(matches!(&folded[2], Contradicts(why) if why.contains("another trackingId")));
    assert!(matches!(&folded[3], Contradicts(why) if why.contains("another parcel")));
    assert_eq!(folded[4], Changed);
    let (parcel, changes) = rig.effects.parcel("t-1".to_owned()).await.unwrap().unwrap();
    assert_eq!((parcel.customer.as_str(), parcel.order_id), ("user", None));
    assert_eq!(changes.len(), 1);
    assert_eq!(rig.effects.untold_parcels(10).await.unwrap(), []);
}
