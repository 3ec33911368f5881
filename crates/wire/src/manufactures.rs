//! What a shop asks a factory for, and what the factory says when it delivers, in system D's
//! words. All values are strings, but a count may be a number.

use serde::{Deserialize, Deserializer, Serialize};

/// `POST /api/manufactures`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ManufactureRequest<'a> {
    pub message_group_id: &'a str,
    pub message_attribute_product_id: &'a str,
    pub message_attribute_product_cnt: u64,
    pub message_attribute_factory_id: &'a str,
    pub message_attribute_requester: &'a str,
    pub callback_url: &'a str,
}

/// The factory's callback. Only the product and the count matter; the rest is what factories
/// send along.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Delivery {
    pub message_attribute_product_id: String,
    #[serde(deserialize_with = "count")]
    pub message_attribute_product_cnt: u64,
    #[serde(default)]
    pub message_attribute_factory_id: Option<String>,
    #[serde(default)]
    pub message_attribute_requester: Option<String>,
    #[serde(default)]
    pub message_group_id: Option<String>,
    #[serde(default)]
    pub callback_url: Option<String>,
}

/// A whole number, or the same as a string of digits.
pub fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    struct Count;
    impl serde::de::Visitor<'_> for Count {
        type Value = u64;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a whole number, or a string of digits")
        }
        fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<u64, E> {
            Ok(number)
        }
        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<u64, E> {
            if text.is_empty() || text.len() > 20 || !text.bytes().all(|b| b.is_ascii_digit()) {
                return Err(E::invalid_value(serde::de::Unexpected::Str(text), &self));
            }
            text.parse()
                .map_err(|_| E::invalid_value(serde::de::Unexpected::Str(text), &self))
        }
    }
    deserializer.deserialize_any(Count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_a_number_or_a_string_of_digits() {
        let parse = |count: &str| {
            serde_json::from_str::<Delivery>(&format!(
                r#"{{"MessageAttributeProductId":"CP-502101","MessageAttributeProductCnt":{count}}}"#
            ))
            .map(|delivery| delivery.message_attribute_product_cnt)
            .ok()
        };
        for (text, expected) in [
            ("10", Some(10)),
            (r#""10""#, Some(10)),
            (r#""""#, None),
            (r#""-1""#, None),
            ("-1", None),
            ("1.5", None),
            ("1e30", None),
            (r#""99999999999999999999999""#, None),
            ("null", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    #[test]
    fn the_request_is_written_as_system_d_writes_it() {
        let request = ManufactureRequest {
            message_group_id: "stock-arrival-group",
            message_attribute_product_id: "CP-502101",
            message_attribute_product_cnt: 10,
            message_attribute_factory_id: "FF-500293",
            message_attribute_requester: "firstcome",
            callback_url: "http://127.0.0.1:3000/x",
        };
        assert_eq!(
            serde_json::to_string(&request).unwrap(),
            r#"{"MessageGroupId":"stock-arrival-group","MessageAttributeProductId":"CP-502101","MessageAttributeProductCnt":10,"MessageAttributeFactoryId":"FF-500293","MessageAttributeRequester":"firstcome","CallbackUrl":"http://127.0.0.1:3000/x"}"#
        );
    }
}
