//! Random auctions of every format, step by step against the model, each confirmed by the
//! independent recomputation, with rule 7 asserted as it is written.

use proptest::prelude::*;

use super::generate::{NAMES, Step, dutch, english, sealed, step};
use super::model::{Model, ModelBid};
use super::*;
use crate::money::PRICE_MAX;

fn class(refusal: AuctionRefusal) -> String {
    match refusal {
        AuctionRefusal::Closed { .. } => "closed".into(),
        AuctionRefusal::NotOpenYet { .. } => "early".into(),
        AuctionRefusal::Late { .. } => "late".into(),
        AuctionRefusal::OwnLot => "own lot".into(),
        AuctionRefusal::TooLow { least, .. } => match least {
            Some(least) => format!("too low: {}", least.minor()),
            None => "too low: none".into(),
        },
        AuctionRefusal::NoBuyNow { .. } => "no buy-now".into(),
        AuctionRefusal::NoRetraction => "no retraction".into(),
        AuctionRefusal::NoSuchBid => "no such bid".into(),
        AuctionRefusal::AlreadyRetracted => "retracted".into(),
        AuctionRefusal::NotTheBidder => "another's".into(),
        AuctionRefusal::RetractionTooLate { .. } => "too late".into(),
        other => format!("{other:?}"),
    }
}

/// What an event says, without what the model does not know.
fn told(events: &[AuctionEvent]) -> Vec<String> {
    let mut told = Vec::new();
    for event in events {
        match event {
            AuctionEvent::BidAccepted { bid, leading, .. } if leading == &Some(true) => {
                told.push(format!("{} leads", bid.bidder));
            }
            AuctionEvent::Regained { bidder, .. } => told.push(format!("{bidder} leads")),
            AuctionEvent::Outbid { bidder, .. } => told.push(format!("{bidder} is outbid")),
            AuctionEvent::Extended { to, .. } => told.push(format!("ends at {to}")),
            AuctionEvent::ReserveMet { .. } => told.push("reserve met".into()),
            _ => {}
        }
    }
    told.sort();
    told
}

struct Before {
    leaders: Vec<&'static str>,
    ends_at: Millis,
    reserve_met: bool,
}

fn names(model: &Model) -> Vec<&'static str> {
    model.leaders().iter().map(|l| l.who).collect()
}

/// What the model would tell, from what it was before and is now.
fn to_tell(before: &Before, model: &Model, bidder: Option<&'static str>) -> Vec<String> {
    let mut told = Vec::new();
    let sealed = matches!(
        model.terms.format,
        Format::SealedFirst | Format::SealedSecond
    );
    let after = names(model);
    if !sealed {
        for who in &after {
            if !before.leaders.contains(who) || Some(*who) == bidder {
                told.push(format!("{who} leads"));
            }
        }
        for who in before.leaders.iter().filter(|who| !after.contains(who)) {
            told.push(format!("{who} is outbid"));
        }
        // The taker of a buy-now meets every reserve, and is not told so.
        if model.reserve_met() && !before.reserve_met && !model.over {
            told.push("reserve met".into());
        }
    }
    if model.ends_at != before.ends_at {
        told.push(format!("ends at {}", model.ends_at));
    }
    told.sort();
    told
}

fn play(terms: Terms, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut room = Room::new(terms.clone());
    let mut model = Model::new(terms);
    for step in steps {
        let before = Before {
            leaders: names(&model),
            ends_at: model.ends_at,
            reserve_met: model.reserve_met(),
        };
        let stored = room.auction.clone();
        let mut bidder = None;
        let (got, expected) = match step {
            Step::Wait(ms) => {
                room.now += ms;
                continue;
            }
            Step::Bid {
                who,
                over,
                extra,
                lag,
            } => {
                let (who, now) = (NAMES[who], room.now);
                let at = (now - lag).max(0);
                let extra = extra.filter(|_| model.english());
                let price = if model.english() {
                    model.price()
                } else {
                    model.dutch_price(at)
                };
                let amount = (price + over).clamp(0, PRICE_MAX);
                let maximum = (amount + extra.unwrap_or(0)).min(PRICE_MAX);
                bidder = Some(who);
                room.now = at;
                let got = room.try_bid(who, amount, extra.map(|_| maximum));
                room.now = now;
                let retracted = false;
                (
                    got,
                    model.bid(ModelBid {
                        who,
                        amount,
                        maximum,
                        at,
                        retracted,
                    }),
                )
            }
            Step::BuyNow { who } => {
                bidder = Some(NAMES[who]);
                let got = room.try_buy_now(NAMES[who]);
                (got, model.buy_now(NAMES[who], room.now))
            }
            Step::Retract { back, own } => {
                let no = model.bids.len().saturating_sub(back);
                let by = model
                    .bids
                    .get(no.wrapping_sub(1))
                    .map_or("a", |bid| bid.who);
                let by = if own { by } else { "b" };
                let got = room.try_retract(by, no as u64);
                (got, model.retract(by, no, room.now))
            }
            Step::Close => {
                let got = room.auction.close(room.now, room.now);
                prop_assert_eq!(got.is_ok(), !model.over && room.now >= model.ends_at);
                model.over |= got.is_ok();
                continue;
            }
        };
        match (got, expected) {
            (Ok(events), Ok(())) => {
                prop_assert_eq!(told(&events), to_tell(&before, &model, bidder));
            }
            (Err(refusal), Err(expected)) => {
                prop_assert_eq!(class(refusal), expected);
                prop_assert_eq!(&room.auction, &stored, "a refusal changes nothing");
            }
            (got, expected) => prop_assert!(false, "{got:?}, but the model: {expected:?}"),
        }
        compare(&room, &model)?;
        // A crash between two commits: what is stored is all there is.
        let stored = serde_json::to_string(&room.auction).unwrap();
        room.auction = serde_json::from_str(&stored).unwrap();
    }
    if !model.over {
        room.close();
        model.over = true;
    }
    room.confirm();
    end(room, &model)
}

