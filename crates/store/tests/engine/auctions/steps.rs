//! What may be asked of auctions, and the commands that ask for it as the world is then.

use std::collections::HashMap;

use commerce::auction::SoftClose;
use engine::Aftermath;
use serde::{Deserialize, Serialize};

use super::*;
use crate::rig::{Fail, key};

/// More than are kept of one lot, so that some fall off and come back; the last one sells.
pub(super) const NAMES: [&str; 9] = ["a", "b", "c", "d", "e", "f", "g", "h", "seller"];

#[derive(Debug, Clone)]
pub(super) enum Act {
    Wait(Millis),
    /// To this moment around the next at which the clock has something to do.
    Near(Millis),
    Restart,
    /// The worker looks for bids.
    Receive,
    /// Whatever is due by the clock, in one batch.
    Clock,
    /// Decided together.
    Batch(Vec<Step>),
    Crash(Fail, Vec<Step>),
}

#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Times are counted from now.
    Create {
        terms: Box<Terms>,
        closing_soon_ms: Millis,
    },
    Bid {
        auction: usize,
        bade: Bade,
        key: Option<u64>,
        body: u64,
        defer: bool,
    },
    BuyNow {
        auction: usize,
        who: usize,
        key: Option<u64>,
    },
    /// A bid over the queue.
    Send {
        auction: usize,
        bade: Bade,
    },
    /// The worker does what it has of this auction.
    Work {
        auction: usize,
    },
    /// Counted back from the newest bid, taken or not; or with an id that is made up.
    Retract {
        auction: usize,
        back: usize,
        guessed: bool,
    },
    Cancel {
        auction: usize,
    },
    Due {
        auction: usize,
    },
    After {
        auction: usize,
        what: After,
    },
}

/// So much over the price, with so much more as maximum.
#[derive(Debug, Clone)]
pub(super) struct Bade {
    pub(super) who: usize,
    pub(super) over: i64,
    pub(super) extra: Option<i64>,
}

#[derive(Debug, Clone)]
pub(super) enum After {
    /// The winner, or somebody.
    Settle(Option<usize>),
    Forfeit(Option<usize>),
    SecondChance(Millis),
    /// Counted back from the newest award.
    Answer {
        back: usize,
        accept: bool,
    },
}

/// A bid as a message carries it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Letter {
    offered_by: String,
    amount: i64,
    maximum: Option<i64>,
}

/// When each message was sent that the worker has seen, by its sequence.
pub(super) type Sent = HashMap<u64, Millis>;

/// What a test knows of the world.
#[derive(Default)]
pub(super) struct World {
    /// Oldest first.
    pub(super) auctions: Vec<AuctionId>,
    /// What the worker has received and not done.
    pub(super) hand: Vec<(Message, ReceiptHandle)>,
    /// What it could not do, and will never do.
    pub(super) dead: Vec<ReceiptHandle>,
    pub(super) letters: u64,
    pub(super) sent: Sent,
}

/// A command, and the bid in it if it is one.
pub(super) type Asked = (Command, Option<PlaceBid>);

impl World {
    pub(super) fn learn(&mut self, rig: &Rig) {
        let stored = rig.reader().auctions(None, None, usize::MAX).unwrap();
        self.auctions = stored.iter().rev().map(StoredAuction::id).collect();
    }

    /// Counted back from the newest.
    fn auction(&self, number: usize) -> Option<AuctionId> {
        let newest_first = self.auctions.iter().rev();
        newest_first.cycle().nth(number).copied()
    }

    pub(super) fn commands(&mut self, rig: &Rig, steps: &[Step]) -> Vec<Asked> {
        let mut asked = Vec::new();
        for step in steps {
            self.step(rig, step, &mut asked);
        }
        let dead = std::mem::take(&mut self.dead);
        asked.extend(dead.into_iter().map(|handle| {
            let command = Command::DeadLetter {
                queue: BIDS_QUEUE.to_owned(),
                handle,
                reason: "the auction is over".to_owned(),
            };
            (command, None)
        }));
        asked
    }

