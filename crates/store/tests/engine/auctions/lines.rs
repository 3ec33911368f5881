//! The log of every auction read as somebody would who was there, against what is stored: who
//! was admitted when, whose bid got which verdict, who leads, who has won at which price.
//!
//! The rules themselves are those of `commerce::auction::verify`, which shares none with what
//! decided.

use std::collections::{BTreeMap, BTreeSet};

use commerce::auction::verify::{self, Outcome, Refused, Replay, outcome};
use commerce::auction::{AdmittedBid, AuctionStatus, Award, Bidder, Format, Terms};
use commerce::{Millis, Money, chain, genesis};
use engine::auction::{AuctionData, BidStatus, Sealed, StoredAuction, admitted_bid, seal};
use engine::ports::Reader;
use engine::{Entry, Kind};

/// Bids that came in a message have this much more than its sequence for a body.
pub(super) const MESSAGE_BODY: u64 = 1 << 32;

/// Checks every auction there is.
pub(super) fn check(reader: &dyn Reader) {
    let mut lines: BTreeMap<u64, Vec<Entry>> = BTreeMap::new();
    for entry in reader.entries(0, usize::MAX >> 1).unwrap() {
        if let Some(auction) = entry.line.auction() {
            lines.entry(auction).or_default().push(entry);
        }
    }
    let stored = reader.auctions(None, None, usize::MAX).unwrap();
    let known: Vec<u64> = stored.iter().map(|stored| stored.auction.seq).collect();
    assert!(known.iter().rev().eq(lines.keys()));
    for stored in stored {
        Story::new(reader, &stored).read(&lines[&stored.auction.seq]);
    }
}

/// What the log has told of one auction so far.
struct Story<'a> {
    reader: &'a dyn Reader,
    stored: &'a StoredAuction,
    terms: Terms,
    replay: Replay,
    /// What was taken and taken back, for a replay of the whole.
    log: Vec<verify::Entry>,
    taken: Vec<AdmittedBid>,
    retracted: BTreeSet<u64>,
    /// Deferred bids without a verdict.
    waiting: BTreeSet<u64>,
    bids: BTreeSet<u64>,
    /// The last bid at the door, and the last message, that had its verdict.
    decided: [u64; 2],
    status: AuctionStatus,
    /// What the close said.
    closed: Option<Outcome>,
}

impl<'a> Story<'a> {
    fn new(reader: &'a dyn Reader, stored: &'a StoredAuction) -> Self {
        let terms = stored.auction.terms.clone();
        let seller = stored.auction.seller.clone();
        Self {
            reader,
            stored,
            replay: Replay::new(terms.clone(), seller).unwrap(),
            terms,
            log: Vec::new(),
            taken: Vec::new(),
            retracted: BTreeSet::new(),
            waiting: BTreeSet::new(),
            bids: BTreeSet::new(),
            decided: [0; 2],
            status: AuctionStatus::Scheduled,
            closed: None,
        }
    }

    fn read(mut self, line: &[Entry]) {
        let stored = self.stored;
        let id = stored.id().to_string();
        let mut before = (0, genesis(&id));
        let mut last_bid = 0;
        for entry in line {
            assert_eq!(entry.prev, before.0);
            let kind = entry.kind.as_str();
            let hash = chain(&before.1, entry.at, kind, entry.data.as_bytes());
            assert_eq!(entry.hash, hash);
            before = (entry.seq, entry.hash);
            let data = entry.auction_data();
            assert_eq!(data.auction, id);
            let sealed = entry.sealed.as_deref();
            let seal = sealed.map(|text| blake3::Hash::from_bytes(seal(text)).to_hex().to_string());
            assert_eq!(data.seal.as_deref(), seal.as_deref());
            if entry.kind == Kind::BidAccepted {
                assert_eq!(data.prev_bid.unwrap_or(0), last_bid);
                last_bid = entry.seq;
            }
            self.entry(entry, &data);
        }
        assert_eq!((stored.last_seq, stored.last_hash), before);
        assert_eq!(stored.last_bid, last_bid);
        self.end();
    }

