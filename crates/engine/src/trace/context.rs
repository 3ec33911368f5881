//! W3C Trace Context (<https://www.w3.org/TR/trace-context/>): the two texts in which a trace
//! travels, in headers of HTTP and in attributes of messages.
//!
//! ```text
//! traceparent   00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
//!               version   trace                        parent's span    flags
//! ```

use std::fmt;
use std::sync::Arc;

/// The name of the header and of the message attribute.
pub const TRACEPARENT: &str = "traceparent";
/// What vendors add: passed on as it is.
pub const TRACESTATE: &str = "tracestate";

/// Members and bytes of a `tracestate` that is passed on; a longer one is dropped (3.3.1.3 and
/// 3.3.1.5: at most 32 members, and 512 bytes must be passed on).
const STATE_MEMBERS_MAX: usize = 32;
const STATE_BYTES_MAX: usize = 512;

/// A `traceparent` of version 00, in bytes.
const LENGTH: usize = 55;
const SAMPLED: u8 = 1;
/// Sampled, and that the trace's id is random (level 2); other bits are not for us.
const KNOWN_FLAGS: u8 = 0b11;

/// A span in a trace: whose id, and whether it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    pub trace: [u8; 16],
    pub span: [u8; 8],
    pub flags: u8,
    /// What came as `tracestate`, if it was short enough.
    pub state: Option<Arc<str>>,
}

impl TraceContext {
    /// None when it is not one that may be continued: a new trace is begun then (3.2.2, 4.2).
    pub fn parse(parent: &str, state: Option<&str>) -> Option<Self> {
        let bytes = parent.as_bytes();
        let version = hex(bytes.get(..2)?)?;
        if version == 0xff {
            return None;
        }
        // A later version may have more, after a hyphen.
        let ends = match bytes.get(LENGTH) {
            None => bytes.len() == LENGTH,
            Some(next) => version != 0 && *next == b'-',
        };
        let hyphens = [2, 35, 52].iter().all(|at| bytes.get(*at) == Some(&b'-'));
        if !ends || !hyphens {
            return None;
        }
        let mut context = Self {
            trace: [0; 16],
            span: [0; 8],
            flags: hex(&bytes[53..55])? & KNOWN_FLAGS,
            state: state.and_then(short_state),
        };
        read(&bytes[3..35], &mut context.trace)?;
        read(&bytes[36..52], &mut context.span)?;
        (context.trace != [0; 16] && context.span != [0; 8]).then_some(context)
    }

    /// Whether whoever began it records it.
    pub fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    pub fn traceparent(&self) -> String {
        self.to_string()
    }
}

/// As `traceparent` says it.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("00-")?;
        for byte in self.trace {
            write!(f, "{byte:02x}")?;
        }
        f.write_str("-")?;
        for byte in self.span {
            write!(f, "{byte:02x}")?;
        }
        write!(f, "-{:02x}", self.flags)
    }
}

fn short_state(state: &str) -> Option<Arc<str>> {
    let is_plain = state.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    let is_short = state.len() <= STATE_BYTES_MAX && state.split(',').count() <= STATE_MEMBERS_MAX;
    (is_plain && is_short && !state.trim().is_empty()).then(|| state.trim().into())
}

/// Two digits; capitals are none (3.2.2.1).
fn hex(pair: &[u8]) -> Option<u8> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    }
}

fn read(text: &[u8], into: &mut [u8]) -> Option<()> {
    for (pair, byte) in text.chunks(2).zip(into) {
        *byte = hex(pair)?;
    }
    Some(())
}
