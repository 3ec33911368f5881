//! Bids that came through the queue, were set aside with the dead letters, and come back: they
//! were in time by the moment at which they were sent first.

use messaging::SentFirst;

use super::*;

/// Received until it is a dead letter, as by workers that die over it.
async fn dies(rig: &Rig) {
    let before = dead(rig).len();
    for _ in 0..RECEIVES_MAX {
        let held = rig.done(receive_for(BIDS_QUEUE, 10, Some(0))).await;
        assert!(matches!(held, Reply::Messages { messages, .. } if messages.len() == 1));
    }
    rig.done(receive_for(BIDS_QUEUE, 10, Some(0))).await;
    assert_eq!(queue(rig), []);
    assert_eq!(dead(rig).len(), before + 1);
}

fn dead(rig: &Rig) -> Vec<Message> {
    let reader = rig.reader();
    reader.messages(BIDS_DEAD_LETTER_QUEUE, 0, 100).unwrap()
}

async fn redrive(rig: &Rig) {
    let command = Command::Redrive {
        queue: BIDS_DEAD_LETTER_QUEUE.to_owned(),
        message: None,
        max: 10,
    };
    assert!(matches!(rig.done(command).await, Reply::Count(1)));
}

#[test]
fn a_bid_that_was_in_time_still_is_when_it_comes_back_from_the_dead_letters() {
    on_both(async |rig| {
        let auction = put_up(rig, terms()).await;
        rig.clock.advance(59_000);
        rig.done(send_bid(auction, "in-time")).await;
        // More than once, and over starts.
        for _ in 0..2 {
            dies(rig).await;
            rig.restart().await;
            redrive(rig).await;
            rig.restart().await;
        }
        dies(rig).await;
        rig.clock.advance(1_000);
        for n in 0..3 {
            rig.done(send_bid(auction, &format!("late-{n}"))).await;
        }
        redrive(rig).await;
        // It stands behind those that came after the end, and the close waits for it.
        let messages = received(rig).await;
        assert_eq!(messages.len(), 4);
        let refused = rig.refused(due(auction)).await;
        assert_eq!(refused.code(), "bids_undecided");
        let late = placed(rig, from_message(bid(auction, "eve", 900), messages[0].1)).await;
        assert_eq!(late.reason.as_deref(), Some("late"));
        assert_eq!(late.admitted_at, END);
        let refused = rig.refused(due(auction)).await;
        assert_eq!(refused.code(), "bids_undecided");
        let verdict = placed(rig, from_message(bid(auction, "ada", 500), messages[3].1)).await;
        assert_eq!(verdict.status, BidStatus::Accepted);
        assert_eq!(verdict.admitted_at, START + 59_000);
        assert_eq!(verdict.decided_at, Some(END));
        // For those that came too late it does not wait.
        assert_eq!(queue(rig).len(), 2);
        rig.done(due(auction)).await;
        assert_eq!(winners(rig, auction), [("ada".to_owned(), 500)]);
    });
}

#[test]
fn an_auction_does_not_wait_for_dead_letters_and_what_comes_after_its_close_stays_one() {
    on_both(async |rig| {
        let auction = put_up(rig, terms()).await;
        rig.clock.advance(59_000);
        rig.done(send_bid(auction, "in-time")).await;
        dies(rig).await;
        rig.clock.advance(1_000);
        rig.done(due(auction)).await;
        assert_eq!(winners(rig, auction), []);
        redrive(rig).await;
        let messages = received(rig).await;
        let refused = rig
            .refused(place(from_message(bid(auction, "ada", 500), messages[0].1)))
            .await;
        assert_eq!(refused.code(), "closed");
        assert_eq!(queue(rig).len(), 1, "the worker sets it aside again");
        rig.done(Command::DeadLetter {
            queue: BIDS_QUEUE.to_owned(),
            handle: messages[0].1,
            reason: "closed".to_owned(),
        })
        .await;
        let [dead] = &dead(rig)[..] else {
            panic!("nothing vanishes")
        };
        // SentTimestamp is that of the move, as Amazon has it.
        assert_eq!(dead.sent_at_ms, END);
        let first = SentFirst {
            queue: BIDS_QUEUE.to_owned(),
            at_ms: START + 59_000,
        };
        assert_eq!(dead.sent_first, Some(first));
    });
}

#[test]
fn a_dead_letter_of_another_queue_comes_when_it_is_moved() {
    on_both(async |rig| {
        const OTHER: &str = "other.fifo";
        const OTHER_DEAD: &str = "other-dlq.fifo";
        let auction = put_up(rig, terms()).await;
        let fifo = |dead_letter_queue: Option<&str>| QueueConfig {
            fifo: Some(FifoConfig::default()),
            redrive: dead_letter_queue.map(|name| RedrivePolicy {
                dead_letter_queue: name.to_owned(),
                max_receive_count: 1,
            }),
            ..QueueConfig::default()
        };
        rig.done(Command::EnsureQueues {
            queues: vec![
                queue_spec(OTHER_DEAD, fifo(None)),
                queue_spec(OTHER, fifo(Some(OTHER_DEAD))),
            ],
            subscriptions: Vec::new(),
        })
        .await;
        let Command::SendMessage { send, .. } = send_bid(auction, "elsewhere") else {
            unreachable!()
        };
        rig.done(Command::SendMessage {
            queue: OTHER.to_owned(),
            send,
        })
        .await;
        for _ in 0..2 {
            rig.done(receive_for(OTHER, 10, Some(0))).await;
        }
        rig.clock.advance(60_000);
        let destination = Some(BIDS_QUEUE.to_owned());
        rig.done(Command::StartMove {
            queue: OTHER_DEAD.to_owned(),
            destination: destination.clone(),
            rate: None,
        })
        .await;
        rig.done(Command::MoveStep {
            queue: OTHER_DEAD.to_owned(),
            destination,
            max: 10,
        })
        .await;
        let messages = received(rig).await;
        let late = placed(rig, from_message(bid(auction, "ada", 500), messages[0].1)).await;
        assert_eq!(late.reason.as_deref(), Some("late"));
        assert_eq!(late.admitted_at, END);
    });
}
