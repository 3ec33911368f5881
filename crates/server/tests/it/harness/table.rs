//! Status, code and field of many requests as a table: add a row for a new answer.

use serde_json::Value;

use crate::harness::Shop;
use crate::harness::client::Headers;

/// What one request must be answered with.
pub(crate) enum Expected {
    /// This status and at least these members.
    Json(u16, Value),
    /// A problem: status, code, and the field it names.
    Problem(u16, &'static str, Option<&'static str>),
}

pub(crate) struct Row {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) headers: Headers<'static>,
    pub(crate) body: Option<String>,
    pub(crate) expected: Expected,
}

pub(crate) fn get(path: &str, expected: Expected) -> Row {
    Row {
        method: "GET",
        path: path.to_owned(),
        headers: &[],
        body: None,
        expected,
    }
}

pub(crate) fn send(
    method: &'static str,
    path: &str,
    body: impl ToString,
    expected: Expected,
) -> Row {
    Row {
        body: Some(body.to_string()),
        method,
        ..get(path, expected)
    }
}

pub(crate) fn post(path: &str, body: impl ToString, expected: Expected) -> Row {
    send("POST", path, body, expected)
}

/// At least these members, all the way down.
pub(crate) fn assert_members(what: &str, found: &Value, wanted: &Value) {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => {
            for (name, value) in wanted {
                let member = found.get(name).unwrap_or(&Value::Null);
                assert_members(&format!("{what}.{name}"), member, value);
            }
        }
        (found, wanted) => assert_eq!(found, wanted, "{what}"),
    }
}

pub(crate) async fn check(shop: &Shop, rows: impl IntoIterator<Item = Row>) {
    for row in rows {
        let answer = shop
            .connect()
            .await
            .send(row.method, &row.path, row.headers, row.body.as_deref())
            .await
            .unwrap();
        let body = row.body.as_deref().unwrap_or_default();
        let shown: String = body.chars().take(200).collect();
        let what = format!("{} {} {shown}", row.method, row.path);
        match &row.expected {
            Expected::Json(status, members) => {
                assert_eq!(answer.status, *status, "{what}: {}", answer.body);
                assert_eq!(answer.header("content-type"), Some("application/json"));
                assert_members(&what, &answer.json(), members);
            }
            Expected::Problem(status, code, field) => {
                assert_eq!(answer.status, *status, "{what}: {}", answer.body);
                let problem = answer.problem(*status, code);
                assert_eq!(problem["field"].as_str(), *field, "{what}: {problem}");
                assert_eq!(
                    problem["type"],
                    format!("https://firstcome.dev/errors/{code}")
                );
                for text in ["title", "detail"] {
                    assert!(problem[text].is_string(), "{what}: {problem}");
                }
            }
        }
    }
}
