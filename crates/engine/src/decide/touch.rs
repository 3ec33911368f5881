//! What a batch of commands needs to see, before anything is loaded.

use commerce::{AuctionId, Millis, Sku};
use hashbrown::HashSet;

use crate::auction::BIDS_QUEUE;
use crate::command::{Aftermath, Command, Publish};
use crate::engine::Limits;
use crate::ports::{
    DELIVERIES_QUEUE, Duplicate, FAN_OUT_QUEUE, Loaded, QueueTouch, TopicTouch, Touch,
};

pub(crate) fn touch<'a>(
    commands: impl Iterator<Item = &'a Command>,
    now: Millis,
    limits: &Limits,
) -> Touch {
    let mut touch = Touch {
        now,
        keys_per_customer: limits.keys_per_customer,
        keys_since: now
            - Millis::try_from(limits.key_retention.as_millis()).expect("a retention in range"),
        ..Touch::default()
    };
    let mut seen: HashSet<Sku> = HashSet::new();
    let mut product = |touch: &mut Touch, sku: &Sku| {
        if !seen.contains(sku) {
            seen.insert(sku.clone());
            touch.products.push(sku.clone());
        }
    };
    for command in commands {
        match command {
            Command::PlaceOrder(order) => {
                product(&mut touch, &order.sku);
                let customer = order.customer.customer();
                touch.bought.push((order.sku.clone(), customer));
                if let Some(key) = order.key {
                    touch.keys.push(key);
                    touch.key_holders.push(customer);
                }
            }
            Command::CancelOrder { id } => touch.orders.push(id.seq),
            Command::TellParcels { notes } => {
                touch.orders.extend(notes.iter().map(|note| note.order.seq));
            }
            Command::CreateProduct(new) => product(&mut touch, &new.sku),
            Command::ChangeProduct { sku, .. } | Command::Settle { sku } => {
                product(&mut touch, sku);
                touch.heads.push(sku.clone());
            }
            Command::ReceiveGoods { sku, reference, .. } => {
                product(&mut touch, sku);
                touch.heads.push(sku.clone());
                touch.references.push((sku.clone(), reference.clone()));
            }
            Command::Replenishment { id, sku, .. } => {
                product(&mut touch, sku);
                touch.heads.push(sku.clone());
                touch.replenishments.push(id.seq);
            }
            Command::Probe | Command::Sweep { .. } => {}
            command => touch_auction(&mut touch, command),
        }
    }
    touch
}

fn touch_auction(touch: &mut Touch, command: &Command) {
    match command {
        Command::CreateAuction(new) => touch.keys.extend(new.key),
        Command::PlaceBid(bid) => {
            auction(touch, bid.auction);
            if let Some(key) = bid.key {
                touch.keys.push(key);
                touch.key_holders.push(bid.bidder.customer());
            }
            if bid.defer {
                queue_of(touch, BIDS_QUEUE);
            }
            if let Some(message) = &bid.message {
                let queue = queue_of(touch, &message.queue);
                queue.messages.push(message.handle.seq);
            }
        }
        Command::DecideBids {
            auction: id,
            queue,
            messages,
        } => {
            auction(touch, *id);
            let seqs = messages.iter().map(|(_, handle)| handle.seq);
            let queue = queue_of(touch, queue);
            queue.messages.extend(seqs);
            if messages.is_empty() {
                queue.group_firsts.push(id.to_string());
            }
            touch.bids.extend(messages.iter().map(|(bid, _)| *bid));
        }
        Command::RetractBid { auction: id, bid } => {
            auction(touch, *id);
            touch.standing_bids.push(id.seq);
            touch.bids.push(bid.seq);
        }
        Command::CancelAuction { auction: id } => auction(touch, *id),
        Command::AuctionDue { auction: id } => {
            auction(touch, *id);
            let queue = queue_of(touch, BIDS_QUEUE);
            queue.group_firsts.push(id.to_string());
        }
        Command::AfterClose { auction: id, what } => {
            auction(touch, *id);
            match what {
                Aftermath::Answer { bid, .. } => touch.bids.push(bid.seq),
                Aftermath::Settle { .. }
                | Aftermath::Forfeit { .. }
                | Aftermath::SecondChance { .. } => {}
            }
        }
        command => touch_messaging(touch, command),
    }
}

/// Most of a batch is about one auction.
fn auction(touch: &mut Touch, id: AuctionId) {
    if touch.auctions.last() != Some(&id.seq) {
        touch.auctions.push(id.seq);
    }
}

