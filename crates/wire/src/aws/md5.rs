//! The MD5 sums that the SDKs compare: of a body, and of message attributes.
//!
//! ```text
//! for each attribute, sorted by name:
//!   u32 length, name   u32 length, data type   1 byte: 1 text, 2 binary   u32 length, value
//! ```
//!
//! Lengths are big-endian; the data type has its label. System attributes are hashed in the
//! same way, but apart (developer guide, "Calculating the MD5 message digest for message
//! attributes"). The sums protect against damage on the way, nothing else.

use std::collections::BTreeMap;

use md5::{Digest, Md5};

use super::attribute::MessageAttribute;

const TEXT: u8 = 1;
const BINARY: u8 = 2;

/// In hexadecimal, as all of them here.
pub fn of_body(body: &str) -> String {
    hexadecimal(&Md5::digest(body.as_bytes()))
}

/// None without attributes: then the answer has no sum either.
///
/// Of a message that is received these are the attributes that are returned, which may be
/// fewer than it has.
pub fn of_attributes(attributes: &BTreeMap<String, MessageAttribute>) -> Option<String> {
    of_values(attributes.iter().map(|(name, attribute)| {
        let is_binary = attribute.is_binary();
        (
            name.as_str(),
            attribute.data_type.as_str(),
            is_binary,
            attribute.value(),
        )
    }))
}

/// The same over any order of name, data type, whether it is binary, and value: for those who
/// keep attributes in another type. They must be sorted by name.
pub fn of_values<'a>(
    sorted: impl Iterator<Item = (&'a str, &'a str, bool, &'a [u8])>,
) -> Option<String> {
    let mut hash = Md5::new();
    let mut some = false;
    for (name, data_type, is_binary, value) in sorted {
        some = true;
        add(&mut hash, name.as_bytes());
        add(&mut hash, data_type.as_bytes());
        hash.update([if is_binary { BINARY } else { TEXT }]);
        add(&mut hash, value);
    }
    some.then(|| hexadecimal(&hash.finalize()))
}

fn add(hash: &mut Md5, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).expect("a request has far less than 4 GiB");
    hash.update(length.to_be_bytes());
    hash.update(bytes);
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |four_bits: u8| char::from(b"0123456789abcdef"[usize::from(four_bits)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_of_a_body() {
        assert_eq!(
            of_body("This is a test message"),
            "fafb00f5732ab283681e124bf8747ed1"
        );
        assert_eq!(of_body(""), "d41d8cd98f00b204e9800998ecf8427e");
    }

    #[test]
    fn the_sum_of_attributes() {
        let one = MessageAttribute::text("String", "attribValue 1");
        let attributes = BTreeMap::from([("attribName1".to_owned(), one)]);
        assert_eq!(
            of_attributes(&attributes).as_deref(),
            Some("19e27d4e946b072f3f58da80d94fd778")
        );
        assert_eq!(of_attributes(&BTreeMap::new()), None);

        // Computed apart from this code, for all three types.
        let attributes = BTreeMap::from([
            (
                "s".to_owned(),
                MessageAttribute::text("String", "x<&>\"y+ z"),
            ),
            ("n".to_owned(), MessageAttribute::text("Number.int", "007")),
            (
                "b".to_owned(),
                MessageAttribute::binary("Binary", [0, 255, 1]),
            ),
        ]);
        assert_eq!(
            of_attributes(&attributes).as_deref(),
            Some("35ae6c5934e4e231437807748c020355")
        );
    }

    /// Every part has a say in it.
    #[test]
    fn labels_types_and_order_count() {
        let sum = |attributes: &[(&str, MessageAttribute)]| {
            let attributes = attributes
                .iter()
                .map(|(name, attribute)| ((*name).to_owned(), attribute.clone()))
                .collect();
            of_attributes(&attributes).unwrap()
        };
        let text = |data_type: &str| MessageAttribute::text(data_type, "1");
        let plain = sum(&[("a", text("String"))]);
        let others = [
            sum(&[("b", text("String"))]),
            sum(&[("a", text("Number"))]),
            sum(&[("a", text("String.label"))]),
            sum(&[("a", MessageAttribute::binary("Binary", *b"1"))]),
            sum(&[("a", text("String")), ("b", text("String"))]),
        ];
        assert!(!others.contains(&plain));
        assert_eq!(
            sum(&[("b", text("String")), ("a", text("Number"))]),
            sum(&[("a", text("Number")), ("b", text("String"))])
        );
    }
}
