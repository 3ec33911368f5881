//! `cargo xtask test`: the project's one test command.
//!
//! The Rust tests need nothing but Rust. The end-to-end suites ask the real binary the
//! way its users do, from Node, Python and a browser; one whose tools are missing is
//! listed as not run, with the reason, and `--install` fetches the tools instead.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use crate::steps::{Outcome, Steps};
use crate::tools::Tools;
use crate::{fuzz, load, openapi, process, root, server, usage_error};

/// Compiling everything and running it, on two cores; past this it hangs.
const RUST_LIMIT: Duration = Duration::from_secs(40 * 60);
/// The longest suite takes about three minutes; past this it hangs.
const SUITE_LIMIT: Duration = Duration::from_secs(12 * 60);

#[derive(Default)]
pub(crate) struct Options {
    /// Fetch what is missing, and count a step that was not run as failed.
    pub(crate) install: bool,
    /// Names of steps; empty for all of them.
    pub(crate) only: Vec<String>,
    /// Ask a release build, as it is shipped, instead of one with debug assertions.
    pub(crate) release: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Node,
    /// Node, and a program that Debian packages under its own name.
    NodeAnd(&'static str),
    /// Node, and Chromium to drive.
    Browser,
    Python,
    /// A program in Rust with packages of its own; `file` is its folder.
    Rust,
    /// A program in Go, and Amazon's SDK for it as Debian packages it.
    Go,
    /// A program in Java, and Amazon's SDK for it.
    Java,
    /// k6; `file` is the folder of its scripts.
    Load,
    /// Nothing but the binary.
    Nothing,
}

struct Suite {
    name: &'static str,
    what: &'static str,
    needs: Needs,
    /// In tests/e2e, unless its needs say otherwise.
    file: &'static str,
}

const RUST: [(&str, &str); 3] = [
    ("unit", "the tests of every crate"),
    ("doc", "the examples in the documentation of every crate"),
    ("fuzz", "made-up bytes for every decoder of requests"),
];
const SUITES: &[Suite] = &[
    Suite {
        name: "contract",
        what: "docs/openapi.json is what the server answers",
        needs: Needs::Nothing,
        file: "",
    },
    Suite {
        name: "web",
        what: "the modules of the pages, without a browser",
        needs: Needs::Node,
        file: "web.test.mjs",
    },
    Suite {
        name: "socketio",
        what: "the Socket.IO client, subscriptions and e-mail answers",
        needs: Needs::Node,
        file: "socketio.test.mjs",
    },
    Suite {
        name: "sse",
        what: "event streams that are cut and resumed",
        needs: Needs::Node,
        file: "sse.test.mjs",
    },
    Suite {
        name: "restock",
        what: "a factory that is killed while orders wait",
        needs: Needs::Node,
        file: "restock.test.mjs",
    },
    Suite {
        name: "crash",
        what: "a sale with the server killed again and again",
        needs: Needs::Node,
        file: "crash.test.mjs",
    },
    Suite {
        name: "synced",
        what: "the system calls between an order and its answer: the disk has it first",
        needs: Needs::NodeAnd("strace"),
        file: "synced.test.mjs",
    },
    Suite {
        name: "readme",
        what: "the five lines of the README, as they stand there",
        needs: Needs::NodeAnd("curl"),
        file: "readme.test.mjs",
    },
    Suite {
        name: "browser",
        what: "the pages in Chromium, two windows at a time",
        needs: Needs::Browser,
        file: "browser.test.mjs",
    },
    Suite {
        name: "story-page",
        what: "a newcomer's two windows from the first press to the factory and back, in Chromium",
        needs: Needs::Browser,
        file: "story-page.test.mjs",
    },
    Suite {
        name: "hand-made-page",
        what: "the hand-made system's page with its own Socket.IO client, in Chromium",
        needs: Needs::Browser,
        file: "hand-made-page.test.mjs",
    },
    Suite {
        name: "order-page",
        what: "one buyer's presses, stops and ways back to an order, in Chromium",
        needs: Needs::Browser,
        file: "order-page.test.mjs",
    },
    Suite {
        name: "queues-page",
        what: "the queues of the operations page, in Chromium",
        needs: Needs::Browser,
        file: "queues-page.test.mjs",
    },
    Suite {
        name: "follow-page",
        what: "an order's story and the consumers on the operations page, in Chromium",
        needs: Needs::Browser,
        file: "follow-page.test.mjs",
    },
    Suite {
        name: "webhooks",
        what: "webhooks verified by the npm package standardwebhooks",
        needs: Needs::Node,
        file: "webhooks.test.mjs",
    },
    Suite {
        name: "webhooks-py",
        what: "webhooks verified by the PyPI package standardwebhooks",
        needs: Needs::Python,
        file: "test_webhooks.py",
    },
    Suite {
        name: "parcel-page",
        what: "a parcel on its order's page, in Chromium",
        needs: Needs::Browser,
        file: "parcel-page.test.mjs",
    },
    Suite {
        name: "auctions-web",
        what: "the modules of the auction pages, without a browser",
        needs: Needs::Node,
        file: "auctions-web.test.mjs",
    },
    Suite {
        name: "auction-crash",
        what: "30,000 bids on one auction with the server killed again and again",
        needs: Needs::Node,
        file: "auction-crash.test.mjs",
    },
    Suite {
        name: "auctions-page",
        what: "an auction between two bidders, in Chromium",
        needs: Needs::Browser,
        file: "auctions-page.test.mjs",
    },
    Suite {
        name: "auctions-press-page",
        what: "what a press on Bid becomes and what it must not, in Chromium",
        needs: Needs::Browser,
        file: "auctions-press-page.test.mjs",
    },
    Suite {
        name: "auctions-formats-page",
        what: "every kind of auction, language, scheme and width, in Chromium",
        needs: Needs::Browser,
        file: "auctions-formats-page.test.mjs",
    },
    Suite {
        name: "bad-input",
        what: "bytes that no client should send",
        needs: Needs::Python,
        file: "test_bad_input.py",
    },
    Suite {
        name: "schema",
        what: "requests generated from openapi.json",
        needs: Needs::Python,
        file: "test_schema.py",
    },
    Suite {
        name: "mail",
        what: "e-mails over a real SMTP server, with TLS and without",
        needs: Needs::Python,
        file: "test_mail.py",
    },
    Suite {
        name: "aws-v2",
        what: "aws-sdk 2 for JavaScript, over both protocols",
        needs: Needs::Node,
        file: "aws-v2.test.mjs",
    },
    Suite {
        name: "aws-v3",
        what: "the clients of aws-sdk 3 for JavaScript",
        needs: Needs::Node,
        file: "aws-v3.test.mjs",
    },
    Suite {
        name: "aws-rust",
        what: "aws-sdk-sqs and aws-sdk-sns for Rust",
        needs: Needs::Rust,
        file: "aws-rust",
    },
    Suite {
        name: "aws-go",
        what: "aws-sdk-go-v2, over the query protocol",
        needs: Needs::Go,
        file: "aws-go",
    },
    Suite {
        name: "aws-java",
        what: "aws-java-sdk 1, over the query protocol",
        needs: Needs::Java,
        file: "aws-java",
    },
    Suite {
        name: "aws-consumer",
        what: "sqs-consumer on our queues",
        needs: Needs::Node,
        file: "aws-consumer.test.mjs",
    },
    Suite {
        name: "purchase",
        what: "system C's consumers beside ours, system E's slow one",
        needs: Needs::Node,
        file: "purchase.test.mjs",
    },
    Suite {
        name: "aws-crash",
        what: "queues over both protocols with the server killed again and again",
        needs: Needs::Node,
        file: "aws-crash.test.mjs",
    },
    Suite {
        name: "aws-examples",
        what: "the examples in Node, as their pages say",
        needs: Needs::Node,
        file: "aws-examples.test.mjs",
    },
    Suite {
        name: "consumers",
        what: "the consumer in Node that its page shows, killed half-way",
        needs: Needs::Node,
        file: "consumers.test.mjs",
    },
    Suite {
        name: "consumers-py",
        what: "the consumer in Python that its page shows, killed half-way",
        needs: Needs::Python,
        file: "test_consumers.py",
    },
    Suite {
        name: "aws-boto3",
        what: "boto3 on standard queues",
        needs: Needs::Python,
        file: "test_aws_boto3.py",
    },
    Suite {
        name: "aws-boto3-groups",
        what: "boto3 on FIFO and fair queues",
        needs: Needs::Python,
        file: "test_aws_boto3_groups.py",
    },
    Suite {
        name: "aws-boto3-topics",
        what: "boto3 on topics",
        needs: Needs::Python,
        file: "test_aws_boto3_topics.py",
    },
    Suite {
        name: "aws-sigv4",
        what: "who may ask, with access keys",
        needs: Needs::Python,
        file: "test_aws_sigv4.py",
    },
    Suite {
        name: "aws-table",
        what: "the tables of docs/SQS-SNS.md against botocore's model and the server",
        needs: Needs::Python,
        file: "test_aws_table.py",
    },
    Suite {
        name: "aws-celery",
        what: "Celery over kombu's SQS transport",
        needs: Needs::Python,
        file: "test_aws_celery.py",
    },
    Suite {
        name: "aws-examples-py",
        what: "the examples in Python, as their pages say",
        needs: Needs::Python,
        file: "test_aws_examples.py",
    },
    Suite {
        name: "load",
        what: "the load scripts in k6, a little of each, and a threshold that cannot hold",
        needs: Needs::Load,
        file: "load",
    },
];

pub(crate) fn main(args: &[String]) -> ExitCode {
    let mut options = Options::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--install" => options.install = true,
            "--release" => options.release = true,
            "--list" => return list(),
            "--only" => match args.next() {
                Some(name) if names().any(|known| known == name) => {
                    options.only.push(name.clone());
                }
                Some(name) => return usage_error(&format!("there is no step `{name}`")),
                None => return usage_error("--only needs a name; --list shows them"),
            },
            unknown => return usage_error(&format!("test does not know `{unknown}`")),
        }
    }
    let mut steps = Steps::default();
    run(&mut steps, &options);
    steps.finish(options.install)
}