    fn entry(&mut self, entry: &Entry, data: &AuctionData<'_>) {
        match entry.kind {
            Kind::AuctionCreated => self.created(entry, data),
            Kind::AuctionOpened => {
                assert_eq!(self.status, AuctionStatus::Scheduled);
                assert!(entry.at >= self.terms.starts_at);
                self.status = AuctionStatus::Open;
            }
            Kind::BidPlaced => {
                self.is_in_time(entry.at);
                assert!(self.waiting.insert(entry.seq));
                assert!(self.bids.insert(entry.seq));
            }
            Kind::BidAccepted => self.accepted(entry, data),
            Kind::BidRefused => self.refused(entry, data),
            Kind::BidRetracted => self.was_retracted(entry, data),
            Kind::AuctionClosingSoon => {
                assert_eq!(self.status, AuctionStatus::Open);
                let ends_at = self.replay.ends_at();
                assert_eq!(data.ends_at, Some(ends_at));
                assert!(entry.at < ends_at && entry.at >= ends_at - self.stored.closing_soon_ms);
            }
            Kind::AuctionClosed => self.was_closed(entry, data),
            Kind::AuctionCancelled => {
                let runs = [AuctionStatus::Scheduled, AuctionStatus::Open];
                assert!(runs.contains(&self.status));
                assert!(self.waiting.is_empty(), "bids are decided before a cancel");
                assert!(entry.at < self.replay.ends_at());
                self.status = AuctionStatus::Cancelled;
            }
            Kind::AuctionSettled | Kind::AuctionForfeited | Kind::AuctionOfferAnswered => {
                assert!(self.closed.is_some());
                self.status = data.status.unwrap();
            }
            Kind::AuctionOffered => {
                assert!(self.closed.is_some() && data.until.unwrap() > entry.at);
            }
            other => panic!("{other:?} in the line of an auction"),
        }
    }

    fn created(&self, entry: &Entry, data: &AuctionData<'_>) {
        let auction = &self.stored.auction;
        assert_eq!((entry.seq, entry.at), (auction.seq, auction.created_at));
        let mut told = data.terms.clone().unwrap().into_owned();
        assert_eq!(told.reserve_price, None, "it is sealed");
        told.reserve_price = entry.sealed().unwrap().reserve_price;
        assert_eq!(told, auction.terms);
        let seller = self.stored.mask(&auction.seller);
        assert_eq!(data.seller.as_deref(), Some(&*seller));
    }

    fn is_in_time(&self, at: Millis) {
        assert_eq!(self.status, AuctionStatus::Open);
        assert!(at >= self.terms.starts_at && at < self.replay.ends_at());
    }

    /// A verdict: on which bid, in its turn.
    fn verdict(&mut self, entry: &Entry, data: &AuctionData<'_>, sealed: &Sealed<'_>) {
        let buyer = entry.buyer.as_ref().unwrap();
        let is_first = entry.subject == entry.seq;
        assert_eq!(data.placed, (!is_first).then_some(entry.subject));
        let admitted_at = sealed.admitted_at.unwrap();
        let by_message = buyer.body.0 >= MESSAGE_BODY;
        let turn = if by_message {
            assert!(admitted_at <= entry.at);
            buyer.body.0 - MESSAGE_BODY
        } else if is_first {
            assert_eq!(admitted_at, entry.at);
            entry.seq
        } else {
            let placed = self.reader.entry(entry.subject).unwrap().unwrap();
            assert_eq!(admitted_at, placed.at);
            let first = placed.sealed().unwrap();
            assert_eq!(
                (first.amount, first.maximum),
                (sealed.amount, sealed.maximum)
            );
            assert_eq!(placed.buyer.unwrap().customer, buyer.customer);
            entry.subject
        };
        let last = &mut self.decided[usize::from(by_message)];
        assert!(*last < turn, "verdicts come in the order of admission");
        *last = turn;
        if is_first {
            assert!(self.bids.insert(entry.seq));
            // Whoever asks for an answer at once does not overtake those who wait.
            let ahead = self.waiting.first();
            assert!(ahead.is_none(), "{ahead:?} has waited longer");
        } else {
            assert!(self.waiting.remove(&entry.subject), "one verdict a bid");
        }
        let masked = self.stored.mask(&Bidder::new(&buyer.customer).unwrap());
        assert_eq!(data.bidder.as_deref(), Some(&*masked));
        assert_eq!(sealed.bidder.as_deref(), Some(&*masked));
        let hidden = self.terms.format.is_sealed();
        assert_eq!(data.amount, sealed.amount.filter(|_| !hidden));
    }

