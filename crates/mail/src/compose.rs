//! From a message to the bytes of RFC 5322 and MIME.
//!
//! The same message gives the same bytes: the date comes with it, and the boundary between the
//! parts is a hash of them, so that no text can contain its own.

use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

use lettre::Address;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, MessageBuilder, MultiPart, SinglePart};

use crate::address::{hashed, parse};
use crate::message::{
    HEADER_CHARACTERS_MAX, HEADERS_MAX, HTML_BYTES_MAX, InvalidMessage, Message,
    NAME_CHARACTERS_MAX, Party, SUBJECT_CHARACTERS_MAX, TEXT_BYTES_MAX, check_length, check_line,
    is_id,
};
use crate::words;

/// Carries the id also where a server replaces the `Message-ID` by its own, as Amazon SES does.
const ID_HEADER: &str = "X-Mail-Id";

/// Made from the message's fields, or a statement of servers on the way.
const NOT_FURTHER: [&str; 14] = [
    "from",
    "sender",
    "to",
    "cc",
    "bcc",
    "reply-to",
    "subject",
    "date",
    "message-id",
    "mime-version",
    "return-path",
    "received",
    "dkim-signature",
    "x-mail-id",
];
const NOT_FURTHER_PREFIXES: [&str; 3] = ["content-", "resent-", "arc-"];

/// An e-mail that was checked: what a [`Transport`](crate::Transport) takes. All of it is
/// ASCII, so that every server takes it.
#[derive(Clone, PartialEq, Eq)]
pub struct Composed {
    id: String,
    from: Address,
    to: Address,
    bytes: Vec<u8>,
}

impl Composed {
    /// The same id is the same e-mail, with the same bytes.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The sender of the envelope, where bounces go.
    pub fn from(&self) -> &str {
        self.from.as_ref()
    }

    pub fn to(&self) -> &str {
        self.to.as_ref()
    }

    /// Head and body, with the line ends of the wire.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn envelope(&self) -> (&Address, &Address) {
        (&self.from, &self.to)
    }
}

