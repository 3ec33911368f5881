//! What `deploy/` says is true: its files can be read, and they name nothing that the server
//! does not have. Whether Prometheus takes the rules, `promtool test rules` says
//! (`deploy/README.md`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::wait::eventually;
use crate::harness::{Settings, Shop, firstcome, run, text};

const PREFIXES: [&str; 2] = ["firstcome_", "aws_sqs_"];
/// How a histogram's name goes on in a scrape.
const SUFFIXES: [&str; 3] = ["_bucket", "_sum", "_count"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn file(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The program's own source text, without tests.
fn sources() -> String {
    let mut found = String::new();
    let mut directories = vec![
        root().join("crates/server/src"),
        root().join("crates/engine/src"),
    ];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && name != "tests" {
                directories.push(path);
            } else if name.ends_with(".rs") && name != "tests.rs" {
                found += &fs::read_to_string(&path).unwrap();
            }
        }
    }
    found
}

/// Whether a source has this as a text of its own, or within a text as a quoted value.
fn says(sources: &str, word: &str) -> bool {
    sources.contains(&format!("\"{word}\"")) || sources.contains(&format!("\\\"{word}\\\""))
}

fn dashboard() -> Value {
    serde_json::from_str(&file("deploy/grafana/firstcome.json")).expect("it is JSON")
}

/// Every query of the dashboard, with the panel or variable that it belongs to.
fn queries(dashboard: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let query = target["expr"].as_str().unwrap();
            found.push((panel["title"].to_string(), query.to_owned()));
        }
    }
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        if variable["type"] == "query" {
            let query = variable["query"]["query"].as_str().unwrap();
            found.push((variable["name"].to_string(), query.to_owned()));
        }
    }
    found
}

/// The rules of `alerts.yml`: the little of YAML that it uses, everything else is refused.
fn alerts() -> Vec<BTreeMap<String, String>> {
    let yaml = file("deploy/prometheus/alerts.yml");
    let mut rules: Vec<BTreeMap<String, String>> = Vec::new();
    // The key whose text stands on the lines that follow, and how far that key is indented.
    let mut block: Option<(String, usize)> = None;
    for (number, line) in (1..).zip(yaml.lines()) {
        let indent = line.len() - line.trim_start_matches(' ').len();
        let content = line.trim();
        assert!(!line.contains('\t'), "line {number} has a tab");
        assert!(
            indent.is_multiple_of(2),
            "line {number} is indented by {indent}"
        );
        if let Some((key, outer)) = &block {
            if indent > *outer {
                let rule = rules.last_mut().expect("it is within a rule");
                *rule.get_mut(key).unwrap() += &format!("{content} ");
                continue;
            }
            block = None;
        }
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let is_item = content.starts_with("- ");
        let (key, value) = content
            .trim_start_matches("- ")
            .split_once(':')
            .unwrap_or_else(|| panic!("line {number} is no `key: value`"));
        if is_item && key == "alert" {
            rules.push(BTreeMap::new());
        }
        let Some(rule) = rules.last_mut() else {
            assert!(["groups", "name", "rules"].contains(&key), "line {number}");
            continue;
        };
        let mut value = value.trim().trim_matches('"').to_owned();
        if value == "|-" {
            block = Some((key.to_owned(), indent));
            value.clear();
        }
        let before = rule.insert(key.to_owned(), value);
        assert_eq!(before, None, "line {number}: {key} is there twice");
    }
    rules
}

fn is_of_a_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

/// The metrics of a query: what has one of our prefixes, and what stands before `{` or `[`.
fn metrics_of(query: &str) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = query
        .split(|letter| !is_of_a_name(letter))
        .filter(|word| PREFIXES.iter().any(|prefix| word.starts_with(prefix)))
        .map(str::to_owned)
        .collect();
    // What is quoted is the value of a label.
    let bare: String = query.split('"').step_by(2).collect();
    for (at, _) in bare.match_indices(['{', '[']) {
        let before = &bare[..at];
        let name = before.rsplit(|letter| !is_of_a_name(letter)).next();
        names.extend(name.filter(|name| !name.is_empty()).map(str::to_owned));
    }
    names
}

/// The matchers of a query: label and value. A value of several is one entry each.
fn matchers_of(query: &str) -> Vec<(String, String)> {
    let pieces: Vec<&str> = query.split('"').collect();
    let mut found = Vec::new();
    for pair in pieces.chunks_exact(2) {
        let label = pair[0].trim_end_matches(['=', '~', '!']);
        if label.len() == pair[0].len() {
            continue;
        }
        let label = label.rsplit(|letter| !is_of_a_name(letter)).next().unwrap();
        for value in pair[1].split('|') {
            found.push((label.to_owned(), value.to_owned()));
        }
    }
    found
}

