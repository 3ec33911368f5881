use super::*;

const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:orders";

fn question(action: &'static str) -> Question<'static> {
    Question {
        account: "111111111111",
        action,
        resource: QUEUE,
    }
}

fn statement(effect: &str, rest: &str) -> String {
    format!(r#"{{"Effect":"{effect}",{rest}}}"#)
}

fn policy(statements: &[String]) -> String {
    let statements = statements.join(",");
    format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#)
}

const EVERYTHING: &str = r#""Principal":"*","Action":"SQS:*","Resource":"*""#;

#[test]
fn one_statement() {
    for (effect, rest, expected) in [
        ("Allow", EVERYTHING, true),
        ("Deny", EVERYTHING, false),
        // Who.
        (
            "Allow",
            r#""Principal":{"AWS":"*"},"Action":"*","Resource":"*""#,
            true,
        ),
        (
            "Allow",
            r#""Principal":{"AWS":"111111111111"},"Action":"*","Resource":"*""#,
            true,
        ),
        (
            "Allow",
            r#""Principal":{"AWS":["arn:aws:iam::111111111111:root"]},"Action":"*","Resource":"*""#,
            true,
        ),
        (
            "Allow",
            r#""Principal":{"AWS":"arn:aws:iam::111111111111:user/a"},"Action":"*","Resource":"*""#,
            true,
        ),
        (
            "Allow",
            r#""Principal":{"AWS":"222222222222"},"Action":"*","Resource":"*""#,
            false,
        ),
        (
            "Allow",
            r#""Principal":{"Service":"sns.amazonaws.com"},"Action":"*","Resource":"*""#,
            false,
        ),
        (
            "Allow",
            r#""NotPrincipal":{"AWS":"222222222222"},"Action":"*","Resource":"*""#,
            false,
        ),
        ("Allow", r#""Action":"*","Resource":"*""#, false),
        // What.
        (
            "Allow",
            r#""Principal":"*","Action":"sqs:sendmessage","Resource":"*""#,
            true,
        ),
        (
            "Allow",
            r#""Principal":"*","Action":["SQS:Send*"],"Resource":"*""#,
            true,
        ),
        (
            "Allow",
            r#""Principal":"*","Action":"SQS:ReceiveMessage","Resource":"*""#,
            false,
        ),
        (
            "Allow",
            r#""Principal":"*","NotAction":"SQS:ReceiveMessage","Resource":"*""#,
            true,
        ),
        (
            "Allow",
            r#""Principal":"*","NotAction":"SQS:*","Resource":"*""#,
            false,
        ),
        ("Allow", r#""Principal":"*","Resource":"*""#, false),
        // Which.
        (
            "Allow",
            r#""Principal":"*","Action":"*","Resource":"arn:aws:sqs:eu-west-1:000000000000:ord*""#,
            true,
        ),
        (
            "Allow",
            r#""Principal":"*","Action":"*","Resource":"arn:aws:sqs:*:*:Orders""#,
            false,
        ),
        (
            "Allow",
            r#""Principal":"*","Action":"*","NotResource":"*""#,
            false,
        ),
        // A condition is never known to hold.
        (
            "Allow",
            r#""Principal":"*","Action":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"true"}}"#,
            false,
        ),
        (
            "Allow",
            r#""Principal":"*","Action":"*","Resource":"*","Condition":{}"#,
            true,
        ),
    ] {
        let text = policy(&[statement(effect, rest)]);
        assert!(is_policy(&text), "{text}");
        assert_eq!(
            allows(&text, &question("SQS:SendMessage")),
            expected,
            "{text}"
        );
    }
}

#[test]
fn a_deny_outweighs_every_allow() {
    for (denied, expected) in [
        (EVERYTHING, false),
        (
            r#""Principal":"*","Action":"SQS:SendMessage","Resource":"*""#,
            false,
        ),
        (
            r#""Principal":"*","Action":"SQS:PurgeQueue","Resource":"*""#,
            true,
        ),
        (
            r#""Principal":{"AWS":"222222222222"},"Action":"*","Resource":"*""#,
            true,
        ),
        (
            r#""NotPrincipal":{"AWS":"222222222222"},"Action":"*","Resource":"*""#,
            false,
        ),
        (
            r#""NotPrincipal":{"AWS":"111111111111"},"Action":"*","Resource":"*""#,
            true,
        ),
        (
            r#""Principal":"*","Action":"*","Resource":"*","Condition":{"Bool":{"a":"b"}}"#,
            false,
        ),
        (r#""Principal":"*""#, false),
    ] {
        let allow = statement("Allow", EVERYTHING);
        let deny = statement("Deny", denied);
        for statements in [[allow.clone(), deny.clone()], [deny, allow]] {
            let text = policy(&statements);
            assert_eq!(
                allows(&text, &question("SQS:SendMessage")),
                expected,
                "{text}"
            );
        }
    }
}

#[test]
fn what_is_no_policy_allows_nothing() {
    let lone = format!(r#"{{"Statement":{}}}"#, statement("Allow", EVERYTHING));
    assert!(
        allows(&lone, &question("SQS:SendMessage")),
        "a lone statement"
    );
    let many = vec![statement("Allow", EVERYTHING); POLICY_STATEMENTS_MAX + 1];
    let long = statement(
        "Allow",
        &format!(r#""Sid":"{}",{EVERYTHING}"#, "x".repeat(8_192)),
    );
    for text in [
        String::new(),
        "{}".to_owned(),
        "[]".to_owned(),
        policy(&[statement("allow", EVERYTHING)]),
        policy(&[statement("Allow", r#""Action":7"#)]),
    ] {
        assert!(!is_policy(&text), "{text}");
        assert!(!allows(&text, &question("SQS:SendMessage")), "{text}");
    }
    assert!(!is_policy(&policy(&many)));
    assert!(is_policy(&policy(&many[1..])));
    assert!(!is_policy(&policy(&[long])));
}

#[test]
fn stars_and_question_marks() {
    for (pattern, text, expected) in [
        ("", "", true),
        ("*", "", true),
        ("**", "abc", true),
        ("a*c", "abbc", true),
        ("a*c", "abcb", false),
        ("a?c", "abc", true),
        ("a?c", "ac", false),
        ("*b*b", "abab", true),
        ("*b*b", "aba", false),
        ("abc", "abcd", false),
    ] {
        assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
    }
}
