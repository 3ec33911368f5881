//! To operations: one alert for a cause, with how often, and one when it is over.

use commerce::Millis;

use super::money::count;
use super::page::{Link, Page, one_line};
use super::times::moment;
use super::{Language, Reader, Text};

/// What went wrong, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertCause<'a> {
    /// Messages could not be processed and lie in a dead-letter queue.
    DeadLetters { queue: &'a str },
    /// A consumer has work and does none.
    ConsumerStandsStill { consumer: &'a str },
    /// A factory refuses, or cannot be reached.
    FactoryFails { factory: &'a str },
    /// The head of a product's line waits longer than it should.
    LineWaits { product: &'a str },
    /// An endpoint did not take webhooks for so long that it gets no more.
    WebhookDisabled { endpoint: &'a str },
    /// The sale's store ends before what this database knows of it.
    StoreIsOlder { database: &'a str },
    /// A file of the store was removed or replaced while it is written.
    StoreFileGone { file: &'a str },
}

#[derive(Debug, Clone, Copy)]
pub struct Alert<'a> {
    pub cause: AlertCause<'a>,
    /// How often since then: messages, failures, orders that wait.
    pub count: u64,
    pub since: Millis,
    /// When it was over, if it is.
    pub resolved_at: Option<Millis>,
    pub link: Option<&'a Link>,
}

impl AlertCause<'_> {
    fn sentence(self, language: Language) -> String {
        let (name, english, korean) = match self {
            Self::DeadLetters { queue } => (
                queue,
                "messages could not be processed and lie in the dead-letter queue",
                "처리하지 못한 메시지가 데드레터 큐에 쌓였어요",
            ),
            Self::ConsumerStandsStill { consumer } => (
                consumer,
                "a consumer has work and stands still",
                "컨슈머가 할 일이 있는데 멈춰 있어요",
            ),
            Self::FactoryFails { factory } => (
                factory,
                "a factory refuses or cannot be reached",
                "공장이 요청을 거절하거나 연결되지 않아요",
            ),
            Self::LineWaits { product } => (
                product,
                "orders wait in line longer than they should",
                "대기 주문이 기준보다 오래 기다리고 있어요",
            ),
            Self::WebhookDisabled { endpoint } => (
                endpoint,
                "an endpoint took no webhooks for too long and was disabled",
                "웹훅을 오랫동안 받지 못한 수신 주소를 중지했어요",
            ),
            Self::StoreIsOlder { database } => (
                database,
                "the store is older than this database, and new orders get no points, parcels and e-mails",
                "저장소가 이 데이터베이스보다 오래되어 새 주문에 포인트, 배송, 이메일이 빠져요",
            ),
            Self::StoreFileGone { file } => (
                file,
                "a file of the store was removed or replaced while the server writes it",
                "서버가 쓰고 있는 저장소 파일이 삭제되거나 바뀌었어요",
            ),
        };
        format!("{}: {}", one_line(name), language.choose(english, korean))
    }
}

impl Alert<'_> {
    pub fn write(&self, reader: Reader) -> Text {
        let language = reader.language;
        let sentence = self.cause.sentence(language);
        let (heading, mark) = match self.resolved_at {
            None => (
                language.choose("Something needs attention", "확인이 필요해요"),
                language.choose("[Alert]", "[경보]"),
            ),
            Some(_) => (
                language.choose("It is over", "해결됐어요"),
                language.choose("[Resolved]", "[해결]"),
            ),
        };
        let mut facts = vec![
            (language.choose("Count", "횟수"), count(self.count)),
            (language.choose("Since", "시작"), moment(self.since, reader)),
        ];
        if let Some(resolved_at) = self.resolved_at {
            facts.push((
                language.choose("Resolved", "해결"),
                moment(resolved_at, reader),
            ));
        }
        Page {
            language,
            subject: format!("{mark} {sentence}"),
            heading,
            lead: format!("{sentence}."),
            facts,
            closing: match self.resolved_at {
                None => Some(language.choose(
                    "There is one e-mail for each cause, and another when it is over.",
                    "원인마다 한 번만 알려 드리고, 해결되면 다시 알려 드려요.",
                )),
                Some(_) => None,
            },
            link: self.link.map(|link| {
                let label = language.choose("See operations", "운영 화면 보기");
                (label, link)
            }),
        }
        .into_text()
    }
}
