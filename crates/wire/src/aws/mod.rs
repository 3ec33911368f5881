//! The wires of Amazon SQS and SNS: bytes and typed values, both ways.
//!
//! [`sqs`] speaks AWS JSON 1.0 and the query protocol, [`sns`] the query protocol; [`sigv4`]
//! proves who sent a request; [`md5`] and [`envelope`] are what the SDKs and the subscribers
//! check.
//!
//! What always holds: no input panics, every input is bounded before it is unfolded
//! ([`limits`]), parameters that are not known are passed by (SDKs send new ones), and an
//! error has the same meaning in both protocols ([`ErrorCode`]).
//!
//! Deliberately not known here: queues and topics, which values are allowed, keys, the clock,
//! HTTP itself. The server takes the bytes from HTTP, and what is typed to the rules.
//!
//! Sources: the API references of SQS (2012-11-05) and SNS (2010-03-31), the service models
//! that come with the SDKs, and answers recorded from Amazon.

mod attribute;
mod collect;
mod error;
mod form;
mod object;
mod query;
mod resource;
mod xml;

pub mod envelope;
pub mod limits;
pub mod md5;
pub mod sigv4;
pub mod sns;
pub mod sqs;

pub use attribute::MessageAttribute;
pub use error::{AwsError, ErrorAnswer, ErrorCode};
pub use form::{Form, Service};
pub use resource::{Arn, QueueAddress};

/// The content types of requests and answers.
pub const JSON_CONTENT_TYPE: &str = "application/x-amz-json-1.0";
pub const FORM_CONTENT_TYPE: &str = "application/x-www-form-urlencoded";
pub const XML_CONTENT_TYPE: &str = "text/xml";

/// The headers of requests and answers that carry the protocol, in lower case.
pub const TARGET_HEADER: &str = "x-amz-target";
pub const REQUEST_ID_HEADER: &str = "x-amzn-requestid";
pub const QUERY_ERROR_HEADER: &str = "x-amzn-query-error";
