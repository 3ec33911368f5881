//! Every error of SQS and SNS: its names in both protocols, its HTTP status and whose fault it
//! is.
//!
//! What always holds: a JSON answer carries the query protocol's code in
//! `x-amzn-query-error`, because the SDKs compare that one and JavaScript v3 fails without it.
//!
//! Names of SQS shapes are those of its service model; what the model does not have (wrong
//! parameters, signatures, outages) belongs to `com.amazon.coral.service`, as Amazon answers.

use std::fmt;

use serde::Serialize;

use super::form::Service;
use super::xml::Xml;
use super::{JSON_CONTENT_TYPE, XML_CONTENT_TYPE};

const SQS: &str = "com.amazonaws.sqs";
const CORAL: &str = "com.amazon.coral.service";
const SQS_PREFIX: &str = "AWS.SimpleQueueService.";

/// The row of one error.
struct Row {
    namespace: &'static str,
    shape: &'static str,
    /// The code of the query protocol, without a prefix.
    code: &'static str,
    /// SQS puts `AWS.SimpleQueueService.` in front, SNS does not.
    prefixed: bool,
    status: u16,
}

macro_rules! errors {
    ($($(#[$doc:meta])* $variant:ident: $namespace:ident $shape:literal, $prefixed:literal $code:literal, $status:literal;)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[$doc])* $variant,)*
        }

        impl ErrorCode {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            const fn row(self) -> Row {
                match self {
                    $(Self::$variant => Row {
                        namespace: $namespace,
                        shape: $shape,
                        code: $code,
                        prefixed: $prefixed,
                        status: $status,
                    },)*
                }
            }
        }
    };
}

errors! {
    // SQS.
    QueueDoesNotExist: SQS "QueueDoesNotExist", true "NonExistentQueue", 400;
    QueueNameExists: SQS "QueueNameExists", false "QueueAlreadyExists", 400;
    QueueDeletedRecently: SQS "QueueDeletedRecently", true "QueueDeletedRecently", 400;
    PurgeQueueInProgress: SQS "PurgeQueueInProgress", true "PurgeQueueInProgress", 403;
    MessageNotInflight: SQS "MessageNotInflight", true "MessageNotInflight", 400;
    UnsupportedOperation: SQS "UnsupportedOperation", true "UnsupportedOperation", 400;
    OverLimit: SQS "OverLimit", false "OverLimit", 403;
    InvalidAttributeName: SQS "InvalidAttributeName", false "InvalidAttributeName", 400;
    InvalidAttributeValue: SQS "InvalidAttributeValue", false "InvalidAttributeValue", 400;
    InvalidIdFormat: SQS "InvalidIdFormat", false "InvalidIdFormat", 400;
    InvalidMessageContents: SQS "InvalidMessageContents", false "InvalidMessageContents", 400;
    ReceiptHandleIsInvalid: SQS "ReceiptHandleIsInvalid", false "ReceiptHandleIsInvalid", 400;
    InvalidAddress: SQS "InvalidAddress", false "InvalidAddress", 400;
    /// A request of SQS that has to be signed, or to come over TLS.
    InvalidSecurity: SQS "InvalidSecurity", false "InvalidSecurity", 403;
    RequestThrottled: SQS "RequestThrottled", false "RequestThrottled", 403;
    /// SNS has `ResourceNotFound` for tags instead.
    ResourceNotFoundException: SQS "ResourceNotFoundException", false "ResourceNotFoundException", 404;
    InvalidParameterValue: CORAL "InvalidParameterValueException", false "InvalidParameterValue", 400;
    MissingParameter: CORAL "MissingRequiredParameterException", false "MissingParameter", 400;
    // Batches of both.
    EmptyBatchRequest: SQS "EmptyBatchRequest", true "EmptyBatchRequest", 400;
    TooManyEntriesInBatchRequest: SQS "TooManyEntriesInBatchRequest", true "TooManyEntriesInBatchRequest", 400;
    BatchEntryIdsNotDistinct: SQS "BatchEntryIdsNotDistinct", true "BatchEntryIdsNotDistinct", 400;
    BatchRequestTooLong: SQS "BatchRequestTooLong", true "BatchRequestTooLong", 400;
    InvalidBatchEntryId: SQS "InvalidBatchEntryId", true "InvalidBatchEntryId", 400;
    // SNS; it has no JSON protocol, the shapes are those of its model.
    InvalidParameter: CORAL "InvalidParameterException", false "InvalidParameter", 400;
    ParameterValueInvalid: CORAL "InvalidParameterValueException", false "ParameterValueInvalid", 400;
    NotFound: CORAL "NotFoundException", false "NotFound", 404;
    ResourceNotFound: CORAL "ResourceNotFoundException", false "ResourceNotFound", 404;
    AuthorizationError: CORAL "AuthorizationErrorException", false "AuthorizationError", 403;
    ValidationError: CORAL "ValidationException", false "ValidationError", 400;
    InvalidState: CORAL "InvalidStateException", false "InvalidState", 400;
    ConcurrentAccess: CORAL "ConcurrentAccessException", false "ConcurrentAccess", 400;
    EndpointDisabled: CORAL "EndpointDisabledException", false "EndpointDisabled", 400;
    FilterPolicyLimitExceeded: CORAL "FilterPolicyLimitExceededException", false "FilterPolicyLimitExceeded", 403;
    SubscriptionLimitExceeded: CORAL "SubscriptionLimitExceededException", false "SubscriptionLimitExceeded", 403;
    TopicLimitExceeded: CORAL "TopicLimitExceededException", false "TopicLimitExceeded", 403;
    TagLimitExceeded: CORAL "TagLimitExceededException", false "TagLimitExceeded", 400;
    StaleTag: CORAL "StaleTagException", false "StaleTag", 400;
    TagPolicy: CORAL "TagPolicyException", false "TagPolicy", 400;
    Throttled: CORAL "ThrottledException", false "Throttled", 429;
    // Of any service.
    AccessDenied: CORAL "AccessDeniedException", false "AccessDenied", 403;
    IncompleteSignature: CORAL "IncompleteSignatureException", false "IncompleteSignature", 400;
    InvalidClientTokenId: CORAL "UnrecognizedClientException", false "InvalidClientTokenId", 403;
    MissingAuthenticationToken: CORAL "MissingAuthenticationTokenException", false "MissingAuthenticationToken", 403;
    RequestExpired: CORAL "RequestExpiredException", false "RequestExpired", 400;
    SignatureDoesNotMatch: CORAL "InvalidSignatureException", false "SignatureDoesNotMatch", 403;
    InvalidAction: CORAL "UnknownOperationException", false "InvalidAction", 400;
    MissingAction: CORAL "MissingActionException", false "MissingAction", 400;
    /// What is wrong is HTTP's: a request without `Host`.
    MalformedHttpRequest: CORAL "MalformedHttpRequestException", false "MalformedHttpRequestException", 400;
    /// The body is not what its content type says: broken JSON, a text where a number belongs.
    MalformedInput: CORAL "SerializationException", false "MalformedInput", 400;
    MalformedQueryString: CORAL "MalformedQueryStringException", false "MalformedQueryString", 400;
    RequestEntityTooLarge: CORAL "RequestEntityTooLargeException", false "RequestEntityTooLarge", 413;
    InternalFailure: CORAL "InternalFailure", false "InternalFailure", 500;
    ServiceUnavailable: CORAL "ServiceUnavailableException", false "ServiceUnavailable", 503;
}

impl ErrorCode {
    /// The code in XML, in `x-amzn-query-error` and in the failed entries of a batch.
    pub fn query_code(self, service: Service) -> String {
        let row = self.row();
        match service {
            Service::Sqs if row.prefixed => format!("{SQS_PREFIX}{}", row.code),
            Service::Sqs | Service::Sns => row.code.to_owned(),
        }
    }

    /// The `__type` of a JSON answer.
    pub fn json_type(self) -> String {
        let row = self.row();
        format!("{}#{}", row.namespace, row.shape)
    }

    pub const fn status(self) -> u16 {
        self.row().status
    }

    /// Sending the same again will not help.
    pub const fn is_sender_fault(self) -> bool {
        self.status() < 500
    }

    const fn fault(self) -> &'static str {
        if self.is_sender_fault() {
            "Sender"
        } else {
            "Receiver"
        }
    }
}

