//! What is taken, what is not, and how that is said.

use serde_json::{Value, json};

use super::support::{Running, Shop, config, request};

/// A request with one member changed, or with `null` removed.
fn with(field: &str, value: Value) -> Value {
    let mut body = request("http://127.0.0.1:9/?token=s3cret");
    body[field] = value;
    body
}

fn without(field: &str) -> Value {
    let mut body = request("http://127.0.0.1:9/?token=s3cret");
    body.as_object_mut().unwrap().remove(field);
    body
}

#[tokio::test]
async fn a_bad_request_is_refused_with_the_name_of_the_field() {
    let directory = tempfile::tempdir().unwrap();
    let factory = Running::start(config(directory.path())).await;
    let good = request("http://127.0.0.1:9/").to_string();
    let open = good.strip_suffix('}').unwrap();

    const PRODUCT: &str = "MessageAttributeProductId";
    const COUNT: &str = "MessageAttributeProductCnt";
    const CALLBACK: &str = "CallbackUrl";
    let mut cases: Vec<(String, u16, &str, Option<&str>)> = vec![
        (String::new(), 400, "invalid_json", None),
        ("{".into(), 400, "invalid_json", None),
        ("[]".into(), 400, "invalid_json", None),
        ("null".into(), 400, "invalid_json", None),
        ("MessageGroupId=a".into(), 400, "invalid_json", None),
        (format!("{good} x"), 400, "invalid_json", None),
        (
            format!("{open}, \"{COUNT}\": NaN}}"),
            400,
            "invalid_json",
            None,
        ),
        (
            format!("{open}, \"{PRODUCT}\": \"b\"}}"),
            400,
            "invalid_json",
            Some(PRODUCT),
        ),
        ("[".repeat(10_000), 400, "invalid_json", None),
        (
            format!(
                "{{{}}}",
                (0..1_000)
                    .map(|n| format!("\"{n}\":0"))
                    .collect::<Vec<_>>()
                    .join(",")
            ),
            400,
            "invalid_json",
            None,
        ),
        (
            r#"{"MessageGroupId": "\ud800"}"#.into(),
            400,
            "invalid_json",
            None,
        ),
        ("{}".into(), 422, "missing_field", Some("MessageGroupId")),
        (
            with("messageGroupId", json!("a")).to_string(),
            422,
            "unknown_field",
            Some("messageGroupId"),
        ),
        (
            with("", json!("a")).to_string(),
            422,
            "unknown_field",
            Some(""),
        ),
    ];
    for field in [
        "MessageGroupId",
        PRODUCT,
        "MessageAttributeFactoryId",
        "MessageAttributeRequester",
    ] {
        cases.push((
            without(field).to_string(),
            422,
            "missing_field",
            Some(field),
        ));
        for bad in [
            json!(null),
            json!(1),
            json!(true),
            json!(["a"]),
            json!({"a": "b"}),
            json!(""),
            json!("a\u{0}"),
            json!("a\nb"),
            json!("a\u{7f}"),
            json!("x".repeat(257)),
        ] {
            cases.push((
                with(field, bad).to_string(),
                422,
                "invalid_field",
                Some(field),
            ));
        }
    }
    cases.push((
        without(COUNT).to_string(),
        422,
        "missing_field",
        Some(COUNT),
    ));
    for bad in [
        json!(null),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(1e3),
        json!(1_000_000_001_u64),
        json!(u64::MAX),
        json!(1e300),
        json!(true),
        json!([1]),
        json!(""),
        json!("0"),
        json!("-1"),
        json!("+1"),
        json!(" 1"),
        json!("1.0"),
        json!("1e3"),
        json!("١"),
        json!("1000000001"),
        json!("9".repeat(30)),
        json!("1".repeat(300)),
    ] {
        cases.push((
            with(COUNT, bad).to_string(),
            422,
            "invalid_field",
            Some(COUNT),
        ));
    }
    cases.push((
        without(CALLBACK).to_string(),
        422,
        "missing_field",
        Some(CALLBACK),
    ));
    let long = format!("http://127.0.0.1/{}", "x".repeat(2_048));
    for bad in [
        json!(null),
        json!(1),
        json!(""),
        json!("/product/donut"),
        json!("ftp://127.0.0.1/"),
        json!("http://ada:s3cret@127.0.0.1/"),
        json!("http://127.0.0.1/ a"),
        json!(long),
    ] {
        cases.push((
            with(CALLBACK, bad).to_string(),
            422,
            "invalid_field",
            Some(CALLBACK),
        ));
    }
    for bad in [
        "http://shop.example.com/?token=s3cret",
        "http://192.0.2.1/",
        "http://169.254.169.254/",
        "http://localhost.example.com/",
        "http://0.0.0.0/",
    ] {
        cases.push((
            with(CALLBACK, json!(bad)).to_string(),
            422,
            "callback_not_allowed",
            Some(CALLBACK),
        ));
    }

    for (body, status, code, field) in cases {
        let shown: String = body.chars().take(400).collect();
        let answer = factory.post_raw("application/json", body).await;
        assert_eq!(answer.status, status, "{shown}: {}", answer.body);
        assert_eq!(answer.body["code"], code, "{shown}: {}", answer.body);
        assert_eq!(
            answer.body.get("field"),
            field.map(Value::from).as_ref(),
            "{shown}"
        );
    }
    // Not UTF-8.
    let answer = factory
        .post_raw(
            "application/json",
            b"{\"MessageGroupId\": \"\xff\"}".to_vec(),
        )
        .await;
    assert_eq!(
        (answer.status, &answer.body["code"]),
        (400, &json!("invalid_json"))
    );

    let all = factory.get("/api/manufactures").await;
    assert_eq!(all.body, json!({"jobs": []}), "something bad was taken");
}

