//! The names of queues and topics: ARNs and queue URLs.

use std::fmt;

use super::form::percent_decode;

/// `arn:aws:sqs:us-east-1:000000000000:name`; the resource may have colons of its own, as a
/// subscription's has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Arn<'a> {
    pub partition: &'a str,
    pub service: &'a str,
    pub region: &'a str,
    pub account: &'a str,
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        if parts.next() != Some("arn") {
            return None;
        }
        let arn = Self {
            partition: parts.next()?,
            service: parts.next()?,
            region: parts.next()?,
            account: parts.next()?,
            resource: parts.next()?,
        };
        let complete = !arn.partition.is_empty()
            && !arn.service.is_empty()
            && !arn.region.is_empty()
            && !arn.resource.is_empty();
        complete.then_some(arn)
    }
}

impl fmt::Display for Arn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            partition,
            service,
            region,
            account,
            resource,
        } = self;
        write!(f, "arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}

/// What a queue's URL says: the last two segments of its path.
///
/// The host is not looked at. A client behind a proxy, in a container or with a URL of last
/// year names the same queue.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct QueueAddress {
    pub account: String,
    pub name: String,
}

impl QueueAddress {
    /// Reads a URL or only its path.
    pub fn parse(url: &str) -> Option<Self> {
        let path = match url.split_once("://") {
            Some((_, rest)) => rest.split_once('/')?.1,
            None => url.strip_prefix('/')?,
        };
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let mut segments = path.trim_end_matches('/').rsplit('/');
        let name = segments.next().filter(|name| !name.is_empty())?;
        let account = segments.next().filter(|account| !account.is_empty())?;
        let decode =
            |segment: &str| String::from_utf8(percent_decode(segment.as_bytes(), false)?).ok();
        Some(Self {
            account: decode(account)?,
            name: decode(name)?,
        })
    }

    /// The URL of a queue on the host the client used, `http://localhost:9324`.
    pub fn url(&self, base: &str) -> String {
        format!(
            "{}/{}/{}",
            base.trim_end_matches('/'),
            self.account,
            self.name
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_has_six_parts() {
        let text = "arn:aws:sns:us-east-1:000000000000:topic:8f2a";
        let arn = Arn::parse(text).unwrap();
        assert_eq!(arn.resource, "topic:8f2a");
        assert_eq!(arn.to_string(), text);
        for text in [
            "",
            "arn",
            "arn:aws:sqs:us-east-1:0",
            "arn:aws:sqs:us-east-1:0:",
            "urn:aws:sqs:r:0:q",
        ] {
            assert_eq!(Arn::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_queue_is_named_by_the_end_of_its_path() {
        for (url, expected) in [
            (
                "http://localhost:9324/000000000000/orders.fifo",
                Some(("000000000000", "orders.fifo")),
            ),
            (
                "https://sqs.us-east-1.amazonaws.com/123456789012/q/",
                Some(("123456789012", "q")),
            ),
            ("http://host/prefix/queue/q?x=1", Some(("queue", "q"))),
            ("/000000000000/a%2Db", Some(("000000000000", "a-b"))),
            ("q", None),
            ("", None),
            ("/", None),
            ("http://host/q", None),
            ("http://host", None),
            ("/a/%", None),
        ] {
            let address = QueueAddress::parse(url);
            let pair = address
                .as_ref()
                .map(|a| (a.account.as_str(), a.name.as_str()));
            assert_eq!(pair, expected, "{url}");
        }
        let address = QueueAddress::parse("/0/q").unwrap();
        assert_eq!(address.url("http://h:1/"), "http://h:1/0/q");
    }
}
