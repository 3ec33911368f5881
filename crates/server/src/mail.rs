//! Mails: what one is, who sends it, and the adapter that keeps it in a directory.
//!
//! What always holds: a mail's id is its idempotency key, so that sending it again does not
//! make a second one; nothing that a stranger wrote gets into a header's line but its own.
//!
//! [`Mailbox`] writes each mail as an `.eml` file, for development and for machines from which
//! something else fetches them. Sending over SMTP is another adapter of [`Mailer`].

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use commerce::Millis;
use futures_util::future::BoxFuture;

/// The directory of the mailbox, below the data directory.
const DIRECTORY: &str = "mail";
/// The longest line of a mail's text (RFC 5322, 2.1.1); a text with longer ones is encoded.
const LINE_BYTES_MAX: usize = 998;
/// Of an encoded line (RFC 2045, 6.8), and of what goes into one encoded word (RFC 2047, 2).
const ENCODED_LINE_MAX: usize = 76;
const ENCODED_WORD_BYTES_MAX: usize = 45;

/// A mail to one person.
#[derive(Debug, Clone)]
pub struct Mail {
    /// The same id is the same mail. Letters, digits and `-`.
    pub id: String,
    pub from_name: String,
    pub to: String,
    pub subject: String,
    pub text: String,
    pub at: Millis,
}

/// Why a mail was not sent.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct MailError {
    pub what: String,
    /// Sending it again may help.
    pub temporary: bool,
}

/// Sends mails.
pub trait Mailer: Send + Sync {
    /// Resolves when whoever comes next has it for good.
    fn send(&self, mail: Mail) -> BoxFuture<'_, Result<(), MailError>>;
}

/// Mails as files, `<id>.eml`.
pub struct Mailbox {
    directory: PathBuf,
}

impl Mailbox {
    pub fn new(data: &Path) -> Self {
        Self {
            directory: data.join(DIRECTORY),
        }
    }
}

impl Mailer for Mailbox {
    fn send(&self, mail: Mail) -> BoxFuture<'_, Result<(), MailError>> {
        let directory = self.directory.clone();
        Box::pin(async move {
            let written = tokio::task::spawn_blocking(move || write(&directory, &mail)).await;
            written
                .map_err(|error| error.to_string())
                .and_then(|written| written.map_err(|error| error.to_string()))
                .map_err(|what| MailError {
                    what: format!("the mailbox: {what}"),
                    temporary: true,
                })
        })
    }
}

/// Whole or not at all.
fn write(directory: &Path, mail: &Mail) -> std::io::Result<()> {
    std::fs::create_dir_all(directory)?;
    let name = file_name(&mail.id);
    let beside = directory.join(format!("{name}.tmp"));
    std::fs::write(&beside, to_text(mail))?;
    std::fs::File::open(&beside)?.sync_all()?;
    std::fs::rename(&beside, directory.join(format!("{name}.eml")))
}

/// An id that is no plain name must not lead out of the directory.
fn file_name(id: &str) -> String {
    id.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect()
}

/// The mail in the form of RFC 5322.
fn to_text(mail: &Mail) -> String {
    let at = jiff::Timestamp::from_millisecond(mail.at).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let date = at.strftime("%a, %d %b %Y %H:%M:%S +0000");
    let id = file_name(&mail.id);
    let is_plain = mail.text.lines().all(|line| line.len() <= LINE_BYTES_MAX);
    let (encoding, body) = if is_plain {
        ("8bit", mail.text.lines().collect::<Vec<_>>().join("\r\n"))
    } else {
        ("base64", base64_lines(&mail.text))
    };
    format!(
        "From: {} <no-reply@firstcome.localhost>\r\n\
         To: {}\r\n\
         Subject: {}\r\n\
         Date: {date}\r\n\
         Message-ID: <{id}@firstcome.localhost>\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=UTF-8\r\n\
         Content-Transfer-Encoding: {encoding}\r\n\
         \r\n\
         {body}\r\n",
        phrase(&mail.from_name),
        one_line(&mail.to),
        unstructured(&mail.subject),
    )
}

