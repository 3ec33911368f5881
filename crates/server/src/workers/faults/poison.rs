//! A neighbour that is there and chokes on one message of many: the others are done as ever.

use std::time::Duration;

use axum::http::StatusCode;

use super::dying::{PATIENCE, Way, send};
use super::worlds::{Letters, Notices, World};
use crate::workers::consumers::ConsumerState;
use crate::workers::consumers::tests::rig::{Running, start_real};

/// What is known of one to be done by itself.
const SOON: Duration = Duration::from_secs(60);

/// The one it chokes on comes first, alone, and for a while; then the others.
async fn others_are_done(world: &dyn World, poison: usize) -> Running {
    let queue = world.shop().queue();
    let mut messages = world.messages();
    let first = messages.remove(poison);
    queue.send_body("poison", &first.body, None);
    let running = start_real(&queue, world.process());
    tokio::time::sleep(PATIENCE).await;
    for (n, message) in messages.iter().enumerate() {
        queue.send_body(&n.to_string(), &message.body, None);
        tokio::time::sleep(SOON).await;
        let left = queue.left();
        assert_eq!(left.len(), 1, "{n}: {left:?}");
        assert_eq!(left[0].id, "poison");
        assert_eq!(running.status().state, ConsumerState::Running);
    }
    let received = queue.left()[0].receive_count;
    assert!(received < 30, "later and later: {received}");
    assert_eq!(queue.dead(), []);
    running
}

#[tokio::test(start_paused = true)]
async fn an_e_mail_that_the_server_hangs_up_over_holds_up_no_other() {
    let world = Letters::open().await;
    let post = &world.shop().post;
    *post.chokes_on.lock().unwrap() = Some("ada@");
    let ada = |body: &str| body.contains("ada@example.com");
    let poison = world.messages().iter().position(|one| ada(&one.body));
    let running = others_are_done(&world, poison.unwrap()).await;
    *post.chokes_on.lock().unwrap() = None;
    running.is_empty(Duration::from_secs(900)).await;
    assert_eq!(world.effects(), world.fold());
    assert!(world.told_once());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_e_mail_that_never_gets_through_is_a_dead_letter_one_day() {
    let world = Letters::open().await;
    *world.shop().post.chokes_on.lock().unwrap() = Some("ada@");
    let queue = send(&world, Way::InOrder);
    let running = start_real(&queue, world.process());
    running.is_empty(Duration::from_secs(30 * 3_600)).await;
    let dead = queue.dead();
    assert_eq!(dead.len(), 1, "{dead:?}");
    assert!(dead[0].1.contains("it hung up"), "{dead:?}");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_up_over_each_is_waited_for() {
    let world = Letters::open().await;
    *world.shop().post.chokes_on.lock().unwrap() = Some("");
    let queue = send(&world, Way::InOrder);
    let running = start_real(&queue, world.process());
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert!(
        matches!(running.status().state, ConsumerState::Waiting { .. }),
        "{:?}",
        running.status()
    );
    assert_eq!(queue.dead(), []);
    *world.shop().post.chokes_on.lock().unwrap() = None;
    running.is_empty(Duration::from_secs(400)).await;
    assert_eq!(world.effects(), world.fold());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_notice_that_the_marketing_system_fails_over_holds_up_no_other() {
    let world = Notices::open().await;
    world.system.chokes_on(Some("vip0@example.com"));
    let running = others_are_done(&world, 0).await;
    world.system.chokes_on(None);
    running.is_empty(Duration::from_secs(400)).await;
    assert_eq!(world.effects(), world.fold());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_marketing_system_that_fails_over_each_is_waited_for() {
    let world = Notices::open().await;
    world
        .system
        .answers(StatusCode::INTERNAL_SERVER_ERROR, None);
    let queue = send(&world, Way::InOrder);
    let running = start_real(&queue, world.process());
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert!(
        matches!(running.status().state, ConsumerState::Waiting { .. }),
        "{:?}",
        running.status()
    );
    assert_eq!(queue.dead(), []);
    world.system.answers(StatusCode::OK, None);
    running.is_empty(Duration::from_secs(400)).await;
    assert_eq!(world.effects(), world.fold());
    running.stop().await;
}