/// Adds every wanted step to `steps`.
pub(crate) fn run(steps: &mut Steps, options: &Options) {
    let wanted =
        |name: &str| options.only.is_empty() || options.only.iter().any(|only| only == name);
    if wanted("unit") {
        steps.step("unit", || unit_tests().into());
    }
    if wanted("doc") {
        steps.step("doc", || {
            process::run(
                &mut process::cargo(["test", "--workspace", "--doc", "--quiet"]),
                RUST_LIMIT,
            )
            .into()
        });
    }
    let tools = Tools::new(options.install);
    if wanted("fuzz") {
        steps.step("fuzz", || fuzz::run(&tools));
    }
    let suites: Vec<&Suite> = SUITES.iter().filter(|suite| wanted(suite.name)).collect();
    if suites.is_empty() {
        return;
    }
    let mut binary = PathBuf::new();
    let built = steps.step("build", || {
        server::build(options.release)
            .map(|path| binary = path)
            .into()
    });
    for suite in suites {
        steps.step(suite.name, || {
            if !built {
                return Outcome::NotRun("the binary was not built".into());
            }
            run_suite(suite, &tools, &binary)
        });
    }
}

/// With nextest a test that hangs or takes the process down fails alone.
fn unit_tests() -> Result<(), String> {
    let mut tests = if process::works("cargo", &["nextest", "--version"]) {
        process::cargo(["nextest", "run", "--workspace", "--no-fail-fast"])
    } else {
        println!("cargo-nextest is not installed; plain `cargo test` runs the same tests");
        process::cargo([
            "test",
            "--workspace",
            "--all-targets",
            "--quiet",
            "--no-fail-fast",
        ])
    };
    process::run(&mut tests, RUST_LIMIT)
}

