//! The real binary, built and started: what it prints is not read, its ready file is.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::process::{self, now};

/// A server that takes longer to start does not start.
const READY_LIMIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// Builds the binary and answers with its path. The ordinary build is the one the Rust
/// tests have already made, and it checks more assertions than a release.
pub(crate) fn build(release: bool) -> Result<PathBuf, String> {
    let mut args = vec!["build", "--package", "server", "--bin", "firstcome"];
    if release {
        args.push("--release");
    }
    println!("$ cargo {}", args.join(" "));
    args.extend(["--message-format", "json-render-diagnostics"]);
    let messages = process::read(&mut process::cargo(args))?;
    // One JSON document a line; only the artifact of a binary names an executable.
    messages
        .lines()
        .filter_map(|line| line.split_once(r#""executable":""#))
        .filter_map(|(_, rest)| rest.split_once('"'))
        .map(|(path, _)| PathBuf::from(path))
        .next_back()
        .ok_or_else(|| "cargo did not say where it put the binary".into())
}

/// A demonstration server with a store of its own, both gone when this is dropped.
pub(crate) struct Server {
    child: Child,
    folder: PathBuf,
    /// `127.0.0.1:PORT`.
    address: String,
    /// The same, for the SDKs of AWS.
    aws: String,
}

impl Server {
    pub(crate) fn start(binary: &Path) -> Result<Self, String> {
        let folder = std::env::temp_dir().join(format!("firstcome-xtask-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let ready_file = folder.join("ready.json");
        let child = Command::new(binary)
            .args(["serve", "--demo", "--listen", "127.0.0.1:0"])
            .args(["--aws-listen", "127.0.0.1:0", "--data"])
            .arg(folder.join("data"))
            .arg("--ready-file")
            .arg(&ready_file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|e| format!("{}: {e}", binary.display()))?;
        let mut server = Self {
            child,
            folder,
            address: String::new(),
            aws: String::new(),
        };
        (server.address, server.aws) = server.wait_until_ready(&ready_file)?;
        Ok(server)
    }

    /// Where the shop is answered.
    pub(crate) fn shop(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where the SDKs of AWS are answered.
    pub(crate) fn aws_endpoint(&self) -> String {
        format!("http://{}", self.aws)
    }

    /// Ends the server, and has its store checked.
    pub(crate) fn audit(mut self, binary: &Path) -> Result<(), String> {
        process::stop(&mut self.child);
        let mut audit = Command::new(binary);
        audit
            .args(["audit", "--data"])
            .arg(self.folder.join("data"));
        process::run(&mut audit, READY_LIMIT)
    }

    fn wait_until_ready(&mut self, ready_file: &Path) -> Result<(String, String), String> {
        let started = now();
        while started.elapsed() < READY_LIMIT {
            let text = fs::read_to_string(ready_file).unwrap_or_default();
            if let (Some(http), Some(aws)) = (address_in(&text, "http"), address_in(&text, "aws")) {
                return Ok((http, aws));
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("the server ended at its start: {status}"));
            }
            thread::sleep(POLL);
        }
        Err(format!(
            "the server was not ready after {} s",
            READY_LIMIT.as_secs()
        ))
    }

    /// The body of a successful answer.
    pub(crate) fn get(&self, path: &str) -> Result<String, String> {
        let answer = self
            .exchange(path)
            .map_err(|e| format!("GET {path}: {e}"))?;
        let (head, body) = answer
            .split_once("\r\n\r\n")
            .ok_or_else(|| format!("GET {path}: not an HTTP answer"))?;
        let status = head.lines().next().unwrap_or_default();
        if !status.contains(" 200") {
            return Err(format!("GET {path}: {status}"));
        }
        Ok(body.to_owned())
    }

    /// HTTP/1.0, so that the answer is neither chunked nor followed by another.
    fn exchange(&self, path: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(ANSWER_LIMIT))?;
        write!(
            stream,
            "GET {path} HTTP/1.0\r\nhost: {}\r\n\r\n",
            self.address
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        process::stop(&mut self.child);
        if let Err(e) = fs::remove_dir_all(&self.folder) {
            eprintln!("{}: {e}", self.folder.display());
        }
    }
}

/// An address in `{"http": "http://127.0.0.1:PORT", "aws": ...}`; nothing while half-written.
fn address_in(ready: &str, of: &str) -> Option<String> {
    let (_, rest) = ready.split_once(&format!(r#""{of}""#))?;
    let (_, rest) = rest.split_once("http://")?;
    let (address, _) = rest.split_once('"')?;
    Some(address.trim_end_matches('/').to_owned())
}
