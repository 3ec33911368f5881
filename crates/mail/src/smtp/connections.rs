//! The connections to one server: how they are made, kept, checked and counted.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials as Login, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Quit, Rset};
use lettre::transport::smtp::extension::ClientId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::errors::{failure, from_io};
use super::reply::Redaction;
use super::settings::{InvalidSetting, SmtpSettings, Tls};
use super::trust::tls_parameters;
use crate::outcome::{Failure, FailureCause};

/// How long a connection that was idle may take to show that it is alive, and to part.
const CHECK_MAX: Duration = Duration::from_secs(5);
const PARTING_MAX: Duration = Duration::from_secs(1);

pub(super) struct Connections {
    host: String,
    port: u16,
    security: Security,
    login: Option<Login>,
    hello: ClientId,
    connect_max: Duration,
    wait_max: Duration,
    idle_max: Duration,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Idle>>,
}

enum Security {
    Required(TlsParameters),
    Starttls(TlsParameters),
    Loopback,
}

struct Idle {
    line: AsyncSmtpConnection,
    since: Instant,
}

/// A connection that waits for an e-mail, one of those that may stand at once. Dropped, it is
/// closed.
pub(super) struct Connection {
    pub(super) line: AsyncSmtpConnection,
    permit: OwnedSemaphorePermit,
}

/// Why there is no connection.
pub(super) enum NoConnection {
    Failed(Failure),
    Smtp(Error, FailureCause),
}

impl NoConnection {
    fn new(cause: FailureCause, text: &str) -> Self {
        Self::Failed(Failure::new(cause, text))
    }

    pub(super) fn into_failure(self, redaction: &Redaction) -> Failure {
        match self {
            Self::Failed(failure) => failure,
            Self::Smtp(error, otherwise) => failure(&error, otherwise, redaction),
        }
    }
}

impl Connections {
    pub(super) fn new(settings: &SmtpSettings) -> Result<Self, InvalidSetting> {
        let trusted = || tls_parameters(&settings.host, settings.ca_file.as_deref());
        let security = match settings.tls {
            Tls::Required => Security::Required(trusted()?),
            Tls::Starttls => Security::Starttls(trusted()?),
            Tls::None => Security::Loopback,
        };
        let login = settings.credentials.as_ref().map(|credentials| {
            let password = credentials.password.reveal().to_owned();
            Login::new(credentials.user.clone(), password)
        });
        let hello = match &settings.hello_name {
            Some(name) => ClientId::Domain(name.clone()),
            None => ClientId::default(),
        };
        Ok(Self {
            host: settings.host.clone(),
            port: settings.port(),
            security,
            login,
            hello,
            connect_max: settings.timeouts.connect,
            // Leaves time to say what it waited for.
            wait_max: settings.timeouts.send / 2,
            idle_max: settings.timeouts.idle,
            permits: Arc::new(Semaphore::new(settings.connections_max)),
            idle: Mutex::new(Vec::new()),
        })
    }

    /// One that was idle, if it is still good, or a new one. Waits while all are in use.
    pub(super) async fn take(&self) -> Result<Connection, NoConnection> {
        let busy = || NoConnection::new(FailureCause::Busy, "all connections are in use");
        let permit = timeout(self.wait_max, Arc::clone(&self.permits).acquire_owned())
            .await
            .map_err(|_| busy())?
            .map_err(|_| busy())?;
        while let Some(mut idle) = self.pop_idle() {
            if idle.since.elapsed() < self.idle_max && is_good(&mut idle.line).await {
                return Ok(Connection {
                    line: idle.line,
                    permit,
                });
            }
        }
        let line = timeout(self.connect_max, self.open())
            .await
            .map_err(|_| NoConnection::new(FailureCause::Timeout, "no connection in time"))??;
        Ok(Connection { line, permit })
    }

    /// Only after the server answered everything that it was asked.
    pub(super) fn give_back(&self, connection: Connection) {
        let Connection { line, permit } = connection;
        self.idle().push(Idle {
            line,
            since: Instant::now(),
        });
        // Only now may somebody else look for one.
        drop(permit);
    }

    pub(super) async fn close_idle(&self) {
        while let Some(mut idle) = self.pop_idle() {
            // Whatever it answers, or whether: it is closed.
            let _parted = timeout(PARTING_MAX, idle.line.command(Quit)).await;
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pop_idle(&self) -> Option<Idle> {
        self.idle().pop()
    }

    async fn open(&self) -> Result<AsyncSmtpConnection, NoConnection> {
        let addresses = self.resolve().await?;
        let from_the_start = match &self.security {
            Security::Required(parameters) => Some(parameters.clone()),
            Security::Starttls(_) | Security::Loopback => None,
        };
        let mut line = AsyncSmtpConnection::connect_tokio1(
            &addresses[..],
            Some(self.connect_max),
            &self.hello,
            from_the_start,
            None,
        )
        .await
        .map_err(|error| unwelcome(error, FailureCause::Interrupted))?;
        if let Security::Starttls(parameters) = &self.security {
            line.starttls(parameters.clone(), &self.hello)
                .await
                .map_err(|error| NoConnection::Smtp(error, FailureCause::Tls))?;
        }
        if let Some(login) = &self.login {
            line.auth(&[Mechanism::Plain, Mechanism::Login], login)
                .await
                .map_err(not_let_in)?;
        }
        Ok(line)
    }

    async fn resolve(&self) -> Result<Vec<SocketAddr>, NoConnection> {
        let found = tokio::net::lookup_host((self.host.as_str(), self.port))
            .await
            .map_err(|error| {
                let cause = from_io(&error).unwrap_or(FailureCause::Unresolved);
                NoConnection::new(cause, "the name of the server cannot be resolved")
            })?;
        let addresses = match &self.security {
            Security::Required(_) | Security::Starttls(_) => found.collect(),
            Security::Loopback => only_loopback(found),
        };
        if addresses.is_empty() {
            let text = "the name of the server has no address that may be used";
            return Err(NoConnection::new(FailureCause::Unresolved, text));
        }
        Ok(addresses)
    }
}

/// Whatever a name says of itself: what goes out in clear stays on this machine.
pub(super) fn only_loopback(found: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    found
        .filter(|address| address.ip().to_canonical().is_loopback())
        .collect()
}

/// A connection that was idle may be closed, or have something to say that nobody asked for.
/// `RSET` also ends what a refused e-mail left behind.
async fn is_good(line: &mut AsyncSmtpConnection) -> bool {
    matches!(timeout(CHECK_MAX, line.command(Rset)).await, Ok(Ok(_)))
}

/// A greeting like 554 is the server's state, not the e-mail's.
fn unwelcome(error: Error, otherwise: FailureCause) -> NoConnection {
    let cause = match error.status() {
        Some(_) => FailureCause::ServerSaidLater,
        None => otherwise,
    };
    NoConnection::Smtp(error, cause)
}

/// 4yz while logging in is a server that has trouble; everything else is the password's, or
/// that the server knows no way of logging in that is known here.
fn not_let_in(error: Error) -> NoConnection {
    let cause = if error.is_transient() {
        FailureCause::ServerSaidLater
    } else if error.is_permanent() || error.is_client() {
        FailureCause::Authentication
    } else {
        FailureCause::Interrupted
    };
    NoConnection::Smtp(error, cause)
}