#[tokio::test]
async fn the_bounds_themselves_are_taken() {
    let directory = tempfile::tempdir().unwrap();
    let factory = Running::start(config(directory.path())).await;
    let base = "http://127.0.0.1:9/";
    for (n, (field, value)) in [
        ("MessageGroupId", json!("ü".repeat(256))),
        ("MessageAttributeProductId", json!(" ")),
        ("MessageAttributeProductCnt", json!(1)),
        ("MessageAttributeProductCnt", json!(1_000_000_000)),
        ("MessageAttributeProductCnt", json!("1000000000")),
        (
            "CallbackUrl",
            json!(format!("{base}{}", "x".repeat(2_048 - base.len()))),
        ),
        ("CallbackUrl", json!("https://localhost:9/")),
        ("CallbackUrl", json!("http://[::1]:9/")),
    ]
    .into_iter()
    .enumerate()
    {
        let mut body = request(&format!("{base}{n}"));
        body[field] = value;
        factory.order(&body).await;
    }
}

#[tokio::test]
async fn only_json_of_a_bounded_size_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let factory = Running::start(config(directory.path())).await;
    let good = |n: u32| request(&format!("http://127.0.0.1:9/{n}")).to_string();
    for (n, (content_type, status)) in [
        ("application/json; charset=utf-8", 202),
        ("Application/JSON", 202),
        ("application/cloudevents+json", 202),
        ("text/plain", 415),
        ("text/json", 415),
        ("application/jsonx", 415),
        ("application/x-www-form-urlencoded", 415),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = factory
            .post_raw(content_type, good(u32::try_from(n).unwrap()))
            .await;
        assert_eq!(answer.status, status, "{content_type}");
    }
    let path = "/api/manufactures";
    let url = format!("{}{path}", factory.base());
    let bare = factory.http().post(&url).body(good(100));
    let answer = factory.send(bare, "post", path).await;
    assert_eq!(
        (answer.status, &answer.body["code"]),
        (415, &json!("unsupported_media_type"))
    );
    let packed = factory
        .http()
        .post(&url)
        .header("content-type", "application/json")
        .header("content-encoding", "gzip")
        .body(good(100));
    assert_eq!(factory.send(packed, "post", path).await.status, 415);

    let fill = |bytes: usize| format!("{}{}", good(200), " ".repeat(bytes - good(200).len()));
    let answer = factory
        .post_raw("application/json", fill(crate::BODY_BYTES_MAX))
        .await;
    assert_eq!(answer.status, 202);
    let answer = factory
        .post_raw("application/json", fill(crate::BODY_BYTES_MAX + 1))
        .await;
    assert_eq!(
        (answer.status, &answer.body["code"]),
        (413, &json!("body_too_large"))
    );
}

