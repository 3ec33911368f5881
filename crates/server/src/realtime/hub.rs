//! One tail of the log for all listeners of this process.

use std::collections::{HashMap, VecDeque};
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use commerce::LineId;
use engine::feed::Committed;
use engine::{BidStep, Engine, EngineError, Entry, Family, Kind};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesOrdered;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::realtime::bulk::Bulk;
use crate::realtime::latest::Latest;
use crate::realtime::leaving::Leaving;
use crate::realtime::missed::ReadBack;
use crate::realtime::render::{LiveEvent, Rendered};
use crate::realtime::standing;

/// Groups that may wait for one listener. A group is what one commit holds for it.
const BUFFER: usize = 64;

/// So many are told one after the other before anybody else has a turn. The runtime lets who yielded go
/// on after 61 other tasks at the latest (`event_interval`): if more than that were woken each time, they
/// would pile up, and whoever comes would stand behind all of them.
const AT_ONCE: usize = 32;

/// How long to wait before trying again when the log could not be read.
const READ_AGAIN: Duration = Duration::from_millis(500);

/// So many groups are being read at most; what else is due waits, and becomes one with what follows.
const READING_MAX: usize = 256;

/// What is listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// Every event, when there is time for it: see [`Bulk`].
    Everything,
    /// A product's line, or an auction's, when there is time for it.
    Line(LineId),
    /// The newest of a product's line, or an auction's, once in a while: see [`Latest`].
    Latest(LineId),
    /// Those who leave the waiting line of a product, once in a while.
    Leaving(LineId),
    /// The sequence in the order's id.
    Order(u64),
    /// The sequence in the bid's id.
    Bid(u64),
    /// Who leads no more, or again: the sequence in the auction's id and the masked name.
    Outbid(u64, MaskedName),
    /// That an auction is over, and who has won: the sequence in its id.
    Over(u64),
}

/// `bidder-` and 12 hexadecimal digits, as the number that they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MaskedName(u64);

impl MaskedName {
    /// None for a text that is no masked name.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("bidder-")?;
        u64::from_str_radix(digits, 16).ok().map(Self)
    }
}

/// Whom an entry tells that they lead no more, or again.
pub fn outbid_by(entry: &Entry) -> Vec<MaskedName> {
    match entry.kind.bid_step() {
        Some(BidStep::Accepted | BidStep::Retracted) => {
            let data = entry.auction_data();
            let names = data.outbid.iter().chain(&data.regained);
            names.filter_map(|name| MaskedName::parse(name)).collect()
        }
        Some(BidStep::Placed | BidStep::Refused) | None => Vec::new(),
    }
}

/// Whether an auction is over with it, for everybody who has bid.
pub fn is_end(entry: &Entry) -> bool {
    matches!(entry.kind, Kind::AuctionClosed | Kind::AuctionCancelled)
}

/// Events that concern one subject, handed out together.
#[derive(Clone)]
pub struct Group {
    events: Arc<[Arc<Rendered>]>,
    /// What they made of an auction, for those who are told that alone.
    pub whole: Option<LiveEvent>,
    /// Who left a line, counted, for those who still wait in it.
    pub leaving: Option<Arc<Leaving>>,
    /// Nothing up to this sequence is told any more.
    pub skipped_to: Option<u64>,
}

impl Group {
    pub(super) fn skipped(seq: u64) -> Self {
        Self {
            skipped_to: Some(seq),
            ..Self::default()
        }
    }
}

impl Default for Group {
    fn default() -> Self {
        Self::from_iter([])
    }
}

impl FromIterator<Arc<Rendered>> for Group {
    fn from_iter<I: IntoIterator<Item = Arc<Rendered>>>(events: I) -> Self {
        Self {
            events: events.into_iter().collect(),
            whole: None,
            leaving: None,
            skipped_to: None,
        }
    }
}

impl Deref for Group {
    type Target = [Arc<Rendered>];

    fn deref(&self) -> &Self::Target {
        &self.events
    }
}

/// What one listener gets. When it yields nothing more, the listener was too slow, or the
/// server stops: resume from the last sequence.
pub struct Listener {
    receiver: mpsc::Receiver<Group>,
    subjects: Vec<Subject>,
    dropped: Arc<AtomicBool>,
    hub: Hub,
}

