use proptest::prelude::*;

use super::*;

fn attributes(list: &[(&str, &str, &str)]) -> BTreeMap<String, Attribute> {
    list.iter()
        .map(|&(name, data_type, value)| {
            let attribute = match data_type {
                "Binary" => Attribute::binary(value),
                _ => Attribute {
                    data_type: data_type.to_owned(),
                    ..Attribute::string(value)
                },
            };
            (name.to_owned(), attribute)
        })
        .collect()
}

/// The policy `{"k": [rule]}` against an attribute `k` of this type and value.
fn check_attribute(rule: &str, data_type: &str, value: &str, expected: bool) {
    let text = format!(r#"{{"k": [{rule}]}}"#);
    let policy = FilterPolicy::parse(&text, FilterScope::MessageAttributes).unwrap();
    let attributes = attributes(&[("k", data_type, value), ("other", "String", "o")]);
    assert_eq!(
        policy.matches(&attributes, "no json"),
        expected,
        "{rule} {data_type} {value}"
    );
}

fn check_body(policy: &str, body: &str, expected: bool) {
    let parsed = FilterPolicy::parse(policy, FilterScope::MessageBody).unwrap();
    assert_eq!(
        parsed.matches(&BTreeMap::new(), body),
        expected,
        "{policy} {body}"
    );
}

#[test]
fn every_operator_on_an_attribute() {
    for (rule, data_type, value, expected) in [
        // Exact: values of one key are joined by OR.
        (r#""rugby", "tennis""#, "String", "tennis", true),
        (r#""rugby", "tennis""#, "String", "Tennis", false),
        (r#""rugby""#, "String.label", "rugby", true),
        (r#""rugby""#, "String.Array", r#"["tennis", "rugby"]"#, true),
        (r#""rugby""#, "String.Array", r#"["tennis"]"#, false),
        (r#""rugby""#, "String.Array", "[]", false),
        (r#""rugby""#, "String.Array", "no array", false),
        ("true", "String.Array", "[1, true]", true),
        ("null", "String.Array", "[null]", true),
        ("null", "String.Array", "[false]", false),
        ("100", "Number", "100", true),
        ("100", "Number", "1e2", true),
        ("100", "Number.int", "100.0", true),
        ("100", "String", "100", false),
        (r#""100""#, "Number", "100", false),
        ("1.00001", "Number", "1.000012", true),
        ("1.00001", "Number", "1.00002", false),
        (r#""x""#, "Binary", "x", false),
        // Anything but.
        (
            r#"{"anything-but": ["rugby", "tennis"]}"#,
            "String",
            "baseball",
            true,
        ),
        (
            r#"{"anything-but": ["rugby", "tennis"]}"#,
            "String",
            "rugby",
            false,
        ),
        (r#"{"anything-but": "rugby"}"#, "String", "rugby", false),
        (r#"{"anything-but": "rugby"}"#, "String", "x", true),
        // One element that is something else is enough.
        (
            r#"{"anything-but": ["rugby"]}"#,
            "String.Array",
            r#"["rugby", "x"]"#,
            true,
        ),
        (
            r#"{"anything-but": ["rugby"]}"#,
            "String.Array",
            r#"["rugby"]"#,
            false,
        ),
        (r#"{"anything-but": [100, 500]}"#, "Number", "101", true),
        (r#"{"anything-but": [100, 500]}"#, "Number", "500.0", false),
        (
            r#"{"anything-but": {"prefix": "order-"}}"#,
            "String",
            "data-1",
            true,
        ),
        (
            r#"{"anything-but": {"prefix": "order-"}}"#,
            "String",
            "order-1",
            false,
        ),
        (
            r#"{"anything-but": {"suffix": ".png"}}"#,
            "String",
            "a.jpg",
            true,
        ),
        (
            r#"{"anything-but": {"suffix": ".png"}}"#,
            "String",
            "a.png",
            false,
        ),
        (r#"{"anything-but": {"prefix": "1"}}"#, "Number", "2", false),
        // Texts.
        (r#"{"prefix": "bas"}"#, "String", "baseball", true),
        (r#"{"prefix": "bas"}"#, "String", "rugby", false),
        (r#"{"prefix": "1"}"#, "Number", "12", false),
        (r#"{"suffix": "ball"}"#, "String", "baseball", true),
        (r#"{"suffix": "ball"}"#, "String", "ballet", false),
        (
            r#"{"equals-ignore-case": "TENnis"}"#,
            "String",
            "tenNIS",
            true,
        ),
        (
            r#"{"equals-ignore-case": "tennis"}"#,
            "String",
            "tennisx",
            false,
        ),
        // Numbers.
        (r#"{"numeric": ["=", 301.5]}"#, "Number", "3.015e2", true),
        (r#"{"numeric": ["=", 301.5]}"#, "String", "301.5", false),
        (r#"{"numeric": ["<", 0]}"#, "Number", "-0.00001", true),
        (r#"{"numeric": ["<", 0]}"#, "Number", "0", false),
        (r#"{"numeric": ["<=", 0]}"#, "Number", "0", true),
        (r#"{"numeric": [">", 0]}"#, "Number", "0", false),
        (r#"{"numeric": [">=", 0]}"#, "Number", "0", true),
        (r#"{"numeric": [">", 0, "<=", 150]}"#, "Number", "150", true),
        (r#"{"numeric": [">", 0, "<=", 150]}"#, "Number", "0", false),
        (
            r#"{"numeric": [">", 0, "<=", 150]}"#,
            "Number",
            "150.00001",
            false,
        ),
        (r#"{"numeric": [">", 5]}"#, "String.Array", "[1, 9]", true),
        // Addresses.
        (r#"{"cidr": "10.0.0.0/24"}"#, "String", "10.0.0.255", true),
        (r#"{"cidr": "10.0.0.0/24"}"#, "String", "10.0.1.0", false),
        (r#"{"cidr": "10.0.0.7/24"}"#, "String", "10.0.0.1", true),
        (r#"{"cidr": "10.0.0.0/32"}"#, "String", "10.0.0.1", false),
        (r#"{"cidr": "0.0.0.0/0"}"#, "String", "203.0.113.9", true),
        (r#"{"cidr": "0.0.0.0/0"}"#, "String", "::1", false),
        (
            r#"{"cidr": "2001:db8::/32"}"#,
            "String",
            "2001:db8:1::5",
            true,
        ),
        (
            r#"{"cidr": "2001:db8::/32"}"#,
            "String",
            "2001:db9::5",
            false,
        ),
        (r#"{"cidr": "::/0"}"#, "String", "2001:db9::5", true),
        (r#"{"cidr": "10.0.0.0/24"}"#, "String", "host", false),
        // Presence.
        (r#"{"exists": true}"#, "String", "x", true),
        (r#"{"exists": false}"#, "String", "x", false),
        (r#"{"exists": true}"#, "Binary", "x", false),
    ] {
        check_attribute(rule, data_type, value, expected);
    }
}

#[test]
fn an_attribute_that_is_not_there() {
    for (rule, expected) in [
        (r#"{"exists": false}"#, true),
        (r#"{"exists": true}"#, false),
        (r#"{"anything-but": ["x"]}"#, false),
        (r#"{"anything-but": ["x"]}, {"exists": false}"#, true),
        (r#""x""#, false),
        ("null", false),
    ] {
        let text = format!(r#"{{"missing": [{rule}]}}"#);
        let policy = FilterPolicy::parse(&text, FilterScope::MessageAttributes).unwrap();
        let attributes = attributes(&[("other", "String", "x")]);
        assert_eq!(policy.matches(&attributes, ""), expected, "{rule}");
    }
}

#[test]
fn keys_are_joined_by_and() {
    let policy = r#"{"store": ["a"], "price": [{"numeric": [">", 100]}]}"#;
    let policy = FilterPolicy::parse(policy, FilterScope::MessageAttributes).unwrap();
    for (store, price, expected) in [("a", "101", true), ("a", "100", false), ("b", "101", false)] {
        let attributes = attributes(&[("store", "String", store), ("price", "Number", price)]);
        assert_eq!(policy.matches(&attributes, ""), expected, "{store} {price}");
    }
}

#[test]
fn or_joins_objects() {
    // The example of the developer guide: source AND (metricName OR namespace).
    let policy = r#"{"source": ["aws.cloudwatch"],
        "$or": [{"metricName": ["CPU"]}, {"namespace": ["EC2"], "zone": ["a"]}]}"#;
    for (body, expected) in [
        (r#"{"source": "aws.cloudwatch", "metricName": "CPU"}"#, true),
        (
            r#"{"source": "aws.cloudwatch", "namespace": "EC2", "zone": "a"}"#,
            true,
        ),
        (
            r#"{"source": "aws.cloudwatch", "namespace": "EC2", "zone": "b"}"#,
            false,
        ),
        (r#"{"source": "aws.cloudwatch"}"#, false),
        (r#"{"source": "x", "metricName": "CPU"}"#, false),
    ] {
        check_body(policy, body, expected);
    }
    // Nested, below a key.
    let nested = r#"{"a": {"$or": [{"b": [1]}, {"c": [2]}]}}"#;
    check_body(nested, r#"{"a": {"c": 2}}"#, true);
    check_body(nested, r#"{"c": 2}"#, false);
}

#[test]
fn or_is_a_name_like_any_other_unless_it_joins_objects() {
    check_body(r#"{"$or": ["x"]}"#, r#"{"$or": "x"}"#, true);
    check_body(r#"{"$or": ["x", "y"]}"#, r#"{"$or": "y"}"#, true);
    let operators = r#"{"$or": [{"prefix": "x"}, {"suffix": "y"}]}"#;
    check_body(operators, r#"{"$or": "x1"}"#, true);
    check_body(operators, r#"{"$or": "1"}"#, false);
}

#[test]
fn bodies() {
    let nested = r#"{"a": {"b": ["x"]}}"#;
    for (policy, body, expected) in [
        (nested, r#"{"a": {"b": "x"}}"#, true),
        (nested, r#"{"a": {"b": "y"}}"#, false),
        (nested, r#"{"a": "x"}"#, false),
        (nested, r#"{"b": "x"}"#, false),
        // Arrays are looked into at every level.
        (nested, r#"{"a": [{"b": "y"}, {"b": ["z", "x"]}]}"#, true),
        (nested, r#"{"a": [[{"b": [["x"]]}]]}"#, true),
        // A dot reaches into nested objects and back.
        (r#"{"a.b": ["x"]}"#, r#"{"a": {"b": "x"}}"#, true),
        (nested, r#"{"a.b": "x"}"#, true),
        (r#"{"ab": ["x"]}"#, r#"{"a": {"b": "x"}}"#, false),
        // Values keep their types.
        (r#"{"k": [1]}"#, r#"{"k": 1.0}"#, true),
        (r#"{"k": [1]}"#, r#"{"k": "1"}"#, false),
        (r#"{"k": [true]}"#, r#"{"k": true}"#, true),
        (r#"{"k": [null]}"#, r#"{"k": null}"#, true),
        (r#"{"k": [null]}"#, r#"{}"#, false),
        (
            r#"{"k": [{"anything-but": ["x"]}]}"#,
            r#"{"k": null}"#,
            false,
        ),
        // Only leaves exist.
        (r#"{"k": [{"exists": true}]}"#, r#"{"k": null}"#, true),
        (r#"{"k": [{"exists": true}]}"#, r#"{"k": {"x": 1}}"#, false),
        (r#"{"k": [{"exists": false}]}"#, r#"{"k": []}"#, true),
        (r#"{"k": [{"exists": false}]}"#, r#"{"x": 1}"#, true),
        (r#"{"k": [{"exists": false}]}"#, r#"{"k": 1}"#, false),
        // Not an object.
        (r#"{"k": [{"exists": false}]}"#, "text", false),
        (r#"{"k": [{"exists": false}]}"#, "[]", false),
        ("{}", "text", true),
    ] {
        check_body(policy, body, expected);
    }
}

#[test]
fn values_that_are_none_here_do_not_cost_the_message() {
    let policy = r#"{"k": ["v"]}"#;
    for value in [
        r#""cut \ud83d""#,
        r#""\udc00 cut""#,
        r#""\ud83d\u0041""#,
        r#""\\\" \ud83d""#,
        r#""\ud83d\ud83d\ude00""#,
        "1e400",
        "-1e400",
        &"7".repeat(400),
        &format!("[1, {{\"a\": {}.5}}]", "7".repeat(400)),
    ] {
        check_body(policy, &format!(r#"{{"other": {value}, "k": "v"}}"#), true);
        check_body(policy, &format!(r#"{{"other": {value}, "k": "w"}}"#), false);
        check_body(policy, &format!(r#"{{"k": "v", "other": {value}"#), false);
    }
    for (policy, body, expected) in [
        (
            "{\"k\": [\"cut \u{fffd}\"]}",
            r#"{"k": "cut \ud83d"}"#,
            true,
        ),
        (
            r#"{"k": [{"prefix": "cut"}]}"#,
            r#"{"k": "cut \ud83d"}"#,
            true,
        ),
        (
            "{\"k\": [\"\u{1f600}\"]}",
            r#"{"k": "\ud83d\ude00", "o": 1e400}"#,
            true,
        ),
        (r#"{"k": [{"numeric": [">", 5]}]}"#, r#"{"k": 1e400}"#, true),
        (
            r#"{"k": [{"numeric": [">", 5]}]}"#,
            r#"{"k": -1e400}"#,
            false,
        ),
        (r#"{"k": ["1e400"]}"#, r#"{"k": "1e400", "o": 1e400}"#, true),
        // What is no JSON, besides.
        (r#"{"k": ["v"]}"#, r#"{"k": "v", "o": 01e400}"#, false),
        (r#"{"k": ["v"]}"#, r#"{"k": "v", "o": "\ud83"}"#, false),
        (r#"{"k": ["v"]}"#, r#"{"k": "v", "o": "\x \ud83d"}"#, false),
    ] {
        check_body(policy, body, expected);
    }
    check_attribute(r#""v""#, "String.Array", r#"["\ud83d", "v"]"#, true);
}

#[test]
fn whole_numbers_are_not_their_neighbours() {
    const ID: &str = "1790000000000000001";
    const NEXT: &str = "1790000000000000002";
    for (rule, value, expected) in [
        (ID.to_owned(), ID, true),
        (ID.to_owned(), NEXT, false),
        (format!(r#"{{"anything-but": {ID}}}"#), NEXT, true),
        (format!(r#"{{"anything-but": {ID}}}"#), ID, false),
        (format!(r#"{{"numeric": ["=", {ID}]}}"#), NEXT, false),
        (format!(r#"{{"numeric": [">", {ID}]}}"#), NEXT, true),
        (
            format!(r#"{{"numeric": [">", {ID}, "<=", {NEXT}]}}"#),
            NEXT,
            true,
        ),
        (
            format!(r#"{{"numeric": [">", {ID}, "<=", {NEXT}]}}"#),
            ID,
            false,
        ),
        (u64::MAX.to_string(), "18446744073709551615", true),
        (u64::MAX.to_string(), "18446744073709551614", false),
        (i64::MIN.to_string(), "-9223372036854775807", false),
        // Written otherwise it is a fraction, as near as fractions go.
        ("1.79e18".to_owned(), "1790000000000000000", true),
    ] {
        check_attribute(&rule, "Number", value, expected);
        let policy = format!(r#"{{"k": [{rule}]}}"#);
        check_body(&policy, &format!(r#"{{"k": {value}}}"#), expected);
    }
}

#[test]
fn what_is_not_a_policy_is_refused_with_its_reason() {
    let nested = "Filter policy scope MessageAttributes does not support nested filter policy";
    for (policy, reason) in [
        ("", "failed to parse JSON"),
        ("[]", "Filter is not an object"),
        (r#"{"k": "x"}"#, r#""k" must be an object or an array"#),
        (r#"{"k": []}"#, "Empty arrays are not allowed"),
        (r#"{"k": {"n": ["x"]}}"#, nested),
        (
            r#"{"k": [["x"]]}"#,
            "Match value must be String, number, true, false, or null",
        ),
        (r#"{"k": [{}]}"#, "Only one key allowed in match expression"),
        (
            r#"{"k": [{"prefix": "a", "suffix": "b"}]}"#,
            "Only one key allowed in match expression",
        ),
        (
            r#"{"k": [{"wildcard": "*"}]}"#,
            "Unrecognized match type wildcard",
        ),
        (
            r#"{"k": [{"prefix": 1}]}"#,
            "prefix match pattern must be a string",
        ),
        (
            r#"{"k": [{"suffix": null}]}"#,
            "suffix match pattern must be a string",
        ),
        (
            r#"{"k": [{"equals-ignore-case": 1}]}"#,
            "equals-ignore-case match pattern must be a string",
        ),
        (
            r#"{"k": [{"exists": "yes"}]}"#,
            "exists match pattern must be either true or false.",
        ),
        (
            r#"{"k": [{"anything-but": []}]}"#,
            "Empty arrays are not allowed",
        ),
        (
            r#"{"k": [{"anything-but": [["x"]]}]}"#,
            "Match value must be String, number, true, false, or null",
        ),
        (
            r#"{"k": [{"anything-but": {"wildcard": "*"}}]}"#,
            "Unsupported anything-but pattern: wildcard",
        ),
        (
            r#"{"k": [{"anything-but": {"prefix": 1}}]}"#,
            "prefix match pattern must be a string",
        ),
        (
            r#"{"k": [{"anything-but": {}}]}"#,
            "Only one key allowed in match expression",
        ),
        (
            r#"{"k": [{"numeric": 5}]}"#,
            "Value of numeric must be an array.",
        ),
        (
            r#"{"k": [{"numeric": []}]}"#,
            "Invalid member in numeric match: ]",
        ),
        (
            r#"{"k": [{"numeric": [5]}]}"#,
            "Invalid member in numeric match: 5",
        ),
        (
            r#"{"k": [{"numeric": ["!", 5]}]}"#,
            "Unrecognized numeric range operator: !",
        ),
        (
            r#"{"k": [{"numeric": ["<"]}]}"#,
            "Value of < must be numeric",
        ),
        (
            r#"{"k": [{"numeric": ["<", "5"]}]}"#,
            "Value of < must be numeric",
        ),
        (
            r#"{"k": [{"numeric": ["<", 5, ">", 1]}]}"#,
            "Too many elements in numeric expression",
        ),
        (
            r#"{"k": [{"numeric": [">", 1, ">", 5]}]}"#,
            "Bad numeric range operator",
        ),
        (
            r#"{"k": [{"numeric": [">", 5, "<", 5]}]}"#,
            "Bottom must be less than top",
        ),
        (
            r#"{"k": [{"numeric": [">", 1, "<", 5, "<", 6]}]}"#,
            "Too many terms in numeric range expression",
        ),
        (
            r#"{"k": [{"cidr": "10.0.0.0"}]}"#,
            "Malformed CIDR, one '/' required",
        ),
        (
            r#"{"k": [{"cidr": "10.0.0.0/x"}]}"#,
            "Malformed CIDR, mask bits must be an integer",
        ),
        (
            r#"{"k": [{"cidr": "10.0.0/8"}]}"#,
            "Nonstandard IP address: 10.0.0",
        ),
        (
            r#"{"k": [{"cidr": "10.0.0.0/33"}]}"#,
            "Malformed CIDR, mask bits must not exceed the address",
        ),
        // Of one object `$or` is a name, and the object a rule.
        (r#"{"$or": [{"a": ["x"]}]}"#, "Unrecognized match type a"),
        (
            r#"{"$or": [{}, {"a": ["x"]}]}"#,
            "Empty objects are not allowed",
        ),
    ] {
        let refusal = FilterPolicy::parse(policy, FilterScope::MessageAttributes).unwrap_err();
        let said = refusal.to_string();
        assert!(said.starts_with("Invalid parameter: "), "{said}");
        assert!(said.contains(reason), "{policy}: {said}");
        assert_eq!(refusal.field(), "FilterPolicy");
    }
    assert!(FilterPolicy::parse(r#"{"k": {}}"#, FilterScope::MessageBody).is_err());
}

fn is_valid(policy: &str, scope: FilterScope) -> bool {
    FilterPolicy::parse(policy, scope).is_ok()
}

fn values(count: usize) -> String {
    vec!["1"; count].join(",")
}

#[test]
fn five_keys_at_the_top_at_most() {
    let policy = |count: usize| {
        let keys: Vec<String> = (0..count).map(|key| format!(r#""{key}": [1]"#)).collect();
        format!("{{{}}}", keys.join(","))
    };
    for scope in [FilterScope::MessageAttributes, FilterScope::MessageBody] {
        assert!(is_valid(&policy(5), scope));
        assert!(!is_valid(&policy(6), scope));
    }
    // Nested keys do not count.
    let nested = format!(r#"{{"a": {}}}"#, policy(3));
    assert!(is_valid(&nested, FilterScope::MessageBody));
}

#[test]
fn a_hundred_and_fifty_combinations_at_most() {
    use FilterScope::{MessageAttributes, MessageBody};
    let two = |a: usize, b: usize| format!(r#"{{"a": [{}], "b": [{}]}}"#, values(a), values(b));
    let or = |a: usize, b: usize| {
        format!(
            r#"{{"$or": [{{"a": [{}]}}, {{"b": [{}]}}]}}"#,
            values(a),
            values(b)
        )
    };
    // Each key counts its values times its depth: 3 x 4 x 2 x n in the developer guide.
    let deep = |count: usize| {
        format!(
            r#"{{"a": {{"b": {{"c": [1,2,3,4]}}}}, "d": {{"e": [{}]}}}}"#,
            values(count)
        )
    };
    for (policy, scope, valid) in [
        (two(10, 15), MessageAttributes, true),
        (two(10, 16), MessageAttributes, false),
        (or(75, 75), MessageAttributes, true),
        (or(75, 76), MessageAttributes, false),
        (deep(6), MessageBody, true),
        (deep(7), MessageBody, false),
    ] {
        assert_eq!(is_valid(&policy, scope), valid, "{policy}");
    }
}

#[test]
fn a_policy_has_a_largest_size() {
    let policy = |bytes: usize| {
        let around = r#"{"k": [""]}"#.len();
        format!(r#"{{"k": ["{}"]}}"#, "x".repeat(bytes - around))
    };
    assert!(is_valid(&policy(262_144), FilterScope::MessageAttributes));
    assert!(!is_valid(&policy(262_145), FilterScope::MessageAttributes));
}

#[test]
fn policies_are_stored_as_they_were_given() {
    let text = r#"{ "k":  ["x"] }"#;
    let policy = FilterPolicy::parse(text, FilterScope::MessageBody).unwrap();
    let stored = serde_json::to_string(&policy).unwrap();
    let loaded: FilterPolicy = serde_json::from_str(&stored).unwrap();
    assert_eq!(loaded, policy);
    assert_eq!(
        (loaded.text(), loaded.scope()),
        (text, FilterScope::MessageBody)
    );
    let broken = r#"{"scope": "message_body", "text": "{"}"#;
    assert!(serde_json::from_str::<FilterPolicy>(broken).is_err());
}

/// As it is compared: text that holds nothing that must be mended.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        any::<String>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<f64>().prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(4, 20, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(serde_json::Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..5)
                .prop_map(|object| object.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn nothing_else_is_mended(body in json()) {
        // With something to mend behind it, so that all of it is gone through.
        let text = body.to_string();
        let both = format!(r#"[{text}, "\ud83d"]"#);
        let expected = serde_json::from_str::<serde_json::Value>(&text).unwrap();
        let found = lenient::parse(&both).unwrap();
        prop_assert_eq!(&found[0], &expected);
        prop_assert_eq!(found[1].as_str(), Some("\u{fffd}"));
    }

    #[test]
    fn any_text_is_json_or_none(text in r#"[\[\]{}",:0-9a-fA-Fu\\.eE+ -]{0,60}"#) {
        let strict = serde_json::from_str::<serde_json::Value>(&text).ok();
        if strict.is_some() {
            prop_assert_eq!(lenient::parse(&text), strict);
        } else if let Some(mended) = lenient::parse(&text) {
            // Only what JSON allows.
            let raw: Result<&serde_json::value::RawValue, _> = serde_json::from_str(&text);
            prop_assert!(raw.is_ok(), "{} {:?}", text, mended);
        }
    }

    /// Whatever is sent: an answer, never a panic.
    #[test]
    fn any_text_is_a_policy_or_is_refused(text in r#"[\[\]{}",:0-9a-z$.<>=/ -]{0,60}"#) {
        for scope in [FilterScope::MessageAttributes, FilterScope::MessageBody] {
            if let Ok(policy) = FilterPolicy::parse(&text, scope) {
                policy.matches(&BTreeMap::new(), &text);
            }
        }
    }

    /// The masks against the arithmetic that they stand for.
    #[test]
    fn networks(network: u32, address: u32, bits in 0..=32_u32) {
        let size = 1_u64 << (32 - bits);
        let expected = u64::from(network) / size == u64::from(address) / size;
        let rule = format!(r#"{{"cidr": "{}/{bits}"}}"#, std::net::Ipv4Addr::from(network));
        check_attribute(&rule, "String", &std::net::Ipv4Addr::from(address).to_string(), expected);
        // And an address that is surely inside.
        check_attribute(&rule, "String", &std::net::Ipv4Addr::from(network).to_string(), true);
    }
}
