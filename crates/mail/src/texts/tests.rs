//! Each template as it is read, in both languages, and what must hold for all of them.

use std::time::Duration;

use commerce::{Currency, Money, Name, OrderId, Quantity, SECRET_BYTES, Secret, Sku};
use mail_parser::MessageParser;

use super::*;
use crate::{Message, Party, SUBJECT_CHARACTERS_MAX};

const READERS: [Reader; 2] = [
    Reader {
        language: Language::English,
        utc_offset_min: 0,
    },
    Reader {
        language: Language::Korean,
        utc_offset_min: 540,
    },
];

/// A name that tries to be more than a name.
const NAME: &str = "Donut <b>\"Ring\"</b> & 'co' 한정판";

fn link() -> Link {
    Link::new("https://shop.example/orders?id=1&lang=ko").unwrap()
}

fn money(minor: i64) -> Money {
    Money::new(minor).unwrap()
}

/// Every template, each with a name for its snapshot.
fn all(name: &str, reader: Reader) -> Vec<(&'static str, Text)> {
    let product = &Name::new(name).unwrap();
    let sku = &Sku::new("CP-502101").unwrap();
    let factory = &Sku::new("FF-500293").unwrap();
    let order = OrderId {
        seq: 7,
        secret: Secret([0x5a; SECRET_BYTES]),
    };
    let quantity = Quantity::new(3).unwrap();
    let currency = Currency::new(match reader.language {
        Language::English => "USD",
        Language::Korean => "KRW",
    })
    .unwrap();
    let link = &link();
    let link = Some(link);
    let lead_time = Some(Duration::from_secs(3 * 86_400));
    let (since, later) = (1_795_370_400_000, 1_795_374_000_000);
    let (price, place) = (money(12_050), 1_024);
    let alert = |cause, resolved_at| {
        Alert {
            cause,
            count: 1_204,
            since,
            resolved_at,
            link,
        }
        .write(reader)
    };
    let sold_out = |left| {
        OrderSoldOut {
            order,
            product,
            quantity,
            left,
            place,
            price,
            currency,
            link,
        }
        .write(reader)
    };
    vec![
        (
            "pause_ads",
            PauseAds {
                product,
                sku,
                factory,
                quantity: 500,
                lead_time,
                link,
            }
            .write(reader),
        ),
        (
            "pause_ads_unknown",
            PauseAds {
                product,
                sku,
                factory,
                quantity: 1,
                lead_time: None,
                link: None,
            }
            .write(reader),
        ),
        (
            "resume_ads",
            ResumeAds {
                product,
                sku,
                factory,
                quantity: 1_500,
                lead_time,
                link,
            }
            .write(reader),
        ),
        (
            "order_accepted",
            OrderAccepted {
                order,
                product,
                quantity,
                place,
                price,
                currency,
                link,
            }
            .write(reader),
        ),
        (
            "order_cancelled",
            OrderCancelled {
                order,
                product,
                quantity,
                place,
                price,
                currency,
                link,
            }
            .write(reader),
        ),
        ("order_sold_out", sold_out(0)),
        ("order_sold_out_some", sold_out(2)),
        (
            "auction_outbid",
            AuctionOutbid {
                product,
                own: price,
                current: money(13_000),
                currency,
                ends_at: later,
                link,
            }
            .write(reader),
        ),
        (
            "auction_won",
            AuctionWon {
                product,
                price,
                currency,
                closed_at: later,
                link,
            }
            .write(reader),
        ),
        (
            "auction_offered",
            AuctionOffered {
                product,
                price,
                currency,
                until: later,
                link,
            }
            .write(reader),
        ),
        (
            "auction_lost",
            AuctionLost {
                product,
                own: price,
                price: Some(money(13_000)),
                currency,
                closed_at: later,
                link,
            }
            .write(reader),
        ),
        (
            "auction_not_sold",
            AuctionLost {
                product,
                own: price,
                price: None,
                currency,
                closed_at: later,
                link,
            }
            .write(reader),
        ),
        (
            "alert_dead_letters",
            alert(AlertCause::DeadLetters { queue: name }, None),
        ),
        (
            "alert_consumer",
            alert(AlertCause::ConsumerStandsStill { consumer: name }, None),
        ),
        (
            "alert_factory",
            alert(AlertCause::FactoryFails { factory: name }, None),
        ),
        (
            "alert_line",
            alert(AlertCause::LineWaits { product: name }, None),
        ),
        (
            "alert_webhook",
            alert(AlertCause::WebhookDisabled { endpoint: name }, None),
        ),
        (
            "alert_older",
            alert(AlertCause::StoreIsOlder { database: name }, None),
        ),
        (
            "alert_gone",
            alert(AlertCause::StoreFileGone { file: name }, None),
        ),
        (
            "alert_resolved",
            alert(AlertCause::DeadLetters { queue: name }, Some(later)),
        ),
    ]
}

