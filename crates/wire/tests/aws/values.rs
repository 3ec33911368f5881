//! Values that the tests share.

use std::collections::BTreeMap;

use wire::aws::MessageAttribute;

pub(crate) const BODY: &str = "한글 😀 <a href=\"x\">&amp;</a>\r\n\ttab + % = ;";

pub(crate) fn strings<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    pairs.into_iter().map(owned).collect()
}

pub(crate) fn list<const N: usize>(items: [&str; N]) -> Vec<String> {
    items.into_iter().map(str::to_owned).collect()
}

pub(crate) fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// One attribute of each type.
pub(crate) fn attributes() -> BTreeMap<String, MessageAttribute> {
    BTreeMap::from([
        (
            "s".to_owned(),
            MessageAttribute::text("String", "x<&>\"y+ z"),
        ),
        ("n".to_owned(), MessageAttribute::text("Number.int", "007")),
        (
            "b".to_owned(),
            MessageAttribute::binary("Binary", [0, 255, 1]),
        ),
    ])
}

pub(crate) fn system_attributes() -> BTreeMap<String, MessageAttribute> {
    BTreeMap::from([(
        "AWSTraceHeader".to_owned(),
        MessageAttribute::text("String", "Root=1-5759e988-bd862e3fe1be46a994272793"),
    )])
}
