//! Who asks, and by which names queues and topics go in the answers to them.
//!
//! Inside there is one name for a queue or topic, without an account and without a region.
//! ARNs and URLs carry the owner's account and the region that the client signs for; the host
//! of a URL is the one that the client used, so it works through a proxy.

use std::fmt::Write as _;

use axum::http::uri::Authority;
use axum::http::{HeaderMap, header};
use wire::aws::{Arn, QueueAddress, Service};

/// `arn:aws:...`: the partition of all names here.
const PARTITION: &str = "aws";
/// The segment that stands for the account in the URLs of older emulators.
const NO_ACCOUNT: &str = "queue";

/// What is known of a request besides what it asks for.
#[derive(Debug, Clone)]
pub struct Context {
    /// 12 digits: whose request it is.
    pub account: String,
    pub region: String,
    /// Scheme and host as the client used them, without a slash at the end.
    pub base_url: String,
    /// Who owns what was made without an account, such as the shop's own queues.
    pub default_account: String,
    /// Not signed, and no signature is needed: a confirmation, or the link to unsubscribe.
    pub is_anonymous: bool,
}

/// A queue or topic as an ARN or URL names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub account: String,
    pub name: String,
}

impl Context {
    /// The account that something with this owner belongs to.
    pub fn owner<'a>(&'a self, owner: Option<&'a str>) -> &'a str {
        owner.unwrap_or(&self.default_account)
    }

    /// What is stored as the owner of something that this account makes: nothing for the default
    /// account, so that it follows the setting.
    pub fn own(&self) -> Option<String> {
        (self.account != self.default_account).then(|| self.account.clone())
    }

    /// Whether something with this owner may be called by this account: by its owner's, and by
    /// the default one, which clients write who know no other.
    pub fn goes_by(&self, owner: Option<&str>, account: &str) -> bool {
        account == self.owner(owner) || account == self.default_account
    }

    pub fn is_owner(&self, owner: Option<&str>) -> bool {
        !self.is_anonymous && self.account == self.owner(owner)
    }

    pub fn queue_url(&self, owner: Option<&str>, name: &str) -> String {
        let address = QueueAddress {
            account: self.owner(owner).to_owned(),
            name: name.to_owned(),
        };
        address.url(&self.base_url)
    }

    pub fn queue_arn(&self, owner: Option<&str>, name: &str) -> String {
        self.arn(Service::Sqs, owner, name)
    }

    pub fn topic_arn(&self, owner: Option<&str>, name: &str) -> String {
        self.arn(Service::Sns, owner, name)
    }

    fn arn(&self, service: Service, owner: Option<&str>, resource: &str) -> String {
        let arn = Arn {
            partition: PARTITION,
            service: service.name(),
            region: &self.region,
            account: self.owner(owner),
            resource,
        };
        arn.to_string()
    }

    /// What a queue's URL, or only its path, names.
    pub fn queue_of_url(&self, url: &str) -> Option<Named> {
        let QueueAddress { account, name } = QueueAddress::parse(url)?;
        let account = if account == NO_ACCOUNT {
            self.default_account.clone()
        } else {
            account
        };
        Some(Named { account, name })
    }
}

impl Named {
    /// The queue of an ARN. The region is not looked at: there is one namespace for all.
    pub fn queue(arn: &str) -> Option<Self> {
        Self::of(Service::Sqs, arn)
    }

    /// The topic of an ARN, or of one of its subscriptions' (`...:topic:id`).
    pub fn topic(arn: &str) -> Option<Self> {
        let named = Self::of(Service::Sns, arn)?;
        let name = named.name.split(':').next()?.to_owned();
        Some(Self { name, ..named })
    }

    fn of(service: Service, arn: &str) -> Option<Self> {
        let arn = Arn::parse(arn).filter(|arn| arn.service == service.name())?;
        Some(Self {
            account: arn.account.to_owned(),
            name: arn.resource.to_owned(),
        })
    }
}

/// 12 digits.
pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What may stand in an ARN: anything else in a signature's scope is passed by.
pub fn is_region(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=32).contains(&text.len()) && text.bytes().all(plain)
}