/// Without what it says, and the address as its hash.
impl fmt::Debug for Composed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Composed")
            .field("id", &self.id)
            .field("to", &hashed(self.to.as_ref()))
            .field("bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

impl Message {
    /// Checks every field against its bounds and writes the e-mail.
    pub fn compose(&self) -> Result<Composed, InvalidMessage> {
        if !is_id(&self.id) {
            return Err(InvalidMessage::new(
                "id",
                "must have 1 to 128 letters, digits, -, _ and single full stops inside",
            ));
        }
        let from = mailbox("from", &self.from)?;
        let to = mailbox("to", &self.to)?;
        let reply_to = match &self.reply_to {
            Some(party) => Some(mailbox("reply_to", party)?),
            None => None,
        };
        check_line("subject", &self.subject, SUBJECT_CHARACTERS_MAX)?;
        check_length("text", &self.text, TEXT_BYTES_MAX)?;
        if let Some(html) = &self.html {
            check_length("html", html, HTML_BYTES_MAX)?;
        }
        let mut builder = self.head(&from, &to, reply_to.as_ref())?;
        for header in self.further_headers()? {
            builder = builder.raw_header(header);
        }
        let plain = part(ContentType::TEXT_PLAIN, &self.text);
        let built = match &self.html {
            None => builder.singlepart(plain),
            Some(html) => builder.multipart(
                MultiPart::alternative()
                    .boundary(self.boundary(html))
                    .singlepart(plain)
                    .singlepart(part(ContentType::TEXT_HTML, html)),
            ),
        };
        let bytes = built
            .map_err(|_| InvalidMessage::new("from", "and to do not make an envelope"))?
            .formatted();
        assert!(bytes.is_ascii(), "every part was encoded");
        Ok(Composed {
            id: self.id.clone(),
            from: from.email,
            to: to.email,
            bytes,
        })
    }

    fn head(
        &self,
        from: &Mailbox,
        to: &Mailbox,
        reply_to: Option<&Mailbox>,
    ) -> Result<MessageBuilder, InvalidMessage> {
        let at_ms = u64::try_from(self.at)
            .map_err(|_| InvalidMessage::new("at", "must not be before 1970"))?;
        // Year 9999, as far as the form of a date goes (RFC 5322, 3.3).
        if at_ms > 253_402_300_799_999 {
            return Err(InvalidMessage::new("at", "must not be after the year 9999"));
        }
        let mut builder = lettre::Message::builder()
            .from(from.clone())
            .to(to.clone())
            .date(UNIX_EPOCH + Duration::from_millis(at_ms))
            .message_id(Some(format!("<{}@{}>", self.id, from.email.domain())));
        if let Some(reply_to) = reply_to {
            builder = builder.reply_to(reply_to.clone());
        }
        let with_names = [
            ("From", Some(from)),
            ("To", Some(to)),
            ("Reply-To", reply_to),
        ];
        for (name, mailbox) in with_names {
            let encoded = mailbox
                .and_then(|mailbox| words::mailbox(HeaderName::new_from_ascii_str(name), mailbox));
            if let Some(header) = encoded {
                builder = builder.raw_header(header);
            }
        }
        Ok(builder
            .raw_header(words::unstructured(
                HeaderName::new_from_ascii_str("Subject"),
                &self.subject,
            ))
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str(ID_HEADER),
                self.id.clone(),
            )))
    }

    fn further_headers(&self) -> Result<Vec<HeaderValue>, InvalidMessage> {
        if self.headers.len() > HEADERS_MAX {
            return Err(InvalidMessage::new(
                "headers",
                format!("must be at most {HEADERS_MAX}, are {}", self.headers.len()),
            ));
        }
        let mut headers = Vec::with_capacity(self.headers.len());
        for (index, (name, value)) in self.headers.iter().enumerate() {
            let field = format!("headers[{index}]");
            check_further_name(&field, name)?;
            check_line(&field, value, HEADER_CHARACTERS_MAX)?;
            let name = HeaderName::new_from_ascii(name.clone())
                .map_err(|_| InvalidMessage::new(&field, "must have a valid name"))?;
            headers.push(words::unstructured(name, value));
        }
        Ok(headers)
    }

    /// At most 70 characters (RFC 2046, 5.1.1).
    fn boundary(&self, html: &str) -> String {
        let mut hasher = blake3::Hasher::new();
        for text in [&self.id, &self.text, html] {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
        hasher.finalize().to_hex().to_string()
    }
}

fn mailbox(field: &str, party: &Party) -> Result<Mailbox, InvalidMessage> {
    let name = match party.name.as_deref().map(str::trim) {
        None | Some("") => None,
        Some(name) => {
            check_line(&format!("{field}.name"), name, NAME_CHARACTERS_MAX)?;
            Some(name.to_owned())
        }
    };
    Ok(Mailbox::new(name, parse(field, &party.address)?))
}

fn check_further_name(field: &str, name: &str) -> Result<(), InvalidMessage> {
    // Letters, digits and hyphens are less than RFC 5322, 3.6.8, allows and all that is in use.
    let is_plain = (1..=76).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !is_plain {
        return Err(InvalidMessage::new(
            field,
            "must have a name of 1 to 76 letters, digits and -",
        ));
    }
    let lower = name.to_ascii_lowercase();
    let is_made_here = NOT_FURTHER.contains(&lower.as_str())
        || NOT_FURTHER_PREFIXES
            .iter()
            .any(|prefix| lower.starts_with(prefix));
    if is_made_here {
        return Err(InvalidMessage::new(
            field,
            "must not be a header that is made from the message",
        ));
    }
    Ok(())
}

/// Bare returns become line ends, as they would on somebody's screen; what else is a control
/// character travels encoded.
fn part(content_type: ContentType, text: &str) -> SinglePart {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let is_plain = !text.contains(|c: char| c.is_control() && c != '\n' && c != '\t');
    let body = if is_plain {
        Body::new(text)
    } else {
        Body::new_with_encoding(text, ContentTransferEncoding::Base64)
            .expect("every text has a form in base64")
    };
    SinglePart::builder().content_type(content_type).body(body)
}