/// An error as it is answered: what went wrong, and a sentence for the person who reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsError {
    pub code: ErrorCode,
    pub message: String,
}

/// What is to be sent; the request id goes into a header besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorAnswer {
    pub status: u16,
    pub content_type: &'static str,
    /// The value of `x-amzn-query-error`, for JSON only.
    pub query_error: Option<String>,
    pub body: Vec<u8>,
}

const NO_SUCH_QUEUE: &str = "The specified queue does not exist.";
const NO_SUCH_QUEUE_QUERY: &str = "The specified queue does not exist for this wsdl version.";

impl AwsError {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// Its words differ between the protocols; the encoders see to that.
    pub fn queue_does_not_exist() -> Self {
        Self::new(ErrorCode::QueueDoesNotExist, NO_SUCH_QUEUE)
    }

    pub fn missing_parameter(parameter: impl fmt::Display) -> Self {
        Self::new(
            ErrorCode::MissingParameter,
            format!("The request must contain the parameter {parameter}."),
        )
    }

    pub(crate) fn missing_action() -> Self {
        Self::new(
            ErrorCode::MissingAction,
            "The request must contain the parameter Action.",
        )
    }

    pub(crate) fn too_large() -> Self {
        Self::new(
            ErrorCode::RequestEntityTooLarge,
            format!(
                "The request has more than {} bytes.",
                super::limits::REQUEST_BYTES_MAX
            ),
        )
    }

