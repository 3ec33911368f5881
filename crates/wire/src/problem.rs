//! RFC 9457 problem details.

use std::fmt::Write as _;

use serde::Serialize;

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
    members: Vec<(&'static str, String)>,
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
    pub fn with(self, name: &'static str, value: impl Serialize) -> Self {
        let json = serde_json::to_string(&value).expect("what is told has a JSON form");
        self.with_json(name, json)
    }

    /// The same of a value that is JSON already.
    #[must_use]
    pub fn with_json(mut self, name: &'static str, json: String) -> Self {
        match self.members.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = json,
            None => self.members.push((name, json)),
        }
        self
    }

    pub fn to_json(&self) -> String {
        let mut json = String::with_capacity(USUAL_BYTES);
        let code = self.code.as_str();
        // Nothing of the code's has to be escaped; a test looks at each.
        json.push_str("{\"type\":\"");
        json.push_str(TYPE_BASE);
        json.push_str(code);
        json.push_str("\",\"title\":\"");
        json.push_str(self.code.title());
        json.push_str("\",\"status\":");
        write!(json, "{}", self.code.status()).expect("a text takes what is written");
        json.push_str(",\"code\":\"");
        json.push_str(code);
        json.push_str("\",\"detail\":");
        push_text(&mut json, &self.detail);
        if let Some(field) = &self.field {
            json.push_str(",\"field\":");
            push_text(&mut json, field);
        }
        for (name, value) in &self.members {
            json.push_str(",\"");
            json.push_str(name);
            json.push_str("\":");
            json.push_str(value);
        }
        json.push('}');
        json
    }
}

fn push_text(json: &mut String, text: &str) {
    let is_plain = |b: u8| b >= b' ' && b != b'"' && b != b'\\';
    if text.bytes().all(is_plain) {
        json.push('"');
        json.push_str(text);
        json.push('"');
    } else {
        json.push_str(&serde_json::to_string(text).expect("a text has a JSON form"));
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
        let json = problem.to_json();
        assert_eq!(json.matches("currentPrice").count(), 1, "{json}");
        assert!(json.ends_with(r#""currentPrice":null}"#), "{json}");
    }

    #[test]
    fn every_code_and_every_text_is_readable_json() {
        for code in Code::ALL {
            for text in ["", "plain", "\"quoted\" \\ and\n\u{1}", "한국어 \u{2028}"] {
                let problem = Problem::new(*code, text).field(text).with("limit", text);
                let json: Value = serde_json::from_str(&problem.to_json()).unwrap();
                let expected = serde_json::json!({
                    "type": format!("https://firstcome.dev/errors/{}", code.as_str()),
                    "title": code.title(),
                    "status": code.status(),
                    "code": code.as_str(),
                    "detail": text,
                    "field": text,
                    "limit": text,
                });
                assert_eq!(json, expected);
            }
        }
    }

    #[test]
    fn a_problem_as_the_documentation_shows_it() {
        let problem = Problem::new(Code::PurchaseLimit, "this customer may buy 2 and has 2")
            .field("quantity")
            .with("limit", 2)
            .with("bought", 2);
        let json: Value = serde_json::from_str(&problem.to_json()).unwrap();
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