    fn accepted(&mut self, entry: &Entry, data: &AuctionData<'_>) {
        let sealed = entry.sealed().unwrap();
        self.verdict(entry, data, &sealed);
        let bid = admitted_bid(entry).unwrap();
        self.is_in_time(bid.admitted_at);
        assert_eq!(bid.no, self.taken.len() as u64 + 1);
        assert_eq!(data.no, Some(bid.no));
        let led = self.replay.leaders();
        let ended = self.replay.ends_at();
        let step = match data.buy_now {
            Some(true) => verify::Entry::BuyNow(bid.clone()),
            _ => verify::Entry::Bid(bid.clone()),
        };
        self.replay.apply(&step).unwrap();
        self.log.push(step);
        self.taken.push(bid.clone());
        let ends_at = self.replay.ends_at();
        assert_eq!(data.ends_at, Some(ends_at));
        assert_eq!(data.extended, (ends_at != ended).then_some(true));
        assert_eq!(data.bids, Some(self.standing()));
        if self.terms.format.is_sealed() {
            assert_eq!((data.price, data.leading), (None, None));
            assert!(data.outbid.is_empty() && data.raise.is_none());
        } else {
            assert_eq!(minor(data.price), self.replay.price(bid.admitted_at));
        }
        if self.terms.format == Format::English && data.buy_now.is_none() {
            assert_eq!(data.leading, Some(self.replay.leads(&bid.bidder)));
            let gone = led.iter().filter(|bidder| !self.replay.leads(bidder));
            let gone: Vec<String> = gone.map(|bidder| self.stored.mask(bidder)).collect();
            assert_eq!(data.outbid, gone);
        }
    }

    fn refused(&mut self, entry: &Entry, data: &AuctionData<'_>) {
        let sealed = entry.sealed().unwrap();
        self.verdict(entry, data, &sealed);
        let buyer = entry.buyer.as_ref().unwrap();
        let reason = data.reason.as_deref().unwrap();
        let offer = verify::Offer {
            bidder: Bidder::new(&buyer.customer).unwrap(),
            amount: sealed.amount.unwrap(),
            maximum: sealed.maximum.unwrap(),
            admitted_at: sealed.admitted_at.unwrap(),
        };
        let over = match self.status {
            AuctionStatus::Scheduled | AuctionStatus::Open => false,
            AuctionStatus::Cancelled
            | AuctionStatus::Closed
            | AuctionStatus::Settled
            | AuctionStatus::Unsold => true,
        };
        assert!(!over, "nothing more is written of bids once it is over");
        let refused = self.replay.refused(&offer);
        let (expected, least) = match refused {
            Some(Refused::NoMaximum) => ("no_maximum", None),
            Some(Refused::MaximumBelowBid) => ("maximum_below_bid", None),
            Some(Refused::NotOpenYet) => ("not_open_yet", None),
            Some(Refused::Late) => ("late", None),
            Some(Refused::OwnLot) => ("own_lot", None),
            Some(Refused::TooLow { least }) => ("too_low", least),
            None => ("nothing", None),
        };
        assert_eq!(reason, expected, "{offer:?}");
        assert_eq!(minor(data.least), least);
        // Nobody waits at the door to hear anything else.
        let answered_at_once = entry.subject == entry.seq && buyer.body.0 < MESSAGE_BODY;
        assert!(reason == "too_low" || !answered_at_once, "{reason}");
    }

    fn was_retracted(&mut self, entry: &Entry, data: &AuctionData<'_>) {
        let bid = self.taken.iter().find(|bid| bid.bid == entry.subject);
        let bid = bid.expect("only a bid that was taken is taken back");
        let no = bid.no;
        assert!(
            self.waiting.is_empty(),
            "bids are decided before a retraction"
        );
        let step = verify::Entry::Retracted {
            no,
            by: bid.bidder.clone(),
            admitted_at: entry.at,
        };
        self.replay.apply(&step).unwrap();
        self.log.push(step);
        assert!(self.retracted.insert(no));
        assert_eq!(data.no, Some(no));
        assert_eq!(data.bids, Some(self.standing()));
        if !self.terms.format.is_sealed() {
            assert_eq!(minor(data.price), self.replay.price(entry.at));
        }
    }

