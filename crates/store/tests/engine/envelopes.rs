//! What the log tells reaches everybody in the form that he asked for, whoever asks when.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use commerce::{Millis, WhenSoldOut};
use engine::ports::{Envelopes, Subscription};
use engine::{Command, Envelope, SubscriptionChange, TOPIC_STOCK};
use messaging::topic::{self, Protocol};

use crate::relay::{Relay, arrived, body, subscribe};
use crate::rig::{Place, Rig, create, receive, runtime};

/// Believes that nobody wants an envelope until it is told that this is old.
#[derive(Default)]
struct Late {
    is_told: AtomicBool,
}

impl Envelopes for Late {
    fn wrap(
        &self,
        _topic: &str,
        _id: &str,
        at: Millis,
        publication: &topic::Publication,
    ) -> Vec<(Protocol, Envelope)> {
        if !self.is_told.load(Ordering::SeqCst) {
            return Vec::new();
        }
        let head = format!(r#"{{"at":{at},"of":{},"to":""#, publication.message);
        let envelope = Envelope {
            head: head.into(),
            middle: None,
            tail: r#""}"#.into(),
        };
        vec![(Protocol::Queue, envelope)]
    }

    fn forget(&self) {
        self.is_told.store(true, Ordering::SeqCst);
    }
}

/// The subscription of this queue gets what is told in an envelope from now on.
async fn wrapped(rig: &Rig, topic: &str, queue: &str) {
    let all = rig.reader().subscriptions(Some(topic), None, 10).unwrap();
    let of_queue = |found: &&Subscription| found.subscription.endpoint == queue;
    rig.done(Command::SetSubscription {
        id: all.iter().find(of_queue).unwrap().subscription.id.clone(),
        change: Box::new(SubscriptionChange {
            raw: Some(false),
            ..SubscriptionChange::default()
        }),
    })
    .await;
}

#[test]
fn whoever_wants_an_envelope_gets_one_though_nobody_was_known_to() {
    runtime().block_on(async {
        for place in Place::both() {
            let rig = Rig::new(place);
            rig.done(create("A", 5, WhenSoldOut::Reject)).await;
            subscribe(&rig, &[(TOPIC_STOCK, "bare"), (TOPIC_STOCK, "wrapped")]).await;
            wrapped(&rig, TOPIC_STOCK, "wrapped").await;
            rig.done(receive("A", 1, "one")).await;
            let relay = Relay::with(rig.engine(), Arc::<Late>::default());
            arrived(&rig, "bare", 1).await;
            relay.stop().await.unwrap();
            let of = |queue: &str| {
                let messages = rig.reader().messages(queue, 0, 10).unwrap();
                assert_eq!(messages.len(), 1, "once");
                body(&messages[0])
            };
            let (bare, wrapped) = (of("bare"), of("wrapped"));
            assert_eq!(wrapped["of"], bare);
            let at = rig.reader().entry(2).unwrap().unwrap().at;
            assert_eq!(wrapped["at"], at);
        }
    });
}

#[test]
fn where_no_envelope_can_be_had_the_text_is_told_as_it_is() {
    runtime().block_on(async {
        let rig = Rig::new(Place::memory());
        rig.done(create("A", 5, WhenSoldOut::Reject)).await;
        subscribe(&rig, &[(TOPIC_STOCK, "wrapped")]).await;
        wrapped(&rig, TOPIC_STOCK, "wrapped").await;
        let relay = Relay::start(rig.engine());
        for delivery in ["one", "two"] {
            rig.done(receive("A", 1, delivery)).await;
        }
        arrived(&rig, "wrapped", 2).await;
        relay.stop().await.unwrap();
    });
}