/// The name that the program gives to what a scrape calls by this one.
fn base<'a>(sources: &str, name: &'a str) -> &'a str {
    let stripped = SUFFIXES.iter().find_map(|end| name.strip_suffix(end));
    match stripped {
        Some(base) if !says(sources, name) => base,
        _ => name,
    }
}

fn check_query(sources: &str, place: &str, query: &str) {
    let names = metrics_of(query);
    assert!(!names.is_empty(), "{place} asks for nothing: {query}");
    for name in &names {
        if name == "up" {
            continue;
        }
        let base = base(sources, name);
        assert!(says(sources, base), "{place}: the server has no {name}");
        let buckets = format!("Matcher::Full(\"{base}\".into())");
        assert!(
            !name.ends_with("_bucket") || sources.contains(&buckets),
            "{place}: {base} has no buckets"
        );
    }
    for (label, value) in matchers_of(query) {
        // What Prometheus adds, patterns of names that shops choose, Amazon's names of actions.
        if ["job", "instance", "consumer", "queue", "action"].contains(&label.as_str()) {
            continue;
        }
        assert!(
            says(sources, &label) || sources.contains(&format!("{label}=\\\"")),
            "{place}: no metric has the label {label}"
        );
        assert!(
            says(sources, &value),
            "{place}: {label} is never {value}: {query}"
        );
    }
}

#[test]
fn queries_are_taken_apart() {
    let query =
        r#"sum by (le) (rate(firstcome_a_bucket{x=~"b|c",y!="[d{"}[5m])) + up{} > ping[1m]"#;
    let names: Vec<_> = metrics_of(query).into_iter().collect();
    assert_eq!(names, ["firstcome_a_bucket", "ping", "up"]);
    let found = matchers_of(query);
    let found: Vec<_> = found
        .iter()
        .map(|(l, v)| (l.as_str(), v.as_str()))
        .collect();
    assert_eq!(found, [("x", "b"), ("x", "c"), ("y", "[d{")]);
}

#[test]
fn the_dashboard_asks_for_what_the_server_has() {
    let sources = sources();
    let queries = queries(&dashboard());
    assert!(queries.len() > 40, "{}", queries.len());
    for (place, query) in &queries {
        check_query(&sources, place, query);
    }
    // Every consumer's numbers are on it.
    for name in [
        "concurrency",
        "in_hand",
        "handled_total",
        "failures_total",
        "age_seconds",
    ] {
        let name = format!("firstcome_consumer_{name}");
        assert!(
            queries.iter().any(|(_, query)| query.contains(&name)),
            "{name}"
        );
    }
}

#[test]
fn the_dashboard_belongs_to_no_instance_of_grafana() {
    let dashboard = dashboard();
    assert_eq!(dashboard.get("id"), None);
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let mut known: BTreeSet<&str> = ["__rate_interval"].into();
    known.extend(variables.iter().map(|v| v["name"].as_str().unwrap()));
    let mut ids = BTreeSet::new();
    let mut taken = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = &panel["title"];
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}");
        let at = |side: &str| panel["gridPos"][side].as_u64().unwrap();
        for x in at("x")..at("x") + at("w") {
            assert!(x < 24, "{title} is too wide");
            for y in at("y")..at("y") + at("h") {
                assert!(taken.insert((x, y)), "{title} covers another panel");
            }
        }
        if panel["type"] != "row" {
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
            assert!(panel["description"].is_string(), "{title}");
        }
    }
    for (place, query) in queries(&dashboard) {
        for used in query.split('$').skip(1) {
            let name = used.split(|letter| !is_of_a_name(letter)).next().unwrap();
            assert!(known.contains(name), "{place}: there is no variable {name}");
        }
    }
}

#[test]
fn every_alert_asks_for_what_the_server_has_and_has_a_runbook_and_a_test() {
    let (sources, tests) = (sources(), file("deploy/prometheus/alerts.test.yml"));
    let runbooks = file("docs/OPERATIONS.md");
    let headings = runbooks
        .lines()
        .filter_map(|line| line.strip_prefix("### Firstcome"));
    let mut headings: BTreeSet<&str> = headings.collect();
    let alerts = alerts();
    assert!(alerts.len() >= 6, "{}", alerts.len());
    for alert in &alerts {
        let name = alert["alert"].as_str();
        check_query(&sources, name, &alert["expr"]);
        let severity = alert["severity"].as_str();
        assert!(["critical", "warning"].contains(&severity), "{name}");
        assert!(alert["summary"].len() > 20, "{name}");
        assert!(alert["for"].ends_with(['m', 'h']), "{name}");
        let short = name.strip_prefix("Firstcome").expect("its name says whose");
        assert!(
            headings.remove(short),
            "{name} has no runbook, or is there twice"
        );
        let anchor = format!("docs/OPERATIONS.md#{}", name.to_lowercase());
        assert_eq!(alert["runbook_url"], anchor, "{name}");
        let fires = format!("alertname: {name}\n        exp_alerts:\n          - exp_labels:");
        assert!(tests.contains(&fires), "no test shows {name} firing");
    }
    assert!(
        headings.is_empty(),
        "there are no such alerts: {headings:?}"
    );
}

