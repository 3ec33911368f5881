//! To bidders: while there is still time to act, and when it is over.

use commerce::{Currency, Millis, Money, Name};

use super::money::money;
use super::page::{Link, Page, one_line};
use super::times::moment;
use super::{Language, Reader, Text};

/// Somebody else leads now.
#[derive(Debug, Clone, Copy)]
pub struct AuctionOutbid<'a> {
    pub product: &'a Name,
    /// The highest that the reader bid, a maximum included.
    pub own: Money,
    pub current: Money,
    pub currency: Currency,
    /// As it stood: later bids may extend it.
    pub ends_at: Millis,
    pub link: Option<&'a Link>,
}

/// The reader's bid was the best.
#[derive(Debug, Clone, Copy)]
pub struct AuctionWon<'a> {
    pub product: &'a Name,
    /// What is to be paid.
    pub price: Money,
    pub currency: Currency,
    pub closed_at: Millis,
    pub link: Option<&'a Link>,
}

/// The lot became free again, and is the reader's for the asking.
#[derive(Debug, Clone, Copy)]
pub struct AuctionOffered<'a> {
    pub product: &'a Name,
    /// What is to be paid.
    pub price: Money,
    pub currency: Currency,
    pub until: Millis,
    pub link: Option<&'a Link>,
}

/// Somebody else's bid was the best, or nobody's was good enough.
#[derive(Debug, Clone, Copy)]
pub struct AuctionLost<'a> {
    pub product: &'a Name,
    /// The highest that the reader bid, a maximum included.
    pub own: Money,
    /// What it went for; none if it was not sold.
    pub price: Option<Money>,
    pub currency: Currency,
    pub closed_at: Millis,
    pub link: Option<&'a Link>,
}

const LINK: (&str, &str) = ("See the auction", "경매 보기");

impl AuctionOutbid<'_> {
    pub fn write(&self, reader: Reader) -> Text {
        let language = reader.language;
        let product = one_line(self.product.as_str());
        let amount = |amount| money(amount, self.currency, language);
        let (subject, lead) = match language {
            Language::English => (
                format!("You were outbid: {product}"),
                format!("Somebody else leads the auction of {product} now. Bid again to lead."),
            ),
            Language::Korean => (
                format!("더 높은 입찰이 들어왔어요: {product}"),
                format!(
                    "{product} 경매에 더 높은 입찰이 들어왔어요. 다시 입찰하시면 앞설 수 있어요."
                ),
            ),
        };
        Page {
            language,
            subject,
            heading: language.choose("You were outbid", "더 높은 입찰이 들어왔어요"),
            lead,
            facts: vec![
                (language.choose("Lot", "경매 상품"), product),
                (
                    language.choose("Current price", "현재가"),
                    amount(self.current),
                ),
                (
                    language.choose("Your highest bid", "내 최고 입찰가"),
                    amount(self.own),
                ),
                (
                    language.choose("Ends", "마감"),
                    moment(self.ends_at, reader),
                ),
            ],
            closing: None,
            link: self.link.map(|link| {
                let label = language.choose("Bid again", "다시 입찰하기");
                (label, link)
            }),
        }
        .into_text()
    }
}

impl AuctionWon<'_> {
    pub fn write(&self, reader: Reader) -> Text {
        let language = reader.language;
        let product = one_line(self.product.as_str());
        let price = money(self.price, self.currency, language);
        let (subject, lead) = match language {
            Language::English => (
                format!("You won: {product}"),
                format!("You won {product} at {price}."),
            ),
            Language::Korean => (
                format!("낙찰받으셨어요: {product}"),
                format!("{product} 경매에서 {price}에 낙찰받으셨어요."),
            ),
        };
        Page {
            language,
            subject,
            heading: language.choose("You won", "낙찰받으셨어요"),
            lead,
            facts: vec![
                (language.choose("Lot", "경매 상품"), product),
                (language.choose("Price", "낙찰가"), price),
                (
                    language.choose("Closed", "마감"),
                    moment(self.closed_at, reader),
                ),
            ],
            closing: None,
            link: self
                .link
                .map(|link| (language.choose(LINK.0, LINK.1), link)),
        }
        .into_text()
    }
}

impl AuctionOffered<'_> {
    pub fn write(&self, reader: Reader) -> Text {
        let language = reader.language;
        let product = one_line(self.product.as_str());
        let price = money(self.price, self.currency, language);
        let (subject, lead) = match language {
            Language::English => (
                format!("Offered to you: {product}"),
                format!("{product} became free again. You may have it for {price}."),
            ),
            Language::Korean => (
                format!("구매 기회가 왔어요: {product}"),
                format!("{product} 상품이 다시 나왔어요. {price}에 가져가실 수 있어요."),
            ),
        };
        Page {
            language,
            subject,
            heading: language.choose("The lot is offered to you", "구매 기회가 왔어요"),
            lead,
            facts: vec![
                (language.choose("Lot", "경매 상품"), product),
                (language.choose("Price", "가격"), price),
                (
                    language.choose("Answer until", "답변 기한"),
                    moment(self.until, reader),
                ),
            ],
            closing: None,
            link: self.link.map(|link| {
                let label = language.choose("Take it or decline", "구매하거나 사양하기");
                (label, link)
            }),
        }
        .into_text()
    }
}

impl AuctionLost<'_> {
    pub fn write(&self, reader: Reader) -> Text {
        let language = reader.language;
        let product = one_line(self.product.as_str());
        let amount = |amount| money(amount, self.currency, language);
        let (subject, lead) = match (language, self.price) {
            (Language::English, Some(_)) => (
                format!("You did not win: {product}"),
                format!("The auction of {product} is over, and somebody else won it."),
            ),
            (Language::English, None) => (
                format!("Not sold: {product}"),
                format!("The auction of {product} is over, and it was not sold."),
            ),
            (Language::Korean, Some(_)) => (
                format!("낙찰받지 못했어요: {product}"),
                format!("{product} 경매가 끝났어요. 다른 분께 낙찰됐어요."),
            ),
            (Language::Korean, None) => (
                format!("유찰됐어요: {product}"),
                format!("{product} 경매가 낙찰 없이 끝났어요."),
            ),
        };
        let mut facts = vec![(language.choose("Lot", "경매 상품"), product)];
        if let Some(price) = self.price {
            facts.push((language.choose("Price", "낙찰가"), amount(price)));
        }
        facts.push((
            language.choose("Your highest bid", "내 최고 입찰가"),
            amount(self.own),
        ));
        facts.push((
            language.choose("Closed", "마감"),
            moment(self.closed_at, reader),
        ));
        let heading = match self.price {
            Some(_) => language.choose("You did not win", "낙찰받지 못했어요"),
            None => language.choose("Not sold", "유찰됐어요"),
        };
        Page {
            language,
            subject,
            heading,
            lead,
            facts,
            closing: None,
            link: self
                .link
                .map(|link| (language.choose(LINK.0, LINK.1), link)),
        }
        .into_text()
    }
}
