//! What the server refuses to start with, and the demo's catalogue.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::harness::wait::eventually;
use crate::harness::{Killed, Settings, Shop, firstcome, refused, run, terminate, text};

fn serve(data: &std::path::Path) -> Command {
    let mut command = firstcome(&["serve", "--listen", "127.0.0.1:0", "--data"]);
    command.arg(data);
    command
}

#[tokio::test]
async fn a_second_process_on_the_same_store_is_refused() {
    let shop = Shop::start(Settings::new()).await;
    let (code, said) = refused(serve(&shop.data())).await;
    assert_eq!(code, 1, "{said}");
    for part in [
        "in use by another process",
        &format!("process {}", shop.pid()),
        &shop.data().display().to_string(),
    ] {
        assert!(said.contains(part), "{said}");
    }
    // The first one does not notice.
    shop.get("/readyz").await.expect(200);
}

#[tokio::test]
async fn a_store_of_a_newer_release_is_refused() {
    let mut shop = Shop::start(Settings::new()).await;
    shop.offer("A-1", json!({"stock": 1})).await;
    shop.stop().await;
    let set_version = |version: u32| {
        let store = rusqlite::Connection::open(shop.data().join("firstcome.db")).unwrap();
        let before = store.pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0));
        store.pragma_update(None, "user_version", version).unwrap();
        before.unwrap()
    };
    let ours = set_version(9_999);
    let mut audit = firstcome(&["audit", "--data"]);
    audit.arg(shop.data());
    for command in [serve(&shop.data()), audit] {
        let (code, said) = refused(command).await;
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("newer firstcome"), "{said}");
        assert!(said.contains("9999"), "{said}");
    }
    set_version(ours);
    shop.restart().await;
    assert_eq!(
        shop.product("A-1").await["onHand"],
        1,
        "nothing was touched"
    );
}

#[tokio::test]
async fn a_wrong_setting_is_refused_with_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let file = directory.path().join("firstcome.toml");
    for (toml, env, arguments, named) in [
        (
            "",
            Some(("LIMITS__BATCH_MAXX", "1")),
            "",
            "limits.batch_maxx",
        ),
        ("", Some(("LISTENN", "1")), "", "listenn"),
        ("", Some(("LIMITS__QUEUE_MAX", "0")), "", "limits.queue_max"),
        (
            "",
            Some(("LIMITS__QUEUE_MAX", "many")),
            "",
            "limits.queue_max",
        ),
        (
            "",
            Some(("FACTORY__RETRY_MS", "-1")),
            "",
            "factory.retry_ms",
        ),
        (
            "",
            Some(("AUTH__OPERATOR_TOKEN", "short")),
            "",
            "auth.operator_token",
        ),
        ("", Some(("LOG__LEVEL", "loud")), "", "log.level"),
        ("[limits]\nqueue_maxx = 1", None, "", "limits.queue_maxx"),
        (
            "[factory]\nattempts_max = 0",
            None,
            "",
            "factory.attempts_max",
        ),
        ("not toml", None, "", "firstcome.toml"),
        ("", None, "--config=/nowhere/firstcome.toml", "--config"),
        ("", None, "--lissten=127.0.0.1:0", "--lissten"),
        ("", None, "--listen=somewhere", "--listen"),
        ("", None, "--listen=0.0.0.0:0", "auth.operator_token"),
    ] {
        std::fs::write(&file, toml).unwrap();
        let mut command = firstcome(&["serve", "--data"]);
        command.arg(&data);
        if !arguments.starts_with("--config") {
            command.arg("--config").arg(&file);
        }
        if !arguments.is_empty() {
            command.arg(arguments);
        }
        if let Some((name, value)) = env {
            command.env(format!("FIRSTCOME_{name}"), value);
        }
        let (code, said) = refused(command).await;
        assert_eq!(code, 2, "{named}: {said}");
        assert!(said.contains(named), "{named}: {said}");
        assert!(!data.exists(), "{named}: nothing was begun");
    }
}

