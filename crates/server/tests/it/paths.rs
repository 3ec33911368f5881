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
