//! An hour without each neighbour: nobody's message is a dead letter, whoever waits says for
//! whom, and afterwards all is done once.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::dying::{PATIENCE, Way, send};
use super::worlds::{Called, Letters, Notices, Points, Sent, Tiers, World};
use axum::http::StatusCode;
use engine::ports::Clock as _;

use crate::workers::consumers::ConsumerState;
use crate::workers::consumers::tests::rig::{Queue, Running, start_real};

const HOUR: Duration = Duration::from_secs(3_600);
/// Until what was waited for is found back.
const FOUND_BACK: Duration = Duration::from_secs(400);

/// An hour in which a neighbour is away: nothing is lost, and it says whom it waits for.
async fn an_hour(running: &Running, left: usize, whom: &str) {
    tokio::time::sleep(HOUR).await;
    assert_eq!(running.queue.left().len(), left, "nothing is lost");
    assert_eq!(running.queue.dead(), [], "an outage is no dead letter");
    let ConsumerState::Waiting { reason, since } = running.status().state else {
        panic!("it must say whom it waits for: {:?}", running.status());
    };
    assert!(reason.contains(whom), "{reason}");
    assert!(running.queue.now() - since > 3_500_000, "all the time");
    let backlog = running.status().backlog.unwrap();
    assert_eq!(backlog.visible + backlog.in_flight, left as u64);
}

async fn is_over(world: &dyn World, running: Running) {
    running.is_empty(FOUND_BACK).await;
    assert_eq!(world.effects(), world.fold());
    assert!(world.told_once(), "once each");
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(running.status().state, ConsumerState::Running);
    assert_eq!(running.queue.dead(), []);
    running.stop().await;
}

/// The queue with the first half of the messages worked off, and the second half still to send.
async fn half_way(world: &dyn World) -> (Running, Vec<Sent>) {
    let mut first = world.messages();
    let second = first.split_off(first.len() / 2);
    let queue = world.shop().queue();
    for (n, message) in first.iter().enumerate() {
        queue.send_body(&n.to_string(), &message.body, message.group.as_deref());
    }
    let running = start_real(&queue, world.process());
    running.is_empty(PATIENCE).await;
    (running, second)
}

fn send_rest(queue: &Queue, rest: &[Sent]) {
    for (n, message) in rest.iter().enumerate() {
        let id = format!("later {n}");
        queue.send_body(&id, &message.body, message.group.as_deref());
    }
}

/// Its directory is moved out of reach, and a file stands in its place.
fn take_away(file: &Path) {
    let directory = file.parent().unwrap();
    fs::rename(directory, directory.with_extension("away")).unwrap();
    fs::write(directory, "a file where a directory must be").unwrap();
}

fn give_back(file: &Path) {
    let directory = file.parent().unwrap();
    fs::remove_file(directory).unwrap();
    fs::rename(directory.with_extension("away"), directory).unwrap();
}

async fn without_customers_database(world: &dyn World) {
    let (running, rest) = half_way(world).await;
    let file = world.shop().parts.config.customers_file();
    let done = world.effects();
    take_away(&file);
    send_rest(&running.queue, &rest);
    an_hour(&running, rest.len(), "c.db").await;
    give_back(&file);
    assert_eq!(world.effects(), done);
    is_over(world, running).await;
}

#[tokio::test(start_paused = true)]
async fn mileage_waits_an_hour_for_the_customers_database() {
    without_customers_database(&Points::open().await).await;
}

#[tokio::test(start_paused = true)]
async fn tiers_wait_an_hour_for_the_customers_database() {
    without_customers_database(&Tiers::open().await).await;
}

#[tokio::test(start_paused = true)]
async fn e_mails_wait_an_hour_for_the_mail_server() {
    let world = Letters::open().await;
    let (running, rest) = half_way(&world).await;
    world.shop().post.set_away(true);
    send_rest(&running.queue, &rest);
    an_hour(&running, rest.len(), "nobody is there").await;
    world.shop().post.set_away(false);
    is_over(&world, running).await;
}

