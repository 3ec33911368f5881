//! The body of `POST /api/manufactures`: bytes to an [`Order`], or the problem with the
//! field's name. It does not know which hosts may be called.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Value, json};
use utoipa::openapi::schema::{
    AdditionalProperties, ObjectBuilder, OneOfBuilder, SchemaFormat, Type,
};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::job::{Goods, Order};
use crate::problem::{Code, Problem};

const TEXT_CHARACTERS_MAX: usize = 256;
const COUNT_MAX: u32 = 1_000_000_000;
/// Digits of a count given as a string, leading zeros included.
const COUNT_DIGITS_MAX: usize = 32;

const GROUP: &str = "MessageGroupId";
const PRODUCT: &str = "MessageAttributeProductId";
const COUNT: &str = "MessageAttributeProductCnt";
const FACTORY: &str = "MessageAttributeFactoryId";
const REQUESTER: &str = "MessageAttributeRequester";
pub(crate) const CALLBACK: &str = "CallbackUrl";
const FIELDS: [&str; 6] = [GROUP, PRODUCT, COUNT, FACTORY, REQUESTER, CALLBACK];

/// Reads a request. Shape comes before content: JSON, then unknown fields, then each field
/// in the order of the documentation.
pub(crate) fn parse(body: &[u8]) -> Result<Order, Problem> {
    let Fields(mut fields) = serde_json::from_slice(body)
        .map_err(|error| Problem::new(Code::InvalidJson, error.to_string()))?;
    for (index, (name, _)) in fields.iter().enumerate() {
        if fields[..index].iter().any(|(before, _)| before == name) {
            return Err(Problem::field(
                Code::InvalidJson,
                name,
                "the field is given twice",
            ));
        }
    }
    if let Some((name, _)) = fields
        .iter()
        .find(|(name, _)| !FIELDS.contains(&name.as_str()))
    {
        return Err(Problem::field(
            Code::UnknownField,
            name,
            "the field is not known",
        ));
    }
    let mut take = |name: &'static str| {
        fields
            .iter()
            .position(|(given, _)| given == name)
            .map(|index| fields.swap_remove(index).1)
            .ok_or_else(|| Problem::field(Code::MissingField, name, "the field is required"))
    };
    Ok(Order {
        goods: Goods {
            message_group_id: text(GROUP, take(GROUP)?)?,
            message_attribute_product_id: text(PRODUCT, take(PRODUCT)?)?,
            message_attribute_product_cnt: count(&take(COUNT)?)?,
            message_attribute_factory_id: text(FACTORY, take(FACTORY)?)?,
            message_attribute_requester: text(REQUESTER, take(REQUESTER)?)?,
        },
        callback: string(CALLBACK, take(CALLBACK)?)?,
    })
}

fn invalid(field: &str, detail: impl Into<String>) -> Problem {
    Problem::field(Code::InvalidField, field, detail)
}

fn string(field: &'static str, value: Value) -> Result<String, Problem> {
    match value {
        Value::String(text) => Ok(text),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err(invalid(field, "must be a string"))
        }
    }
}

fn text(field: &'static str, value: Value) -> Result<String, Problem> {
    let text = string(field, value)?;
    let characters = text.chars().count();
    if !(1..=TEXT_CHARACTERS_MAX).contains(&characters) {
        return Err(invalid(
            field,
            format!("must have 1 to {TEXT_CHARACTERS_MAX} characters, has {characters}"),
        ));
    }
    if text.chars().any(char::is_control) {
        return Err(invalid(field, "must not contain control characters"));
    }
    Ok(text)
}

fn count(value: &Value) -> Result<u32, Problem> {
    let count = match value {
        Value::Number(number) => number.as_u64(),
        Value::String(digits)
            if digits.len() <= COUNT_DIGITS_MAX
                && !digits.is_empty()
                && digits.bytes().all(|b| b.is_ascii_digit()) =>
        {
            digits.parse::<u64>().ok()
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            None
        }
    };
    count
        .and_then(|count| u32::try_from(count).ok())
        .filter(|count| (1..=COUNT_MAX).contains(count))
        .ok_or_else(|| {
            invalid(
                COUNT,
                "must be a whole number from 1 to 1000000000, or a string of its digits",
            )
        })
}

/// The members of a JSON object as they stand, so that a second of a name is seen.
/// [`crate::http::BODY_BYTES_MAX`] bounds how many there can be.
struct Fields(Vec<(String, Value)>);

/// More members than this cannot be a request, and comparing them all would take long.
const MEMBERS_MAX: usize = 64;

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    if members.len() == MEMBERS_MAX {
                        return Err(serde::de::Error::custom("the object has over 64 members"));
                    }
                    members.push(member);
                }
                Ok(Fields(members))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// The request in the API's description, with the same bounds as [`parse`].
pub(crate) struct ManufactureRequest;

impl PartialSchema for ManufactureRequest {
    fn schema() -> RefOr<Schema> {
        let text = |description: &str| {
            ObjectBuilder::new()
                .schema_type(Type::String)
                .min_length(Some(1))
                .max_length(Some(TEXT_CHARACTERS_MAX))
                .pattern(Some(r"^[^\u0000-\u001f\u007f-\u009f]*$"))
                .description(Some(description))
        };
        let count = OneOfBuilder::new()
            .item(
                ObjectBuilder::new()
                    .schema_type(Type::Integer)
                    .minimum(Some(1))
                    .maximum(Some(COUNT_MAX)),
            )
            .item(
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .pattern(Some("^0{0,22}(1000000000|[1-9][0-9]{0,8})$")),
            )
            .description(Some("How many, a number or a string of its digits"));
        let callback = ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::Custom("uri".to_owned())))
            .min_length(Some(1))
            .max_length(Some(outgoing::URL_BYTES_MAX))
            .description(Some(
                "Posted to when the goods are there: absolute, http or https, to a host that \
                 the factory may call. The same URL is the same job",
            ));
        let mut object = ObjectBuilder::new()
            .property(GROUP, text("The message group of the request"))
            .property(PRODUCT, text("What to make"))
            .property(COUNT, count)
            .property(FACTORY, text("The factory that is asked"))
            .property(REQUESTER, text("Who asks"))
            .property(CALLBACK, callback)
            .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
            .examples([json!({
                GROUP: "stock-arrival-group",
                PRODUCT: "CP-502101",
                COUNT: 3,
                FACTORY: "FF-500293",
                REQUESTER: "ada",
                CALLBACK: "http://127.0.0.1:3000/product/donut?token=example",
            })]);
        for field in FIELDS {
            object = object.required(field);
        }
        object.into()
    }
}

impl ToSchema for ManufactureRequest {
    fn name() -> std::borrow::Cow<'static, str> {
        "ManufactureRequest".into()
    }
}
