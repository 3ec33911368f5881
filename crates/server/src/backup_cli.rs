//! `firstcome backup`: the three databases as they were at one moment, while the shop goes on.
//!
//! What always holds here: while the copy's moment is fixed no consumer can commit an effect, since both
//! of their databases are locked for writing. So the copy is what a crash at that moment would have left:
//! an effect is in it, or its message still is. The locks last as long as it takes to begin three
//! reads; what is copied afterwards is what those reads see, whatever is written meanwhile.
//! Nothing is written over, and the directory has its name only when everything in it is on the disk.

use std::ffi::OsString;
use std::fs::{DirBuilder, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use rusqlite::backup::Backup;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::cli::{complain, say};
use crate::config::{self, Config, Flags};

/// For a transaction of somebody else to end.
const BUSY: Duration = Duration::from_secs(30);
const SALE: &str = "firstcome.db";
const CUSTOMERS: &str = "customers.db";
const EFFECTS: &str = "effects.db";

#[derive(Args)]
pub(crate) struct BackupArgs {
    /// A new directory for the copy
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// The server's settings, to find its databases by
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The directory of the store [default: data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The customers database [default: <data>/customers.db]
    #[arg(long, value_name = "PATH")]
    customers: Option<String>,
}

pub(crate) fn run(args: BackupArgs) -> ExitCode {
    let flags = Flags {
        data: args.data,
        customers: args.customers,
        ..Flags::default()
    };
    let config = match config::load(args.config.as_ref(), &flags) {
        Ok(config) => config,
        Err(error) => {
            complain(&error.to_string());
            return ExitCode::from(2);
        }
    };
    match back_up(&config, &args.to) {
        Ok(copied) => {
            let to = args.to.display();
            for (name, bytes) in copied {
                say(&format!("{to}/{name}  {bytes} bytes"));
            }
            for (name, path) in followers(&config).iter().filter(|(_, path)| !path.exists()) {
                let path = path.display();
                say(&format!(
                    "no {name}: there is no {path}; --config or --customers says where else it is"
                ));
            }
            ExitCode::SUCCESS
        }
        Err(what) => {
            complain(&what);
            ExitCode::FAILURE
        }
    }
}

fn back_up(config: &Config, to: &Path) -> Result<Vec<(&'static str, u64)>, String> {
    let shown = to.display();
    let is_free = match std::fs::read_dir(to) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    if !is_free {
        return Err(format!(
            "{shown} is there already: name a directory that is not, nothing is written over"
        ));
    }
    // Says what is wrong with it, if anything is.
    store::sqlite::open_reader(&config.data).map_err(|error| error.to_string())?;
    let snapshots = snapshots(config)?;
    let unfinished = unfinished(to);
    let written = write_all(&snapshots, &unfinished).and_then(|copied| {
        std::fs::rename(&unfinished, to).map_err(|error| cannot(to, &error))?;
        sync_parent(to).map_err(|error| cannot(to, &error))?;
        Ok(copied)
    });
    if written.is_err() {
        let _ = std::fs::remove_dir_all(&unfinished);
    }
    written
}

/// A database as it was at the backup's moment.
struct Snapshot {
    name: &'static str,
    connection: Connection,
}

/// What consumers make of the sale, each when it was first needed.
fn followers(config: &Config) -> [(&'static str, PathBuf); 2] {
    [
        (CUSTOMERS, config.customers_file()),
        (EFFECTS, config.data.join(EFFECTS)),
    ]
}

/// All of one moment.
fn snapshots(config: &Config) -> Result<Vec<Snapshot>, String> {
    let followers = followers(config);
    let made = || followers.iter().filter(|(_, path)| path.exists());
    let locks = made()
        .map(|(_, path)| lock(path).map_err(|error| cannot(path, &error)))
        .collect::<Result<Vec<_>, _>>()?;
    let mut snapshots = Vec::new();
    for (name, path) in made() {
        let connection = begin_read(path).map_err(|error| cannot(path, &error))?;
        snapshots.push(Snapshot { name, connection });
    }
    let sale = config.data.join(SALE);
    let connection = begin_read(&sale).map_err(|error| cannot(&sale, &error))?;
    snapshots.push(Snapshot {
        name: SALE,
        connection,
    });
    drop(locks);
    Ok(snapshots)
}

/// Nobody writes to the database while this lives.
fn lock(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.busy_timeout(BUSY)?;
    connection.execute_batch("BEGIN IMMEDIATE")?;
    Ok(connection)
}

/// A read that has begun sees the database as it is now for as long as it lives.
fn begin_read(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.execute_batch("BEGIN")?;
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(connection)
}

fn write_all(snapshots: &[Snapshot], into: &Path) -> Result<Vec<(&'static str, u64)>, String> {
    make_private_directory(into).map_err(|error| cannot(into, &error))?;
    let mut copied = Vec::new();
    for snapshot in snapshots {
        let file = into.join(snapshot.name);
        make_private(&file).map_err(|error| cannot(&file, &error))?;
        copy(&snapshot.connection, &file).map_err(|error| cannot(&file, &error))?;
        let synced = File::open(&file).and_then(|file| {
            file.sync_all()?;
            file.metadata()
        });
        let metadata = synced.map_err(|error| cannot(&file, &error))?;
        copied.push((snapshot.name, metadata.len()));
    }
    let synced = File::open(into).and_then(|directory| directory.sync_all());
    synced.map_err(|error| cannot(into, &error))?;
    Ok(copied)
}

fn copy(from: &Connection, file: &Path) -> rusqlite::Result<()> {
    let mut to = Connection::open(file)?;
    // It is synced as a whole, and thrown away if it is not finished.
    to.pragma_update(None, "synchronous", "OFF")?;
    let backup = Backup::new(from, &mut to)?;
    backup.run_to_completion(PAGES, Duration::ZERO, None)
}

/// Pages at a time.
const PAGES: i32 = 1_024;

/// Beside the directory that it becomes.
fn unfinished(to: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(to.file_name().unwrap_or_default());
    name.push(format!(".unfinished-{}", std::process::id()));
    to.with_file_name(name)
}

/// There are addresses and secrets in it.
fn make_private_directory(directory: &Path) -> std::io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

fn make_private(file: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file).map(drop)
}

fn sync_parent(of: &Path) -> std::io::Result<()> {
    let of = std::path::absolute(of)?;
    let parent = of.parent().unwrap_or(&of);
    File::open(parent)?.sync_all()
}

fn cannot(path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("cannot back up {}: {error}", path.display())
}