fn compare(room: &Room, model: &Model) -> Result<(), TestCaseError> {
    let auction = &room.auction;
    let standing = auction.contest.standing.iter();
    let standing: Vec<_> = standing
        .map(|s| (s.bidder.as_str(), s.maximum.minor(), s.amount.minor(), s.no))
        .collect();
    let rank = model.rank().into_iter();
    let mut rank: Vec<_> = rank
        .map(|r| (r.who, r.maximum, r.amount, r.no as u64))
        .collect();
    rank.truncate(usize::try_from(auction.terms.lots).unwrap() + RUNNERS_UP_MAX);
    prop_assert_eq!(standing, rank);
    prop_assert_eq!(room.price(), model.price());
    prop_assert_eq!(auction.ends_at, model.ends_at);
    prop_assert_eq!(auction.contest.reserve_met, model.reserve_met());
    prop_assert_eq!(auction.bids, model.bids.len() as u64);
    Ok(())
}

fn end(mut room: Room, model: &Model) -> Result<(), TestCaseError> {
    let awards = room.auction.awards.iter();
    let paid: Vec<_> = awards
        .map(|a| (a.bidder.to_string(), a.no, a.price.minor()))
        .collect();
    let expected = model.result().into_iter();
    let expected: Vec<_> = expected
        .map(|(who, no, price)| (who.to_string(), no as u64, price))
        .collect();
    prop_assert_eq!(&paid, &expected);

    // Rule 7, from the list of bids alone.
    let stands = |bid: &&ModelBid| !bid.retracted;
    let highest = model
        .bids
        .iter()
        .filter(stands)
        .map(|bid| bid.maximum)
        .max();
    if let Some((winner, no, price)) = paid.first() {
        let first = model
            .bids
            .iter()
            .position(|bid| !bid.retracted && Some(bid.maximum) == highest)
            .unwrap();
        prop_assert_eq!(*no, first as u64 + 1, "the highest maximum, reached first");
        prop_assert_eq!(model.bids[first].who, winner.as_str());
        prop_assert!(Some(*price) <= highest);
        prop_assert!(*price >= model.start().min(model.dutch_price(model.ends_at)));
    }
    for (_, no, price) in &paid {
        let bid = &model.bids[usize::try_from(*no).unwrap() - 1];
        prop_assert!(*price <= bid.maximum);
    }
    for bid in &model.bids {
        prop_assert!(bid.at < model.ends_at, "nothing after the end");
        let won = paid.iter().any(|(winner, _, _)| winner == bid.who);
        if !won && !bid.retracted && !paid.is_empty() && model.terms.format != Format::SealedFirst {
            prop_assert!(bid.maximum <= paid[0].2, "somebody would have paid more");
        }
    }
    second_chances(&mut room.auction, model)
}

/// All winners give up; then everybody who is known is asked in rank order, once.
fn second_chances(auction: &mut Auction, model: &Model) -> Result<(), TestCaseError> {
    let winners: Vec<Bidder> = auction.awards.iter().map(|a| a.bidder.clone()).collect();
    for winner in &winners {
        auction.forfeit(winner).unwrap();
    }
    prop_assert_eq!(auction.status, AuctionStatus::Unsold);
    let mut next = model.rank();
    next.truncate(usize::try_from(auction.terms.lots).unwrap() + RUNNERS_UP_MAX);
    next.retain(|ranked| !winners.contains(&who(ranked.who)));
    for ranked in next {
        let events = auction.offer_second_chance(2, 1).unwrap();
        let offered = AuctionEvent::Offered {
            bidder: who(ranked.who),
            price: money(ranked.maximum),
            until: 2,
        };
        prop_assert_eq!(events, vec![offered]);
        auction.answer_offer(&who(ranked.who), false, 1).unwrap();
    }
    let left = auction.offer_second_chance(2, 1);
    prop_assert_eq!(left, Err(AuctionRefusal::NobodyLeft));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(384))]

    #[test]
    fn an_english_auction_does_what_the_rules_say(terms in english(), steps in prop::collection::vec(step(), 1..50)) {
        play(terms, steps)?;
    }

    #[test]
    fn a_sealed_auction_does_what_the_rules_say(terms in sealed(), steps in prop::collection::vec(step(), 1..40)) {
        play(terms, steps)?;
    }

    #[test]
    fn a_dutch_auction_does_what_the_rules_say(terms in dutch(), steps in prop::collection::vec(step(), 1..20)) {
        play(terms, steps)?;
    }
}
