//! Every decision made anew from the sealed texts.

use std::collections::BTreeSet;

use super::super::bidder::Bidder;
use super::super::contest::RUNNERS_UP_MAX;
use super::super::state::AdmittedBid;
use super::super::terms::Terms;
use super::super::verify::{self, Breach, Entry, Offer, Outcome, Replay};
use super::checker::Stage;
use super::data::{Accepted, Masked, Reason, Refused, Retracted, SealedVerdict};
use super::report::Findings;
use crate::Millis;
use crate::money::Money;

#[derive(Debug)]
pub(super) struct Opened {
    /// None once an entry could not be followed: whatever comes then follows from it.
    replay: Option<Replay>,
    runners_up: usize,
}

fn minor(money: Option<Money>) -> Option<i128> {
    money.map(|money| money.minor().into())
}

impl Opened {
    pub(super) fn new(terms: &Terms, seller: &Bidder) -> Option<Self> {
        let replay = Replay::new(terms.clone(), seller.clone()).ok()?;
        let lots = usize::try_from(terms.lots).ok()?;
        Some(Self {
            replay: Some(replay),
            runners_up: lots + RUNNERS_UP_MAX,
        })
    }

    pub(super) fn accepted(
        &mut self,
        said: &Accepted,
        sealed: Option<&SealedVerdict>,
        findings: &mut Findings,
    ) {
        let (Some(replay), Some(sealed)) = (&mut self.replay, sealed) else {
            self.replay = None;
            return;
        };
        findings.same("sealed no", &sealed.no, &Some(said.no));
        check_bidder(&said.bidder, said.amount, sealed, findings);
        let offer = offer(sealed);
        let raise = !said.buy_now && replay.is_raise(&offer);
        let last_leader = replay.last_leader().cloned();
        let ends_at = replay.ends_at();
        let reserve_met = replay.reserve_met();
        let bid = AdmittedBid {
            no: said.no,
            bid: 0,
            bidder: sealed.bidder.clone(),
            amount: sealed.amount,
            maximum: sealed.maximum,
            admitted_at: sealed.admitted_at,
        };
        let entry = if said.buy_now {
            Entry::BuyNow(bid)
        } else {
            Entry::Bid(bid)
        };
        if let Err(breach) = replay.apply(&entry) {
            findings.tell(wrongly_taken(breach, &offer, ends_at));
            self.replay = None;
            return;
        }
        findings.same("endsAt", &said.ends_at, &replay.ends_at());
        findings.same("raise", &said.raise, &raise);
        let price = replay.price(sealed.admitted_at);
        findings.same("price", &minor(said.price), &price);
        // Where there is a price to be seen there are leaders too.
        let outbid = last_leader.filter(|last| price.is_some() && !replay.leads(last));
        same_names(
            "outbid",
            &said.outbid,
            &outbid.into_iter().collect(),
            findings,
        );
        let leading = price.map(|_| replay.leads(&sealed.bidder));
        findings.same("leading", &said.leading, &leading);
        // Who buys now pays more than any reserve, and that is not told.
        let newly_met =
            !said.buy_now && reserve_met == Some(false) && replay.reserve_met() == Some(true);
        findings.same("reserveMet", &said.reserve_met, &newly_met);
    }

    /// `after_close` is the price of the first award, if there is one, once there was a close.
    pub(super) fn refused(
        &self,
        said: &Refused,
        sealed: Option<&SealedVerdict>,
        stage: Stage,
        after_close: Option<Option<Money>>,
        findings: &mut Findings,
    ) {
        let (Some(replay), Some(sealed)) = (&self.replay, sealed) else {
            return;
        };
        findings.expect(sealed.no.is_none(), "gives a number to what was refused");
        check_bidder(&said.bidder, said.amount, sealed, findings);
        let offer = offer(sealed);
        // In which currency somebody bid is written nowhere.
        if said.reason != Reason::WrongCurrency {
            let buys_now = said.reason == Reason::NoBuyNow;
            let (right, least) = reason(replay, &offer, stage, buys_now);
            match right {
                None => findings.tell(format!(
                    "was refused as {:?}, and should have been taken",
                    said.reason
                )),
                Some(right) => findings.same("reason", &said.reason, &right),
            }
            if matches!(right, Some(Reason::TooLow | Reason::NoBuyNow)) {
                findings.same("least", &minor(said.least), &least);
            }
        }
        let price = match (stage, after_close) {
            (Stage::Closed, Some(first)) => replay.price(replay.ends_at()).or_else(|| minor(first)),
            (Stage::Scheduled | Stage::Open | Stage::Cancelled | Stage::Closed, _) => {
                replay.price(sealed.admitted_at)
            }
        };
        let must = matches!(
            said.reason,
            Reason::TooLow | Reason::NoBuyNow | Reason::Late | Reason::Closed
        );
        if must || said.price.is_some() {
            findings.same("price", &minor(said.price), &price);
        }
    }

