//! Just enough of HTTP to take a recorded request apart.

use wire::aws::sigv4::HttpRequest;

pub(crate) struct Recorded<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) headers: Vec<(&'a str, &'a [u8])>,
    pub(crate) body: &'a [u8],
}

impl<'a> Recorded<'a> {
    /// Lines end in `\r\n`, or in `\n` as in the published suite.
    pub(crate) fn parse(raw: &'a [u8]) -> Self {
        let crlf = raw.windows(4).position(|window| window == b"\r\n\r\n");
        let lf = raw.windows(2).position(|window| window == b"\n\n");
        let (head, body) = match (crlf, lf) {
            (Some(at), _) => (&raw[..at], &raw[at + 4..]),
            (None, Some(at)) => (&raw[..at], &raw[at + 2..]),
            (None, None) => (raw, &raw[raw.len()..]),
        };
        let head = std::str::from_utf8(head).expect("recorded heads are text");
        let mut lines = head.lines();
        let mut first = lines.next().unwrap().split(' ');
        let method = first.next().unwrap();
        let target = first.next().unwrap();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let headers = lines
            .map(|line| {
                let (name, value) = line.split_once(':').expect("a header has a colon");
                (name, value.as_bytes())
            })
            .collect();
        Self {
            method,
            path,
            query,
            headers,
            body,
        }
    }

    pub(crate) fn request(&self) -> HttpRequest<'_> {
        HttpRequest {
            method: self.method,
            path: self.path,
            query: self.query,
            headers: &self.headers,
            body: self.body,
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let (_, value) = headers.find(|(other, _)| other.eq_ignore_ascii_case(name))?;
        Some(std::str::from_utf8(value).unwrap().trim())
    }
}
