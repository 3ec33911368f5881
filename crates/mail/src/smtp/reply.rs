//! What a server said, made fit to be stored, shown and logged: one line, not too long, no
//! address and no password.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::settings::Credentials;
use crate::address::hashed;

/// Of a reply's text, in characters. A line of SMTP has at most 512 (RFC 5321, 4.5.3.1.5).
const TEXT_CHARACTERS_MAX: usize = 300;
/// Shorter ones would take ordinary words with them.
const SECRET_BYTES_MIN: usize = 4;

/// What must not be repeated from a server's words.
#[derive(Clone)]
pub(super) struct Redaction {
    secrets: Vec<String>,
    recipient: String,
}

impl Redaction {
    pub(super) fn new(credentials: Option<&Credentials>) -> Self {
        let mut secrets = Vec::new();
        if let Some(credentials) = credentials {
            let (user, password) = (&credentials.user, credentials.password.reveal());
            // Also as they went over the wire (PLAIN, LOGIN).
            secrets.push(BASE64_STANDARD.encode(format!("\0{user}\0{password}")));
            for text in [password, user] {
                secrets.push(BASE64_STANDARD.encode(text));
                secrets.push(text.to_owned());
            }
            secrets.retain(|secret| secret.len() >= SECRET_BYTES_MIN);
        }
        Self {
            secrets,
            recipient: String::new(),
        }
    }

    pub(super) fn of(&self, recipient: &str) -> Self {
        Self {
            secrets: self.secrets.clone(),
            recipient: recipient.to_owned(),
        }
    }

    pub(super) fn apply(&self, text: &str) -> String {
        let mut text: String = text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        for secret in &self.secrets {
            text = text.replace(secret.as_str(), "***");
        }
        if !self.recipient.is_empty() {
            let hash = hashed(&self.recipient).to_string();
            text = replace_ignoring_case(&text, &self.recipient, &hash);
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        let text = without_addresses(&words.join(" "));
        match text.char_indices().nth(TEXT_CHARACTERS_MAX) {
            Some((end, _)) => format!("{}...", &text[..end]),
            None => text,
        }
    }
}

/// Whatever else looks like an address.
fn without_addresses(text: &str) -> String {
    let is_of_an_address = |c: char| c.is_alphanumeric() || "@.!#$%&*+-/?^_`{|}~".contains(c);
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_of_an_address(c)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        if run.contains('@') {
            replaced.push_str(&hashed(run.trim_matches('.')).to_string());
        } else {
            replaced.push_str(run);
        }
        let between = after.find(is_of_an_address).unwrap_or(after.len());
        replaced.push_str(&after[..between]);
        rest = &after[between..];
    }
    replaced
}

fn replace_ignoring_case(text: &str, what: &str, by: &str) -> String {
    // Addresses are ASCII here, so lower case changes no length.
    let (lower, what) = (text.to_ascii_lowercase(), what.to_ascii_lowercase());
    let mut replaced = String::with_capacity(text.len());
    let mut from = 0;
    while let Some(found) = lower[from..].find(&what) {
        replaced.push_str(&text[from..from + found]);
        replaced.push_str(by);
        from += found + what.len();
    }
    replaced.push_str(&text[from..]);
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smtp::Password;

    #[test]
    fn replies_are_bounded_and_tell_no_address_and_no_password() {
        let redaction = Redaction::new(Some(&Credentials {
            user: "AKIAEXAMPLE".to_owned(),
            password: Password::new("hunter2hunter2"),
        }))
        .of("kim@example.com");
        let kim = hashed("kim@example.com");
        let other = hashed("other@example.org");
        let check = |text: &str, expected: &str| assert_eq!(redaction.apply(text), expected);
        check(
            "5.1.1 <Kim@Example.com>: user unknown",
            &format!("5.1.1 <{kim}>: user unknown"),
        );
        check(
            "to=kim@example.com,orcpt=<other@example.org>;",
            &format!("to={kim},orcpt=<{other}>;"),
        );
        check("<other@example.org>", &format!("<{other}>"));
        check(
            "user AKIAEXAMPLE password hunter2hunter2",
            "user *** password ***",
        );
        check("AEFLSUFFWEFNUExFAGh1bnRlcjJodW50ZXIy", "***");
        check("a\r\n\u{7}b", "a b");
        check("", "");
        assert_eq!(redaction.apply(&"가".repeat(400)).chars().count(), 303);
    }
}