    pub(super) fn retracted(&mut self, said: &Retracted, at: Millis, findings: &mut Findings) {
        let Some(replay) = &mut self.replay else {
            return;
        };
        let before = replay.leaders();
        let entry = Entry::Retracted {
            no: said.no,
            by: said.bidder.clone(),
            admitted_at: at,
        };
        if let Err(breach) = replay.apply(&entry) {
            findings.tell(match breach {
                Breach::OutOfTime { .. } => "retracts when the auction is not open",
                Breach::AfterTheEnd { .. } => "retracts after the bid that ended the auction",
                Breach::TooMuch { .. } => {
                    "asks for more than is verified: too many retractions of too many bids"
                }
                Breach::Retraction { .. }
                | Breach::Terms
                | Breach::Number { .. }
                | Breach::OwnLot { .. }
                | Breach::TooLow { .. }
                | Breach::BuyNow { .. } => "retracts what the terms do not let be retracted",
            });
            self.replay = None;
            return;
        }
        let price = replay.price(at);
        findings.same("price", &minor(said.price), &price);
        findings.same("reserveMet", &said.reserve_met, &replay.reserve_met());
        let mut outbid = BTreeSet::new();
        let mut regained = BTreeSet::new();
        if price.is_some() {
            let before: BTreeSet<_> = before.into_iter().collect();
            let after: BTreeSet<_> = replay.leaders().into_iter().collect();
            outbid.extend(before.difference(&after).cloned());
            regained.extend(after.difference(&before).cloned());
        }
        same_names("outbid", &said.outbid, &outbid, findings);
        same_names("regained", &said.regained, &regained, findings);
    }

    pub(super) fn outcome(&self) -> Option<Outcome> {
        self.replay.as_ref().map(Replay::outcome)
    }

    /// Who may be offered a lot, best first, and for what.
    pub(super) fn next(&self) -> Option<impl Iterator<Item = (&Bidder, i128)>> {
        let replay = self.replay.as_ref()?;
        Some(replay.rank().take(self.runners_up))
    }
}

fn offer(sealed: &SealedVerdict) -> Offer {
    Offer {
        bidder: sealed.bidder.clone(),
        amount: sealed.amount,
        maximum: sealed.maximum,
        admitted_at: sealed.admitted_at,
    }
}

fn check_bidder(
    bidder: &Bidder,
    amount: Option<Money>,
    sealed: &SealedVerdict,
    findings: &mut Findings,
) {
    if *bidder != sealed.bidder {
        findings.tell("bidder is another one than under the seal");
    }
    if amount.is_some_and(|amount| amount != sealed.amount) {
        findings.tell("amount is another one than under the seal");
    }
}

fn same_names(name: &str, said: &[Masked], right: &BTreeSet<Bidder>, findings: &mut Findings) {
    let names: BTreeSet<_> = said.iter().map(|Masked(bidder)| bidder).collect();
    if names.len() != said.len() || !names.into_iter().eq(right.iter()) {
        findings.tell(format!("{name} does not name those it should"));
    }
}

/// Why this bid or buy-now had to be refused, in the order in which it is asked, and the least
/// valid bid where that is told.
fn reason(
    replay: &Replay,
    offer: &Offer,
    stage: Stage,
    buys_now: bool,
) -> (Option<Reason>, Option<i128>) {
    let over = match stage {
        Stage::Scheduled | Stage::Open => None,
        Stage::Closed => Some(Reason::Closed),
        Stage::Cancelled => Some(Reason::Cancelled),
    };
    let refused = match over {
        None if buys_now => replay.barred(offer),
        None => replay.refused(offer),
        Some(_) => replay.misshapen(offer),
    };
    let reason = match refused {
        None if over.is_none() && buys_now && replay.buy_now_price().is_none() => {
            let least = replay.least_valid(&offer.bidder, offer.admitted_at);
            return (Some(Reason::NoBuyNow), least);
        }
        None => return (over, None),
        Some(verify::Refused::NoMaximum) => Reason::NoMaximum,
        Some(verify::Refused::MaximumBelowBid) => Reason::MaximumBelowBid,
        Some(verify::Refused::NotOpenYet) => Reason::NotOpenYet,
        Some(verify::Refused::Late) => Reason::Late,
        Some(verify::Refused::OwnLot) => Reason::OwnLot,
        Some(verify::Refused::TooLow { least }) => return (Some(Reason::TooLow), least),
    };
    (Some(reason), None)
}

fn wrongly_taken(breach: Breach, offer: &Offer, ends_at: Millis) -> String {
    match breach {
        Breach::OutOfTime { .. } => format!(
            "takes a bid that was out of time: admitted at {}, the end was {ends_at}",
            offer.admitted_at
        ),
        Breach::AfterTheEnd { .. } => "takes a bid after the one that ended the auction".into(),
        Breach::OwnLot { .. } => "takes the seller's own bid".into(),
        Breach::TooLow { .. } => format!(
            "takes a bid that was too low: {} with a maximum of {}",
            offer.amount.minor(),
            offer.maximum.minor()
        ),
        Breach::BuyNow { .. } => "takes a buy-now that was not to be had".into(),
        Breach::Terms
        | Breach::Number { .. }
        | Breach::Retraction { .. }
        | Breach::TooMuch { .. } => "takes a bid that does not follow the one before it".into(),
    }
}