#[tokio::test]
async fn the_same_callback_is_the_same_job() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::answering(&[200]).await;
    let factory = Running::start(config(directory.path())).await;
    let body = request(&shop.callback("a"));
    let first = factory.post(&body).await;

    let mut as_string = body.clone();
    as_string["MessageAttributeProductCnt"] = json!("3");
    for again in [&body, &as_string] {
        let again = factory.post(again).await;
        assert_eq!((again.status, &again.body), (first.status, &first.body));
    }
    for field in [
        "MessageGroupId",
        "MessageAttributeProductId",
        "MessageAttributeProductCnt",
        "MessageAttributeFactoryId",
        "MessageAttributeRequester",
    ] {
        let mut other = body.clone();
        other[field] = json!("4");
        let answer = factory.post(&other).await;
        assert_eq!(answer.status, 409, "{field}");
        assert_eq!(answer.body["code"], "callback_reused");
        assert_eq!(answer.body["field"], "CallbackUrl");
    }

    // Also when it is long over, and at the same moment.
    let id = first.body["job"].as_str().unwrap();
    factory.until_status(id, "delivered").await;
    assert_eq!(factory.post(&body).await.body, first.body);
    let new = request(&shop.callback("b"));
    let (one, two, three) =
        tokio::join!(factory.post(&new), factory.post(&new), factory.post(&new));
    assert_eq!(one.body, two.body);
    assert_eq!(two.body, three.body);
    factory
        .until_status(one.body["job"].as_str().unwrap(), "delivered")
        .await;
    assert_eq!(shop.calls().len(), 2);
}

#[tokio::test]
async fn jobs_are_listed_newest_first_by_the_page() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::answering(&[200]).await;
    let factory = Running::start(config(directory.path())).await;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(
            factory
                .order(&request(&shop.callback(&n.to_string())))
                .await,
        );
    }
    let page = async |query: &str| {
        let answer = factory.get(&format!("/api/manufactures{query}")).await;
        assert_eq!(answer.status, 200);
        let jobs = answer.body["jobs"].as_array().unwrap().clone();
        let listed: Vec<_> = jobs
            .iter()
            .map(|job| job["job"].as_str().unwrap().to_owned())
            .collect();
        (listed, answer.body["next"].as_str().map(str::to_owned))
    };
    let newest: Vec<_> = ids.iter().rev().cloned().collect();
    assert_eq!(page("").await, (newest.clone(), None));
    assert_eq!(page("?limit=5").await, (newest.clone(), None));
    let (first, next) = page("?limit=2").await;
    assert_eq!(
        (&first[..], next.as_ref()),
        (&newest[..2], Some(&newest[1]))
    );
    let (second, next) = page(&format!("?limit=2&before={}", next.unwrap())).await;
    assert_eq!(
        (&second[..], next.as_ref()),
        (&newest[2..4], Some(&newest[3]))
    );
    let (third, next) = page(&format!("?limit=2&before={}", next.unwrap())).await;
    assert_eq!((&third[..], next), (&newest[4..], None));

    for (query, code, field) in [
        ("?limit=0", "invalid_field", "limit"),
        ("?limit=101", "invalid_field", "limit"),
        ("?limit=-1", "invalid_field", "limit"),
        ("?limit=", "invalid_field", "limit"),
        ("?limit=a", "invalid_field", "limit"),
        ("?limit=1&limit=2", "invalid_field", "limit"),
        ("?before=5", "invalid_field", "before"),
        ("?before=job_1", "invalid_field", "before"),
        ("?page=2", "unknown_field", "page"),
    ] {
        let answer = factory.get(&format!("/api/manufactures{query}")).await;
        assert_eq!(answer.status, 422, "{query}");
        assert_eq!(
            (&answer.body["code"], &answer.body["field"]),
            (&json!(code), &json!(field))
        );
    }
    for id in [
        "job_0000000000000099",
        "1",
        "job_1",
        "job_-000000000000001",
        "%ff",
        "job_00000000000000001",
    ] {
        let answer = factory.get(&format!("/api/manufactures/{id}")).await;
        assert_eq!(
            (answer.status, &answer.body["code"]),
            (404, &json!("job_not_found")),
            "{id}"
        );
    }
}