    /// For the clients of SQS that speak JSON.
    pub fn to_json(&self) -> ErrorAnswer {
        #[derive(Serialize)]
        struct Body<'a> {
            __type: String,
            message: &'a str,
        }
        let body = Body {
            __type: self.code.json_type(),
            message: &self.message,
        };
        ErrorAnswer {
            status: self.code.status(),
            content_type: JSON_CONTENT_TYPE,
            query_error: Some(format!(
                "{};{}",
                self.code.query_code(Service::Sqs),
                self.code.fault()
            )),
            body: serde_json::to_vec(&body).expect("two texts have a JSON form"),
        }
    }

    /// For the query protocol of either service.
    pub fn to_xml(&self, service: Service, request_id: &str) -> ErrorAnswer {
        let message = if self.message == NO_SUCH_QUEUE {
            NO_SUCH_QUEUE_QUERY
        } else {
            &self.message
        };
        let mut xml = Xml::new(service);
        xml.root("ErrorResponse", service, |xml| {
            xml.element("Error", |xml| {
                xml.text("Type", self.code.fault());
                xml.text("Code", &self.code.query_code(service));
                xml.text("Message", message);
                xml.empty("Detail");
            });
            xml.text("RequestId", request_id);
        });
        ErrorAnswer {
            status: self.code.status(),
            content_type: XML_CONTENT_TYPE,
            query_error: None,
            body: xml.into_bytes(),
        }
    }
}

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.row().code, self.message)
    }
}

