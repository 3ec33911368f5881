//! Runs the real binary, and looks after it.
//!
//! What always holds when a [`Shop`] is gone: it ended with exit code 0 unless the test killed
//! it, its log tells of no panic and of nobody's name, each line of it is JSON unless it is for
//! people, and `firstcome audit` finds every rule kept.

pub(crate) mod client;
pub(crate) mod factory;
pub(crate) mod served;
pub(crate) mod sse;
pub(crate) mod table;
pub(crate) mod wait;

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpSocket;

use crate::harness::client::{Answer, Connection, Headers};
use crate::harness::sse::Events;
use crate::harness::wait::eventually;

/// The server promises to end within 10 s; a busy machine gets some more.
const STOP_LIMIT: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(5);

/// Settings of one shop, on top of what the tests have in common.
#[derive(Clone, Default)]
pub(crate) struct Settings {
    env: Vec<(String, String)>,
    args: Vec<String>,
}

impl Settings {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A variable of the environment, without its `FIRSTCOME_`.
    pub(crate) fn set(mut self, name: &str, value: impl ToString) -> Self {
        self.env
            .push((format!("FIRSTCOME_{name}"), value.to_string()));
        self
    }

    /// A variable of the environment, as it is.
    pub(crate) fn variable(mut self, name: &str, value: impl ToString) -> Self {
        self.env.push((name.to_owned(), value.to_string()));
        self
    }

    pub(crate) fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.to_owned());
        self
    }

    fn logs_for_people(&self) -> bool {
        let human = ("FIRSTCOME_LOG__FORMAT", "human");
        self.env
            .iter()
            .any(|(name, value)| (name.as_str(), value.as_str()) == human)
    }

    /// The factory `FF-1` is at this URL.
    pub(crate) fn factory(self, url: &str) -> Self {
        self.set("FACTORIES__FF_1", url)
    }
}

/// The binary with these arguments, in an environment that says nothing else.
pub(crate) fn firstcome(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firstcome"));
    command.args(args).env_clear().stdin(Stdio::null());
    command
}