/// What is left. The others are named, so that a new command is looked at.
fn touch_messaging(touch: &mut Touch, command: &Command) {
    match command {
        Command::EnsureQueues {
            queues,
            subscriptions,
        } => {
            for queue in queues {
                queue_of(touch, &queue.name);
                if let Some(redrive) = &queue.config.redrive {
                    queue_of(touch, &redrive.dead_letter_queue);
                }
            }
            for subscription in subscriptions {
                topic_of(touch, &subscription.topic);
                queue_of(touch, &subscription.queue);
            }
        }
        Command::CreateQueue { name, settings, .. }
        | Command::SetQueue {
            queue: name,
            settings,
        } => {
            queue_of(touch, name);
            if let Some(Some(redrive)) = &settings.redrive {
                queue_of(touch, &redrive.dead_letter_queue);
            }
        }
        Command::TagQueue { queue, .. }
        | Command::EditQueuePolicy { queue, .. }
        | Command::DeleteQueue { queue }
        | Command::PurgeQueue { queue }
        | Command::CancelMove { queue, .. } => {
            queue_of(touch, queue);
        }
        Command::SendMessage { queue, send } => {
            touch_sends(touch, queue, std::slice::from_ref(send))
        }
        Command::SendMessages { queue, sends } => touch_sends(touch, queue, sends),
        Command::ReceiveMessages {
            queue,
            max,
            attempt,
            room,
            ..
        } => {
            let touched = queue_of(touch, queue);
            // One receive is never given more, and is refused when it asks for more.
            let max = (*max).min(messaging::limits::RECEIVE_MAX);
            want_visible(touched, max, room.bytes());
            touched.receives += 1;
            touched.attempts.extend(attempt.clone());
        }
        Command::DeleteMessage { queue, handle }
        | Command::ChangeVisibility { queue, handle, .. }
        | Command::DeadLetter { queue, handle, .. } => {
            queue_of(touch, queue).messages.push(handle.seq);
        }
        Command::DeleteMessages { queue, handles } => {
            let seqs = handles.iter().map(|handle| handle.seq);
            queue_of(touch, queue).messages.extend(seqs);
        }
        Command::ChangeVisibilities { queue, changes } => {
            let seqs = changes.iter().map(|(handle, _)| handle.seq);
            queue_of(touch, queue).messages.extend(seqs);
        }
        Command::Redrive {
            queue,
            message,
            max,
        } => {
            let touched = queue_of(touch, queue);
            match message {
                Some(seq) => touched.messages.push(*seq),
                None => {
                    touched.first = touched.first.saturating_add(*max);
                    let bytes = touched.first_bytes.unwrap_or(0);
                    touched.first_bytes = Some(bytes.saturating_add(MOVED_BYTES_MAX));
                }
            }
        }
        Command::StartMove {
            queue, destination, ..
        } => {
            queue_of(touch, queue);
            if let Some(destination) = destination {
                queue_of(touch, destination);
            }
        }
        Command::MoveStep {
            queue,
            destination,
            max,
        } => {
            // What is left out for its bytes, the next step moves.
            want_visible(queue_of(touch, queue), *max, MOVED_BYTES_MAX);
            if let Some(destination) = destination {
                queue_of(touch, destination);
            }
        }
        Command::CreateTopic { name: topic, .. }
        | Command::SetTopic { topic, .. }
        | Command::TagTopic { topic, .. }
        | Command::EditTopicPolicy { topic, .. }
        | Command::DeleteTopic { topic }
        | Command::Subscribe { topic, .. } => {
            topic_of(touch, topic);
        }
        Command::ConfirmSubscription { topic, id, .. } => {
            topic_of(touch, topic);
            touch.subscriptions.push(id.clone());
        }
        Command::Unsubscribe { id }
        | Command::SetSubscription { id, .. }
        | Command::Bury {
            subscription: id, ..
        } => {
            touch.subscriptions.push(id.clone());
        }
        Command::Publish { topic, publishes } => touch_publishes(touch, topic, publishes.iter()),
        Command::FanOutStep { seq, fan_out } => {
            queue_of(touch, DELIVERIES_QUEUE);
            queue_of(touch, FAN_OUT_QUEUE).messages.push(*seq);
            let topic = topic_of(touch, &fan_out.topic);
            topic.steps.push(fan_out.after.clone());
        }
        Command::Relay { publications, .. } => {
            for (topic, publish) in publications {
                touch_publishes(touch, topic, std::iter::once(publish));
            }
        }
        Command::PlaceOrder(_)
        | Command::CancelOrder { .. }
        | Command::CreateProduct(_)
        | Command::ChangeProduct { .. }
        | Command::ReceiveGoods { .. }
        | Command::Settle { .. }
        | Command::Replenishment { .. }
        | Command::CreateAuction(_)
        | Command::PlaceBid(_)
        | Command::DecideBids { .. }
        | Command::RetractBid { .. }
        | Command::CancelAuction { .. }
        | Command::AuctionDue { .. }
        | Command::AfterClose { .. }
        | Command::TellParcels { .. }
        | Command::Sweep { .. }
        | Command::Probe => {}
    }
}

/// Of which queues something may be received: what is sent to the others nobody looks at yet.
pub(crate) fn note_receives(touch: &Touch, mut loaded: Loaded) -> Loaded {
    for touched in touch.queues.iter().filter(|queue| queue.visible > 0) {
        if let Some(queue) = loaded.queues.get_mut(&touched.name) {
            queue.is_received = true;
        }
    }
    loaded
}

