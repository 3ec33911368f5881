//! Requests that a browser sends for somebody else's page.
//!
//! A browser sends what any page asks it to, with the password that an operator once typed, and it
//! reaches loopback as everybody on the machine does. It says where the page comes from, though. So:
//!
//! - what may change something is refused when it comes from a page of another origin. The rule is that
//!   of Go's `net/http.CrossOriginProtection`: `Sec-Fetch-Site` where a browser sends it, else `Origin`
//!   against `Host`; programs send neither, and pass;
//! - where everybody may do everything, since no credentials are set, the name that was called must be one
//!   that no stranger can give to this machine (DNS rebinding): a page from `shop.example` is of the same
//!   origin as this server as soon as its name points here.
//!
//! A page may look at nothing of another origin's answers in any case: no CORS header is ever sent.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, header};

use crate::config::Config;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Nobody can have these names in the public DNS: RFC 6761, RFC 6762, RFC 8375, and `.internal`, which
/// ICANN keeps for this (2024).
const PRIVATE_SUFFIXES: [&str; 5] = [".localhost", ".local", ".test", ".home.arpa", ".internal"];

/// Who is let in.
#[derive(Debug, Clone)]
pub struct Doors {
    /// Host and port by which the world knows this server, if that is set.
    public: Option<String>,
    /// No credentials are set.
    is_open: bool,
}

/// Who is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Foreign {
    /// A page of another origin asks.
    Page,
    /// This server was called by a name that is not its own.
    Name(String),
}

impl Doors {
    pub fn of_the_shop(config: &Config) -> Self {
        let is_open = config.auth.operator_token.is_none();
        Self::new(config.public_url.as_deref(), is_open)
    }

    /// Of the listener for AWS SDKs.
    pub fn of_queues(config: &Config) -> Self {
        Self::new(config.public_url.as_deref(), config.aws.keys.is_empty())
    }

    fn new(public_url: Option<&str>, is_open: bool) -> Self {
        Self {
            public: public_url.and_then(authority).map(str::to_ascii_lowercase),
            is_open,
        }
    }

    /// `may_change`: whether the request may do more than look.
    pub fn check(&self, may_change: bool, headers: &HeaderMap) -> Result<(), Foreign> {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let host = text(header::HOST);
        if self.is_open
            && let Some(host) = host
            && !self.is_own(host)
        {
            return Err(Foreign::Name(host.to_owned()));
        }
        if !may_change {
            return Ok(());
        }
        let origin = text(header::ORIGIN);
        let is_same = match (text(SEC_FETCH_SITE), origin) {
            (Some("same-origin" | "none"), _) | (None, None) => true,
            // A proxy may have changed `Host`.
            (Some(_), Some(origin)) => self.is_public(authority(origin)),
            (Some(_), None) => false,
            (None, Some(origin)) => {
                let page = authority(origin);
                self.is_public(page) || same(page, host)
            }
        };
        // A header that is no text says something all the same.
        let is_text = origin.is_some() || !headers.contains_key(header::ORIGIN);
        if is_same && is_text {
            Ok(())
        } else {
            Err(Foreign::Page)
        }
    }

    fn is_public(&self, page: Option<&str>) -> bool {
        same(page, self.public.as_deref())
    }

    fn is_own(&self, host: &str) -> bool {
        if self.is_public(Some(host)) || host.starts_with('[') {
            return true;
        }
        let name = without_port(host).trim_end_matches('.');
        let ends_with = |suffix: &&str| {
            let rest = name.len().checked_sub(suffix.len());
            rest.and_then(|rest| name.get(rest..))
                .is_some_and(|end| end.eq_ignore_ascii_case(suffix))
        };
        // Nearly always one of these.
        let is_usual = matches!(name, "127.0.0.1" | "localhost");
        is_usual
            || name.parse::<IpAddr>().is_ok()
            || !name.contains('.')
            || PRIVATE_SUFFIXES.iter().any(ends_with)
            || same(Some(name), self.public.as_deref().map(without_port))
    }
}