impl Listener {
    pub async fn next(&mut self) -> Option<Group> {
        match self.receiver.try_recv() {
            Ok(group) => Some(group),
            // It heard what had fitted; of the rest some is missing.
            Err(_) if self.dropped.load(Ordering::Acquire) => None,
            Err(mpsc::error::TryRecvError::Disconnected) => None,
            Err(mpsc::error::TryRecvError::Empty) => self.receiver.recv().await,
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.receiver.close();
        self.hub.inner.listeners.fetch_sub(1, Ordering::Relaxed);
        if listens_to_outbid(&self.subjects) {
            self.hub.inner.outbid.fetch_sub(1, Ordering::Relaxed);
        }
        let mut map = self.hub.subjects();
        for subject in &self.subjects {
            if let Some(senders) = map.get_mut(subject) {
                senders.retain(|sender| !sender.groups.is_closed());
                if senders.is_empty() {
                    map.remove(subject);
                }
            }
        }
    }
}

fn listens_to_outbid(subjects: &[Subject]) -> bool {
    let is_outbid = |subject: &Subject| matches!(subject, Subject::Outbid(..));
    subjects.iter().any(is_outbid)
}

/// A listener as the hub sees it, once for each of its subjects.
#[derive(Clone)]
struct Sender {
    groups: mpsc::Sender<Group>,
    /// Too slow for one subject is too slow for all: it must not hear half of what happens.
    dropped: Arc<AtomicBool>,
    /// It knows what is up to here.
    knows: u64,
}

/// What is told when its time has come.
#[derive(Default)]
struct Later {
    latest: Latest,
    bulk: Bulk,
    /// What concerns one order, told before anything else here.
    of_orders: VecDeque<(Subject, Group)>,
    /// What is being told, and to whom it still is.
    telling: VecDeque<(Group, Vec<Sender>)>,
}

impl Later {
    fn has_to_tell(&self) -> bool {
        !(self.of_orders.is_empty() && self.telling.is_empty())
    }

    /// One group after the other, so that they come in order, and never many listeners at once:
    /// whoever waits for an answer shares these threads.
    fn tell_some(&mut self, hub: &Hub) {
        if !self.of_orders.is_empty() {
            let mut map = hub.subjects();
            let some = self.of_orders.len().min(AT_ONCE);
            for (subject, group) in self.of_orders.drain(..some) {
                tell(&mut map, subject, &group);
            }
            return;
        }
        let Some((group, senders)) = self.telling.front_mut() else {
            return;
        };
        let left = senders.len().saturating_sub(AT_ONCE);
        for sender in senders.drain(left..) {
            // Who is too slow goes from the map with its listener.
            send(&sender, group);
        }
        if left == 0 {
            self.telling.pop_front();
        }
    }
}

#[derive(Clone)]
pub struct Hub {
    inner: Arc<Inner>,
}

struct Inner {
    subjects: Mutex<HashMap<Subject, Vec<Sender>>>,
    listeners: AtomicU64,
    listeners_max: u64,
    /// How many of them listen to [`Subject::Outbid`]: without any, no bid need be looked into.
    outbid: AtomicU64,
    /// The newest sequence that was handed out.
    dispatched: AtomicU64,
    read_back: ReadBack,
}

impl Hub {
    pub fn new(listeners_max: usize, last_seq: u64) -> Self {
        Self {
            inner: Arc::new(Inner {
                subjects: Mutex::new(HashMap::new()),
                listeners: AtomicU64::new(0),
                listeners_max: listeners_max as u64,
                outbid: AtomicU64::new(0),
                dispatched: AtomicU64::new(last_seq),
                read_back: ReadBack::default(),
            }),
        }
    }

    fn subjects(&self) -> MutexGuard<'_, HashMap<Subject, Vec<Sender>>> {
        self.inner
            .subjects
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The turns of those who read what they missed.
    pub(super) fn read_back(&self) -> &ReadBack {
        &self.inner.read_back
    }

    pub fn listeners(&self) -> u64 {
        self.inner.listeners.load(Ordering::Relaxed)
    }

    /// Listens from now on; none when there are as many listeners as this server takes. What is
    /// committed after this call arrives, so read the past after it.
    pub fn listen(&self, subjects: &[Subject]) -> Option<Listener> {
        self.listen_after(0, subjects)
    }