#[test]
fn the_scrape_configuration_has_the_name_that_the_rules_go_by() {
    let scrape = file("deploy/prometheus/prometheus.yml");
    for line in [
        "rule_files:\n  - alerts.yml\n",
        "\n  - job_name: firstcome\n    metrics_path: /metrics\n",
        "\n    authorization:\n      type: Bearer\n",
    ] {
        assert!(scrape.contains(line), "{line}");
    }
    let rules = file("deploy/prometheus/alerts.yml");
    assert!(rules.contains("up{job=\"firstcome\"}"));
}

#[test]
fn the_bounds_that_are_written_down_are_those_of_the_server() {
    let sources = sources();
    // The alert and its runbook know the default.
    assert!(sources.contains("queue_max: 8_192"));
    let nearly_full = alerts()
        .into_iter()
        .find(|alert| alert["alert"] == "FirstcomeSequencerNearlyFull")
        .unwrap();
    assert!(nearly_full["expr"].ends_with("0.8 * 8192"));
    let unit = file("deploy/systemd/firstcome.service");
    let value = |key: &str| -> String {
        let mut found = unit.lines().filter_map(|line| line.split_once('='));
        let found = found.find(|(name, _)| *name == key);
        found.unwrap_or_else(|| panic!("no {key}")).1.to_owned()
    };
    let (_, stop) = sources
        .split_once("const STOP_WITHIN: Duration = Duration::from_secs(")
        .expect("the server has a bound for its stop");
    let stop: u64 = stop.split(')').next().unwrap().parse().unwrap();
    assert!(value("TimeoutStopSec").parse::<u64>().unwrap() > stop);
    let bounds = file("docs/OPERATIONS.md");
    let connections = bounds
        .lines()
        .find_map(|line| line.strip_prefix("| `limits.connections_max` | "))
        .and_then(|rest| rest.split(' ').next())
        .expect("the settings say it");
    let connections: u64 = connections.replace(',', "").parse().unwrap();
    assert!(value("LimitNOFILE").parse::<u64>().unwrap() > 2 * connections);

    // What the unit starts can be started: every flag is one of the server's.
    let start = value("ExecStart");
    let mut words = start.split(' ');
    assert_eq!(words.next(), Some("/usr/local/bin/firstcome"));
    assert_eq!(words.next(), Some("serve"));
    let help = text(&run(firstcome(&["serve", "--help"])).stdout);
    for flag in words.filter(|word| word.starts_with('-')) {
        assert!(help.contains(flag), "{flag}");
    }
}

/// What no scrape has before it has happened once.
const LATER: [&str; 6] = [
    "firstcome_aws_request",
    "firstcome_consumer_",
    "firstcome_delivery_failures_total",
    "firstcome_deliveries_total",
    "firstcome_feed_dropped_total",
    "firstcome_undeliverable_total",
];

#[tokio::test]
async fn a_scrape_has_what_the_dashboard_shows() {
    let shop = Shop::start(Settings::new()).await;
    shop.offer("A-1", json!({"stock": 1, "purchaseLimit": 1}))
        .await;
    shop.order("A-1", "a@example.com").await.expect(201);
    shop.order("A-1", "a@example.com")
        .await
        .problem(409, "purchase_limit");
    let queries = queries(&dashboard());
    let mut wanted: BTreeSet<String> = queries.iter().flat_map(|(_, q)| metrics_of(q)).collect();
    wanted.retain(|name| name != "up" && !LATER.iter().any(|later| name.starts_with(later)));
    assert!(wanted.len() > 10, "{wanted:?}");
    // A decision is counted just after it is answered.
    eventually("the scrape has everything", async || {
        let scrape = shop.get("/metrics").await.body;
        wanted.retain(|name| {
            let is_it = |line: &str| {
                let rest = line.strip_prefix(name.as_str());
                rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
            };
            !scrape.lines().any(is_it)
        });
        wanted.is_empty().then_some(())
    })
    .await;
}
