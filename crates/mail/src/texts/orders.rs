//! To the buyer: the verdict.

use commerce::{Currency, Money, Name, OrderId, Quantity};

use super::money::{count, total};
use super::page::{Link, Page, one_line};
use super::{Language, Reader, Text};

/// The order got what it asked for.
#[derive(Debug, Clone, Copy)]
pub struct OrderAccepted<'a> {
    pub order: OrderId,
    pub product: &'a Name,
    pub quantity: Quantity,
    /// Its number in the product's line.
    pub place: u64,
    /// Of one unit.
    pub price: Money,
    pub currency: Currency,
    pub link: Option<&'a Link>,
}

/// At the order's turn there was not enough left.
#[derive(Debug, Clone, Copy)]
pub struct OrderSoldOut<'a> {
    pub order: OrderId,
    pub product: &'a Name,
    pub quantity: Quantity,
    /// How many were left, fewer than the quantity.
    pub left: u64,
    pub place: u64,
    /// Of one unit.
    pub price: Money,
    pub currency: Currency,
    pub link: Option<&'a Link>,
}

/// The order does not stand any more.
#[derive(Debug, Clone, Copy)]
pub struct OrderCancelled<'a> {
    pub order: OrderId,
    pub product: &'a Name,
    pub quantity: Quantity,
    pub place: u64,
    /// Of one unit.
    pub price: Money,
    pub currency: Currency,
    pub link: Option<&'a Link>,
}

const LINK: (&str, &str) = ("See your order", "주문 보기");

impl OrderAccepted<'_> {
    pub fn write(&self, reader: Reader) -> Text {
        let language = reader.language;
        let product = one_line(self.product.as_str());
        let (subject, lead) = match language {
            Language::English => (
                format!("Your order is accepted: {product}"),
                format!(
                    "{product} is yours. You were number {} in line.",
                    self.place()
                ),
            ),
            Language::Korean => (
                format!("구매가 확정됐어요: {product}"),
                format!(
                    "{product} 구매가 확정됐어요. {}번째로 주문하셨어요.",
                    self.place()
                ),
            ),
        };
        let total = total(self.price, self.quantity, self.currency, language);
        let mut facts = about(language, product, self.quantity, self.place);
        facts.push((language.choose("Total", "합계"), total));
        facts.push((
            language.choose("Order", "주문 번호"),
            self.order.to_string(),
        ));
        Page {
            language,
            subject,
            heading: language.choose("It’s yours", "구매가 확정됐어요"),
            lead,
            facts,
            closing: None,
            link: self
                .link
                .map(|link| (language.choose(LINK.0, LINK.1), link)),
        }
        .into_text()
    }

    fn place(&self) -> String {
        count(self.place)
    }
}

impl OrderSoldOut<'_> {
    pub fn write(&self, reader: Reader) -> Text {
        let language = reader.language;
        let product = one_line(self.product.as_str());
        let subject = match language {
            Language::English => format!("Sold out: {product}"),
            Language::Korean => format!("품절됐어요: {product}"),
        };
        let left = count(self.left);
        let lead = match (language, self.left) {
            (Language::English, 0) => {
                "Everything was gone before your turn came. Nothing was ordered.".to_owned()
            }
            (Language::English, 1) => {
                "Only 1 was left, fewer than you asked for. Nothing was ordered.".to_owned()
            }
            (Language::English, _) => {
                format!("Only {left} were left, fewer than you asked for. Nothing was ordered.")
            }
            (Language::Korean, 0) => {
                "차례가 오기 전에 모두 판매됐어요. 주문은 접수되지 않았어요.".to_owned()
            }
            (Language::Korean, _) => format!(
                "남은 수량이 {left}개라 주문하신 수량보다 적어요. 주문은 접수되지 않았어요."
            ),
        };
        let total = total(self.price, self.quantity, self.currency, language);
        let mut facts = about(language, product, self.quantity, self.place);
        facts.push((
            language.choose("It would have been", "주문하신 금액"),
            total,
        ));
        facts.push((
            language.choose("Order", "주문 번호"),
            self.order.to_string(),
        ));
        Page {
            language,
            subject,
            heading: language.choose("Sold out", "품절됐어요"),
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

impl OrderCancelled<'_> {
    pub fn write(&self, reader: Reader) -> Text {
        let language = reader.language;
        let product = one_line(self.product.as_str());
        let (subject, lead) = match language {
            Language::English => (
                format!("Your order is cancelled: {product}"),
                format!("Your order of {product} is cancelled. Nothing is held for you any more."),
            ),
            Language::Korean => (
                format!("주문이 취소됐어요: {product}"),
                format!("{product} 주문이 취소됐어요. 확보해 둔 수량도 함께 취소됐어요."),
            ),
        };
        let total = total(self.price, self.quantity, self.currency, language);
        let mut facts = about(language, product, self.quantity, self.place);
        facts.push((
            language.choose("It would have been", "주문하신 금액"),
            total,
        ));
        facts.push((
            language.choose("Order", "주문 번호"),
            self.order.to_string(),
        ));
        Page {
            language,
            subject,
            heading: language.choose("Cancelled", "주문이 취소됐어요"),
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

fn about<'a>(
    language: Language,
    product: String,
    quantity: Quantity,
    place: u64,
) -> Vec<(&'a str, String)> {
    let quantity = count(quantity.units());
    vec![
        (language.choose("Product", "상품"), product),
        (
            language.choose("Quantity", "수량"),
            match language {
                Language::English => quantity,
                Language::Korean => format!("{quantity}개"),
            },
        ),
        (language.choose("Your place", "내 순번"), count(place)),
    ]
}