    /// The same for who knows what happened up to `seq`: that may arrive as well, but of what is told
    /// once in a while nothing waits because of it.
    pub fn listen_after(&self, seq: u64, subjects: &[Subject]) -> Option<Listener> {
        let before = self.inner.listeners.fetch_add(1, Ordering::Relaxed);
        if before >= self.inner.listeners_max {
            self.inner.listeners.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        if listens_to_outbid(subjects) {
            self.inner.outbid.fetch_add(1, Ordering::Relaxed);
        }
        let (groups, receiver) = mpsc::channel(BUFFER);
        let dropped = Arc::new(AtomicBool::new(false));
        let sender = Sender {
            groups,
            dropped: Arc::clone(&dropped),
            knows: seq,
        };
        let mut map = self.subjects();
        for subject in subjects {
            map.entry(*subject).or_default().push(sender.clone());
        }
        drop(map);
        Some(Listener {
            receiver,
            subjects: subjects.to_vec(),
            dropped,
            hub: self.clone(),
        })
    }

    /// Tails the log until cancelled. A read that fails is tried again.
    pub async fn run(&self, engine: Engine, cancel: CancellationToken) {
        let mut tail = engine.feed().tail(
            self.inner.dispatched.load(Ordering::Relaxed),
            engine.reader(),
        );
        let mut later = Later::default();
        // What is told once it has been read, in the order in which it was due.
        let mut reading = FuturesOrdered::new();
        let mut rests_until = None;
        loop {
            let may_read = reading.len() < READING_MAX;
            let due = self.next_of(&later).filter(|_| may_read);
            let batch = tokio::select! {
                () = cancel.cancelled() => break,
                batch = tail.next(), if rests_until.is_none() => match batch {
                    Ok(batch) => Some(batch),
                    Err(error) => {
                        tracing::warn!(%error, "the feed tries again");
                        rests_until = Some(Instant::now() + READ_AGAIN);
                        None
                    }
                },
                () = tokio::time::sleep_until(rests_until.unwrap_or_else(Instant::now)), if rests_until.is_some() => {
                    rests_until = None;
                    None
                }
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => None,
                Some((subject, read)) = reading.next() => {
                    match read {
                        Ok(group) => self.tell_soon(&mut later, subject, group),
                        Err(error) => self.give_up(subject, &error),
                    }
                    None
                }
                () = tokio::task::yield_now(), if later.has_to_tell() => None,
            };
            match batch {
                Some(Some(batch)) => self.dispatch(&batch, &mut later),
                Some(None) => break,
                None => {}
            }
            let due = match may_read {
                true => self.due(&mut later),
                false => Vec::new(),
            };
            for (subject, group) in due {
                if standing::is_read_for(subject) {
                    let engine = engine.clone();
                    reading.push_back(async move {
                        (subject, standing::read_for(&engine, subject, group).await)
                    });
                } else {
                    self.tell_soon(&mut later, subject, group);
                }
            }
            later.tell_some(self);
        }
        // Nobody waits for what will not come.
        self.subjects().clear();
    }

    /// How many listen to one subject.
    pub fn listening(&self, subject: Subject) -> usize {
        self.subjects().get(&subject).map_or(0, Vec::len)
    }

    /// When something is told that waits for its time.
    fn next_of(&self, later: &Later) -> Option<Instant> {
        let latest = later.latest.next(|subject| self.listening(subject));
        let bulk = later.telling.is_empty().then(|| later.bulk.next());
        [latest, bulk.flatten()].into_iter().flatten().min()
    }

    /// What waited for its time and is told now.
    fn due(&self, later: &mut Later) -> Vec<(Subject, Group)> {
        let now = Instant::now();
        let mut due = later.latest.due(now, |subject| self.listening(subject));
        if later.telling.is_empty() {
            due.extend(later.bulk.due(now, |subject| self.listening(subject)));
        }
        due
    }

    /// Comes after what is being told.
    fn tell_soon(&self, later: &mut Later, subject: Subject, group: Group) {
        if let Some(senders) = self.subjects().get(&subject) {
            if group.skipped_to.is_some() {
                metrics::counter!("firstcome_feed_skipped_total").increment(senders.len() as u64);
            }
            later.telling.push_back((group, senders.clone()));
        }
    }

    /// Their streams end, and they come back: what they would miss cannot be told.
    fn give_up(&self, subject: Subject, error: &EngineError) {
        tracing::warn!(%error, "what a line or an auction has come to could not be read");
        self.subjects().remove(&subject);
    }

    fn dispatch(&self, batch: &Committed, later: &mut Later) {
        let newest = batch.last().map_or(0, |entry| entry.seq);
        let map = self.subjects();
        if !map.is_empty() {
            // Of what concerns one order: first come, first told.
            let mut groups: HashMap<Subject, Vec<Arc<Rendered>>> = HashMap::new();
            let mut orders = Vec::new();
            let mut parcels = Groups::default();
            for entry in batch.iter() {
                let mut rendered: Option<Arc<Rendered>> = None;
                let mut rendered = || {
                    let new = || Arc::new(Rendered::new(Arc::clone(entry)));
                    Arc::clone(rendered.get_or_insert_with(new))
                };
                if let Some(subject) = about_order(entry).map(Subject::Order)
                    && map.contains_key(&subject)
                {
                    let group = groups.entry(subject).or_insert_with(|| {
                        orders.push(subject);
                        Vec::new()
                    });
                    group.push(rendered());
                }
                for subject in [Subject::Everything, Subject::Line(entry.line)] {
                    if map.contains_key(&subject) {
                        later.bulk.add(subject, rendered());
                    }
                }
                let looks = Subject::Latest(entry.line);
                let mut who_looks = map.get(&looks).into_iter().flatten();
                if who_looks.any(|sender| sender.knows < entry.seq) {
                    match (entry.line, entry.kind.bid_step()) {
                        // Nobody sees them before their verdict, or at all.
                        (_, Some(BidStep::Placed | BidStep::Refused)) => {}
                        (LineId::Auction(_), _) => later.latest.add_of_auction(looks, rendered()),
                        (LineId::Product(_) | LineId::System, _) => {
                            later.latest.add_newest(looks, rendered());
                        }
                    }
                }
                let leaving = Subject::Leaving(entry.line);
                if entry.kind.is_order()
                    && map.contains_key(&leaving)
                    && rendered().left().is_some()
                {
                    later.latest.add(leaving, rendered());
                }
                if entry.kind.family() == Family::Bid || is_end(entry) {
                    self.tell_of_bid(&map, &mut parcels, entry, rendered);
                }
            }
            for subject in orders {
                let group = groups.remove(&subject).expect("noted when it was made");
                let group = group.into_iter().collect();
                later.of_orders.push_back((subject, group));
            }
            parcels.send();
        }
        drop(map);
        self.inner.dispatched.store(newest, Ordering::Relaxed);
    }

    /// Not with the others of its subject: who listens to a bid has two subjects, and hears both in
    /// the log's order.
    fn tell_of_bid(
        &self,
        map: &HashMap<Subject, Vec<Sender>>,
        parcels: &mut Groups,
        entry: &Entry,
        mut rendered: impl FnMut() -> Arc<Rendered>,
    ) {
        let mut tell_if_heard = |subject| {
            for sender in map.get(&subject).into_iter().flatten() {
                parcels.add(sender, rendered());
            }
        };
        tell_if_heard(Subject::Bid(entry.subject));
        if is_end(entry) {
            tell_if_heard(Subject::Over(entry.subject));
        }
        if let Some(auction) = entry.line.auction()
            && self.inner.outbid.load(Ordering::Relaxed) > 0
        {
            for name in outbid_by(entry) {
                tell_if_heard(Subject::Outbid(auction, name));
            }
        }
    }
}

/// What one commit holds for each listener to bids: one group, however many events it is. Only
/// who does not take what it is handed is slow.
#[derive(Default)]
struct Groups {
    /// By the listener's own flag, which none other has.
    of: HashMap<*const AtomicBool, usize>,
    groups: Vec<(Sender, Vec<Arc<Rendered>>)>,
}

impl Groups {
    fn add(&mut self, sender: &Sender, event: Arc<Rendered>) {
        let groups = &mut self.groups;
        let at = *self
            .of
            .entry(Arc::as_ptr(&sender.dropped))
            .or_insert_with(|| {
                groups.push((sender.clone(), Vec::new()));
                groups.len() - 1
            });
        let events = &mut groups[at].1;
        // One entry may concern it by both of its subjects.
        if !events.last().is_some_and(|last| Arc::ptr_eq(last, &event)) {
            events.push(event);
        }
    }