fn base64_lines(text: &str) -> String {
    let encoded = BASE64_STANDARD.encode(text);
    let lines: Vec<&str> = (0..encoded.len())
        .step_by(ENCODED_LINE_MAX)
        .map(|at| &encoded[at..encoded.len().min(at + ENCODED_LINE_MAX)])
        .collect();
    lines.join("\r\n")
}

fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// A header's free text: as it is, or in encoded words where it is not plain or too long.
fn unstructured(text: &str) -> String {
    let is_plain = text.len() <= ENCODED_LINE_MAX && text.bytes().all(|b| matches!(b, 0x20..=0x7e));
    if is_plain && !text.contains("=?") {
        return text.to_owned();
    }
    let mut words = vec![String::new()];
    for c in one_line(text).chars() {
        let full = words
            .last()
            .is_some_and(|word| word.len() + c.len_utf8() > ENCODED_WORD_BYTES_MAX);
        if full {
            words.push(String::new());
        }
        let word = words.last_mut().expect("there is always one");
        word.push(c);
    }
    let encoded: Vec<String> = words
        .iter()
        .map(|word| format!("=?UTF-8?B?{}?=", BASE64_STANDARD.encode(word)))
        .collect();
    encoded.join("\r\n ")
}

/// A name before an address: in quotes, unless it has to be encoded.
fn phrase(name: &str) -> String {
    let encoded = unstructured(name);
    if encoded == name {
        format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        encoded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail() -> Mail {
        Mail {
            id: "m-1".to_owned(),
            from_name: "News \"of\" the shop".to_owned(),
            to: "a@example.com".to_owned(),
            subject: "Hello".to_owned(),
            text: "one\ntwo".to_owned(),
            at: 1_764_000_000_120,
        }
    }

    #[test]
    fn a_mail_has_the_form_of_the_standard() {
        assert_eq!(
            to_text(&mail()),
            "From: \"News \\\"of\\\" the shop\" <no-reply@firstcome.localhost>\r\n\
             To: a@example.com\r\n\
             Subject: Hello\r\n\
             Date: Mon, 24 Nov 2025 16:00:00 +0000\r\n\
             Message-ID: <m-1@firstcome.localhost>\r\n\
             MIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=UTF-8\r\n\
             Content-Transfer-Encoding: 8bit\r\n\
             \r\n\
             one\r\ntwo\r\n"
        );
    }

    #[test]
    fn what_a_stranger_wrote_stays_on_its_line() {
        let text = to_text(&Mail {
            subject: "a\r\nBcc: b@example.com".to_owned(),
            to: "a@example.com\nX: y".to_owned(),
            from_name: "n\r\nX: y".to_owned(),
            ..mail()
        });
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        let names: Vec<&str> = head
            .split("\r\n")
            .filter(|line| !line.starts_with(' '))
            .map(|line| line.split(':').next().unwrap())
            .collect();
        assert_eq!(
            names,
            [
                "From",
                "To",
                "Subject",
                "Date",
                "Message-ID",
                "MIME-Version",
                "Content-Type",
                "Content-Transfer-Encoding"
            ]
        );
        assert!(!head.contains('\n') || head.split('\n').count() == head.split("\r\n").count());
    }

    #[test]
    fn other_letters_and_long_lines_are_encoded() {
        assert_eq!(unstructured("안녕"), "=?UTF-8?B?7JWI64WV?=");
        let long = unstructured(&"가".repeat(40));
        assert!(long.split("\r\n ").all(|word| word.len() <= 75));
        let text = to_text(&Mail {
            text: "x".repeat(LINE_BYTES_MAX + 1),
            ..mail()
        });
        assert!(text.contains("Content-Transfer-Encoding: base64"));
        assert!(text.split("\r\n").all(|line| line.len() <= LINE_BYTES_MAX));
    }

    #[tokio::test]
    async fn a_repeat_is_the_same_mail() {
        let data = tempfile::tempdir().unwrap();
        let mailbox = Mailbox::new(data.path());
        for id in ["m-1", "m-1", "../../m-2"] {
            let mail = Mail {
                id: id.to_owned(),
                ..mail()
            };
            mailbox.send(mail).await.unwrap();
        }
        let mut names: Vec<String> = std::fs::read_dir(data.path().join(DIRECTORY))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["------m-2.eml", "m-1.eml"]);
    }
}