fn run_suite(suite: &Suite, tools: &Tools, binary: &Path) -> Outcome {
    match suite.needs {
        Needs::Nothing => return openapi::check(binary).into(),
        Needs::Rust => return run_client(&mut rust_client(suite), binary).into(),
        Needs::Go => return run_source(tools.go(), suite, "main.go", binary),
        Needs::Java => return run_source(tools.java(), suite, "Main.java", binary),
        Needs::Load => {
            return match tools.k6() {
                Ok(k6) => load::run(&k6, &root().join(suite.file), binary).into(),
                Err(why) => Outcome::NotRun(why),
            };
        }
        Needs::Node | Needs::NodeAnd(_) | Needs::Browser | Needs::Python => {}
    }
    let mut command = match suite_command(suite, tools) {
        Ok(command) => command,
        Err(why) => return Outcome::NotRun(why),
    };
    command
        .env("FIRSTCOME_BIN", binary)
        .current_dir(root().join("tests/e2e"));
    process::run(&mut command, SUITE_LIMIT).into()
}

/// Built apart from the workspace, whose packages it does not share.
fn rust_client(suite: &Suite) -> Command {
    let folder = root().join("tests/e2e").join(suite.file);
    let mut cargo = process::cargo(["run", "--quiet", "--locked"]);
    cargo
        .arg("--manifest-path")
        .arg(folder.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(root().join("target").join(suite.file))
        .arg("--");
    cargo
}

/// A client that is compiled and run in one go.
fn run_source(
    runner: Result<Command, String>,
    suite: &Suite,
    file: &str,
    binary: &Path,
) -> Outcome {
    match runner {
        Ok(mut client) => {
            client.arg(root().join("tests/e2e").join(suite.file).join(file));
            run_client(&mut client, binary).into()
        }
        Err(why) => Outcome::NotRun(why),
    }
}

/// A program that is told the endpoint, and ends well when everything was as it should be.
fn run_client(client: &mut Command, binary: &Path) -> Result<(), String> {
    let server = server::Server::start(binary)?;
    client.arg(server.aws_endpoint());
    process::run(client, SUITE_LIMIT)?;
    server.audit(binary)
}

/// The command of a suite, or what it lacks.
fn suite_command(suite: &Suite, tools: &Tools) -> Result<Command, String> {
    let node = || {
        tools.node().map(|()| {
            let mut node = Command::new("node");
            // A test that failed may leave a connection open; the run must end all the same.
            node.args([
                "--test",
                "--test-force-exit",
                "--test-reporter=spec",
                suite.file,
            ]);
            node
        })
    };
    match suite.needs {
        Needs::Node => node(),
        Needs::NodeAnd(program) => {
            let node = node()?;
            tools.program(program)?;
            Ok(node)
        }
        Needs::Browser => {
            let mut node = node()?;
            node.env("CHROMIUM_BIN", tools.chromium()?);
            Ok(node)
        }
        Needs::Python => {
            let mut python = Command::new(tools.python()?);
            python.args(["-m", "pytest", "-q", "-p", "no:cacheprovider", suite.file]);
            Ok(python)
        }
        Needs::Rust | Needs::Go | Needs::Java | Needs::Load | Needs::Nothing => {
            Err("it is run in another way".into())
        }
    }
}

fn names() -> impl Iterator<Item = &'static str> {
    RUST.iter()
        .map(|(name, _)| *name)
        .chain(SUITES.iter().map(|suite| suite.name))
}

fn list() -> ExitCode {
    for (name, what) in RUST {
        println!("{name:<10} {what}");
    }
    for suite in SUITES {
        println!("{:<16} {}", suite.name, suite.what);
    }
    ExitCode::SUCCESS
}