fn without_port(host: &str) -> &str {
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

fn same(one: Option<&str>, other: Option<&str>) -> bool {
    matches!((one, other), (Some(one), Some(other)) if one.eq_ignore_ascii_case(other))
}

/// Host and port of an origin or a URL.
fn authority(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let is_web = ["http", "https"].contains(&scheme);
    is_web.then(|| rest.split(['/', '?', '#']).next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(of: &[(HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in of {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            headers.insert(name.clone(), value);
        }
        headers
    }

    #[test]
    fn a_page_of_another_origin_changes_nothing() {
        use header::{HOST, ORIGIN};
        let here = (HOST, "127.0.0.1:3000");
        let doors = Doors::new(Some("https://shop.example/"), false);
        for (sent, passes) in [
            // Programs.
            (vec![], true),
            (vec![here.clone()], true),
            // Its own pages.
            (vec![here.clone(), (SEC_FETCH_SITE, "same-origin")], true),
            (vec![here.clone(), (SEC_FETCH_SITE, "none")], true),
            (vec![here.clone(), (ORIGIN, "http://127.0.0.1:3000")], true),
            (vec![(HOST, "Shop"), (ORIGIN, "http://shop")], true),
            // Behind a proxy that does not tell its name.
            (
                vec![
                    here.clone(),
                    (SEC_FETCH_SITE, "same-origin"),
                    (ORIGIN, "https://other.example"),
                ],
                true,
            ),
            (vec![here.clone(), (ORIGIN, "https://shop.example")], true),
            (
                vec![
                    here.clone(),
                    (SEC_FETCH_SITE, "same-site"),
                    (ORIGIN, "https://SHOP.example"),
                ],
                true,
            ),
            // Others.
            (vec![here.clone(), (SEC_FETCH_SITE, "cross-site")], false),
            (vec![here.clone(), (SEC_FETCH_SITE, "same-site")], false),
            (vec![here.clone(), (SEC_FETCH_SITE, "")], false),
            (vec![here.clone(), (ORIGIN, "http://evil.example")], false),
            (vec![here.clone(), (ORIGIN, "http://127.0.0.1:3001")], false),
            (vec![here.clone(), (ORIGIN, "null")], false),
            (vec![here.clone(), (ORIGIN, "\u{e9}")], false),
            (vec![(ORIGIN, "http://evil.example")], false),
            (
                vec![
                    here.clone(),
                    (SEC_FETCH_SITE, "cross-site"),
                    (ORIGIN, "http://127.0.0.1:3000"),
                ],
                false,
            ),
        ] {
            let sent = headers(&sent);
            let expected = if passes { Ok(()) } else { Err(Foreign::Page) };
            assert_eq!(doors.check(true, &sent), expected, "{sent:?}");
            assert_eq!(doors.check(false, &sent), Ok(()), "{sent:?}");
        }
    }

    #[test]
    fn where_everybody_may_do_everything_only_names_of_its_own_are_heard() {
        let open = Doors::new(Some("https://shop.example:8443"), true);
        let closed = Doors::new(None, false);
        for (host, own) in [
            ("127.0.0.1:3000", true),
            ("[::1]:3000", true),
            ("localhost:3000", true),
            ("LocalHost.", true),
            ("sqs.localhost:9324", true),
            ("firstcome:9324", true),
            ("host.docker.internal:3000", true),
            ("shop.example:8443", true),
            ("shop.example", true),
            ("evil.example:3000", false),
            ("evil.example.", false),
            ("127.0.0.1.evil.example", false),
            ("localhost.evil.example:3000", false),
            ("notlocalhost.example", false),
        ] {
            let sent = headers(&[(header::HOST, host)]);
            for may_change in [false, true] {
                let expected = if own {
                    Ok(())
                } else {
                    Err(Foreign::Name(host.to_owned()))
                };
                assert_eq!(open.check(may_change, &sent), expected, "{host}");
                assert_eq!(closed.check(may_change, &sent), Ok(()), "{host}");
            }
        }
    }
}
