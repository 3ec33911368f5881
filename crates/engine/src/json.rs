//! JSON objects of a known form, written in one go.
//!
//! `serde_json` says what the bytes are; this writes the same ones for the objects that every
//! order and every bid has, its entry and its answer, at a quarter of the cost: their names need no escaping, and
//! a text is looked through before it is copied, not byte by byte meanwhile.

use itoa::{Buffer, Integer};

/// An object that fields are added to, in their order.
#[derive(Debug)]
pub struct Object {
    json: String,
    is_empty: bool,
}

impl Object {
    /// An empty one, with room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        let mut json = String::with_capacity(bytes);
        json.push('{');
        Self {
            json,
            is_empty: true,
        }
    }

    /// The name is one of a struct's fields: nothing in it has to be escaped.
    fn name(&mut self, name: &'static str, value_begins: &str) {
        debug_assert!(is_plain(name), "{name:?}");
        self.json.push_str(if self.is_empty { "\"" } else { ",\"" });
        self.is_empty = false;
        self.json.push_str(name);
        self.json.push_str(value_begins);
    }

    /// A text of any kind.
    pub fn text(&mut self, name: &'static str, value: &str) {
        self.name(name, "\":");
        self.value(value);
    }

    /// A text in which nothing has to be escaped: no control character, quote or backslash.
    pub fn plain(&mut self, name: &'static str, value: &str) {
        debug_assert!(is_plain(value), "{value:?}");
        self.name(name, "\":\"");
        self.json.push_str(value);
        self.json.push('"');
    }

    pub fn number(&mut self, name: &'static str, value: impl Integer) {
        self.name(name, "\":");
        self.json.push_str(Buffer::new().format(value));
    }

    pub fn numbers(&mut self, name: &'static str, values: &[u64]) {
        self.name(name, "\":[");
        for (i, value) in values.iter().enumerate() {
            if i > 0 {
                self.json.push(',');
            }
            self.json.push_str(Buffer::new().format(*value));
        }
        self.json.push(']');
    }

    pub fn texts(&mut self, name: &'static str, values: &[impl AsRef<str>]) {
        self.name(name, "\":[");
        for (i, value) in values.iter().enumerate() {
            if i > 0 {
                self.json.push(',');
            }
            self.value(value.as_ref());
        }
        self.json.push(']');
    }

    pub fn truth(&mut self, name: &'static str, value: bool) {
        self.name(name, if value { "\":true" } else { "\":false" });
    }

    pub fn null(&mut self, name: &'static str) {
        self.name(name, "\":null");
    }

    /// Left out when there is none, like those below.
    pub fn text_if(&mut self, name: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    pub fn number_if(&mut self, name: &'static str, value: Option<impl Integer>) {
        if let Some(value) = value {
            self.number(name, value);
        }
    }

    pub fn truth_if(&mut self, name: &'static str, value: Option<bool>) {
        if let Some(value) = value {
            self.truth(name, value);
        }
    }

    fn value(&mut self, text: &str) {
        if is_plain(text) {
            self.json.push('"');
            self.json.push_str(text);
            self.json.push('"');
        } else {
            let escaped = serde_json::to_string(text).expect("a text has a JSON form");
            self.json.push_str(&escaped);
        }
    }

    pub fn finish(mut self) -> String {
        self.json.push('}');
        self.json
    }
}

/// Looks at all of it, which the compiler does many bytes at a time.
fn is_plain(text: &str) -> bool {
    text.bytes().fold(true, |plain, b| {
        plain & (b >= b' ') & (b != b'"') & (b != b'\\')
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_without_fields() {
        assert_eq!(Object::with_capacity(2).finish(), "{}");
    }

    proptest! {
        #[test]
        fn it_is_what_serde_json_writes(
            text in any::<String>(),
            plain in "[ !#-\\[\\]-~\u{80}-\u{10ffff}]{0,60}",
            number in any::<i64>(),
            numbers in prop::collection::vec(any::<u64>(), 0..5),
        ) {
            let mut object = Object::with_capacity(0);
            object.number("a", number);
            object.numbers("b", &numbers);
            object.plain("c", &plain);
            object.text("d", &text);
            object.text("e", &plain);
            object.texts("f", &[&text, &plain]);
            object.texts("g", &[] as &[&str]);
            object.truth("h", number > 0);
            object.null("i");
            object.text_if("j", Some(&text));
            object.text_if("-", None);
            object.number_if("k", Some(number));
            object.number_if("-", None::<u64>);
            object.truth_if("l", Some(number < 0));
            object.truth_if("-", None);
            let expected = json!({
                "a": number, "b": numbers, "c": plain, "d": text, "e": plain, "f": [&text, &plain],
                "g": [], "h": number > 0, "i": null, "j": text, "k": number, "l": number < 0,
            });
            prop_assert_eq!(object.finish(), expected.to_string());
        }
    }
}
