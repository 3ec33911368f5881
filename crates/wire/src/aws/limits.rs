//! Every bound of the codecs. What queues and topics allow is less and not known here; these
//! bounds only keep one request from costing more memory than it should.

/// A message and a batch may have 1 MiB, attributes included.
const MESSAGE_BYTES_MAX: usize = 1_048_576;
/// Names, headers of the form and everything that is not a message.
const REQUEST_OVERHEAD_BYTES_MAX: usize = 131_072;
/// The body of a request. On the wire a message grows: percent encoding makes three bytes of
/// one, and JSON restricted to ASCII (Python) six of two.
pub const REQUEST_BYTES_MAX: usize = 3 * MESSAGE_BYTES_MAX + REQUEST_OVERHEAD_BYTES_MAX;
/// A full batch of SNS is 10 entries with 100 attributes of three parameters each.
pub const PARAMETERS_MAX: usize = 4096;
/// Any list or map: attributes of a message, a queue, a topic or a subscription, names asked
/// for, tags, accounts, the entries of a batch. More than is allowed anywhere, so that the
/// rules can say how many there were.
pub const ITEMS_MAX: usize = 100;
/// Headers that a signature covers.
pub const SIGNED_HEADERS_MAX: usize = 64;
/// The value of the header `Authorization`.
pub const AUTHORIZATION_BYTES_MAX: usize = 8192;
/// Characters of an input that an error message repeats.
pub(crate) const QUOTED_CHARACTERS_MAX: usize = 100;