#[tokio::test(start_paused = true)]
async fn notices_wait_an_hour_for_the_marketing_system() {
    let mut world = Notices::open().await;
    let (running, rest) = half_way(&world).await;
    world.system.go_away().await;
    send_rest(&running.queue, &rest);
    an_hour(&running, rest.len(), "connect").await;
    let told = world.shop().parts.customers.untold_notices().await.unwrap();
    assert_eq!(told.0, rest.len() as u64, "they are counted as not told");
    world.system.come_back().await;
    is_over(&world, running).await;
}

#[tokio::test(start_paused = true)]
async fn notices_wait_for_the_customers_database_too() {
    without_customers_database(&Notices::open().await).await;
}

/// An endpoint is nobody's neighbour but its own: attempts are noted, and made again by the
/// schedule.
#[tokio::test(start_paused = true)]
async fn webhooks_are_tried_again_for_an_hour() {
    let mut world = Called::open().await;
    let (running, rest) = half_way(&world).await;
    world.hooks.endpoint.go_away().await;
    send_rest(&running.queue, &rest);
    let left = running.queue.left().len();
    tokio::time::sleep(HOUR).await;
    assert_eq!(running.queue.left().len(), left);
    assert!(
        running.status().failed > 0,
        "each attempt is a failure that is seen"
    );
    world.hooks.endpoint.come_back().await;
    running.is_empty(6 * HOUR).await;
    assert_eq!(world.effects(), world.fold());
    assert!(world.told_once());
    assert_eq!(running.queue.dead(), []);
    running.stop().await;
}

/// A process that starts during the outage waits like one that was there.
#[tokio::test(start_paused = true)]
async fn a_restart_in_the_middle_of_an_outage_loses_nothing() {
    let world = Points::open().await;
    let file = world.shop().parts.config.customers_file();
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    take_away(&file);
    let queue = send(&world, Way::InOrder);
    for _ in 0..3 {
        let running = start_real(&queue, world.process());
        tokio::time::sleep(HOUR / 3).await;
        assert!(matches!(
            running.status().state,
            ConsumerState::Waiting { .. }
        ));
        running.stop().await;
    }
    give_back(&file);
    is_over(&world, start_real(&queue, world.process())).await;
}

/// By seconds, by a date, and no longer than a day.
#[tokio::test(start_paused = true)]
async fn a_receiver_says_when_it_wants_to_be_called_again() {
    // The tests begin on Tuesday, 14 November 2023, 22:13:20.
    let in_two_hours = "Wed, 15 Nov 2023 00:13:20 GMT".to_owned();
    for (status, asked, wait_s) in [
        (StatusCode::SERVICE_UNAVAILABLE, "7200".to_owned(), 7_200),
        (StatusCode::TOO_MANY_REQUESTS, in_two_hours, 7_200),
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "999999999".to_owned(),
            86_400,
        ),
        // Sooner than usual, or said with another status: as usual.
        (StatusCode::SERVICE_UNAVAILABLE, "0".to_owned(), 5),
        (StatusCode::INTERNAL_SERVER_ERROR, "7200".to_owned(), 5),
        (StatusCode::SERVICE_UNAVAILABLE, "soon".to_owned(), 5),
    ] {
        let world = Called::open().await;
        let endpoint = &world.hooks.endpoint;
        endpoint.answers(status, Some(asked.clone()));
        let queue = send(&world, Way::InOrder);
        let running = start_real(&queue, world.process());
        let of_all = queue.left().len();
        let wait = Duration::from_secs(wait_s);
        tokio::time::sleep(wait.mul_f32(0.9)).await;
        assert_eq!(
            endpoint.heard().len(),
            of_all,
            "{status} {asked}: not before"
        );
        endpoint.answers(StatusCode::OK, None);
        running
            .is_empty(wait.mul_f32(0.2) + Duration::from_secs(30))
            .await;
        assert_eq!(endpoint.heard().len(), 2 * of_all, "{status} {asked}");
        assert_eq!(world.effects(), world.fold());
        running.stop().await;
    }
}
