//! Auctions are made.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use commerce::auction::{
    Bidder, Format, Increment, RetractionRule, SoftClose, Terms, WINDOW_MAX_MS,
};
use commerce::{Currency, Millis, Money, Name};
use engine::{BodyHash, Command, CreateAuction, KeyHash, Reply};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::Code;

use super::args::{BidderName, IncrementArgs, IncrementSchema, moment};
use super::find::view;
use super::views::AuctionView;
use crate::http::args::KeyedBody;
use crate::http::error::{HttpError, HttpResult};
use crate::http::views::{ProblemView, mark_replay};
use crate::state::App;

/// Who sells when nobody is named.
const HOUSE: &str = "house";
/// The currency of an auction that names none.
const CURRENCY: &str = "USD";
/// How long before the end it is told that it is near, unless it is said.
const CLOSING_SOON_MS: Millis = 60_000;

pub(super) fn operator() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create_auction))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SoftCloseArgs {
    /// A bid in the last so many milliseconds moves the end ...
    #[schema(minimum = 1, maximum = 2_592_000_000_i64)]
    window_ms: Millis,
    /// ... to so many milliseconds after the bid ...
    #[schema(minimum = 1, maximum = 2_592_000_000_i64)]
    extend_ms: Millis,
    /// ... and never past this moment.
    #[schema(format = "date-time")]
    hard_end: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RetractionArgs {
    /// A bid may be taken back for so many milliseconds ...
    #[schema(minimum = 1, maximum = 2_592_000_000_i64)]
    within_ms: Millis,
    /// ... but not in the last so many milliseconds of the auction.
    #[schema(minimum = 0, maximum = 2_592_000_000_i64)]
    before_end_ms: Millis,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DutchArgs {
    /// The price falls by so much ...
    #[schema(value_type = i64, minimum = 1, maximum = 1_000_000_000_000_000_i64)]
    step: Money,
    /// ... every so many milliseconds ...
    #[schema(minimum = 1, maximum = 2_592_000_000_i64)]
    every_ms: Millis,
    /// ... and not below this.
    #[schema(value_type = i64, minimum = 0, maximum = 1_000_000_000_000_000_i64)]
    floor: Money,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewAuctionArgs {
    #[schema(value_type = String, min_length = 1, max_length = 200, example = "Guitar")]
    product: Name,
    /// Minor units of the currency, as are all prices. A first bid may equal it.
    #[schema(value_type = i64, minimum = 0, maximum = 1_000_000_000_000_000_i64)]
    starting_price: Money,
    /// In the future, at most 400 days from now.
    #[schema(format = "date-time")]
    end_time: String,
    /// USD when it is left out.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^[A-Z]{3}$", example = "KRW")]
    currency: Option<Currency>,
    /// Now when it is left out or has passed.
    #[serde(default)]
    #[schema(format = "date-time")]
    start_time: Option<String>,
    /// An e-mail address or another name without white space.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 254, example = "house")]
    seller: Option<BidderName>,
    #[serde(default)]
    #[schema(
        pattern = "^(english|sealed-first|sealed-second|dutch)$",
        example = "english"
    )]
    format: Option<String>,
    /// By how much a bid must be higher, in english. A table of 1 to 2.5 % of the price (from 5.00
    /// on) when it is left out.
    #[serde(default)]
    #[schema(value_type = Option<IncrementSchema>)]
    increment: Option<IncrementArgs>,
    /// Identical lots: the highest bidders get one each.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 100)]
    lots: Option<u32>,
    #[serde(default)]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 1_000_000_000_000_000_i64)]
    reserve_price: Option<Money>,
    #[serde(default)]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 1_000_000_000_000_000_i64)]
    buy_now_price: Option<Money>,
    #[serde(default)]
    soft_close: Option<SoftCloseArgs>,
    /// A bid stands when it is left out. In an english auction it lets bidders learn the others'
    /// maxima and the reserve: whoever outbids them sees where the price goes, and may take that back.
    #[serde(default)]
    retraction: Option<RetractionArgs>,
    /// Needed when the format is dutch.
    #[serde(default)]
    dutch: Option<DutchArgs>,
    /// How long before the end `auction.closing_soon` is told; 0 for not at all.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 2_592_000_000_i64)]
    closing_soon_ms: Option<Millis>,
}

fn check_format(text: Option<&str>, dutch: Option<&DutchArgs>) -> HttpResult<Format> {
    let format = match (text.unwrap_or("english"), dutch) {
        ("english", _) => Format::English,
        ("sealed-first", _) => Format::SealedFirst,
        ("sealed-second", _) => Format::SealedSecond,
        ("dutch", Some(dutch)) => {
            return Ok(Format::Dutch {
                step: dutch.step,
                every_ms: dutch.every_ms,
                floor: dutch.floor,
            });
        }
        ("dutch", None) => {
            return Err(HttpError::at(
                Code::MissingField,
                "dutch",
                "missing field `dutch`: the format is dutch",
            ));
        }
        (_, _) => {
            return Err(HttpError::at(
                Code::InvalidField,
                "format",
                "must be english, sealed-first, sealed-second or dutch",
            ));
        }
    };
    if dutch.is_some() {
        return Err(HttpError::at(
            Code::InvalidField,
            "dutch",
            format!("must be absent when the format is {}", format.as_str()),
        ));
    }
    Ok(format)
}

fn check_closing_soon(ms: Option<Millis>) -> HttpResult<Millis> {
    let ms = ms.unwrap_or(CLOSING_SOON_MS);
    if (0..=WINDOW_MAX_MS).contains(&ms) {
        Ok(ms)
    } else {
        Err(HttpError::at(
            Code::InvalidField,
            "closingSoonMs",
            format!("must be 0 to {WINDOW_MAX_MS} milliseconds"),
        ))
    }
}

impl SoftCloseArgs {
    fn check(self) -> HttpResult<SoftClose> {
        Ok(SoftClose {
            window_ms: self.window_ms,
            extend_ms: self.extend_ms,
            hard_end: moment("softClose.hardEnd", &self.hard_end)?,
        })
    }
}

impl NewAuctionArgs {
    /// What the terms themselves bound is checked where they are decided.
    fn check(self, key: Option<KeyHash>, now: Millis) -> HttpResult<CreateAuction> {
        let house = || Bidder::new(HOUSE).expect("the house has a name");
        let retraction = self.retraction.map(|rule| RetractionRule {
            within_ms: rule.within_ms,
            before_end_ms: rule.before_end_ms,
        });
        let starts_at = match self.start_time {
            Some(text) => Some(moment("startTime", &text)?),
            None => None,
        };
        let mut new = CreateAuction {
            product: self.product,
            seller: self.seller.map_or_else(house, |seller| seller.0),
            closing_soon_ms: check_closing_soon(self.closing_soon_ms)?,
            terms: Terms {
                format: check_format(self.format.as_deref(), self.dutch.as_ref())?,
                currency: self
                    .currency
                    .unwrap_or_else(|| Currency::new(CURRENCY).expect("a currency")),
                starting_price: self.starting_price,
                increment: self
                    .increment
                    .map_or_else(Increment::default, |args| args.0),
                lots: self.lots.unwrap_or(1),
                reserve_price: self.reserve_price,
                buy_now_price: self.buy_now_price,
                starts_at: starts_at.unwrap_or(NOW),
                ends_at: moment("endTime", &self.end_time)?,
                soft_close: self.soft_close.map(SoftCloseArgs::check).transpose()?,
                retraction,
            },
            key,
            body: BodyHash(0),
        };
        new.body = body_hash(&new);
        new.terms.starts_at = starts_at.unwrap_or(now);
        Ok(new)
    }
}

/// What stands for the start of an auction that begins at once, in the fingerprint: it is the same
/// for whoever asks again later.
const NOW: Millis = Millis::MIN;

/// The fingerprint of what is asked for.
fn body_hash(new: &CreateAuction) -> BodyHash {
    let terms = serde_json::to_vec(&new.terms).expect("terms have a JSON form");
    let mut hasher = blake3::Hasher::new();
    hasher.update(new.product.as_str().as_bytes());
    hasher.update(&[0]);
    hasher.update(new.seller.as_str().as_bytes());
    hasher.update(&[0]);
    hasher.update(&new.closing_soon_ms.to_le_bytes());
    hasher.update(&terms);
    let mut hash = [0; 8];
    hash.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    BodyHash(u64::from_le_bytes(hash))
}

/// Put something up for auction. The same `Idempotency-Key` puts it up once.
#[utoipa::path(
    post, path = "/auctions", tag = "auctions", request_body = NewAuctionArgs,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 printable ASCII characters")),
    responses(
        (status = 201, description = "It is open, or scheduled; or, asked for again, as it stands", body = AuctionView,
         headers(("Location" = String), ("Idempotent-Replay" = Option<String>))),
        (status = 422, description = "The key was used with another body", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "This server has as many auctions as it takes", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn create_auction(
    State(app): State<App>,
    KeyedBody { body, key }: KeyedBody<NewAuctionArgs>,
) -> HttpResult<Response> {
    let new = body.check(key, app.engine.now())?;
    let command = Command::CreateAuction(Box::new(new));
    let Reply::Made { auction, replay } = app.engine.decide(command).await?? else {
        unreachable!("an auction that is made is the answer");
    };
    let view = view(&app, &auction);
    let location = format!("/auctions/{}", view.id);
    let headers = [(header::LOCATION, location)];
    let mut response = (StatusCode::CREATED, headers, Json(view)).into_response();
    mark_replay(&mut response, replay);
    Ok(response)
}