    fn send(self) {
        for (sender, events) in self.groups {
            // Who was dropped goes from the map when its listener does.
            send(&sender, &events.into_iter().collect());
        }
    }
}

/// The order that an entry is about: its verdicts, and what becomes of its parcel.
pub fn about_order(entry: &Entry) -> Option<u64> {
    match entry.kind.family() {
        Family::Order | Family::Parcel => Some(entry.subject),
        Family::Goods | Family::Operations | Family::Auction | Family::Bid => None,
    }
}

fn tell(map: &mut HashMap<Subject, Vec<Sender>>, subject: Subject, group: &Group) {
    if let Some(senders) = map.get_mut(&subject) {
        senders.retain(|sender| send(sender, group));
        if senders.is_empty() {
            map.remove(&subject);
        }
    }
}

/// False when the listener has gone or is too slow: it is dropped, never waited for.
fn send(sender: &Sender, group: &Group) -> bool {
    if sender.dropped.load(Ordering::Acquire) {
        return false;
    }
    match sender.groups.try_send(group.clone()) {
        Ok(()) => true,
        Err(mpsc::error::TrySendError::Full(_)) => {
            sender.dropped.store(true, Ordering::Release);
            metrics::counter!("firstcome_feed_dropped_total").increment(1);
            false
        }
        Err(mpsc::error::TrySendError::Closed(_)) => false,
    }
}

#[cfg(test)]
mod tests;
