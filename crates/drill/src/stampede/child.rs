//! The server under test: a real process, started, killed and stopped like one in production.

use super::{StampedeError, Tools};
use crate::client::{Connection, Patience, Request};
use rustix::process::Pid;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// How long a start may take.
const START_MAX: Duration = Duration::from_secs(60);
/// How long a stop may take before it counts as a finding.
const STOP_MAX: Duration = Duration::from_secs(30);
/// Pause between two knocks at a door that is not open yet.
const KNOCK: Duration = Duration::from_millis(5);

/// A running server. It does not outlive the drill.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    public: SocketAddr,
}

impl Server {
    /// Starts the server and waits until it answers.
    pub(super) async fn start(tools: &Tools) -> Result<Self, StampedeError> {
        let mut server = Self::spawn(tools)?;
        tokio::time::timeout(START_MAX, server.answers())
            .await
            .map_err(|_| StampedeError::NotReady(START_MAX))??;
        Ok(server)
    }

    /// Starts the server where it must not come up, and gives its exit code; `None` if it came up, or hung.
    pub(super) async fn start_in_vain(tools: &Tools) -> Result<Option<i32>, StampedeError> {
        let mut server = Self::spawn(tools)?;
        let ended = tokio::time::timeout(START_MAX, server.child.wait()).await;
        match ended {
            Ok(Ok(status)) => Ok(status.code()),
            Ok(Err(error)) => Err(StampedeError::Spawn(error)),
            Err(_) => {
                server.kill().await?;
                Ok(None)
            }
        }
    }

    fn spawn(tools: &Tools) -> Result<Self, StampedeError> {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&tools.log)
            .map_err(StampedeError::Log)?;
        let errors = log.try_clone().map_err(StampedeError::Log)?;
        let child = Command::new(&tools.exe)
            .args(&tools.arguments)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .kill_on_drop(true)
            .spawn()
            .map_err(StampedeError::Spawn)?;
        Ok(Self {
            child,
            public: tools.public,
        })
    }

    /// Its process, while it has not ended.
    ///
    /// # Errors
    /// [`StampedeError::Died`] when it ended by itself.
    pub(super) fn pid(&mut self) -> Result<Pid, StampedeError> {
        if let Some(status) = self.child.try_wait().map_err(StampedeError::Spawn)? {
            return Err(StampedeError::Died(status.to_string()));
        }
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        id.and_then(Pid::from_raw)
            .ok_or_else(|| StampedeError::Died("no process".into()))
    }

    async fn answers(&mut self) -> Result<(), StampedeError> {
        let patience = Patience {
            connect: Duration::from_millis(500),
            answer: Duration::from_secs(5),
            ..Patience::default()
        };
        loop {
            if let Some(status) = self.child.try_wait().map_err(StampedeError::Spawn)? {
                return Err(StampedeError::Died(status.to_string()));
            }
            if let Ok(mut connection) = Connection::open(self.public, patience).await {
                let health = Request {
                    path: "/health",
                    ..Request::default()
                };
                let answer = connection.ask(&health).await;
                if answer.is_ok_and(|answer| answer.is_success()) {
                    return Ok(());
                }
            }
            tokio::time::sleep(KNOCK).await;
        }
    }

    /// SIGKILL: no last words, nothing written that was not written before.
    pub(super) async fn kill(&mut self) -> Result<(), StampedeError> {
        self.child.kill().await.map_err(StampedeError::Spawn)
    }

    /// SIGTERM, and waits for the end. Says what was wrong with it, if anything was.
    pub(super) async fn stop(mut self) -> Result<Option<String>, StampedeError> {
        let Ok(pid) = self.pid() else {
            return Ok(Some("the server was gone before it was stopped".into()));
        };
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)
            .map_err(|error| StampedeError::Spawn(error.into()))?;
        match tokio::time::timeout(STOP_MAX, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(None),
            Ok(Ok(status)) => Ok(Some(format!("the server stopped with {status}"))),
            Ok(Err(error)) => Err(StampedeError::Spawn(error)),
            Err(_) => {
                self.kill().await?;
                Ok(Some(format!(
                    "the server did not stop within {} s",
                    STOP_MAX.as_secs()
                )))
            }
        }
    }
}