#[test]
fn every_text_reads_as_it_did() {
    for reader in READERS {
        for (template, text) in all(NAME, reader) {
            let name = format!("{template}_{}", reader.language.tag());
            let whole = format!(
                "Subject: {}\n\n{}\n{}\n{}",
                text.subject,
                text.text,
                "-".repeat(72),
                text.html
            );
            insta::assert_snapshot!(name, whole);
        }
    }
}

#[test]
fn a_name_is_escaped_and_stays_on_its_line() {
    for reader in READERS {
        for (template, text) in all(NAME, reader) {
            assert!(!text.html.contains("<b>"), "{template}");
            assert!(
                text.html
                    .contains("&lt;b&gt;&quot;Ring&quot;&lt;/b&gt; &amp; &#39;co&#39;"),
                "{template}"
            );
            assert!(text.text.contains(NAME), "{template}");
        }
        let long = format!("a\u{2028}Bcc: x@example.com {}", "가".repeat(160));
        for (template, text) in all(&long, reader) {
            assert!(!text.subject.contains('\u{2028}'), "{template}");
            assert!(
                text.subject.chars().count() <= SUBJECT_CHARACTERS_MAX,
                "{template}"
            );
        }
    }
    let line = page::one_line(&format!("a\r\nb\u{2029}{}", "x".repeat(300)));
    assert_eq!(line.chars().count(), 201);
    assert!(line.starts_with("a  b xxx") && line.ends_with("x…"));
}

/// The two languages say the same things, and the two forms the same facts.
#[test]
fn nothing_is_left_out_in_one_of_the_forms() {
    let [english, korean] = READERS.map(|reader| all(NAME, reader));
    for ((template, english), (_, korean)) in english.iter().zip(&korean) {
        let facts = |text: &Text| text.html.matches("<tr>").count();
        assert_eq!(facts(english), facts(korean), "{template}");
        for text in [english, korean] {
            assert_eq!(
                text.html
                    .contains("<a href=\"https://shop.example/orders?id=1&amp;lang=ko\">"),
                text.text
                    .contains("https://shop.example/orders?id=1&lang=ko"),
                "{template}"
            );
        }
        let is_korean = |text: &str| text.contains(|c| ('가'..='힣').contains(&c));
        assert!(is_korean(&korean.html), "{template}");
        let without_name = english.html.replace("한정판", "");
        assert!(!is_korean(&without_name), "{template}");
    }
}

/// No colour but a line's, so that a dark background gets no dark letters.
#[test]
fn the_html_sets_no_colours_and_loads_nothing() {
    for reader in READERS {
        for (template, text) in all(NAME, reader) {
            let html = text.html.replace("border-bottom:1px solid #8b908c", "");
            for word in [
                "#8b",
                "color:",
                "background",
                "<img",
                "<script",
                "src=",
                "url(",
            ] {
                assert!(!html.contains(word), "{template}: {word}");
            }
            assert!(html.contains("content=\"light dark\""), "{template}");
            let tag = reader.language.tag();
            assert!(
                html.contains(&format!("<html lang=\"{tag}\">")),
                "{template}"
            );
        }
    }
}

#[test]
fn every_text_makes_an_e_mail_that_reads_back() {
    for reader in READERS {
        for (template, text) in all(NAME, reader) {
            let mail = Message {
                id: template.to_owned(),
                from: Party::named("먼저", "shop@example.com"),
                to: Party::new("kim@example.com"),
                reply_to: None,
                subject: text.subject.clone(),
                text: text.text.clone(),
                html: Some(text.html.clone()),
                headers: Vec::new(),
                at: 1_795_370_400_000,
            }
            .compose()
            .unwrap();
            let parsed = MessageParser::default().parse(mail.bytes()).unwrap();
            let read = |body: Option<std::borrow::Cow<'_, str>>| {
                body.unwrap().replace("\r\n", "\n").trim_end().to_owned()
            };
            assert_eq!(parsed.subject(), Some(text.subject.as_str()));
            assert_eq!(read(parsed.body_text(0)), text.text.trim_end());
            assert_eq!(read(parsed.body_html(0)), text.html.trim_end());
        }
    }
}

#[test]
fn a_link_is_an_address_of_a_page() {
    let check = |url: &str, expected: bool| assert_eq!(Link::new(url).is_ok(), expected, "{url}");
    check("https://shop.example/a?b=c#d", true);
    check("http://127.0.0.1:3000/", true);
    check("", false);
    check("https://", false);
    check("https:///x", false);
    check("javascript:alert(1)", false);
    check("https://shop.example/a b", false);
    check("https://shop.example/\r\nX: y", false);
    check("https://shop.example/한", false);
    check(&format!("https://shop.example/{}", "a".repeat(2048)), false);
}

#[test]
fn a_language_is_known_by_its_tag() {
    assert_eq!(Language::from_tag("ko-KR"), Some(Language::Korean));
    assert_eq!(Language::from_tag("EN"), Some(Language::English));
    assert_eq!(Language::from_tag("fr"), None);
    assert_eq!(Language::from_tag(""), None);
}
