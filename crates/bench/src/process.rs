//! What Linux says about a process: its CPU time, its memory, what it wrote (proc(5)).

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::process::{Command, Stdio};

/// `USER_HZ`, the unit of the times in `/proc/<pid>/stat`: 100 on every Linux architecture that
/// the server runs on, whatever the kernel's own timer.
const TICKS_PER_SECOND: f64 = 100.0;

/// What processes have used since they began.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    /// User and system time, to 10 ms.
    pub cpu_s: f64,
    /// The same for each name of a thread; threads that have ended are missing.
    pub thread_cpu_s: BTreeMap<String, f64>,
    /// Bytes that were sent to the disk (`write_bytes`), 0 where the kernel does not tell.
    pub written_bytes: u64,
}

impl Usage {
    pub fn since(&self, earlier: &Self) -> Self {
        let threads = self.thread_cpu_s.iter().map(|(name, now)| {
            let before = earlier.thread_cpu_s.get(name).copied().unwrap_or_default();
            (name.clone(), now - before)
        });
        Self {
            cpu_s: self.cpu_s - earlier.cpu_s,
            thread_cpu_s: threads.collect(),
            written_bytes: self.written_bytes.saturating_sub(earlier.written_bytes),
        }
    }

    fn add(&mut self, other: Self) {
        self.cpu_s += other.cpu_s;
        self.written_bytes += other.written_bytes;
        for (name, cpu_s) in other.thread_cpu_s {
            *self.thread_cpu_s.entry(name).or_default() += cpu_s;
        }
    }
}

/// Of all these processes together.
pub fn usage(pids: &[u32]) -> io::Result<Usage> {
    let mut sum = Usage::default();
    for &pid in pids {
        sum.add(usage_of(pid)?);
    }
    Ok(sum)
}

fn usage_of(pid: u32) -> io::Result<Usage> {
    let (_, ticks) = read_stat(&format!("/proc/{pid}/stat"))?;
    let mut usage = Usage {
        cpu_s: ticks / TICKS_PER_SECOND,
        thread_cpu_s: BTreeMap::new(),
        written_bytes: fs::read_to_string(format!("/proc/{pid}/io"))
            .ok()
            .and_then(|io| field(&io, "write_bytes:"))
            .unwrap_or_default(),
    };
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end between being listed and being read.
        if let Ok((name, ticks)) = read_stat(&format!("{}/stat", task?.path().display())) {
            *usage.thread_cpu_s.entry(name).or_default() += ticks / TICKS_PER_SECOND;
        }
    }
    Ok(usage)
}

fn read_stat(path: &str) -> io::Result<(String, f64)> {
    let stat = fs::read_to_string(path)?;
    parse_stat(&stat)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("unreadable {path}")))
}

/// Field 2, the name in parentheses, and the sum of fields 14 and 15, `utime` and `stime`. A
/// name may hold spaces and parentheses itself, so it ends at the last one.
pub(crate) fn parse_stat(stat: &str) -> Option<(String, f64)> {
    let (head, tail) = stat.rsplit_once(')')?;
    let (_, name) = head.split_once('(')?;
    let mut fields = tail.split_ascii_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((name.to_owned(), user + system))
}

/// The time that all processors of the machine were busy, and were taken away by its host.
pub fn machine_cpu_s() -> io::Result<f64> {
    let stat = fs::read_to_string("/proc/stat")?;
    machine_ticks(&stat)
        .map(|ticks| ticks / TICKS_PER_SECOND)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "unreadable /proc/stat"))
}

/// `cpu user nice system idle iowait irq softirq steal ...`; all but idle and iowait.
pub(crate) fn machine_ticks(stat: &str) -> Option<f64> {
    let fields = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<f64> = fields
        .split_ascii_whitespace()
        .take(8)
        .map(str::parse)
        .collect::<Result<_, _>>()
        .ok()?;
    let [user, nice, system, _idle, _iowait, irq, softirq, steal] = ticks.as_slice() else {
        return None;
    };
    Some(user + nice + system + irq + softirq + steal)
}

/// The memory of a process that is in RAM (`VmRSS`), in bytes.
pub fn resident_bytes(pid: u32) -> io::Result<u64> {
    memory(pid, "VmRSS:")
}

/// The most that it has had there since it began (`VmHWM`), in bytes.
pub fn resident_bytes_max(pid: u32) -> io::Result<u64> {
    memory(pid, "VmHWM:")
}

fn memory(pid: u32, name: &str) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    field(&status, name)
        .map(|kibibytes| kibibytes * 1024)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("no {name}")))
}

fn field(text: &str, name: &str) -> Option<u64> {
    text.lines()
        .find_map(|line| line.strip_prefix(name))?
        .split_ascii_whitespace()
        .next()?
        .parse()
        .ok()
}

/// Asks a process to end, as an operator or an orchestrator does.
pub fn terminate(pid: u32) -> io::Result<()> {
    let status = Command::new("kill")
        .args(["-TERM", &pid.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other("kill did not reach the process"))
    }
}

/// The machine in one line: processors, memory, kernel.
pub fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown processor", |rest| {
            rest.trim_start_matches(['\t', ' ', ':'])
        });
    let memory_kib = field(&read("/proc/meminfo"), "MemTotal:").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    format!(
        "{cores} x {model}, {} MiB of memory, Linux {}",
        memory_kib / 1024,
        kernel.trim()
    )
}