    fn step(&mut self, rig: &Rig, step: &Step, asked: &mut Vec<Asked>) {
        let now = rig.engine().now();
        let number = match step {
            Step::Create {
                terms,
                closing_soon_ms,
            } => {
                let command = CreateAuction {
                    closing_soon_ms: *closing_soon_ms,
                    ..create(from(now, terms))
                };
                asked.push((Command::CreateAuction(Box::new(command)), None));
                return;
            }
            Step::Bid { auction, .. }
            | Step::BuyNow { auction, .. }
            | Step::Send { auction, .. }
            | Step::Work { auction }
            | Step::Retract { auction, .. }
            | Step::Cancel { auction }
            | Step::Due { auction }
            | Step::After { auction, .. } => *auction,
        };
        let Some(id) = self.auction(number) else {
            return;
        };
        match step {
            Step::Create { .. } => {}
            Step::Bid {
                bade,
                key: number,
                body,
                defer,
                ..
            } => {
                let bid = PlaceBid {
                    key: number.map(key),
                    body: BodyHash(*body),
                    defer: *defer,
                    ..offer(id, &bade.letter(rig, id))
                };
                asked.push((place(bid.clone()), Some(bid)));
            }
            Step::BuyNow {
                who, key: number, ..
            } => {
                let bid = PlaceBid {
                    key: number.map(key),
                    ..buy_now(id, NAMES[*who])
                };
                asked.push((place(bid.clone()), Some(bid)));
            }
            Step::Send { bade, .. } => {
                self.letters += 1;
                let send = Send {
                    body: serde_json::to_string(&bade.letter(rig, id)).unwrap(),
                    group: Some(id.to_string()),
                    deduplication: Some(format!("letter-{}", self.letters)),
                    ..Send::default()
                };
                let command = Command::SendMessage {
                    queue: BIDS_QUEUE.to_owned(),
                    send: Box::new(send),
                };
                asked.push((command, None));
            }
            Step::Work { .. } => self.work(id, asked),
            Step::Retract { back, guessed, .. } => {
                let bid = newest_bid(rig, id, *back, *guessed);
                let command = bid.map(|bid| Command::RetractBid { auction: id, bid });
                asked.extend(command.map(|command| (command, None)));
            }
            Step::Cancel { .. } => asked.push((Command::CancelAuction { auction: id }, None)),
            Step::Due { .. } => asked.push((due(id), None)),
            Step::After { what, .. } => {
                let what = what.aftermath(rig, id);
                let command = what.map(|what| Command::AfterClose { auction: id, what });
                asked.extend(command.map(|command| (command, None)));
            }
        }
    }

    /// In the order of the messages; what follows and asks for the same shares a command.
    pub(super) fn work(&mut self, auction: AuctionId, asked: &mut Vec<Asked>) {
        let group = Some(auction.to_string());
        let hand = std::mem::take(&mut self.hand);
        let (mine, others): (Vec<_>, Vec<_>) = hand
            .into_iter()
            .partition(|(message, _)| message.group == group);
        self.hand = others;
        let letter = |message: &Message| serde_json::from_str::<Letter>(&message.body).ok();
        let alike =
            |a: &(Message, _), b: &(Message, _)| letter(&a.0).is_none() && letter(&b.0).is_none();
        for messages in mine.chunk_by(alike) {
            match letter(&messages[0].0) {
                Some(found) => {
                    let bid = from_message(offer(auction, &found), messages[0].1);
                    asked.push((place(bid.clone()), Some(bid)));
                }
                None => asked.push((decide(auction, messages), None)),
            }
        }
    }
}

fn from(now: Millis, terms: &Terms) -> Terms {
    Terms {
        starts_at: now + terms.starts_at,
        ends_at: now + terms.ends_at,
        soft_close: terms.soft_close.map(|soft| SoftClose {
            hard_end: now + soft.hard_end,
            ..soft
        }),
        ..terms.clone()
    }
}

impl Bade {
    fn letter(&self, rig: &Rig, auction: AuctionId) -> Letter {
        let auction = stored(rig, auction).auction;
        let price = match auction.terms.format {
            Format::Dutch { .. } => auction.terms.scheduled_price(rig.engine().now()),
            Format::English | Format::SealedFirst | Format::SealedSecond => auction.contest.price,
        };
        let amount = (price.minor() + self.over).max(0);
        // Where no maximum is taken, few are offered.
        let is_english = auction.terms.format == Format::English;
        let extra = self.extra.filter(|extra| is_english || *extra < 10);
        Letter {
            offered_by: NAMES[self.who].to_owned(),
            amount,
            maximum: extra.map(|extra| (amount + extra).max(0)),
        }
    }
}

fn offer(auction: AuctionId, letter: &Letter) -> PlaceBid {
    let plain = bid(auction, &letter.offered_by, letter.amount);
    match letter.maximum {
        Some(maximum) => up_to(maximum, plain),
        None => plain,
    }
}

fn newest_bid(rig: &Rig, auction: AuctionId, back: usize, guessed: bool) -> Option<BidId> {
    let log = rig.reader().entries(0, usize::MAX >> 1).unwrap();
    let made = log.iter().rev().filter(|entry| {
        entry.line.auction() == Some(auction.seq)
            && entry.subject == entry.seq
            && entry.buyer.is_some()
    });
    let seq = made.map(|entry| entry.seq).nth(back)?;
    let mut id = rig.reader().bid(seq).unwrap().unwrap().id;
    if guessed {
        id.secret.0[0] ^= 1;
    }
    Some(id)
}

impl After {
    fn aftermath(&self, rig: &Rig, auction: AuctionId) -> Option<Aftermath> {
        let awards = stored(rig, auction).auction.awards;
        let named = |who: &Option<usize>| match who {
            Some(number) => Some(who_is(*number)),
            None => awards.last().map(|award| award.bidder.clone()),
        };
        Some(match self {
            Self::Settle(who) => Aftermath::Settle {
                bidder: named(who)?,
            },
            Self::Forfeit(who) => Aftermath::Forfeit {
                bidder: named(who)?,
            },
            Self::SecondChance(ms) => Aftermath::SecondChance {
                until: rig.engine().now() + ms,
            },
            Self::Answer { back, accept } => {
                let bid = awards.iter().rev().nth(*back)?.bid;
                Aftermath::Answer {
                    bid: rig.reader().bid(bid).unwrap().unwrap().id,
                    accept: *accept,
                }
            }
        })
    }
}

fn who_is(number: usize) -> Bidder {
    who(NAMES[number])
}
