//! What stands in a path, for every route there is.

use serde_json::Value;

use crate::harness::{Settings, Shop};

#[tokio::test]
async fn a_path_that_is_not_utf_8_is_refused_with_the_parameter_on_every_route() {
    let shop = Shop::start(Settings::new()).await;
    let document = shop.get("/openapi.json").await.expect(200);
    let mut routes = 0;
    for (template, operations) in document["paths"].as_object().unwrap() {
        let names = template.split('{').skip(1);
        let names: Vec<&str> = names.map(|rest| rest.split('}').next().unwrap()).collect();
        for method in operations.as_object().unwrap().keys() {
            for &wrong in &names {
                let path = names.iter().fold(template.clone(), |path, &name| {
                    let value = if name == wrong { "%ff" } else { "1" };
                    path.replace(&format!("{{{name}}}"), value)
                });
                let body = Value::Object(serde_json::Map::new());
                let method = method.to_uppercase();
                let answer = shop.send(&method, &path, &[], Some(&body)).await;
                let problem = answer.problem(400, "invalid_parameter");
                assert_eq!(problem["field"], wrong, "{method} {path}");
                routes += 1;
            }
        }
    }
    assert!(routes >= 40, "{routes}");
    let answer = shop.get("/assets/%ff").await;
    answer.problem(400, "invalid_parameter");
}

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

#[tokio::test]
async fn a_browser_gets_a_page_where_there_is_nothing() {
    let shop = Shop::start(Settings::new()).await;
    for path in [
        "/nope",
        "/shop/",
        "/shop",
        "/ops/nope",
        "/assets/",
        "//shop/",
        "/shop//",
    ] {
        for (language, title) in [
            ("en-US,ko;q=0.5", "There is no such page"),
            ("ko-KR", "찾으시는 페이지가 없어요"),
        ] {
            let headers = [("accept", BROWSER), ("accept-language", language)];
            let answer = shop.send("GET", path, &headers, None).await;
            assert_eq!(answer.status, 404, "{path}");
            assert_eq!(
                answer.header("content-type"),
                Some("text/html; charset=utf-8"),
                "{path}"
            );
            assert_eq!(answer.header("vary"), Some("accept, accept-language"));
            let policy = shop.get("/").await;
            assert_eq!(
                answer.header("content-security-policy"),
                policy.header("content-security-policy")
            );
            assert!(answer.body.contains(title), "{path} {language}");
        }
        for accept in ["application/json", "*/*"] {
            let answer = shop.send("GET", path, &[("accept", accept)], None).await;
            answer.problem(404, "not_found");
        }
        let posted = shop.send("POST", path, &[("accept", BROWSER)], None).await;
        posted.problem(404, "not_found");
    }
}

#[tokio::test]
async fn a_slash_behind_a_page_leads_a_browser_to_the_page() {
    let shop = Shop::start(Settings::new()).await;
    for (path, page) in [
        ("/saleroom/", "/saleroom"),
        ("/ops/", "/ops"),
        ("/docs/?lang=ko", "/docs?lang=ko"),
        ("/shop/A-1/", "/shop/A-1"),
        ("/saleroom/auc_1/", "/saleroom/auc_1"),
    ] {
        let answer = shop.send("GET", path, &[("accept", BROWSER)], None).await;
        assert_eq!(answer.status, 308, "{path}");
        assert_eq!(answer.header("location"), Some(page), "{path}");
        let answer = shop.send("GET", path, &[("accept", "*/*")], None).await;
        answer.problem(404, "not_found");
    }
}