impl std::error::Error for AwsError {}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of the provider's documentation: code, shape, status.
    #[test]
    fn every_error_of_the_queues_has_its_names() {
        let prefixed = |code: &str| format!("AWS.SimpleQueueService.{code}");
        for (code, query, json, status) in [
            (
                ErrorCode::QueueDoesNotExist,
                prefixed("NonExistentQueue"),
                "com.amazonaws.sqs#QueueDoesNotExist",
                400,
            ),
            (
                ErrorCode::QueueNameExists,
                "QueueAlreadyExists".to_owned(),
                "com.amazonaws.sqs#QueueNameExists",
                400,
            ),
            (
                ErrorCode::EmptyBatchRequest,
                prefixed("EmptyBatchRequest"),
                "com.amazonaws.sqs#EmptyBatchRequest",
                400,
            ),
            (
                ErrorCode::PurgeQueueInProgress,
                prefixed("PurgeQueueInProgress"),
                "com.amazonaws.sqs#PurgeQueueInProgress",
                403,
            ),
            (
                ErrorCode::OverLimit,
                "OverLimit".to_owned(),
                "com.amazonaws.sqs#OverLimit",
                403,
            ),
            (
                ErrorCode::ResourceNotFoundException,
                "ResourceNotFoundException".to_owned(),
                "com.amazonaws.sqs#ResourceNotFoundException",
                404,
            ),
            (
                ErrorCode::InvalidParameterValue,
                "InvalidParameterValue".to_owned(),
                "com.amazon.coral.service#InvalidParameterValueException",
                400,
            ),
            (
                ErrorCode::MissingParameter,
                "MissingParameter".to_owned(),
                "com.amazon.coral.service#MissingRequiredParameterException",
                400,
            ),
        ] {
            assert_eq!(code.query_code(Service::Sqs), query);
            assert_eq!(code.json_type(), json);
            assert_eq!(code.status(), status);
        }
        assert_eq!(
            ErrorCode::EmptyBatchRequest.query_code(Service::Sns),
            "EmptyBatchRequest"
        );
    }

    #[test]
    fn no_two_errors_share_a_code() {
        let mut codes: Vec<String> = ErrorCode::ALL
            .iter()
            .map(|code| code.query_code(Service::Sqs))
            .collect();
        codes.sort();
        codes.dedup();
        assert_eq!(codes.len(), ErrorCode::ALL.len());
    }

    #[test]
    fn json_has_the_shape_and_the_header_the_code() {
        let answer = AwsError::queue_does_not_exist().to_json();
        assert_eq!(answer.status, 400);
        assert_eq!(
            answer.query_error.as_deref(),
            Some("AWS.SimpleQueueService.NonExistentQueue;Sender")
        );
        assert_eq!(
            String::from_utf8(answer.body).unwrap(),
            r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"The specified queue does not exist."}"#
        );
        let answer = AwsError::new(ErrorCode::ServiceUnavailable, "overloaded").to_json();
        assert_eq!(
            answer.query_error.as_deref(),
            Some("ServiceUnavailable;Receiver")
        );
    }

    #[test]
    fn xml_has_the_words_of_the_query_protocol() {
        let answer = AwsError::queue_does_not_exist().to_xml(Service::Sqs, "r1");
        assert_eq!((answer.status, answer.query_error), (400, None));
        assert_eq!(
            String::from_utf8(answer.body).unwrap(),
            "<?xml version=\"1.0\"?>\
             <ErrorResponse xmlns=\"http://queue.amazonaws.com/doc/2012-11-05/\"><Error>\
             <Type>Sender</Type><Code>AWS.SimpleQueueService.NonExistentQueue</Code>\
             <Message>The specified queue does not exist for this wsdl version.</Message>\
             <Detail/></Error><RequestId>r1</RequestId></ErrorResponse>"
        );
        let answer =
            AwsError::new(ErrorCode::NotFound, "Topic does not exist").to_xml(Service::Sns, "r2");
        assert_eq!(answer.status, 404);
        assert_eq!(
            String::from_utf8(answer.body).unwrap(),
            "<ErrorResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><Error>\
             <Type>Sender</Type><Code>NotFound</Code><Message>Topic does not exist</Message>\
             <Detail/></Error><RequestId>r2</RequestId></ErrorResponse>"
        );
    }
}
