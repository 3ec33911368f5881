use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;
use crate::aws::MessageAttribute;
use crate::aws::collect;

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Shape {
    text: String,
    #[serde(deserialize_with = "collect::integer")]
    number: Option<i32>,
    #[serde(deserialize_with = "collect::boolean")]
    flag: bool,
    #[serde(deserialize_with = "collect::list")]
    tag_keys: Vec<String>,
    #[serde(deserialize_with = "collect::map")]
    attributes: BTreeMap<String, String>,
    #[serde(deserialize_with = "collect::map")]
    message_attributes: BTreeMap<String, MessageAttribute>,
    #[serde(deserialize_with = "collect::entries")]
    entries: Vec<Entry>,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Entry {
    id: String,
    #[serde(deserialize_with = "collect::integer")]
    number: Option<i32>,
    #[serde(deserialize_with = "collect::map")]
    message_attributes: BTreeMap<String, MessageAttribute>,
}

fn read(query: &str) -> Result<Shape, QueryError> {
    decode(&Form::parse(query, b"").unwrap())
}

#[test]
fn every_form_of_a_list() {
    for (query, expected) in [
        ("", &[] as &[&str]),
        ("TagKey=", &[]),
        ("TagKey=a", &["a"]),
        ("TagKey.1=a&TagKey.2=b", &["a", "b"]),
        ("TagKeys.member.1=a&TagKeys.member.2=b", &["a", "b"]),
        ("TagKeys.1=a", &["a"]),
        // In the order of the numbers, not of the texts; gaps are passed over.
        ("TagKey.10=c&TagKey.2=b&TagKey.1=a", &["a", "b", "c"]),
        // Neighbours in the sorted parameters that are no members.
        (
            "TagKey-x=1&TagKey.1=a&TagKey0=1&TagKey.x=1&TagKey.01=1&TagKey.-1=1",
            &["a"],
        ),
    ] {
        assert_eq!(read(query).unwrap().tag_keys, expected, "{query}");
    }
}

#[test]
fn every_form_of_a_map() {
    let expected = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
    for query in [
        "Attribute.1.Name=a&Attribute.1.Value=b",
        "Attributes.entry.1.key=a&Attributes.entry.1.value=b",
        "Attribute.Name=a&Attribute.Value=b",
        "Attribute.7.Key=a&Attribute.7.Value=b&Unknown.1.Name=x",
    ] {
        assert_eq!(read(query).unwrap().attributes, expected, "{query}");
    }
}

#[test]
fn entries_have_members_and_maps_of_their_own() {
    let shape = read(
        "SendMessageBatchRequestEntry.2.Id=second&SendMessageBatchRequestEntry.1.Id=first\
         &SendMessageBatchRequestEntry.1.Number=-5\
         &SendMessageBatchRequestEntry.1.MessageAttribute.1.Name=n\
         &SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.DataType=Binary\
         &SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.BinaryValue=AQI%3D",
    )
    .unwrap();
    let attribute = MessageAttribute::binary("Binary", [1, 2]);
    assert_eq!(
        shape.entries,
        [
            Entry {
                id: "first".to_owned(),
                number: Some(-5),
                message_attributes: BTreeMap::from([("n".to_owned(), attribute)]),
            },
            Entry {
                id: "second".to_owned(),
                ..Entry::default()
            },
        ]
    );
}

#[test]
fn what_is_wrong_is_named() {
    for (query, expected) in [
        (
            "Number=five",
            "Number: invalid value: string \"five\", expected a whole number of 32 bits",
        ),
        (
            "Number=",
            "Number: invalid value: string \"\", expected a whole number of 32 bits",
        ),
        (
            "Number=2147483648",
            "Number: invalid value: string \"2147483648\", expected a whole number of 32 bits",
        ),
        (
            "Flag=maybe",
            "Flag: invalid value: string \"maybe\", expected true or false",
        ),
        ("Number.1=5", "Number is missing"),
        ("Attribute.1.Name=a", "Attribute.1.Value is missing"),
        ("Attribute.1.Value=a", "Attribute.1.Name is missing"),
        (
            "Attribute.1.Name=a&Attribute.1.Value=1&Attribute.2.Name=a&Attribute.2.Value=2",
            "Attributes: the name a stands there twice",
        ),
        (
            "Entries.3.MessageAttribute.1.Name=n&Entries.3.MessageAttribute.1.Value.BinaryValue=!",
            "Entries.3.MessageAttribute.1.Value.BinaryValue: it is not base64",
        ),
        (
            "Entries.1.Number=x",
            "Entries.1.Number: invalid value: string \"x\", expected a whole number of 32 bits",
        ),
    ] {
        let error = read(query).unwrap_err().to_string();
        let expected = expected.replace("Attributes:", "Attribute:");
        assert_eq!(error, expected, "{query}");
    }
}

#[test]
fn collections_are_bounded() {
    let list = |count: usize| -> String { (1..=count).map(|n| format!("TagKey.{n}=a&")).collect() };
    assert_eq!(read(&list(100)).unwrap().tag_keys.len(), 100);
    assert_eq!(
        read(&list(101)).unwrap_err().to_string(),
        "TagKey: it has more than 100 entries"
    );
    let map = |count: usize| -> String {
        (1..=count)
            .map(|n| format!("Attribute.{n}.Name={n}&Attribute.{n}.Value=a&"))
            .collect()
    };
    assert_eq!(read(&map(100)).unwrap().attributes.len(), 100);
    assert!(read(&map(101)).is_err());
    let entries = |count: usize| -> String {
        (1..=count)
            .map(|n| format!("Entries.{n}.Id={n}&"))
            .collect()
    };
    // Too many for any batch, and still told as a batch.
    assert_eq!(read(&entries(500)).unwrap().entries.len(), 100);
}