/// The folder that it makes tells which setting counted.
#[tokio::test]
async fn what_is_nearer_to_the_hand_counts_defaults_file_environment_flag() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("firstcome.toml");
    let ready = directory.path().join("ready");
    std::fs::write(&file, "data = \"of-the-file\"").unwrap();
    for (sources, made) in [
        (0, "data"),
        (1, "of-the-file"),
        (2, "of-the-environment"),
        (3, "of-the-flag"),
    ] {
        let mut command = firstcome(&["serve", "--listen", "127.0.0.1:0", "--aws-listen"]);
        command.args(["127.0.0.1:0", "--ready-file", "ready"]);
        if sources >= 1 {
            command.arg("--config").arg(&file);
        }
        if sources >= 2 {
            command.env("FIRSTCOME_DATA", "of-the-environment");
        }
        if sources >= 3 {
            command.args(["--data", "of-the-flag"]);
        }
        let store = directory.path().join(made).join("firstcome.db");
        assert!(!store.exists());
        command.current_dir(directory.path());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = Killed(command.spawn().unwrap());
        eventually("it is ready", async || ready.exists().then_some(())).await;
        assert!(store.exists(), "not in {made}");
        terminate(&child.0);
        eventually("it ends", async || child.0.try_wait().unwrap()).await;
        std::fs::remove_file(&ready).unwrap();
    }
}

#[tokio::test]
async fn a_ready_file_is_of_this_start_and_one_that_cannot_be_written_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    for wrong in [
        directory.path().join("none/ready"),
        directory.path().to_owned(),
    ] {
        let mut command = serve(&directory.path().join("data"));
        command.arg("--ready-file").arg(&wrong);
        let (code, said) = refused(command).await;
        assert_eq!(code, 2, "{said}");
        assert!(said.contains("setting `ready_file`"), "{said}");
        assert!(!directory.path().join("data").exists(), "nothing was begun");
    }
    // A start that fails leaves no word of an earlier one.
    let ready = directory.path().join("ready");
    std::fs::write(&ready, "of an earlier start").unwrap();
    std::fs::write(directory.path().join("file"), "").unwrap();
    let mut command = serve(&directory.path().join("file"));
    command.arg("--ready-file").arg(&ready);
    let (code, said) = refused(command).await;
    assert_eq!(code, 1, "{said}");
    assert!(!ready.exists());
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_may_not_grow_is_an_error_with_words() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    // More than what is said, and less than a write-ahead log.
    let script = "ulimit -f 4096; exec \"$0\" serve --listen 127.0.0.1:0 --aws-listen 127.0.0.1:0 --data data";
    command
        .args(["-c", script, env!("CARGO_BIN_EXE_firstcome")])
        .env_clear()
        .current_dir(directory.path());
    let (code, said) = refused(command).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("cannot open the store"), "{said}");
}

#[tokio::test]
async fn a_log_for_people_has_no_colours_where_it_is_no_terminal() {
    let mut shop = Shop::start(Settings::new().set("LOG__FORMAT", "human")).await;
    shop.stop().await;
    let log = shop.log_text();
    assert!(log.contains("INFO ready"), "{log}");
    assert!(!log.contains('\u{1b}'), "{log}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_log_on_a_terminal_is_for_people() {
    use std::io::{Read as _, Write as _};

    let directory = tempfile::tempdir().unwrap();
    // A terminal for the program, which hears here what it is told there (util-linux).
    let serve = format!(
        "exec {} serve --listen 127.0.0.1:0 --aws-listen 127.0.0.1:0 --data data --ready-file ready",
        env!("CARGO_BIN_EXE_firstcome")
    );
    let mut terminal = Command::new("script")
        .args(["--quiet", "--return", "--command", &serve, "/dev/null"])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .current_dir(directory.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let ready = directory.path().join("ready");
    eventually("it is ready", async || ready.exists().then_some(())).await;
    // Ctrl-C.
    let mut keys = terminal.stdin.take().unwrap();
    keys.write_all(b"\x03").unwrap();
    let mut shown = String::new();
    let mut output = terminal.stdout.take().unwrap();
    output.read_to_string(&mut shown).unwrap();
    assert!(terminal.wait().unwrap().success(), "{shown}");
    assert!(shown.contains("ready"), "{shown}");
    let lines = shown.lines().filter(|line| line.starts_with('{'));
    assert_eq!(lines.count(), 0, "{shown}");
    let without_colours = shown.replace("\u{1b}[32m", "").replace("\u{1b}[0m", "");
    assert!(without_colours.contains("INFO ready"), "{shown}");
}

#[tokio::test]
async fn an_address_that_is_taken_is_refused() {
    let shop = Shop::start(Settings::new()).await;
    let directory = tempfile::tempdir().unwrap();
    let address = shop.address.to_string();
    let mut command = firstcome(&["serve", "--listen", &address, "--data"]);
    command.arg(directory.path());
    let (code, said) = refused(command).await;
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains(&format!("cannot listen on {address}")),
        "{said}"
    );
}

#[tokio::test]
async fn there_is_nothing_to_audit_where_nothing_is() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = firstcome(&["audit", "--data"]);
    command.arg(directory.path().join("none"));
    let (code, said) = refused(command).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("holds no store"), "{said}");
    let output = run(firstcome(&["--version"]));
    assert!(output.status.success());
    assert!(text(&output.stdout).starts_with("firstcome "));
}

