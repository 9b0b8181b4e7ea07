//! Redis and PostgreSQL of the rival: real servers on Unix sockets in a directory of their own, tuned for the job.

use super::process::Process;
use rustix::process::Signal;
use std::io::{Error, Result};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::process::Command;

/// How safe an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Safety {
    /// On disk before it is given: `appendfsync always`, `synchronous_commit on`.
    Durable,
    /// On disk some time later: `appendfsync everysec`, `synchronous_commit off`.
    Relaxed,
}

/// The two engines.
pub(crate) struct Engines {
    pub(crate) redis: Process,
    pub(crate) postgres: Process,
    /// Directory of both sockets.
    pub(crate) sockets: PathBuf,
    _place: tempfile::TempDir,
}

/// Who runs PostgreSQL: it refuses root.
#[derive(Clone, Copy)]
struct User {
    uid: u32,
    gid: u32,
}

impl Engines {
    /// Starts both, empty.
    pub(crate) async fn start(safety: Safety) -> Result<Self> {
        let place = tempfile::tempdir()?;
        // PostgreSQL runs as another user and must find its way in.
        std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o777))?;
        let sockets = place.path().to_owned();
        let redis = redis(&sockets, safety)?;
        let postgres = postgres(&sockets, safety).await?;
        let engines = Self {
            redis,
            postgres,
            sockets,
            _place: place,
        };
        for socket in ["redis.sock", ".s.PGSQL.5432"] {
            wait_for(&engines.sockets.join(socket)).await?;
        }
        Ok(engines)
    }

    /// Stops both.
    pub(crate) async fn stop(self) -> Result<()> {
        self.postgres.stop().await?;
        self.redis.stop().await
    }
}

fn redis(place: &Path, safety: Safety) -> Result<Process> {
    let dir = place.join("redis");
    std::fs::create_dir(&dir)?;
    let fsync = match safety {
        Safety::Durable => "always",
        Safety::Relaxed => "everysec",
    };
    let mut command = Command::new("redis-server");
    command
        .args(["--port", "0", "--unixsocket"])
        .arg(place.join("redis.sock"))
        .args([
            "--unixsocketperm",
            "777",
            "--save",
            "",
            "--appendonly",
            "yes",
        ])
        .args(["--appendfsync", fsync, "--dir"])
        .arg(&dir)
        // A rewrite of the log in the middle of a run would only hurt it.
        .args(["--auto-aof-rewrite-percentage", "0"]);
    Process::start(&mut command, &place.join("redis.log"), Signal::TERM)
}

async fn postgres(place: &Path, safety: Safety) -> Result<Process> {
    let dir = place.join("postgres");
    let user = postgres_user()?;
    std::fs::create_dir(&dir)?;
    if let Some(user) = user {
        std::os::unix::fs::chown(&dir, Some(user.uid), Some(user.gid))?;
    }
    let mut initdb = Command::new(program("initdb"));
    as_user(&mut initdb, user);
    let made = initdb
        .args([
            "--auth=trust",
            "--no-sync",
            "--username=rival",
            "--no-locale",
            "--encoding=UTF8",
        ])
        .arg("-D")
        .arg(&dir)
        .current_dir(place)
        .output()
        .await?;
    if !made.status.success() {
        let said = String::from_utf8_lossy(&made.stderr).into_owned();
        return Err(Error::other(format!("initdb failed: {said}")));
    }
    let commit = match safety {
        Safety::Durable => "on",
        Safety::Relaxed => "off",
    };
    let mut command = Command::new(program("postgres"));
    as_user(&mut command, user);
    command.current_dir(place).arg("-D").arg(&dir);
    command.arg("-k").arg(place);
    for setting in [
        "listen_addresses=",
        "port=5432",
        "shared_buffers=512MB",
        "max_connections=120",
        "wal_level=minimal",
        "max_wal_senders=0",
        "wal_compression=off",
        "wal_buffers=16MB",
        "max_wal_size=8GB",
        "checkpoint_timeout=30min",
        "jit=off",
        &format!("synchronous_commit={commit}"),
    ] {
        command.args(["-c", setting]);
    }
    // SIGINT is its fast shutdown.
    Process::start(&mut command, &place.join("postgres.log"), Signal::INT)
}

fn as_user(command: &mut Command, user: Option<User>) {
    if let Some(user) = user {
        command.uid(user.uid).gid(user.gid);
    }
}

/// The user `postgres` when this is root; else whoever this is.
fn postgres_user() -> Result<Option<User>> {
    if !rustix::process::getuid().is_root() {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd")?;
    let line = users
        .lines()
        .find_map(|line| line.strip_prefix("postgres:"));
    let mut numbers = line
        .into_iter()
        .flat_map(|line| line.split(':').skip(1).take(2))
        .filter_map(|number| number.parse().ok());
    match (numbers.next(), numbers.next()) {
        (Some(uid), Some(gid)) => Ok(Some(User { uid, gid })),
        _ => Err(Error::other("there is no user postgres to run PostgreSQL")),
    }
}

/// Debian keeps PostgreSQL's programs outside the path, one directory a version; the newest is taken.
fn program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin").join(name)))
        })
        .filter(|(_, program)| program.is_file())
        .collect();
    found.sort();
    found
        .pop()
        .map_or_else(|| name.into(), |(_, program)| program)
}

async fn wait_for(socket: &Path) -> Result<()> {
    for _ in 0..2_000 {
        if UnixStream::connect(socket).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Err(Error::other(format!(
        "nobody listens at {}",
        socket.display()
    )))
}
