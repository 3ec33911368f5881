//! RFC 9457 problem details.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::code::Code;

/// Where the pages of `docs/ERRORS` are served.
const TYPE_BASE: &str = "https://firstcome.dev/errors/";

/// An error as a client reads it.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    pub code: Code,
    /// A lowercase fragment that names the bound or the thing at fault.
    pub detail: String,
    /// The field, header or parameter at fault.
    pub field: Option<String>,
    /// Further members that the code's page documents.
    pub members: Map<String, Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    #[serde(flatten)]
    members: &'a Map<String, Value>,
}

impl Problem {
    pub const CONTENT_TYPE: &'static str = "application/problem+json";

    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            field: None,
            members: Map::new(),
        }
    }

    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    pub fn to_json(&self) -> Vec<u8> {
        let body = Body {
            r#type: format!("{TYPE_BASE}{}", self.code.as_str()),
            title: self.code.title(),
            status: self.code.status(),
            code: self.code.as_str(),
            detail: &self.detail,
            field: self.field.as_deref(),
            members: &self.members,
        };
        serde_json::to_vec(&body).expect("texts and JSON values have a JSON form")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