async fn skus(shop: &Shop) -> Vec<String> {
    let products = shop.get("/products").await.expect(200);
    let products = products["products"].as_array().unwrap().iter();
    products
        .map(|product| product["sku"].as_str().unwrap().to_owned())
        .collect()
}

async fn auctions(shop: &Shop) -> usize {
    let auctions = shop.get("/auctions").await.expect(200);
    auctions["auctions"].as_array().unwrap().len()
}

#[tokio::test]
async fn the_demo_is_loaded_into_an_empty_store_only() {
    let demo = Settings::new().arg("--demo");
    let mut shop = Shop::start(demo.clone()).await;
    assert_eq!(skus(&shop).await, ["CP-502101", "POSTER-1", "TICKET-1"]);
    let donut = shop.product("CP-502101").await;
    assert_eq!(donut["price"], 19_900);
    assert_eq!(donut["currency"], "KRW");
    assert_eq!(donut["onHand"], 5);
    assert_eq!(donut["reorder"]["factory"], "FF-500293");
    let poster = shop.product("POSTER-1").await;
    assert_eq!(poster["onHand"], 5);
    assert_eq!(poster["whenSoldOut"], "reject");
    assert_eq!(poster["reorder"], Value::Null);
    assert_eq!(shop.product("TICKET-1").await["whenSoldOut"], "wait");
    // `POST /buy` sells the donut when it names nothing.
    let bought = shop.post("/buy", &json!({"email": "a@example.com"})).await;
    assert_eq!(bought.expect(202)["order"]["sku"], "CP-502101");
    // Another start changes nothing.
    shop.stop().await;
    shop.restart().await;
    assert_eq!(skus(&shop).await.len(), 3);
    assert_eq!(shop.product("CP-502101").await["lastPlace"], 1);

    let mut shop = Shop::start(Settings::new()).await;
    assert_eq!(skus(&shop).await.len(), 0);
    shop.get("/api/manufactures")
        .await
        .problem(404, "not_found");
    shop.offer("A-1", json!({})).await;
    shop.stop().await;
    shop.restart_with(demo).await;
    assert_eq!(skus(&shop).await, ["A-1"]);
    assert_eq!(auctions(&shop).await, 0);
}

#[tokio::test]
async fn a_demo_whose_first_start_was_cut_short_is_whole_after_the_next() {
    let mut shop = Shop::start(Settings::new()).await;
    let donut = json!({"name": "Glazed donut", "price": 19_900, "stock": 5});
    shop.offer("CP-502101", donut).await;
    shop.stop().await;
    shop.restart_with(Settings::new().arg("--demo")).await;
    assert_eq!(skus(&shop).await, ["CP-502101", "POSTER-1", "TICKET-1"]);
    assert_eq!(auctions(&shop).await, 4);
    assert_eq!(shop.product("CP-502101").await["onHand"], 5);
}
