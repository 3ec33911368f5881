//! Requests that differ from each other in a few digits.
//!
//! A request is rendered once; what changes from one to the next has a fixed width and is
//! overwritten in place. That keeps the generator's own cost far below the server's, and every
//! request of a run the same length.
//!
//! | placeholder | width | value |
//! |---|---|---|
//! | `{conn}` | 5 | the connection, from 0 |
//! | `{n}` | 9 | the request's number on its connection, from 0 |
//! | `{number}` | 10 | 1,000,000,000 and the request's number in the run: a JSON number that only rises |
//! | `{group}` | 2 | the last two digits of the request's number in the run |
//! | `{pick}` | 30 | one of the texts that were prepared, in turn |
//! | `{key}` | 36 | unique over all runs, in the shape of a UUID |
//!
//! Any other brace is sent as it is, since bodies are JSON.

use std::sync::Arc;

/// The largest number of requests in a run, so that no number outgrows its width.
pub const REQUESTS_MAX: u64 = 1_000_000_000;

const NUMBER_BASE: u64 = 1_000_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Placeholder {
    Connection,
    Count,
    Number,
    Group,
    Pick,
    Key,
}

impl Placeholder {
    const ALL: [Self; 6] = [
        Self::Connection,
        Self::Count,
        Self::Number,
        Self::Group,
        Self::Pick,
        Self::Key,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Connection => "{conn}",
            Self::Count => "{n}",
            Self::Number => "{number}",
            Self::Group => "{group}",
            Self::Pick => "{pick}",
            Self::Key => "{key}",
        }
    }

    fn blank(self) -> &'static str {
        match self {
            Self::Connection => "00000",
            Self::Count => "000000000",
            Self::Number => "1000000000",
            Self::Group => "00",
            Self::Pick => "------------------------------",
            Self::Key => "00000000-0000-0000-0000-000000000000",
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    at: usize,
    placeholder: Placeholder,
}

/// What tells one request of a run from every other.
#[derive(Clone, Copy, Debug)]
pub struct Numbers {
    /// Random bits of the run, so that keys of two runs on one store differ.
    pub run: u64,
    pub connection: u64,
    /// The request's number on its connection.
    pub count: u64,
    /// The request's number in the run.
    pub number: u64,
}

#[derive(Clone, Debug)]
pub struct Template {
    bytes: Vec<u8>,
    slots: Vec<Slot>,
    picks: Arc<[String]>,
}

impl Template {
    pub fn parse(text: &str) -> Self {
        let mut template = Self {
            bytes: Vec::with_capacity(text.len() + 64),
            slots: Vec::new(),
            picks: Arc::new([]),
        };
        let mut rest = text;
        while let Some(brace) = rest.find('{') {
            let (before, from_brace) = rest.split_at(brace);
            template.bytes.extend_from_slice(before.as_bytes());
            let found = Placeholder::ALL
                .into_iter()
                .find(|placeholder| from_brace.starts_with(placeholder.name()));
            let taken = if let Some(placeholder) = found {
                template.slots.push(Slot {
                    at: template.bytes.len(),
                    placeholder,
                });
                template
                    .bytes
                    .extend_from_slice(placeholder.blank().as_bytes());
                placeholder.name().len()
            } else {
                template.bytes.push(b'{');
                1
            };
            rest = &from_brace[taken..];
        }
        template.bytes.extend_from_slice(rest.as_bytes());
        template
    }

    /// What stands for `{pick}`.
    ///
    /// # Panics
    /// When one of them has not the width that is kept for it.
    #[must_use]
    pub fn with_picks(mut self, picks: Vec<String>) -> Self {
        let width = Placeholder::Pick.blank().len();
        assert!(
            picks.iter().all(|pick| pick.len() == width),
            "a pick has {width} bytes"
        );
        self.picks = picks.into();
        self
    }

    /// The length of every request made from it, in bytes.
    pub fn rendered_len(&self) -> usize {
        self.bytes.len()
    }

    /// Writes the numbers into their places and returns the request.
    pub fn render(&mut self, numbers: &Numbers) -> &[u8] {
        for slot in &self.slots {
            let end = slot.at + slot.placeholder.blank().len();
            let field = &mut self.bytes[slot.at..end];
            match slot.placeholder {
                Placeholder::Connection => write_digits(field, numbers.connection),
                Placeholder::Count => write_digits(field, numbers.count),
                Placeholder::Number => write_digits(field, NUMBER_BASE + numbers.number),
                Placeholder::Group => write_digits(field, numbers.number),
                Placeholder::Pick => {
                    if let Some(at) = numbers.number.checked_rem(self.picks.len() as u64) {
                        let at = usize::try_from(at).expect("below a length");
                        field.copy_from_slice(self.picks[at].as_bytes());
                    }
                }
                Placeholder::Key => write_key(field, numbers),
            }
        }
        &self.bytes
    }

    /// The request as it was rendered last.
    pub fn rendered(&self) -> &[u8] {
        &self.bytes
    }
}

fn write_digits(field: &mut [u8], mut value: u64) {
    for digit in field.iter_mut().rev() {
        *digit = DIGITS[usize::from(u8::try_from(value % 10).expect("below 10"))];
        value /= 10;
    }
}

/// `rrrrrrrr-rrrr-rrrr-cccc-nnnnnnnnnnnn`: the run, the connection, the count.
fn write_key(field: &mut [u8], numbers: &Numbers) {
    write_hex(&mut field[0..8], numbers.run >> 32);
    write_hex(&mut field[9..13], numbers.run >> 16);
    write_hex(&mut field[14..18], numbers.run);
    write_hex(&mut field[19..23], numbers.connection);
    write_hex(&mut field[24..36], numbers.count);
}

fn write_hex(field: &mut [u8], mut value: u64) {
    for digit in field.iter_mut().rev() {
        *digit = DIGITS[usize::from(u8::try_from(value & 15).expect("below 16"))];
        value >>= 4;
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";
