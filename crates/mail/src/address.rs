//! Addresses: what SMTP takes, and what a log shows in their place.

use commerce::CustomerHash;
use lettre::Address;

use crate::message::{ADDRESS_BYTES_MAX, InvalidMessage};

/// What stands for an address in logs, metrics and `Debug`: the fingerprint by which the rest
/// of the program counts the same customer.
pub fn hashed(address: &str) -> CustomerHash {
    CustomerHash::of(address)
}

/// An address as it goes over the wire, all of it ASCII: a domain in other letters becomes its
/// `xn--` form, and a name in other letters before the @ is refused, because few servers take
/// one (SMTPUTF8) and Amazon SES is not among them.
pub(crate) fn parse(field: &str, text: &str) -> Result<Address, InvalidMessage> {
    let invalid = |reason: &str| InvalidMessage::new(field, reason);
    if text.len() > ADDRESS_BYTES_MAX {
        return Err(invalid("must be an e-mail address of at most 254 bytes"));
    }
    if text.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return Err(invalid(
            "must not contain control characters or white space",
        ));
    }
    let (local, domain) = text
        .rsplit_once('@')
        .ok_or_else(|| invalid("must be an e-mail address with an @"))?;
    if !local.is_ascii() {
        return Err(invalid("must have only ASCII letters before the @"));
    }
    let domain = idna::domain_to_ascii(domain)
        .map_err(|_| invalid("must have a valid domain after the @"))?;
    Address::new(local, domain).map_err(|_| invalid("must be a valid e-mail address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_that_a_server_takes() {
        let check = |text: &str, expected: Option<&str>| {
            let parsed = parse("to", text).map(|address| address.to_string()).ok();
            assert_eq!(parsed.as_deref(), expected, "{text:?}");
        };
        check("a@example.com", Some("a@example.com"));
        check("A.b+c@example.com", Some("A.b+c@example.com"));
        check("ads@한국.kr", Some("ads@xn--3e0b707e.kr"));
        check("a@[127.0.0.1]", Some("a@[127.0.0.1]"));
        check("사용자@example.com", None);
        check("", None);
        check("a", None);
        check("@example.com", None);
        check("a@", None);
        check("a b@example.com", None);
        check("a@example.com\r\nRCPT TO:<b@example.com>", None);
        check("a@b@example.com", None);
        check("a>@example.com", None);
        check("<a@example.com>", None);
        check("a@example.com,b@example.com", None);
        check(&format!("{}@example.com", "a".repeat(250)), None);
    }

    #[test]
    fn an_address_is_logged_as_the_hash_of_the_customer() {
        let email = commerce::Email::new("Kim@Example.com").unwrap();
        assert_eq!(hashed("kim@example.com"), email.customer());
    }
}
