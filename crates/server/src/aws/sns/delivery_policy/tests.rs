use super::*;

fn delays(policy: &str) -> Vec<u32> {
    let policy: RetryPolicy = serde_json::from_str(policy).unwrap();
    policy.check().unwrap();
    (1..).map_while(|retry| policy.delay_s(retry)).collect()
}

#[test]
fn each_function_grows_in_its_way() {
    for (policy, expected) in [
        ("{}", vec![20, 20, 20]),
        (r#"{"numRetries":0}"#, vec![]),
        (
            r#"{"minDelayTarget":1,"maxDelayTarget":9,"numRetries":5}"#,
            vec![1, 3, 5, 7, 9],
        ),
        (
            r#"{"minDelayTarget":1,"maxDelayTarget":17,"numRetries":5,"backoffFunction":"arithmetic"}"#,
            vec![1, 2, 5, 10, 17],
        ),
        (
            r#"{"minDelayTarget":1,"maxDelayTarget":81,"numRetries":5,"backoffFunction":"geometric"}"#,
            vec![1, 3, 9, 27, 81],
        ),
        (
            r#"{"minDelayTarget":3,"maxDelayTarget":20,"numRetries":5,"backoffFunction":"exponential"}"#,
            vec![3, 6, 12, 20, 20],
        ),
        (
            r#"{"minDelayTarget":2,"maxDelayTarget":8,"numRetries":7,"numNoDelayRetries":2,"numMinDelayRetries":1,"numMaxDelayRetries":2}"#,
            vec![0, 0, 2, 2, 8, 8, 8],
        ),
    ] {
        assert_eq!(delays(policy), expected, "{policy}");
    }
    let mails: Vec<u32> = (1..)
        .map_while(|retry| RetryPolicy::EMAIL.delay_s(retry))
        .collect();
    assert_eq!(mails.len(), 50);
    assert_eq!(mails[..6], [10, 10, 10, 20, 40, 80]);
    assert_eq!(mails[49], 600);
}

#[test]
fn what_is_out_of_bounds_is_refused() {
    for policy in [
        r#"{"minDelayTarget":0}"#,
        r#"{"minDelayTarget":21}"#,
        r#"{"maxDelayTarget":3601}"#,
        r#"{"numRetries":101}"#,
        r#"{"numRetries":1,"numNoDelayRetries":1,"numMinDelayRetries":1}"#,
        r#"{"numRetries":100,"minDelayTarget":37,"maxDelayTarget":37}"#,
        r#"{"numRetries":-1}"#,
        r#"{"backoffFunction":"random"}"#,
    ] {
        let text = format!(r#"{{"healthyRetryPolicy":{policy}}}"#);
        assert!(normal_subscription(&text).is_err(), "{policy}");
        let text = format!(r#"{{"http":{{"defaultHealthyRetryPolicy":{policy}}}}}"#);
        assert!(check_topic(&text).is_err(), "{policy}");
    }
    for text in [
        "x",
        "[]",
        r#"{"throttlePolicy":{"maxReceivesPerSecond":0}}"#,
        r#"{"requestPolicy":{"headerContentType":"image/png"}}"#,
        r#"{"requestPolicy":{"headerContentType":"text/csv\r\nx: y"}}"#,
    ] {
        assert!(normal_subscription(text).is_err(), "{text}");
    }
}

/// As recorded from Amazon.
#[test]
fn policies_are_shown_as_amazon_shows_them() {
    assert_eq!(
        effective_topic(None),
        r#"{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":20,"maxDelayTarget":20,"numRetries":3,"numMaxDelayRetries":0,"numNoDelayRetries":0,"numMinDelayRetries":0,"backoffFunction":"linear"},"disableSubscriptionOverrides":false,"defaultRequestPolicy":{"headerContentType":"text/plain; charset=UTF-8"}}}"#
    );
    let own = normal_subscription(r#"{"requestPolicy":{"headerContentType":"text/csv"}}"#).unwrap();
    assert_eq!(
        own,
        r#"{"healthyRetryPolicy":null,"sicklyRetryPolicy":null,"throttlePolicy":null,"requestPolicy":{"headerContentType":"text/csv"},"guaranteed":false}"#
    );
    assert_eq!(
        effective_subscription(None, Some(&own)),
        r#"{"healthyRetryPolicy":{"minDelayTarget":20,"maxDelayTarget":20,"numRetries":3,"numMaxDelayRetries":0,"numNoDelayRetries":0,"numMinDelayRetries":0,"backoffFunction":"linear"},"sicklyRetryPolicy":null,"throttlePolicy":null,"requestPolicy":{"headerContentType":"text/csv"},"guaranteed":false}"#
    );
}

#[test]
fn a_subscription_stands_before_its_topic_unless_the_topic_forbids_it() {
    let topic = |disabled: bool| {
        format!(
            r#"{{"http":{{"defaultHealthyRetryPolicy":{{"numRetries":1}},"disableSubscriptionOverrides":{disabled},"defaultRequestPolicy":{{"headerContentType":"application/json"}}}}}}"#
        )
    };
    let own =
        r#"{"healthyRetryPolicy":{"numRetries":2},"throttlePolicy":{"maxReceivesPerSecond":7}}"#;
    let found = effective(Some(&topic(false)), Some(own));
    assert_eq!(
        (
            found.retry.num_retries,
            found.per_second_max,
            found.content_type.as_str()
        ),
        (2, Some(7), "application/json")
    );
    let found = effective(Some(&topic(true)), Some(own));
    assert_eq!((found.retry.num_retries, found.per_second_max), (1, None));
    assert_eq!(effective(None, None).retry, RetryPolicy::default());
}
