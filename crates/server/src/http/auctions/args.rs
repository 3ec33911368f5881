//! What comes in about auctions and bids, as types that can hold nothing else.

use std::fmt;

use commerce::auction::{Band, Bidder, Increment};
use commerce::{AuctionId, Millis, Money};
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;
use wire::Code;

use crate::adapters::{RFC3339_RULE, parse_rfc3339};
use crate::http::error::{HttpError, HttpResult};

/// Any bidder or seller, with e-mail addresses folded.
#[derive(Debug, Clone)]
pub struct BidderName(pub Bidder);

/// Read straight from the body's bytes: bids are many.
struct BidderVisitor;

impl Visitor<'_> for BidderVisitor {
    type Value = BidderName;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text of 1 to 254 bytes")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Bidder::folded(text).map(BidderName).map_err(E::custom)
    }
}

impl<'de> Deserialize<'de> for BidderName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(BidderVisitor)
    }
}

/// The id of an auction in a body; none for a text that is no auction's id.
#[derive(Debug, Clone, Copy)]
pub struct AuctionRef(pub Option<AuctionId>);

struct AuctionVisitor;

impl Visitor<'_> for AuctionVisitor {
    type Value = AuctionRef;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the id of an auction, a text")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(AuctionRef(AuctionId::parse(text).ok()))
    }
}

impl<'de> Deserialize<'de> for AuctionRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(AuctionVisitor)
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BandArgs {
    #[schema(value_type = i64, minimum = 0, maximum = 1_000_000_000_000_000_i64)]
    from: Money,
    #[schema(value_type = i64, minimum = 1, maximum = 1_000_000_000_000_000_i64)]
    step: Money,
}

/// One step for every price, or a table of bands.
#[derive(Debug)]
pub struct IncrementArgs(pub Increment);

/// Not an untagged enum, which could not say what is wrong inside a table.
struct IncrementVisitor;

impl IncrementVisitor {
    fn fixed<E: de::Error>(minor: Result<i64, E>) -> Result<IncrementArgs, E> {
        let step = Money::new(minor?).map_err(E::custom)?;
        Ok(IncrementArgs(Increment::Fixed(step)))
    }
}

impl<'de> Visitor<'de> for IncrementVisitor {
    type Value = IncrementArgs;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number, or a list of {from, step}")
    }

    fn visit_i64<E: de::Error>(self, minor: i64) -> Result<Self::Value, E> {
        Self::fixed(Ok(minor))
    }

    fn visit_u64<E: de::Error>(self, minor: u64) -> Result<Self::Value, E> {
        let unexpected = de::Unexpected::Unsigned(minor);
        Self::fixed(i64::try_from(minor).map_err(|_| E::invalid_value(unexpected, &self)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut bands: A) -> Result<Self::Value, A::Error> {
        let mut table = Vec::new();
        while let Some(BandArgs { from, step }) = bands.next_element()? {
            table.push(Band { from, step });
        }
        Ok(IncrementArgs(Increment::Bands(table)))
    }
}

impl<'de> Deserialize<'de> for IncrementArgs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IncrementVisitor)
    }
}

/// What the description says of an increment.
#[derive(ToSchema)]
#[schema(as = IncrementArgs)]
#[expect(dead_code, reason = "only its schema is used")]
pub enum IncrementSchema {
    Fixed(i64),
    Bands(Vec<BandArgs>),
}

/// A moment in a field.
pub fn moment(field: &str, text: &str) -> HttpResult<Millis> {
    parse_rfc3339(text).map_err(|_| HttpError::at(Code::InvalidField, field, RFC3339_RULE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::args::parse;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        increment: IncrementArgs,
    }

    /// The bands of a body, or the field at fault.
    fn check(json: &str, expected: Result<Increment, &str>) {
        let found = parse::<Body>(format!("{{\"increment\": {json}}}").as_bytes());
        let found = found
            .map(|body| body.increment.0)
            .map_err(|error| error.0.field.expect("a field is at fault"));
        assert_eq!(found, expected.map_err(str::to_owned), "{json}");
    }

    #[test]
    fn an_increment_is_a_number_or_a_table() {
        let money = |minor| Money::new(minor).unwrap();
        check("5", Ok(Increment::Fixed(money(5))));
        let band = |from, step| Band {
            from: money(from),
            step: money(step),
        };
        check(
            r#"[{"from": 0, "step": 1}, {"from": 100, "step": 5}]"#,
            Ok(Increment::Bands(vec![band(0, 1), band(100, 5)])),
        );
        for wrong in [
            "-1",
            "0.5",
            "1e30",
            "9223372036854775808",
            "\"5\"",
            "null",
            "{}",
        ] {
            check(wrong, Err("increment"));
        }
        check(r#"[{"from": 0}]"#, Err("increment[0].step"));
        check(r#"[{"from": 0, "step": -1}]"#, Err("increment[0].step"));
        check(
            r#"[{"from": 0, "step": 1, "to": 5}]"#,
            Err("increment[0].to"),
        );
        check("[5]", Err("increment[0]"));
    }

    #[test]
    fn a_bidder_s_address_is_folded_and_a_name_is_not() {
        let read = |json: &str| serde_json::from_str::<BidderName>(json).map(|name| name.0);
        assert_eq!(
            read("\"Ada@Example.COM\"").unwrap().as_str(),
            "ada@example.com"
        );
        assert_eq!(read("\"Ada\"").unwrap().as_str(), "Ada");
        // An escape makes the text another one than the body's bytes.
        assert_eq!(read("\"\\u0041da\"").unwrap().as_str(), "Ada");
        assert!(read("7").is_err());
        assert!(read("\"\"").is_err());
        assert!(read("\"two words\"").is_err());
    }
}
