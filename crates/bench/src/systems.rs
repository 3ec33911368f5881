//! The programs that are measured: started on a free port of the loopback address and on an
//! empty directory, and ended when they go out of scope.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::clock;
use crate::error::{BenchError, io_error};
use crate::process;
use crate::rows::System;

/// How long a program may take until it is ready, an order of magnitude above what is expected.
pub const READY_LIMIT: Duration = Duration::from_secs(60);
/// How long a program may take to end after SIGTERM.
pub const STOP_LIMIT: Duration = Duration::from_secs(60);
/// How often is looked whether a program is ready or has ended.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Where the programs are; `redis` and `node` are looked up in `PATH`.
#[derive(Clone, Debug)]
pub struct Programs {
    pub firstcome: PathBuf,
    pub echo: PathBuf,
    pub redis: PathBuf,
    pub node: PathBuf,
    /// The folder of the Express + Bull program, with its `node_modules`.
    pub bull: PathBuf,
    pub moto: PathBuf,
    pub java: PathBuf,
    /// A jar.
    pub elasticmq: PathBuf,
}

impl Programs {
    pub fn of(&self, system: System) -> &Path {
        match system {
            System::Echo => &self.echo,
            System::Firstcome | System::FirstcomeQueues => &self.firstcome,
            System::Redis => &self.redis,
            System::Bull => &self.node,
            System::Moto => &self.moto,
            System::ElasticMq => &self.java,
        }
    }

    /// Whether what a comparison needs is installed; what is measured itself must be there.
    pub fn has(&self, system: System) -> bool {
        match system {
            System::Firstcome | System::FirstcomeQueues => true,
            System::Echo => self.echo.is_file(),
            System::Moto => starts(&self.moto),
            System::ElasticMq => starts(&self.java) && self.elasticmq.is_file(),
            System::Redis => starts(&self.redis),
            System::Bull => {
                starts(&self.redis) && starts(&self.node) && self.bull.join("node_modules").is_dir()
            }
        }
    }
}

fn starts(program: &Path) -> bool {
    Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok()
}

/// A running program; it is killed when this is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    /// What it keeps its state in, where that is a program of its own.
    companion: Option<Box<Self>>,
    pub address: SocketAddr,
    /// Where its metrics are, if it has any.
    pub metrics: Option<SocketAddr>,
    /// When it was started, and when it said that it is ready.
    pub started_at: Instant,
    pub ready_at: Instant,
}

impl Running {
    /// Starts `system` on the store in `dir`, which is created.
    pub fn start(programs: &Programs, system: System, dir: &Path) -> Result<Self, BenchError> {
        Self::start_with(programs, system, dir, &[])
    }

