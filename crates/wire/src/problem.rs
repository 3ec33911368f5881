//! RFC 9457 problem details.

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use crate::code::Code;

/// Where the pages of `docs/ERRORS` are served.
const TYPE_BASE: &str = "https://firstcome.dev/errors/";

/// What a problem's JSON usually takes, in bytes.
const USUAL_BYTES: usize = 768;

/// An error as a client reads it.
#[derive(Debug, Clone)]
pub struct Problem {
    pub code: Code,
    /// A lowercase fragment that names the bound or the thing at fault.
    pub detail: String,
    /// The field, header or parameter at fault.
    pub field: Option<String>,
    /// Further members that the code's page documents, in their JSON form: a verdict that says no
    /// is made as often as one that says yes, and no tree of values is built for it.
    members: Vec<(&'static str, Box<RawValue>)>,
}

impl Problem {
    pub const CONTENT_TYPE: &'static str = "application/problem+json";

    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            field: None,
            members: Vec::new(),
        }
    }

    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// A further member; another one of this name is replaced.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Serialize) -> Self {
        let value = to_raw_value(&value).expect("what is told has a JSON form");
        match self.members.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.members.push((name, value)),
        }
        self
    }

    pub fn to_json(&self) -> Vec<u8> {
        let mut json = Vec::with_capacity(USUAL_BYTES);
        serde_json::to_writer(&mut json, self).expect("texts and JSON values have a JSON form");
        json
    }
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let code = self.code.as_str();
        map.serialize_entry("type", &format_args!("{TYPE_BASE}{code}"))?;
        map.serialize_entry("title", self.code.title())?;
        map.serialize_entry("status", &self.code.status())?;
        map.serialize_entry("code", code)?;
        map.serialize_entry("detail", &self.detail)?;
        if let Some(field) = &self.field {
            map.serialize_entry("field", field)?;
        }
        for (name, value) in &self.members {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_member_is_there_once() {
        let problem = Problem::new(Code::AuctionClosed, "no bid counts any more")
            .with("currentPrice", 1)
            .with("currentPrice", None::<i64>);
        let json = String::from_utf8(problem.to_json()).unwrap();
        assert_eq!(json.matches("currentPrice").count(), 1, "{json}");
        assert!(json.ends_with(r#""currentPrice":null}"#), "{json}");
    }

    #[test]
    fn a_problem_as_the_documentation_shows_it() {
        let problem = Problem::new(Code::PurchaseLimit, "this customer may buy 2 and has 2")
            .field("quantity")
            .with("limit", 2)
            .with("bought", 2);
        let json: Value = serde_json::from_slice(&problem.to_json()).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "type": "https://firstcome.dev/errors/purchase_limit",
                "title": "Purchase limit reached",
                "status": 409,
                "code": "purchase_limit",
                "detail": "this customer may buy 2 and has 2",
                "field": "quantity",
                "limit": 2,
                "bought": 2,
            })
        );
    }
}