/// Runs the binary to its end.
pub(crate) fn run(mut command: Command) -> Output {
    command.output().expect("the binary can be started")
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs something that must not start: its exit code and what it says on standard error.
pub(crate) async fn refused(mut command: Command) -> (i32, String) {
    let log = tempfile::NamedTempFile::new().unwrap();
    command.stdout(Stdio::null()).stderr(log.reopen().unwrap());
    let mut child = Killed(command.spawn().unwrap());
    let status = eventually("it gives up", async || child.0.try_wait().unwrap()).await;
    let said = text(&std::fs::read(log.path()).unwrap());
    assert!(!said.contains("panicked"), "{said}");
    (status.code().expect("it ends by itself"), said)
}

/// A process that is gone when the test is.
pub(crate) struct Killed(pub(crate) Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `firstcome audit --json`: its exit code and what it says.
pub(crate) fn audit(data: &Path) -> (i32, Value) {
    let mut command = firstcome(&["audit", "--json", "--data"]);
    command.arg(data);
    let output = run(command);
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("the audit failed: {}", text(&output.stderr)));
    (output.status.code().unwrap(), report)
}

/// A program of this binary that serves: the shop, or the reference factory alone.
pub(crate) struct Shop {
    directory: TempDir,
    command: &'static str,
    settings: Settings,
    /// Something to audit at the end.
    has_store: bool,
    child: Option<Child>,
    listen: Ipv4Addr,
    /// Where it can be called.
    pub(crate) address: SocketAddr,
    /// Where AWS SDKs call it; the factory has no such place.
    pub(crate) aws_address: SocketAddr,
    /// Keeps the ports while the process is away, so that it comes back to the same ones.
    ports: Vec<TcpSocket>,
}

impl Shop {
    pub(crate) async fn start(settings: Settings) -> Self {
        let mut shop = Self::new("serve", settings, tempfile::tempdir().unwrap());
        shop.spawn().await;
        shop
    }

    /// Listens at every address of the machine; the tests call it at loopback.
    pub(crate) async fn start_everywhere(settings: Settings) -> Self {
        let mut shop = Self::new("serve", settings, tempfile::tempdir().unwrap());
        shop.listen = Ipv4Addr::UNSPECIFIED;
        shop.spawn().await;
        shop
    }

    /// Consumers in a process of their own, whose queues are with that shop.
    pub(crate) async fn start_workers(shop: &Self, settings: Settings) -> Self {
        let settings = settings
            .set("ROLES", "workers")
            .set("WORKERS__SQS", format!("http://{}", shop.aws_address));
        let mut workers = Self::new("serve", settings, tempfile::tempdir().unwrap());
        workers.has_store = false;
        workers.spawn().await;
        workers
    }

    /// The reference factory, with this lead time.
    pub(crate) async fn start_factory(lead_time_ms: u64) -> Self {
        let settings = Settings::new().set("FACTORY__LEAD_TIME_MS", lead_time_ms);
        let mut factory = Self::new("factory", settings, tempfile::tempdir().unwrap());
        factory.spawn().await;
        factory
    }

    fn new(command: &'static str, settings: Settings, directory: TempDir) -> Self {
        Self {
            directory,
            command,
            settings,
            has_store: true,
            child: None,
            listen: Ipv4Addr::LOCALHOST,
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            aws_address: (Ipv4Addr::LOCALHOST, 0).into(),
            ports: Vec::new(),
        }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    /// Everything it has said on standard error, in all its lives.
    pub(crate) fn log_text(&self) -> String {
        text(&std::fs::read(self.log()).unwrap_or_default())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    async fn spawn(&mut self) {
        let ready = self.directory.path().join("ready");
        let _ = std::fs::remove_file(&ready);
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log())
            .unwrap();
        let listen = SocketAddr::from((self.listen, self.address.port()));
        let mut command = firstcome(&[self.command, "--listen", &listen.to_string()]);
        command
            .arg("--aws-listen")
            .arg(self.aws_address.to_string())
            .arg("--data")
            .arg(self.data())
            .arg("--ready-file")
            .arg(&ready)
            .args(&self.settings.args)
            .envs(self.settings.env.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::null())
            .stderr(log);
        let mut child = command.spawn().unwrap();
        let started = eventually("the server is ready", async || {
            if let Some(status) = child.try_wait().unwrap() {
                return Some(Err(status));
            }
            Some(Ok(std::fs::read_to_string(&ready).ok()?))
        })
        .await;
        self.child = Some(child);
        let ready = started.unwrap_or_else(|status| panic!("ended at once: {status}"));
        let ready: Value = serde_json::from_str(&ready).unwrap();
        let listens = |name: &str| -> Option<SocketAddr> {
            let url = ready[name].as_str()?;
            Some(url.strip_prefix("http://").unwrap().parse().unwrap())
        };
        self.address.set_port(listens("http").unwrap().port());
        if let Some(aws) = listens("aws") {
            self.aws_address = aws;
        }
        self.ports.clear();
    }

    /// The kernel gives the port to nobody else while this socket has it, and takes none for
    /// itself: whoever connects is refused.
    fn keep_ports(&mut self) {
        for address in [self.address, self.aws_address] {
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_reuseaddr(true).unwrap();
            socket.bind(address).unwrap();
            self.ports.push(socket);
        }
    }

    /// SIGKILL: nothing is finished, nothing is said.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().unwrap();
        child.wait().unwrap();
        self.keep_ports();
    }

    pub(crate) async fn restart(&mut self) {
        assert!(self.child.is_none(), "it still runs");
        self.spawn().await;
    }

    pub(crate) async fn restart_with(&mut self, settings: Settings) {
        self.settings = settings;
        self.restart().await;
    }

    /// SIGTERM, without waiting for what follows.
    pub(crate) fn terminate(&self) {
        terminate(self.child.as_ref().expect("it runs"));
    }

    /// Waits until it has ended, however it was told to.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        wait::within(STOP_LIMIT, "the server ends", async || self.try_ended()).await
    }

    pub(crate) fn try_ended(&mut self) -> Option<ExitStatus> {
        let child = self.child.as_mut().expect("it runs");
        let status = child.try_wait().unwrap()?;
        self.child = None;
        self.keep_ports();
        Some(status)
    }

    /// SIGTERM, and an orderly end.
    pub(crate) async fn stop(&mut self) {
        self.terminate();
        let status = self.ended().await;
        assert_eq!(status.code(), Some(0), "{}", self.log_text());
    }

    pub(crate) async fn connect(&self) -> Connection {
        Connection::open(self.address).await.unwrap()
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: Headers<'_>,
        body: Option<&Value>,
    ) -> Answer {
        let body = body.map(Value::to_string);
        let answer = self
            .connect()
            .await
            .send(method, path, headers, body.as_deref())
            .await;
        answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &[], Some(body)).await
    }

    pub(crate) async fn events(&self, path: &str) -> Events {
        Events::open(self.connect().await, path, &[]).await
    }

    /// Offers a product: these fields over what a product must have.
    pub(crate) async fn offer(&self, sku: &str, fields: Value) -> Value {
        let mut product = json!({
            "sku": sku, "name": "Thing", "price": 1000, "currency": "KRW", "stock": 0,
        });
        for (name, value) in fields.as_object().unwrap() {
            product[name] = value.clone();
        }
        self.post("/products", &product).await.expect(201)
    }

    pub(crate) async fn product(&self, sku: &str) -> Value {
        self.get(&format!("/products/{sku}")).await.expect(200)
    }

    pub(crate) async fn order(&self, sku: &str, customer: &str) -> Answer {
        let body = json!({"sku": sku, "customer": customer});
        self.post("/orders", &body).await
    }

    /// Orders and returns the whole order, whatever its verdict.
    pub(crate) async fn place(&self, sku: &str, customer: &str, quantity: u64) -> Value {
        let body = json!({"sku": sku, "customer": customer, "quantity": quantity});
        let answer = self.post("/orders", &body).await;
        match answer.status {
            201 | 202 => answer.json(),
            _ => answer.problem(409, "sold_out")["order"].clone(),
        }
    }

    pub(crate) async fn order_of(&self, order: &Value) -> Value {
        let id = order["id"].as_str().unwrap();
        self.get(&format!("/orders/{id}")).await.expect(200)
    }

    pub(crate) async fn receive(&self, sku: &str, quantity: u64, reference: &str) -> Value {
        let body = json!({"quantity": quantity, "reference": reference});
        self.post(&format!("/products/{sku}/receipts"), &body)
            .await
            .expect(201)
    }

    /// The product's replenishments, newest first.
    pub(crate) async fn replenishments(&self, sku: &str) -> Vec<Value> {
        let list = self.get(&format!("/replenishments?sku={sku}")).await;
        list.expect(200)["replenishments"]
            .as_array()
            .unwrap()
            .clone()
    }

    /// The product's newest replenishment, once it has this status.
    pub(crate) async fn replenishment(&self, sku: &str, status: &str) -> Value {
        eventually(&format!("a replenishment is {status}"), async || {
            let newest = self.replenishments(sku).await.into_iter().next()?;
            (newest["status"] == status).then_some(newest)
        })
        .await
    }

    pub(crate) async fn dead_letters(&self) -> Vec<Value> {
        let list = self.get("/ops/queues/replenishment-dlq/messages").await;
        list.expect(200)["messages"].as_array().unwrap().clone()
    }

    /// Nothing is left in the queue of requests.
    pub(crate) async fn queue_is_empty(&self) {
        eventually("the queue is empty", async || {
            let queues = self.get("/ops/queues").await.expect(200);
            let queues = queues["queues"].as_array().unwrap();
            let queue = queues.iter().find(|queue| queue["name"] == "replenishment");
            let queue = queue.unwrap();
            let left: u64 = ["visible", "inFlight", "delayed"]
                .iter()
                .map(|state| queue[state].as_u64().unwrap())
                .sum();
            (left == 0).then_some(())
        })
        .await;
    }
}