/// Scheme and host as the client used them. What a proxy says of them is believed only when
/// the settings say so; a host that is none gives way to `listens`.
pub fn base_url(headers: &HeaderMap, trust_forwarded: bool, listens: &str) -> String {
    let forwarded = |name: &str| {
        let value = headers.get(name).filter(|_| trust_forwarded)?;
        // The first of several proxies is the one that the client spoke to.
        value.to_str().ok()?.split(',').next().map(str::trim)
    };
    let scheme = match forwarded("x-forwarded-proto") {
        Some(scheme) if scheme.eq_ignore_ascii_case("https") => "https",
        Some(_) | None => "http",
    };
    let named = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let host = forwarded("x-forwarded-host")
        .or(named)
        .filter(|host| is_host(host));
    format!("{scheme}://{}", host.unwrap_or(listens))
}

fn is_host(text: &str) -> bool {
    // Names and passwords have no place in a queue's URL.
    text.parse::<Authority>().is_ok() && !text.contains('@')
}

/// A UUID of 16 random bytes (RFC 9562, version 4).
pub fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> Context {
        Context {
            account: "111111111111".to_owned(),
            region: "eu-central-1".to_owned(),
            base_url: "http://localhost:9324".to_owned(),
            default_account: "000000000000".to_owned(),
            is_anonymous: false,
        }
    }

    fn named(account: &str, name: &str) -> Option<Named> {
        Some(Named {
            account: account.to_owned(),
            name: name.to_owned(),
        })
    }

    #[test]
    fn names_go_out_and_come_back() {
        let context = context();
        let url = context.queue_url(Some("111111111111"), "a.fifo");
        assert_eq!(url, "http://localhost:9324/111111111111/a.fifo");
        assert_eq!(context.queue_of_url(&url), named("111111111111", "a.fifo"));
        let arn = context.queue_arn(None, "a");
        assert_eq!(arn, "arn:aws:sqs:eu-central-1:000000000000:a");
        assert_eq!(Named::queue(&arn), named("000000000000", "a"));
        assert_eq!(Named::topic(&arn), None);
        let arn = context.topic_arn(None, "t");
        assert_eq!(Named::topic(&arn), named("000000000000", "t"));
        let subscription = format!("{arn}:0123");
        assert_eq!(Named::topic(&subscription), named("000000000000", "t"));
        assert_eq!(Named::queue(&arn), None);
        assert_eq!(
            context.queue_of_url("/queue/a"),
            named("000000000000", "a"),
            "as older emulators write it"
        );
    }

    #[test]
    fn a_queue_goes_by_its_owner_and_by_the_default_account() {
        let context = context();
        for (owner, account, expected) in [
            (None, "000000000000", true),
            (None, "111111111111", false),
            (Some("111111111111"), "111111111111", true),
            (Some("111111111111"), "000000000000", true),
            (Some("111111111111"), "222222222222", false),
        ] {
            assert_eq!(context.goes_by(owner, account), expected, "{owner:?}");
        }
        assert!(context.is_owner(Some("111111111111")));
        assert!(!context.is_owner(None));
    }

    #[test]
    fn a_url_has_the_host_that_the_client_used() {
        for (headers, trusted, expected) in [
            (&[("host", "sqs:9324")][..], false, "http://sqs:9324"),
            (&[("host", "[::1]:9324")], false, "http://[::1]:9324"),
            (&[("host", "a b")], false, "http://127.0.0.1:9"),
            (&[("host", "u:p@h")], false, "http://127.0.0.1:9"),
            (&[], false, "http://127.0.0.1:9"),
            (
                &[
                    ("host", "inner"),
                    ("x-forwarded-proto", "https"),
                    ("x-forwarded-host", "q.example"),
                ],
                false,
                "http://inner",
            ),
            (
                &[
                    ("host", "inner"),
                    ("x-forwarded-proto", "https"),
                    ("x-forwarded-host", "q.example, other"),
                ],
                true,
                "https://q.example",
            ),
            (
                &[("host", "inner"), ("x-forwarded-proto", "ftp")],
                true,
                "http://inner",
            ),
        ] {
            let headers: HeaderMap = headers
                .iter()
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
                .collect();
            let url = base_url(&headers, trusted, "127.0.0.1:9");
            assert_eq!(url, expected, "{headers:?}");
        }
    }

    #[test]
    fn a_request_id_is_a_uuid() {
        assert_eq!(uuid([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(uuid([0; 16]), "00000000-0000-4000-8000-000000000000");
    }
}