/// Of messages that are moved: what is loaded for one step.
const MOVED_BYTES_MAX: u64 = 16 * 1024 * 1024;

fn want_visible(touched: &mut QueueTouch, messages: usize, bytes: u64) {
    touched.visible += messages;
    touched.visible_bytes = Some(touched.visible_bytes.unwrap_or(0).saturating_add(bytes));
}

/// What each message may be a duplicate of. Whether the queue compares contents, and within
/// which scope, is not known before it is loaded, so all of it is looked up.
fn touch_sends<'a, S>(touch: &mut Touch, queue: &str, sends: &'a [S])
where
    S: std::borrow::Borrow<messaging::Send> + 'a,
{
    let touched = queue_of(touch, queue);
    if !is_fifo(queue) {
        return;
    }
    for send in sends {
        let send = send.borrow();
        touched.duplicates.push(Duplicate {
            group: send.group.clone(),
            id: match &send.deduplication {
                Some(id) => id.clone(),
                None => messaging::content_deduplication_id(&send.body),
            },
        });
    }
}

fn touch_publishes<'a>(
    touch: &mut Touch,
    topic: &str,
    publishes: impl Iterator<Item = &'a Publish>,
) {
    queue_of(touch, DELIVERIES_QUEUE);
    queue_of(touch, FAN_OUT_QUEUE);
    let touched = topic_of(touch, topic);
    touched.is_published = true;
    if !is_fifo(topic) {
        return;
    }
    for publish in publishes {
        let publication = &publish.publication;
        touched.duplicates.push(Duplicate {
            group: publication.group.clone(),
            id: match &publication.deduplication {
                Some(id) => id.clone(),
                None => messaging::content_deduplication_id(&publication.message),
            },
        });
    }
}

fn is_fifo(name: &str) -> bool {
    name.ends_with(".fifo")
}

/// Whether what comes after this command must be loaded after it: a store counts what customers
/// bought only for products that have a purchase limit when it is asked; what a subscription
/// leads to is loaded with it, and how many there are says what is loaded; and a queue that was emptied has nothing that could be loaded.
pub(crate) fn ends_batch(command: &Command) -> bool {
    match command {
        Command::ChangeProduct { change, .. } => {
            change.purchase_limit.is_some_and(|limit| limit.is_some())
        }
        Command::EnsureQueues { .. }
        | Command::CreateQueue { .. }
        | Command::SetQueue { .. }
        | Command::DeleteQueue { .. }
        | Command::PurgeQueue { .. }
        | Command::CreateTopic { .. }
        | Command::DeleteTopic { .. }
        | Command::Subscribe { .. }
        | Command::ConfirmSubscription { .. }
        | Command::SetSubscription { .. }
        | Command::Unsubscribe { .. }
        | Command::Sweep { .. } => true,
        Command::PlaceOrder(_)
        | Command::CancelOrder { .. }
        | Command::CreateProduct(_)
        | Command::ReceiveGoods { .. }
        | Command::Settle { .. }
        | Command::Replenishment { .. }
        | Command::CreateAuction(_)
        | Command::PlaceBid(_)
        | Command::DecideBids { .. }
        | Command::RetractBid { .. }
        | Command::CancelAuction { .. }
        | Command::AuctionDue { .. }
        | Command::AfterClose { .. }
        | Command::TellParcels { .. }
        | Command::TagQueue { .. }
        | Command::EditQueuePolicy { .. }
        | Command::Bury { .. }
        | Command::SendMessage { .. }
        | Command::SendMessages { .. }
        | Command::ReceiveMessages { .. }
        | Command::DeleteMessage { .. }
        | Command::DeleteMessages { .. }
        | Command::ChangeVisibility { .. }
        | Command::ChangeVisibilities { .. }
        | Command::DeadLetter { .. }
        | Command::Redrive { .. }
        | Command::StartMove { .. }
        | Command::CancelMove { .. }
        | Command::MoveStep { .. }
        | Command::SetTopic { .. }
        | Command::TagTopic { .. }
        | Command::EditTopicPolicy { .. }
        | Command::Publish { .. }
        | Command::FanOutStep { .. }
        | Command::Relay { .. }
        | Command::Probe => false,
    }
}

fn queue_of<'a>(touch: &'a mut Touch, name: &str) -> &'a mut QueueTouch {
    if let Some(at) = touch.queues.iter().position(|queue| queue.name == name) {
        return &mut touch.queues[at];
    }
    touch.queues.push(QueueTouch {
        name: name.to_owned(),
        ..QueueTouch::default()
    });
    touch.queues.last_mut().expect("pushed just above")
}

fn topic_of<'a>(touch: &'a mut Touch, name: &str) -> &'a mut TopicTouch {
    if let Some(at) = touch.topics.iter().position(|topic| topic.name == name) {
        return &mut touch.topics[at];
    }
    touch.topics.push(TopicTouch {
        name: name.to_owned(),
        ..TopicTouch::default()
    });
    touch.topics.last_mut().expect("pushed just above")
}
