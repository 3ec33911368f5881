//! The little of HTTP/1.1 (RFC 9112) that a load generator needs: a request as bytes, where an
//! answer ends, and one call at a time for preparing a system.
//!
//! An answer must carry `Content-Length`; chunked ones are reported as malformed, since no
//! route that is measured sends them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::time::Duration;

use crate::error::{BenchError, io_error};
use crate::template::Template;

/// How long one call that prepares or checks a system may take.
const CALL_LIMIT: Duration = Duration::from_secs(30);

/// The most that is read of one answer, in bytes.
const ANSWER_BYTES_MAX: u64 = 4 << 20;

/// What is at the front of the bytes received so far.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    Incomplete,
    /// `status` is 0 where the protocol has none.
    Complete {
        status: u16,
        body: Range<usize>,
    },
    Malformed(&'static str),
}

/// A request as a template; the placeholders may stand in the path, a header or the body.
pub fn request(
    method: &str,
    path: &str,
    host: SocketAddr,
    headers: &[(&str, &str)],
    body: &str,
) -> Template {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    let body_len = Template::parse(body).rendered_len();
    text.push_str(&format!("Content-Length: {body_len}\r\n\r\n{body}"));
    Template::parse(&text)
}

/// Finds the end of one answer.
pub fn parse(bytes: &[u8]) -> Answer {
    let mut lines = memchr::memchr_iter(b'\n', bytes);
    let Some(first_end) = lines.next() else {
        return Answer::Incomplete;
    };
    let Some(status) = parse_status(&bytes[..first_end]) else {
        return Answer::Malformed("the status line is not one of HTTP/1.x");
    };
    let mut content_length = None;
    let mut start = first_end + 1;
    for end in lines {
        let line = bytes[start..end].trim_ascii_end();
        start = end + 1;
        if line.is_empty() {
            return match content_length {
                None => Answer::Malformed("no Content-Length"),
                Some(length) if bytes.len() - start < length => Answer::Incomplete,
                Some(length) if bytes.len() - start > length => {
                    Answer::Malformed("bytes after the answer")
                }
                Some(length) => Answer::Complete {
                    status,
                    body: start..start + length,
                },
            };
        }
        if let Some(value) = content_length_value(line) {
            match std::str::from_utf8(value).map(str::parse) {
                Ok(Ok(length)) => content_length = Some(length),
                _ => return Answer::Malformed("Content-Length is not a number"),
            }
        }
    }
    Answer::Incomplete
}

fn parse_status(line: &[u8]) -> Option<u16> {
    let digits = line.strip_prefix(b"HTTP/1.")?.get(2..5)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn content_length_value(line: &[u8]) -> Option<&[u8]> {
    const NAME: &[u8] = b"content-length:";
    let (name, value) = line.split_at_checked(NAME.len())?;
    name.eq_ignore_ascii_case(NAME).then(|| value.trim_ascii())
}

/// One call on a connection of its own, for what is not measured.
pub fn call(
    target: SocketAddr,
    method: &str,
    path: &str,
    body: &str,
) -> Result<(u16, String), BenchError> {
    let json: &[(&str, &str)] = &[("Content-Type", "application/json")];
    let headers = if body.is_empty() { &[] } else { json };
    call_with(target, method, path, headers, body)
}

/// The same with headers of its own.
pub fn call_with(
    target: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<(u16, String), BenchError> {
    let mut headers = headers.to_vec();
    headers.push(("Connection", "close"));
    let request = request(method, path, target, &headers, body);
    let received = exchange(target, request.rendered())
        .map_err(io_error(format!("{method} {path} on {target}")))?;
    match parse(&received) {
        Answer::Complete { status, body } => Ok((
            status,
            String::from_utf8_lossy(&received[body]).into_owned(),
        )),
        Answer::Incomplete | Answer::Malformed(_) => Err(BenchError::Answer {
            call: format!("{method} {path}"),
            body: String::from_utf8_lossy(&received).into_owned(),
        }),
    }
}

fn exchange(target: SocketAddr, request: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&target, CALL_LIMIT)?;
    stream.set_read_timeout(Some(CALL_LIMIT))?;
    stream.set_nodelay(true)?;
    stream.write_all(request)?;
    let mut received = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut received)?;
    Ok(received)
}