    /// As [`start`](Self::start), with these variables in its environment.
    pub fn start_with(
        programs: &Programs,
        system: System,
        dir: &Path,
        settings: &[(&str, String)],
    ) -> Result<Self, BenchError> {
        fs::create_dir_all(dir).map_err(io_error(format!("creating {}", dir.display())))?;
        let program = programs.of(system);
        let ready_file = dir.join("ready.json");
        let _ = fs::remove_file(&ready_file);
        let log = dir.join("output.log");
        let output = File::create(&log).map_err(io_error(format!("creating {}", log.display())))?;
        let errors = output
            .try_clone()
            .map_err(io_error(format!("creating {}", log.display())))?;
        let mut command = Command::new(program);
        let mut chosen_address = None;
        let mut companion = None;
        match system {
            System::Echo => {
                command.args(["--listen", "127.0.0.1:0", "--ready-file"]);
                command.arg(&ready_file);
            }
            System::Firstcome | System::FirstcomeQueues => {
                command.args(["serve", "--listen", "127.0.0.1:0"]);
                command.args(["--aws-listen", "127.0.0.1:0", "--data"]);
                command.arg(dir.join("data"));
                command.arg("--ready-file").arg(&ready_file);
            }
            System::Redis => {
                let address = free_address()?;
                chosen_address = Some(address);
                command.args(["--bind", "127.0.0.1", "--port"]);
                command.arg(address.port().to_string());
                command.args(["--appendonly", "yes", "--appendfsync", "always"]);
                command.args(["--save", "", "--auto-aof-rewrite-percentage", "0", "--dir"]);
                command.arg(dir);
            }
            System::Bull => {
                let redis = Self::start(programs, System::Redis, &dir.join("redis"))?;
                command.arg(programs.bull.join("server.js"));
                command.args(["--listen", "127.0.0.1:0", "--redis"]);
                command.arg(redis.address.port().to_string());
                command.arg("--ready-file").arg(&ready_file);
                companion = Some(Box::new(redis));
            }
            System::Moto => {
                let address = free_address()?;
                chosen_address = Some(address);
                command.args(["-H", "127.0.0.1", "-p", &address.port().to_string()]);
            }
            System::ElasticMq => {
                let address = free_address()?;
                chosen_address = Some(address);
                let settings = dir.join("elasticmq.conf");
                let port = address.port();
                let text = format!(
                    "node-address {{\n  protocol = http\n  host = \"127.0.0.1\"\n  port = {port}\n  \
                     context-path = \"\"\n}}\nrest-sqs {{\n  enabled = true\n  \
                     bind-port = {port}\n  bind-hostname = \"127.0.0.1\"\n  \
                     sqs-limits = strict\n}}\nrest-stats {{\n  enabled = false\n}}\n"
                );
                fs::write(&settings, text)
                    .map_err(io_error(format!("writing {}", settings.display())))?;
                // It is of 2014 and looks into the class library, which newer VMs forbid.
                command.arg("--add-opens=java.base/java.util.regex=ALL-UNNAMED");
                command.arg(format!("-Dconfig.file={}", settings.display()));
                command.arg("-jar").arg(&programs.elasticmq);
            }
        }
        command.envs(settings.iter().map(|(name, value)| (name, value)));
        let started_at = clock::now();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(io_error(format!("starting {}", program.display())))?;
        let member = match system {
            System::FirstcomeQueues => "aws",
            _ => "http",
        };
        let ready = wait_ready(&mut child, program, &log, || match chosen_address {
            None => read_ready_file(&ready_file, member),
            Some(address) => TcpStream::connect(address).ok().map(|_| address),
        });
        let (address, ready_at) = match ready {
            Ok(ready) => ready,
            Err(error) => {
                // It may have ended by itself, which is what the error says then.
                let _ = child.kill();
                let _ = child.wait();
                return Err(error);
            }
        };
        Ok(Self {
            child,
            companion,
            metrics: match system {
                System::Firstcome | System::FirstcomeQueues => read_ready_file(&ready_file, "http"),
                _ => None,
            },
            address,
            started_at,
            ready_at,
        })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Of all its processes.
    pub fn pids(&self) -> Vec<u32> {
        let companion = self.companion.iter().map(|companion| companion.pid());
        std::iter::once(self.pid()).chain(companion).collect()
    }

    /// Ends it with SIGTERM and waits; returns how long that took.
    pub fn stop(mut self) -> Result<(Duration, ExitStatus), BenchError> {
        let from = clock::now();
        process::terminate(self.pid()).map_err(io_error("SIGTERM"))?;
        loop {
            if let Some(status) = self.child.try_wait().map_err(io_error("waiting"))? {
                return Ok((clock::now() - from, status));
            }
            if clock::now() - from > STOP_LIMIT {
                return Err(BenchError::Option {
                    field: "SIGTERM",
                    problem: format!("did not end within {} s", STOP_LIMIT.as_secs()),
                });
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait_ready(
    child: &mut Child,
    program: &Path,
    log: &Path,
    mut ready: impl FnMut() -> Option<SocketAddr>,
) -> Result<(SocketAddr, Instant), BenchError> {
    let from = clock::now();
    loop {
        if let Some(address) = ready() {
            return Ok((address, clock::now()));
        }
        if let Some(status) = child.try_wait().map_err(io_error("waiting"))? {
            return Err(BenchError::EndedEarly {
                program: program.to_owned(),
                status: status.to_string(),
                log: log.to_owned(),
            });
        }
        if clock::now() - from > READY_LIMIT {
            return Err(BenchError::NotReady {
                program: program.to_owned(),
                limit_s: READY_LIMIT.as_secs(),
                log: log.to_owned(),
            });
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// `{"http": "http://127.0.0.1:PORT", ...}`; a file that is half written is read again.
fn read_ready_file(path: &Path, member: &str) -> Option<SocketAddr> {
    let text = fs::read_to_string(path).ok()?;
    let ready: serde_json::Value = serde_json::from_str(&text).ok()?;
    ready
        .get(member)?
        .as_str()?
        .strip_prefix("http://")?
        .trim_end_matches('/')
        .parse()
        .ok()
}

/// A port that was free a moment ago, for a program that cannot choose one itself.
fn free_address() -> Result<SocketAddr, BenchError> {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map_err(io_error("looking for a free port"))
}
