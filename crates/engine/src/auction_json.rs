//! What entries of auctions carry, put together by hand: the bytes are what `serde_json` writes,
//! and are hashed.

use commerce::Money;

use crate::auction::{AuctionData, Sealed};
use crate::json::Object;

/// What a bid's entry takes as JSON and more, in bytes.
const DATA_BYTES: usize = 512;

impl AuctionData<'_> {
    /// What `serde_json` writes. A bid's is put together here: there is nothing that more are made
    /// of towards an end.
    pub fn to_json(&self) -> String {
        let Self {
            auction,
            product: None,
            seller: None,
            terms: None,
            no,
            bidder,
            amount,
            price,
            leading,
            raise,
            buy_now,
            outbid,
            regained,
            ends_at,
            extended,
            reserve_met,
            bids,
            status: None,
            reason,
            unsold_reason: None,
            winners: None,
            least,
            until: None,
            declined: None,
            accepted: None,
            placed,
            prev_bid,
            seal,
            won,
        } = self
        else {
            return serde_json::to_string(self).expect("numbers and texts have a JSON form");
        };
        let mut json = Object::with_capacity(DATA_BYTES);
        json.text("auction", auction);
        json.number_if("no", *no);
        json.text_if("bidder", bidder.as_deref());
        json.number_if("amount", amount.map(Money::minor));
        json.number_if("price", price.map(Money::minor));
        json.truth_if("leading", *leading);
        json.truth_if("raise", *raise);
        json.truth_if("buyNow", *buy_now);
        if !outbid.is_empty() {
            json.texts("outbid", outbid);
        }
        if !regained.is_empty() {
            json.texts("regained", regained);
        }
        json.number_if("endsAt", *ends_at);
        json.truth_if("extended", *extended);
        json.truth_if("reserveMet", *reserve_met);
        json.number_if("bids", *bids);
        json.text_if("reason", reason.as_deref());
        json.number_if("least", least.map(Money::minor));
        json.number_if("placed", *placed);
        json.number_if("prevBid", *prev_bid);
        json.text_if("seal", seal.as_deref());
        json.truth_if("won", *won);
        json.finish()
    }
}

impl Sealed<'_> {
    /// What `serde_json` writes.
    pub fn to_json(&self) -> String {
        let Self {
            reserve_price,
            no,
            bidder,
            amount,
            maximum,
            admitted_at,
            nonce,
        } = self;
        let mut json = Object::with_capacity(DATA_BYTES);
        json.number_if("reservePrice", reserve_price.map(Money::minor));
        json.number_if("no", *no);
        json.text_if("bidder", bidder.as_deref());
        json.number_if("amount", amount.map(Money::minor));
        json.number_if("maximum", maximum.map(Money::minor));
        json.number_if("admittedAt", *admitted_at);
        json.text("nonce", nonce);
        json.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use commerce::auction::AuctionStatus;
    use proptest::prelude::*;

    use super::*;
    use crate::auction::WinnerData;

    fn text() -> impl Strategy<Value = Cow<'static, str>> {
        any::<String>().prop_map(Cow::Owned)
    }

    fn money() -> impl Strategy<Value = Money> {
        (0..=1_000_000_000_i64).prop_map(|minor| Money::new(minor).expect("in range"))
    }

    fn data() -> impl Strategy<Value = AuctionData<'static>> {
        let of = prop::option::of::<BoxedStrategy<Cow<'static, str>>>;
        let truths = any::<[Option<bool>; 6]>();
        let numbers = any::<[Option<u64>; 4]>();
        let texts = [(); 4].map(|()| of(text().boxed()));
        let lists = [(); 2].map(|()| prop::collection::vec(text(), 0..3));
        let prices = [(); 3].map(|()| prop::option::of(money()));
        let more = prop::option::of((0..6_u8, text(), any::<i64>()));
        (
            text(),
            truths,
            numbers,
            texts,
            lists,
            prices,
            any::<Option<i64>>(),
            more,
        )
            .prop_map(
                |(auction, truths, numbers, texts, lists, prices, ends_at, more)| {
                    let [leading, raise, buy_now, extended, reserve_met, won] = truths;
                    let [no, bids, placed, prev_bid] = numbers;
                    let [bidder, reason, seal, product] = texts;
                    let [outbid, regained] = lists;
                    let [amount, price, least] = prices;
                    let mut data = AuctionData {
                        auction,
                        no,
                        bidder,
                        amount,
                        price,
                        leading,
                        raise,
                        buy_now,
                        outbid,
                        regained,
                        ends_at,
                        extended,
                        reserve_met,
                        bids,
                        reason,
                        least,
                        placed,
                        prev_bid,
                        seal,
                        won,
                        ..AuctionData::default()
                    };
                    // Of few entries anything else.
                    let Some((which, text, number)) = more else {
                        return data;
                    };
                    match which {
                        0 => data.product = product,
                        1 => data.seller = Some(text),
                        2 => data.status = Some(AuctionStatus::Unsold),
                        3 => data.until = Some(number),
                        4 => data.accepted = Some(number > 0),
                        _ => {
                            data.winners = Some(vec![WinnerData {
                                bidder: text,
                                no: 1,
                                price: Money::new(5).expect("in range"),
                            }]);
                        }
                    }
                    data
                },
            )
    }

    fn sealed() -> impl Strategy<Value = Sealed<'static>> {
        let prices = [(); 3].map(|()| prop::option::of(money()));
        let bidder = prop::option::of(text());
        (prices, any::<(Option<u64>, Option<i64>)>(), bidder, text()).prop_map(
            |([reserve_price, amount, maximum], (no, admitted_at), bidder, nonce)| Sealed {
                reserve_price,
                no,
                bidder,
                amount,
                maximum,
                admitted_at,
                nonce,
            },
        )
    }

    proptest! {
        /// What is hashed must be the same bytes for ever.
        #[test]
        fn data_is_written_as_serde_json_writes_it(data in data()) {
            let expected = serde_json::to_string(&data).expect("it has a JSON form");
            prop_assert_eq!(data.to_json(), expected);
        }

        #[test]
        fn what_is_sealed_is_written_as_serde_json_writes_it(sealed in sealed()) {
            let expected = serde_json::to_string(&sealed).expect("it has a JSON form");
            prop_assert_eq!(sealed.to_json(), expected);
        }
    }
}