/// What programs that read logs look at.
fn assert_is_logged(line: &str) {
    let event: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
    for field in ["timestamp", "level", "message"] {
        assert!(event[field].is_string(), "{field} of {line}");
    }
}

/// The shell's own `kill`, so that no crate and no unsafe code is needed for it.
pub(crate) fn terminate(child: &Child) {
    let status = Command::new("/bin/sh")
        .args(["-c", "kill -TERM \"$0\"", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

impl Drop for Shop {
    fn drop(&mut self) {
        let running = self.child.take();
        if std::thread::panicking() {
            // The test has failed already: say what the server said, and leave nothing behind.
            if let Some(mut child) = running {
                let _ = child.kill();
                let _ = child.wait();
            }
            eprintln!("--- the log of {} ---\n{}", self.command, self.log_text());
            return;
        }
        if let Some(mut child) = running {
            terminate(&child);
            let polls = STOP_LIMIT.as_millis() / POLL.as_millis();
            let ended = (0..polls).find_map(|_| {
                std::thread::sleep(POLL);
                child.try_wait().unwrap()
            });
            let Some(status) = ended else {
                let _ = child.kill();
                let _ = child.wait();
                panic!(
                    "it did not stop within {STOP_LIMIT:?}:\n{}",
                    self.log_text()
                );
            };
            assert_eq!(status.code(), Some(0), "{}", self.log_text());
        }
        let log = self.log_text();
        for unwanted in ["panicked", "@example.com", "token="] {
            assert!(!log.contains(unwanted), "the log has {unwanted}: {log}");
        }
        if !self.settings.logs_for_people() {
            // A process that cannot go on says so in plain words at its end.
            let logged = log.lines().filter(|line| !line.starts_with("firstcome: "));
            logged.for_each(assert_is_logged);
        }
        if self.command == "serve" && self.has_store {
            let (code, report) = audit(&self.data());
            assert_eq!(report["clean"], true, "{report}");
            assert_eq!(code, 0);
        }
    }
}
