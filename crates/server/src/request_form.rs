//! What HTTP itself asks of a request, before anybody looks at what it is about (RFC 9110, RFC 9112).

use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Request, Version, header};
use wire::Code;

use crate::http::error::{HttpError, HttpResult};

/// The most the header of a request may have, in bytes: the target, names and values, with a colon, a
/// space and a line end for each.
pub(crate) const HEADER_BYTES_MAX: usize = 64 * 1024;
const EACH_BYTES: usize = 4;

/// A target that names a host is asked for at that host, whatever `Host` says (RFC 9112, 3.2.2).
pub(crate) fn name_host<B>(request: &mut Request<B>) {
    let Some(authority) = request.uri().authority() else {
        return;
    };
    // None or two are refused, whatever the target says.
    let hosts = request.headers().get_all(header::HOST).iter().count();
    if let Ok(named) = HeaderValue::from_str(authority.as_str())
        && hosts == 1
    {
        request.headers_mut().insert(header::HOST, named);
    }
}

pub(crate) fn check<B>(request: &Request<B>) -> HttpResult<()> {
    let headers = request.headers();
    check_host(headers, request.version())?;
    check_size(request)?;
    check_coding(headers)
}

fn check_host(headers: &HeaderMap, version: Version) -> HttpResult<()> {
    match wrong_host(version, headers) {
        Some(wrong) => Err(HttpError::at(Code::InvalidHeader, "Host", wrong)),
        None => Ok(()),
    }
}

/// HTTP/1.1 has one `Host`, also where the target names a host itself (RFC 9112, 3.2). What is
/// wrong with that of a request, if anything is.
pub(crate) fn wrong_host(version: Version, headers: &HeaderMap) -> Option<&'static str> {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if version < Version::HTTP_11 => None,
        (None, _) => Some("it is missing"),
        (Some(_), Some(_)) => Some("it is given twice"),
        (Some(host), None) if is_host(host.as_bytes()) => None,
        (Some(_), None) => Some("it must be a host, perhaps with a port"),
    }
}

/// `uri-host [ ":" port ]`; empty where there is none to be named (RFC 9110, 7.2).
fn is_host(value: &[u8]) -> bool {
    // A name or an IPv4 address, perhaps with a port, as nearly all are: nothing is to be decoded.
    let name = value.iter().position(|byte| *byte == b':');
    let (name, port) = value.split_at(name.unwrap_or(value.len()));
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    let is_port = port.is_empty()
        || (2..=6).contains(&port.len()) && port[1..].iter().all(u8::is_ascii_digit);
    let has_name = !name.is_empty() || port.is_empty();
    if is_port && has_name && name.iter().all(is_plain) {
        return true;
    }
    !value.contains(&b'@') && Authority::try_from(value).is_ok()
}

fn check_size<B>(request: &Request<B>) -> HttpResult<()> {
    let target = request.uri().path_and_query();
    let target = target.map_or(0, |target| target.as_str().len());
    let lines = request.headers().iter();
    let lines = lines.map(|(name, value)| name.as_str().len() + value.len() + EACH_BYTES);
    if target + lines.sum::<usize>() <= HEADER_BYTES_MAX {
        return Ok(());
    }
    Err(HttpError::new(
        Code::HeaderTooLarge,
        format!("the header of a request may have {HEADER_BYTES_MAX} bytes"),
    ))
}

/// Only `chunked` is known, once (RFC 9112, 6.1): what is compressed under it would be read as it is.
fn check_coding(headers: &HeaderMap) -> HttpResult<()> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let is_known = match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => coding.as_bytes().eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    };
    if is_known {
        return Ok(());
    }
    Err(HttpError::at(
        Code::UnsupportedMediaType,
        "Transfer-Encoding",
        "the only transfer coding is chunked",
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request(target: &str, headers: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::get(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    #[test]
    fn a_target_s_own_host_counts() {
        for (target, host, expected) in [
            ("/products", "127.0.0.1:3000", "127.0.0.1:3000"),
            ("http://evil.example/", "127.0.0.1:3000", "evil.example"),
            ("http://127.0.0.1:3000/", "evil.example", "127.0.0.1:3000"),
        ] {
            let mut request = request(target, &[("host", host)]);
            name_host(&mut request);
            assert_eq!(request.headers()["host"], expected, "{target}");
        }
    }

    proptest! {
        #[test]
        fn a_host_is_one_for_the_library_too(host in "[a-z0-9.:@/ %-]{1,9}") {
            let is_one = !host.contains('@') && host.parse::<Authority>().is_ok();
            prop_assert_eq!(is_host(host.as_bytes()), is_one);
        }
    }

    #[test]
    fn two_hosts_stay_two() {
        let mut request = request("http://a/", &[("host", "a"), ("host", "b")]);
        name_host(&mut request);
        assert!(check(&request).is_err());
    }

    #[test]
    fn what_http_does_not_allow_is_refused() {
        let long = "x".repeat(HEADER_BYTES_MAX);
        for (headers, expected) in [
            (&[("host", "127.0.0.1:3000")][..], None),
            (&[("host", "[::1]:3000")], None),
            (&[("host", "shop.example")], None),
            (&[("host", "")], None),
            (&[], Some(Code::InvalidHeader)),
            (&[("host", "a"), ("host", "a")], Some(Code::InvalidHeader)),
            (&[("host", "a b")], Some(Code::InvalidHeader)),
            (&[("host", "a/b")], Some(Code::InvalidHeader)),
            (&[("host", "me@a")], Some(Code::InvalidHeader)),
            (&[("host", "a"), ("transfer-encoding", "Chunked")], None),
            (
                &[("host", "a"), ("transfer-encoding", "gzip, chunked")],
                Some(Code::UnsupportedMediaType),
            ),
            (
                &[
                    ("host", "a"),
                    ("transfer-encoding", "chunked"),
                    ("transfer-encoding", "chunked"),
                ],
                Some(Code::UnsupportedMediaType),
            ),
            (&[("host", "a"), ("x", &long[60..])], None),
            (
                &[("host", "a"), ("x", &long[..])],
                Some(Code::HeaderTooLarge),
            ),
        ] {
            let refused = check(&request("/", headers)).err();
            assert_eq!(refused.map(|error| error.0.code), expected);
        }
    }
}
