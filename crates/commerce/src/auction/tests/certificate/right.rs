//! What the state machine did verifies, at every moment, opened or not.

use proptest::prelude::*;

use super::forged::sale;
use super::generate::auction;
use super::lines::Lines;
use super::recorder::Recorder;
use super::*;

fn check_whole(recorder: &Recorder) -> Result<(), TestCaseError> {
    let lines = &recorder.lines;
    let auction = &recorder.auction;
    let verified = lines.verify();
    prop_assert!(verified.is_ok(), "{}", verified.unwrap_err());
    let verified = verified.unwrap();
    let closed = auction.status != AuctionStatus::Cancelled;
    prop_assert_eq!(verified.is_final, closed);
    prop_assert_eq!(verified.opened, closed);
    prop_assert_eq!(&verified.auction, &lines.auction);
    prop_assert_eq!(verified.entries, lines.all.len() as u64);
    prop_assert_eq!(verified.bids, auction.bids);
    prop_assert_eq!(verified.refused, recorder.refused);
    prop_assert_eq!(verified.undecided, recorder.waiting.len() as u64);
    prop_assert_eq!(verified.ends_at, auction.ends_at);
    let on_trust = if closed { recorder.on_trust } else { 0 };
    prop_assert_eq!(verified.on_trust, on_trust);
    let won = verified.winners.iter();
    let won: Vec<_> = won
        .map(|won| (won.bidder.to_string(), won.no, won.price.minor()))
        .collect();
    prop_assert_eq!(&won, &recorder.winners);
    let newest = lines.all.last().unwrap();
    prop_assert_eq!(verified.head_seq, newest.seq);
    let entries = lines.entries(false);
    let head = lines::hex(&verified.head);
    prop_assert_eq!(head.as_str(), entries.last().unwrap().hash.as_ref());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_certificate_of_a_real_auction_is_right(recorder in auction()) {
        check_whole(&recorder)?;
    }

    #[test]
    fn so_is_one_of_any_earlier_moment(recorder in auction(), moment: prop::sample::Index) {
        let count = moment.index(recorder.lines.all.len()) + 1;
        let earlier = Lines {
            all: recorder.lines.all[..count].to_vec(),
            ..recorder.lines.clone()
        };
        let verified = earlier.verify();
        prop_assert!(verified.is_ok(), "{}", verified.unwrap_err());
        prop_assert_eq!(verified.unwrap().is_final, earlier.is_closed());
        // The store has the sealed texts before the close too.
        let mut checker = Checker::new(&earlier.auction);
        for entry in earlier.entries(true) {
            checker.check(&entry);
        }
        let verified = checker.finish();
        prop_assert!(verified.is_ok(), "{}", verified.unwrap_err());
        prop_assert!(verified.unwrap().opened);
    }
}

#[test]
fn the_present_end_and_status_may_be_said_more_often() {
    let mut lines = sale();
    lines.last("bid.retracted").data["endsAt"] = 100_000.into();
    lines.last("auction.offered").data["status"] = "unsold".into();
    lines.verify().unwrap();
}
