//! To the product's advertising manager: while stock is on its way, the ads bring people who
//! cannot buy.

use std::time::Duration;

use commerce::{Name, Sku};

use super::money::count;
use super::page::{Link, Page, one_line};
use super::times::roughly;
use super::{Language, Reader, Text};

/// A replenishment was requested.
#[derive(Debug, Clone, Copy)]
pub struct PauseAds<'a> {
    pub product: &'a Name,
    pub sku: &'a Sku,
    pub factory: &'a Sku,
    /// How many were asked for.
    pub quantity: u64,
    /// How long the factory is expected to take, if that is known.
    pub lead_time: Option<Duration>,
    pub link: Option<&'a Link>,
}

/// Stock was received.
#[derive(Debug, Clone, Copy)]
pub struct ResumeAds<'a> {
    pub product: &'a Name,
    pub sku: &'a Sku,
    pub factory: &'a Sku,
    /// How many arrived.
    pub quantity: u64,
    /// How long the factory took, if that is known.
    pub lead_time: Option<Duration>,
    pub link: Option<&'a Link>,
}

const LINK: (&str, &str) = ("See the product", "상품 보기");

impl PauseAds<'_> {
    pub fn write(&self, reader: Reader) -> Text {
        let language = reader.language;
        let product = one_line(self.product.as_str());
        let (subject, lead) = match language {
            Language::English => (
                format!("Please pause the ads for {product}: more is on its way"),
                format!(
                    "More of {product} has been ordered from the factory. Please pause its ads \
                     until it has arrived, so that they bring nobody who cannot buy."
                ),
            ),
            Language::Korean => (
                format!("[광고 중지 요청] {product} 재입고 준비 중"),
                format!(
                    "{product} 상품을 공장에 추가로 주문했어요. 입고될 때까지는 구매가 어려울 수 \
                     있으니 이 상품의 광고를 잠시 멈춰 주세요."
                ),
            ),
        };
        let lead_time = match self.lead_time {
            Some(time) => roughly(time, language),
            None => language
                .choose("not known yet", "아직 알 수 없음")
                .to_owned(),
        };
        let mut facts = about(language, product, self.sku, self.factory);
        facts.push((
            language.choose("Ordered", "주문 수량"),
            units(language, self.quantity),
        ));
        facts.push((
            language.choose("Expected lead time", "예상 소요 시간"),
            lead_time,
        ));
        Page {
            language,
            subject,
            heading: language.choose("Please pause the ads", "광고를 잠시 멈춰 주세요"),
            lead,
            facts,
            closing: Some(language.choose(
                "We will write again as soon as the ads can go on.",
                "광고를 다시 시작하셔도 될 때 바로 알려 드릴게요.",
            )),
            link: self
                .link
                .map(|link| (language.choose(LINK.0, LINK.1), link)),
        }
        .into_text()
    }
}

impl ResumeAds<'_> {
    pub fn write(&self, reader: Reader) -> Text {
        let language = reader.language;
        let product = one_line(self.product.as_str());
        let (subject, lead) = match language {
            Language::English => (
                format!("Please resume the ads for {product}: it has arrived"),
                format!("{product} has arrived from the factory. Its ads can go on."),
            ),
            Language::Korean => (
                format!("[광고 재개 요청] {product} 입고 완료"),
                format!("{product} 상품이 입고됐어요. 이 상품의 광고를 다시 시작해 주세요."),
            ),
        };
        let mut facts = about(language, product, self.sku, self.factory);
        facts.push((
            language.choose("Arrived", "입고 수량"),
            units(language, self.quantity),
        ));
        if let Some(time) = self.lead_time {
            facts.push((
                language.choose("Lead time", "소요 시간"),
                roughly(time, language),
            ));
        }
        Page {
            language,
            subject,
            heading: language.choose("Please resume the ads", "광고를 다시 시작해 주세요"),
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
    sku: &Sku,
    factory: &Sku,
) -> Vec<(&'a str, String)> {
    vec![
        (language.choose("Product", "상품"), product),
        ("SKU", sku.as_str().to_owned()),
        (
            language.choose("Factory", "공장"),
            factory.as_str().to_owned(),
        ),
    ]
}

fn units(language: Language, quantity: u64) -> String {
    let number = count(quantity);
    match language {
        Language::English if quantity == 1 => format!("{number} unit"),
        Language::English => format!("{number} units"),
        Language::Korean => format!("{number}개"),
    }
}
