//! The file: read once from front to back, an entry at a time.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};

use super::chain::{EntryText, Head};
use super::checker::Checker;
use super::report::{Verified, Violations};

const FORMAT: &str = "firstcome.certificate.v1";
/// Older servers wrote all but the last.
const FIELDS: &[&str] = &["format", "auction", "final", "entries", "head"];

/// Verifies a certificate. `auction` comes before `entries` in it, as it is written; white
/// space between the parts is free. The work is bounded by the length of the file, by
/// [`super::ENTRIES_MAX`] and by [`super::super::verify::REPLAYED_BIDS_MAX`].
pub fn verify(certificate: &[u8]) -> Result<Verified, Violations> {
    let mut file = File::default();
    let read = std::str::from_utf8(certificate)
        .map_err(|why| why.to_string())
        .and_then(|text| {
            check_escapes(text)?;
            let mut reader = serde_json::Deserializer::from_str(text);
            let read = (&mut file).deserialize(&mut reader);
            read.and_then(|()| reader.end())
                .map_err(|why| why.to_string())
        });
    let read = read.map_err(|why| format!("not a certificate: {why}"));
    let Some(mut checker) = file.checker else {
        let why = read.err().unwrap_or_else(|| "names no auction".into());
        return Err(Violations::of_the_file(why));
    };
    if let Err(why) = read {
        checker.tell_of_the_file(&why);
    }
    if let Some(claimed) = file.is_final {
        checker.check_final(claimed);
    }
    if let Some(claimed) = &file.head {
        checker.check_head(claimed);
    }
    checker.finish()
}

/// A byte of a certificate has one spelling: the digits of an escape are in lower case.
fn check_escapes(text: &str) -> Result<(), String> {
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        let escape = &rest[at + 1..];
        if escape.first() == Some(&b'u') && escape.iter().take(5).any(u8::is_ascii_uppercase) {
            return Err("an escape is not in lower case".into());
        }
        rest = escape.get(1..).unwrap_or_default();
    }
    Ok(())
}

#[derive(Default)]
struct File<'de> {
    format: bool,
    is_final: Option<bool>,
    /// Since the id was read.
    checker: Option<Checker>,
    entries: bool,
    head: Option<Head<'de>>,
}

impl<'de> DeserializeSeed<'de> for &mut File<'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut File<'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a certificate")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(field) = map.next_key::<Cow<'_, str>>()? {
            let twice = match field.as_ref() {
                "format" => {
                    if map.next_value::<Cow<'_, str>>()? != FORMAT {
                        return Err(A::Error::custom("the format is not known"));
                    }
                    std::mem::replace(&mut self.format, true)
                }
                "auction" => {
                    let id = map.next_value::<Cow<'_, str>>()?;
                    self.checker.replace(Checker::new(&id)).is_some()
                }
                "final" => self.is_final.replace(map.next_value()?).is_some(),
                "head" => self.head.replace(map.next_value()?).is_some(),
                "entries" => {
                    let Some(checker) = &mut self.checker else {
                        return Err(A::Error::custom("`entries` come before `auction`"));
                    };
                    map.next_value_seed(Entries(checker))?;
                    std::mem::replace(&mut self.entries, true)
                }
                other => return Err(A::Error::unknown_field(other, FIELDS)),
            };
            if twice {
                return Err(A::Error::custom(format!("`{field}` is there twice")));
            }
        }
        let has = [
            self.format,
            self.checker.is_some(),
            self.is_final.is_some(),
            self.entries,
        ];
        match FIELDS.iter().zip(has).find(|(_, has)| !has) {
            Some((missing, _)) => Err(A::Error::missing_field(missing)),
            None => Ok(()),
        }
    }
}

struct Entries<'a>(&'a mut Checker);

impl<'de> DeserializeSeed<'de> for Entries<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Entries<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of entries")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while let Some(entry) = entries.next_element::<EntryText<'de>>()? {
            self.0.check(&entry);
        }
        Ok(())
    }
}
