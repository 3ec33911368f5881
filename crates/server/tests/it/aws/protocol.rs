//! What HTTP has to do with it: methods, paths, headers, hosts, sizes.

use serde_json::json;

use super::client::{Client, WIRES, Wire, form};
use crate::harness::client::{Answer, Connection};
use crate::harness::{Settings, Shop};

async fn exchange(
    shop: &Shop,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&str>,
) -> Answer {
    let mut connection = Connection::open(shop.aws_address).await.unwrap();
    connection.send(method, path, headers, body).await.unwrap()
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("content-type", "application/x-amz-json-1.0");

#[tokio::test]
async fn the_query_protocol_comes_by_get_and_post_to_the_root_and_to_the_queue() {
    let shop = Shop::start(Settings::new()).await;
    let client = Client::new(&shop, Wire::Query);
    let url = client.queue("paths", json!({})).await;
    let path = url.split_once(&shop.aws_address.to_string()).unwrap().1;
    let short = path.replace("/000000000000/", "/queue/");
    let at = form(
        "SendMessage",
        &json!({"QueueUrl": url, "MessageBody": "a b+c"}),
    );
    let here = form("SendMessage", &json!({"MessageBody": "a b+c"}));
    let answers = [
        exchange(&shop, "POST", "/", &[FORM], Some(&at)).await,
        exchange(&shop, "POST", path, &[FORM], Some(&here)).await,
        exchange(&shop, "POST", &format!("{path}/"), &[FORM], Some(&here)).await,
        exchange(&shop, "POST", &short, &[FORM], Some(&here)).await,
        exchange(&shop, "GET", &format!("/?{at}"), &[], None).await,
        exchange(&shop, "GET", &format!("{path}?{here}"), &[], None).await,
    ];
    for answer in &answers {
        client.read("SendMessage", answer).unwrap();
    }
    let messages = client.receive(&url, json!({})).await;
    assert_eq!(messages.len(), answers.len());
    assert!(messages.iter().all(|message| message["Body"] == "a b+c"));
    // JSON comes to any path too: the queue stands in the body.
    let body = json!({"QueueUrl": url, "MessageBody": "x"}).to_string();
    let target = ("x-amz-target", "AmazonSQS.SendMessage");
    let answer = exchange(&shop, "POST", path, &[JSON, target], Some(&body)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[tokio::test]
async fn http_1_1_has_one_host() {
    let shop = Shop::start(Settings::new()).await;
    for (wire, first) in [
        (Wire::Query, "GET /?Action=ListQueues&Version=2012-11-05"),
        (Wire::Json, "POST /"),
    ] {
        let json = match wire {
            Wire::Query => "",
            Wire::Json => {
                "Content-Type: application/x-amz-json-1.0\r\nX-Amz-Target: AmazonSQS.ListQueues\r\n\
                 Content-Length: 2\r\n"
            }
        };
        let body = if wire == Wire::Json { "{}" } else { "" };
        for (hosts, is_refused) in [
            ("", true),
            ("Host: a\r\nHost: a\r\n", true),
            ("Host: localhost\r\n", false),
        ] {
            let mut connection = Connection::open(shop.aws_address).await.unwrap();
            let request = format!("{first} HTTP/1.1\r\n{hosts}{json}\r\n{body}");
            connection.write(request.as_bytes()).await.unwrap();
            let answer = connection.answer().await.unwrap();
            let read = Client::new(&shop, wire).read("ListQueues", &answer);
            match read {
                Ok(_) => assert!(!is_refused, "{hosts:?}"),
                Err(refused) => assert_eq!(
                    (is_refused, refused.status, refused.code.as_str()),
                    (true, 400, "MalformedHttpRequestException")
                ),
            }
        }
    }
}

#[tokio::test]
async fn what_is_not_understood_is_answered_in_its_own_protocol() {
    let shop = Shop::start(Settings::new()).await;
    let target = |name| ("x-amz-target", name);
    for (method, path, headers, body, status, code) in [
        ("GET", "/", vec![], None, 400, "MissingAction"),
        ("GET", "/favicon.ico", vec![], None, 400, "MissingAction"),
        (
            "GET",
            "/?Action=Nothing",
            vec![],
            None,
            400,
            "InvalidAction",
        ),
        (
            "POST",
            "/",
            vec![FORM],
            Some("Action=%"),
            400,
            "MalformedQueryString",
        ),
        (
            "POST",
            "/",
            vec![FORM],
            Some("Action=ReceiveMessage&QueueUrl=/0/q&WaitTimeSeconds=x"),
            400,
            "InvalidParameterValue",
        ),
        (
            "DELETE",
            "/?Action=ListQueues",
            vec![],
            None,
            400,
            "AWS.SimpleQueueService.UnsupportedOperation",
        ),
        ("POST", "/", vec![JSON], Some("{}"), 400, "InvalidAction"),
        (
            "POST",
            "/",
            vec![JSON, target("AmazonSQS.Nothing")],
            Some("{}"),
            400,
            "InvalidAction",
        ),
        (
            "POST",
            "/",
            vec![JSON, target("DynamoDB.ListTables")],
            Some("{}"),
            400,
            "InvalidAction",
        ),
        (
            "POST",
            "/",
            vec![JSON, target("AmazonSQS.ListQueues")],
            Some("{"),
            400,
            "MalformedInput",
        ),
        (
            "POST",
            "/",
            vec![JSON, target("AmazonSQS.ReceiveMessage")],
            Some(r#"{"QueueUrl":"/0/q","MaxNumberOfMessages":"many"}"#),
            400,
            "MalformedInput",
        ),
    ] {
        let answer = exchange(&shop, method, path, &headers, body).await;
        let is_json = headers.contains(&JSON);
        let wire = if is_json { Wire::Json } else { Wire::Query };
        let refused = Client::new(&shop, wire)
            .read("ListQueues", &answer)
            .unwrap_err();
        assert_eq!(
            (refused.status, refused.code.as_str()),
            (status, code),
            "{path} {body:?}"
        );
    }
    // Parameters that nobody knows are passed by: SDKs send new ones.
    for wire in WIRES {
        let client = Client::new(&shop, wire);
        let more = json!({"QueueNamePrefix": "none", "NewOfNextYear": "1"});
        assert_eq!(client.ok("ListQueues", more).await, json!({}));
    }
}

#[tokio::test]
async fn a_url_has_the_host_that_the_client_used() {
    let trusting = Settings::new().set("AWS__TRUST_FORWARDED", true);
    for (settings, trusts) in [(Settings::new(), false), (trusting, true)] {
        let shop = Shop::start(settings).await;
        let port = shop.aws_address.port();
        let create = "/?Action=CreateQueue&QueueName=hosted";
        for (host, expected) in [
            (
                format!("queues.test:{port}"),
                format!("http://queues.test:{port}"),
            ),
            (String::new(), format!("http://{}", shop.aws_address)),
        ] {
            let mut connection = Connection::open(shop.aws_address).await.unwrap();
            let request = format!("GET {create} HTTP/1.1\r\nhost: {host}\r\n\r\n");
            connection.write(request.as_bytes()).await.unwrap();
            let answer = connection.answer().await.unwrap();
            let url = format!("<QueueUrl>{expected}/000000000000/hosted</QueueUrl>");
            assert!(answer.body.contains(&url), "{host}: {}", answer.body);
        }
        let forwarded = [
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "sqs.example"),
        ];
        let answer = exchange(&shop, "GET", create, &forwarded, None).await;
        let is_outer = answer
            .body
            .contains("https://sqs.example/000000000000/hosted");
        assert_eq!(is_outer, trusts, "{}", answer.body);
    }
}

#[tokio::test]
async fn no_page_of_somebody_else_calls_through_a_browser() {
    let open = Shop::start(Settings::new()).await;
    let own = format!("http://{}", open.aws_address);
    let list = form("ListQueues", &json!({}));
    let get = format!("/?{list}");
    let target = ("x-amz-target", "AmazonSQS.ListQueues");
    for foreign in [
        ("origin", "http://evil.example"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        for (method, path, headers, body) in [
            ("GET", &*get, vec![foreign], None),
            ("POST", "/", vec![FORM, foreign], Some(&*list)),
            (
                "POST",
                "/",
                vec![("content-type", "text/plain"), target, foreign],
                Some("{}"),
            ),
        ] {
            let answer = exchange(&open, method, path, &headers, body).await;
            assert_eq!(answer.status, 403, "{method} {headers:?}");
            assert!(answer.body.contains("AccessDenied"), "{}", answer.body);
        }
    }
    for own in [
        ("origin", own.as_str()),
        ("sec-fetch-site", "none"),
        ("x", "y"),
    ] {
        let answer = exchange(&open, "GET", &get, &[own], None).await;
        assert_eq!(answer.status, 200, "{own:?}: {}", answer.body);
    }
    let mut renamed = Connection::open(open.aws_address).await.unwrap();
    let request = format!("GET {get} HTTP/1.1\r\nhost: queues.example\r\n\r\n");
    renamed.write(request.as_bytes()).await.unwrap();
    assert_eq!(renamed.answer().await.unwrap().status, 403);
}

#[tokio::test]
async fn a_mebibyte_passes_however_it_is_written() {
    let shop = Shop::start(Settings::new()).await;
    let body = "\u{ff}".repeat(512 * 1_024);
    let escaped = "\\u00ff".repeat(512 * 1_024);
    for wire in WIRES {
        let client = Client::new(&shop, wire);
        let url = client.queue("large", json!({})).await;
        client.send(&url, &body).await;
        if wire == Wire::Json {
            // As Python writes it: six bytes for two.
            let text = format!("{{\"QueueUrl\":\"{url}\",\"MessageBody\":\"{escaped}\"}}");
            let target = ("x-amz-target", "AmazonSQS.SendMessage");
            let answer = exchange(&shop, "POST", "/", &[JSON, target], Some(&text)).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
        }
        let messages = client.receive(&url, json!({})).await;
        assert!(!messages.is_empty());
        assert!(messages.iter().all(|message| message["Body"] == body));
        let long = "x".repeat(wire::aws::limits::REQUEST_BYTES_MAX);
        let parameters = json!({"QueueUrl": url, "MessageBody": long});
        let refused = client
            .refused("SendMessage", parameters, "RequestEntityTooLarge")
            .await;
        assert_eq!(refused.status, 413);
    }
}

#[tokio::test]
async fn requests_are_counted() {
    let shop = Shop::start(Settings::new()).await;
    let client = Client::new(&shop, Wire::Json);
    client.ok("ListQueues", json!({})).await;
    client.ok("ListQueues", json!({})).await;
    let code = "AWS.SimpleQueueService.NonExistentQueue";
    client
        .refused("GetQueueUrl", json!({"QueueName": "none"}), code)
        .await;
    exchange(&shop, "GET", "/", &[], None).await;
    let metrics = shop.get("/metrics").await.body;
    for line in [
        r#"firstcome_aws_requests_total{service="sqs",action="ListQueues",code="OK"} 2"#,
        r#"firstcome_aws_requests_total{service="sqs",action="GetQueueUrl",code="AWS.SimpleQueueService.NonExistentQueue"} 1"#,
        r#"firstcome_aws_requests_total{service="sqs",action="unknown",code="MissingAction"} 1"#,
        r#"firstcome_aws_request_seconds_count{service="sqs",action="ListQueues"} 2"#,
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
}

#[tokio::test]
async fn an_overloaded_server_says_so_and_does_nothing() {
    let shop = Shop::start(Settings::new().set("LIMITS__QUEUE_MAX", 1)).await;
    let client = Client::new(&shop, Wire::Json);
    let url = loop {
        let create = json!({"QueueName": "full"});
        if let Ok(created) = client.call("CreateQueue", create).await {
            break created["QueueUrl"].as_str().unwrap().to_owned();
        }
    };
    let send = json!({"QueueUrl": url, "MessageBody": "x"});
    let mut connections = Vec::new();
    for _ in 0..200 {
        let mut connection = client.connect().await;
        client.ask(&mut connection, "SendMessage", &send).await;
        connections.push(connection);
    }
    let (mut sent, mut refused) = (0, 0);
    for mut connection in connections {
        let answer = connection.answer().await.unwrap();
        match client.read("SendMessage", &answer) {
            Ok(_) => sent += 1,
            Err(error) => {
                assert_eq!(
                    (error.status, error.code.as_str()),
                    (503, "ServiceUnavailable")
                );
                assert!(!error.sender);
                assert!(answer.header("retry-after").is_some());
                refused += 1;
            }
        }
    }
    assert!(sent > 0 && refused > 0, "{sent} sent, {refused} refused");
    let count = client.attribute(&url, "ApproximateNumberOfMessages").await;
    assert_eq!(count, sent.to_string());
}
