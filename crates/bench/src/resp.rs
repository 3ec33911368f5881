//! The little of Redis' protocol (RESP2) that the comparison needs: a command as bytes, where a
//! reply ends, and one call at a time for preparing.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::error::{BenchError, io_error};
use crate::http::Answer;
use crate::template::Template;

const CALL_LIMIT: Duration = Duration::from_secs(30);

/// The status that stands for an error reply, which RESP marks with `-`.
pub const STATUS_ERROR: u16 = 500;
/// The status that stands for any other reply.
pub const STATUS_OK: u16 = 200;

/// A command as a template; its arguments may hold placeholders.
pub fn command(arguments: &[&str]) -> Template {
    let mut text = format!("*{}\r\n", arguments.len());
    for argument in arguments {
        let length = Template::parse(argument).rendered_len();
        text.push_str(&format!("${length}\r\n{argument}\r\n"));
    }
    Template::parse(&text)
}

/// Finds the end of one reply; arrays are not expected from any command that is measured.
pub fn parse(bytes: &[u8]) -> Answer {
    let Some(line_end) = memchr::memmem::find(bytes, b"\r\n") else {
        return Answer::Incomplete;
    };
    let line = &bytes[..line_end];
    let (body, status) = match line.first() {
        Some(b'+' | b':') => (1..line_end, STATUS_OK),
        Some(b'-') => (1..line_end, STATUS_ERROR),
        Some(b'$') => match std::str::from_utf8(&line[1..]).map(str::parse::<usize>) {
            Ok(Ok(length)) => (line_end + 2..line_end + 2 + length, STATUS_OK),
            _ => return Answer::Malformed("the length of a bulk string is not a number"),
        },
        _ => return Answer::Malformed("a reply of an unknown type"),
    };
    match bytes.len().cmp(&(body.end + 2)) {
        std::cmp::Ordering::Less => Answer::Incomplete,
        std::cmp::Ordering::Equal => Answer::Complete { status, body },
        std::cmp::Ordering::Greater => Answer::Malformed("bytes after the reply"),
    }
}

/// One command on a connection of its own, for what is not measured.
pub fn call(target: SocketAddr, arguments: &[&str]) -> Result<String, BenchError> {
    let name = arguments.first().copied().unwrap_or_default();
    let (status, body) = exchange(target, command(arguments).rendered())
        .map_err(io_error(format!("{name} on {target}")))?;
    if status == STATUS_OK {
        Ok(body)
    } else {
        Err(BenchError::Setup {
            call: name.to_owned(),
            status,
            body,
        })
    }
}

fn exchange(target: SocketAddr, request: &[u8]) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&target, CALL_LIMIT)?;
    stream.set_read_timeout(Some(CALL_LIMIT))?;
    stream.write_all(request)?;
    let mut received = Vec::new();
    let mut part = [0; 4096];
    loop {
        match stream.read(&mut part)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            count => received.extend_from_slice(&part[..count]),
        }
        match parse(&received) {
            Answer::Incomplete => {}
            Answer::Complete { status, body } => {
                let text = String::from_utf8_lossy(&received[body]).into_owned();
                return Ok((status, text));
            }
            Answer::Malformed(problem) => return Err(std::io::Error::other(problem)),
        }
    }
}
