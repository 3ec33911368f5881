//! Each consumer, killed at each step, with its messages in order, backwards, twice and shuffled.

use super::dying::{PATIENCE, STEPS, Step, WAYS, Way, die_and_go_on, go_on, send};
use super::worlds::{Called, Letters, Notices, Parcels, Points, Sold, Tiers, World, Written};
use crate::workers::consumers::tests::rig::start_real;

fn agrees(world: &dyn World, context: &str) {
    assert_eq!(world.effects(), world.fold(), "{context}");
}

/// The effects are the fold, wherever a process dies and however the messages come.
async fn dies_everywhere<W: World>(open: impl AsyncFn() -> W) {
    for way in WAYS {
        let world = open().await;
        if world.is_fifo() && matches!(way, Way::Backwards | Way::Shuffled(_)) {
            continue;
        }
        let queue = send(&world, way);
        go_on(&world, &queue).await;
        agrees(&world, &format!("{way:?}, nobody dies"));
        if !world.tells_once_side_by_side() && matches!(way, Way::Twice | Way::Shuffled(_)) {
            continue;
        }
        assert!(world.told_once(), "{way:?}, nobody dies");
        // What is done is known to a process that hears all of it again.
        let queue = send(&world, way);
        go_on(&world, &queue).await;
        agrees(&world, &format!("{way:?}, and again"));
        assert!(world.told_once(), "{way:?}, and again");
    }
    for step in STEPS {
        for (after, way) in [(0, Way::InOrder), (1, Way::Shuffled(3)), (1, Way::Twice)] {
            let world = open().await;
            let way = match way {
                Way::Shuffled(_) if world.is_fifo() => Way::InOrder,
                way => way,
            };
            let queue = send(&world, way);
            die_and_go_on(&world, &queue, step, after).await;
            agrees(&world, &format!("{step:?} of batch {after}, {way:?}"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn mileage_is_the_fold_wherever_its_process_dies() {
    dies_everywhere(Points::open).await;
}

#[tokio::test(start_paused = true)]
async fn tiers_are_the_fold_wherever_their_process_dies() {
    dies_everywhere(Tiers::open).await;
}

#[tokio::test(start_paused = true)]
async fn parcels_are_the_fold_wherever_their_process_dies() {
    dies_everywhere(Parcels::open).await;
}

#[tokio::test(start_paused = true)]
async fn e_mails_are_the_fold_wherever_their_process_dies() {
    dies_everywhere(Letters::open).await;
}

#[tokio::test(start_paused = true)]
async fn the_marketing_system_hears_of_each_wherever_the_process_dies() {
    dies_everywhere(Notices::open).await;
}

#[tokio::test(start_paused = true)]
async fn webhooks_are_written_for_each_wherever_their_process_dies() {
    dies_everywhere(Written::open).await;
}

#[tokio::test(start_paused = true)]
async fn endpoints_hear_of_each_wherever_the_process_dies() {
    dies_everywhere(Called::open).await;
}

#[tokio::test(start_paused = true)]
async fn the_example_of_the_documentation_counts_each_once_wherever_its_process_dies() {
    dies_everywhere(Sold::open).await;
}

/// The harness itself: a process that dies leaves something to be done.
#[tokio::test(start_paused = true)]
async fn a_process_that_dies_before_its_work_has_done_none() {
    let world = Points::open().await;
    let queue = send(&world, Way::InOrder);
    let before = queue.left().len();
    die_and_go_on(&world, &queue, Step::BeforeWork, 0).await;
    assert!(queue.left().is_empty() && before > 3, "{before}");
    let running = start_real(&queue, world.process());
    running.is_empty(PATIENCE).await;
    running.stop().await;
}