    fn was_closed(&mut self, entry: &Entry, data: &AuctionData<'_>) {
        assert_eq!(self.status, AuctionStatus::Open);
        let result = self.replay.outcome();
        if data.reason.as_deref() == Some("end_time") {
            assert!(entry.at >= result.ends_at);
            assert!(self.waiting.is_empty(), "every bid has its verdict before");
        }
        assert_eq!(data.ends_at, Some(result.ends_at));
        assert_eq!(data.bids, Some(self.standing()));
        let winners = data.winners.as_deref().unwrap();
        let told = winners.iter().map(|w| (w.bidder.to_string(), w.no));
        let expected = result.winners.iter();
        let expected = expected.map(|w| (self.stored.mask(&w.bidder), w.no));
        assert!(told.eq(expected), "{winners:?} but {result:?}");
        assert_eq!(minor(data.price), result.price);
        for winner in &result.winners {
            assert!(result.price.unwrap() <= self.maximum_of(&winner.bidder));
        }
        let sold = !result.winners.is_empty();
        assert_eq!(data.unsold_reason.is_none(), sold);
        self.status = if sold {
            AuctionStatus::Closed
        } else {
            AuctionStatus::Unsold
        };
        assert_eq!(data.status, Some(self.status));
        self.closed = Some(result);
    }

    /// The most that this bidder has said to pay and not taken back.
    fn maximum_of(&self, bidder: &Bidder) -> i128 {
        let standing = self.taken.iter();
        let standing = standing.filter(|bid| !self.retracted.contains(&bid.no));
        let own = standing.filter(|bid| bid.bidder == *bidder);
        own.map(|bid| i128::from(bid.maximum.minor()))
            .max()
            .unwrap()
    }

    fn standing(&self) -> u64 {
        (self.taken.len() - self.retracted.len()) as u64
    }

    /// What is stored is what the whole log leads to.
    fn end(self) {
        let (stored, reader) = (self.stored, self.reader);
        let auction = &stored.auction;
        let seq = auction.seq;
        assert_eq!(auction.status, self.status);
        let result = outcome(&self.terms, &auction.seller, &self.log).unwrap();
        assert_eq!(auction.ends_at, result.ends_at);
        assert_eq!(auction.bids, self.taken.len() as u64);
        assert_eq!(auction.bids_standing, self.standing());
        let waiting: Vec<u64> = self.waiting.iter().copied().collect();
        assert_eq!(stored.waiting, waiting.len() as u64);
        assert_eq!(reader.waiting_bids(seq, usize::MAX).unwrap(), waiting);
        match &self.closed {
            None => {
                assert!(auction.awards.is_empty());
                let price = Some(i128::from(auction.contest.price.minor()));
                if self.terms.format == Format::English {
                    let leaders = auction.contest.leaders(&self.terms).iter();
                    let leaders: Vec<Bidder> = leaders.map(|l| l.bidder.clone()).collect();
                    assert_eq!(leaders, self.replay.leaders());
                    assert_eq!(price, self.replay.price(0));
                }
            }
            Some(closed) => {
                assert_eq!(*closed, result);
                assert!(auction.closed_at.is_some());
                let won: Vec<&Award> = auction.awards.iter().take(closed.winners.len()).collect();
                for (award, winner) in won.into_iter().zip(&closed.winners) {
                    assert_eq!((&award.bidder, award.no), (&winner.bidder, winner.no));
                    assert_eq!(Some(i128::from(award.price.minor())), closed.price);
                }
                // A second chance is never dearer than what was offered.
                for award in &auction.awards {
                    assert!(i128::from(award.price.minor()) <= self.maximum_of(&award.bidder));
                }
            }
        }
        for seq in &self.bids {
            self.check_bid(*seq);
        }
    }

    fn check_bid(&self, seq: u64) {
        let bid = self.reader.bid(seq).unwrap().unwrap();
        let taken = self.taken.iter().find(|taken| taken.bid == seq);
        let expected = match taken {
            Some(_) => BidStatus::Accepted,
            None if self.waiting.contains(&seq) => BidStatus::Pending,
            None => BidStatus::Refused,
        };
        assert_eq!(bid.status, expected);
        assert_eq!(bid.no, taken.map(|taken| taken.no));
        let retracted = bid.no.is_some_and(|no| self.retracted.contains(&no));
        assert_eq!(bid.retracted_at.is_some(), retracted);
        assert_eq!(bid.decided_at.is_none(), expected == BidStatus::Pending);
        assert_eq!(bid.reason.is_some(), expected == BidStatus::Refused);
        if let Some(taken) = taken {
            assert_eq!((bid.amount, bid.maximum), (taken.amount, taken.maximum));
            assert_eq!(bid.admitted_at, taken.admitted_at);
        }
    }
}

fn minor(money: Option<Money>) -> Option<i128> {
    money.map(|money| i128::from(money.minor()))
}
