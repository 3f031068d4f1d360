//! Mail, by SMTP: over a connection to an address that was checked, kept for the next mail.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lettre::Message;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use millrace_host::exit::describe;
use tokio::time::Instant;

use super::mail::MailTemplate;
use crate::event::Event;
use crate::failure::Failure;
use crate::network::{AddressPolicy, ResolveError, resolve};

/// How long a connection without a mail is kept: less than the 5 minutes that servers must wait (RFC 5321, 4.5.3.2.7).
const IDLE: Duration = Duration::from_mins(1);

/// A connection idle for longer than this is asked whether it is still there.
const DOUBT: Duration = Duration::from_secs(1);

/// How a connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encryption {
    /// Not at all (`smtp://`).
    None,
    /// After `STARTTLS`, which the server must offer (`smtp+starttls://`).
    StartTls,
    /// From the first byte (`smtps://`).
    Tls,
}

/// Where mails are handed in.
pub(crate) struct MailServer {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) encryption: Encryption,
    pub(crate) credentials: Option<Credentials>,
    /// What it is greeted with.
    pub(crate) hello: ClientId,
}

/// See the module's text.
pub(crate) struct Smtp {
    server: MailServer,
    letterhead: MailTemplate,
    policy: AddressPolicy,
    tls: TlsParameters,
    idle: Mutex<Vec<(AsyncSmtpConnection, Instant)>>,
}

impl Smtp {
    pub(super) fn new(
        server: MailServer,
        letterhead: MailTemplate,
        policy: AddressPolicy,
    ) -> Result<Self, lettre::transport::smtp::Error> {
        let tls = TlsParameters::new(server.host.clone())?;
        Ok(Self { server, letterhead, policy, tls, idle: Mutex::default() })
    }

    pub(super) async fn send(&self, event: &Event<'_>) -> Result<(), Failure> {
        let mail = self.letterhead.write(event).map_err(|error| Failure::refused(error.to_string()))?;
        let mut connection = self.connection().await?;
        hand_in(&mut connection, &mail).await?;
        self.idle().push((connection, Instant::now()));
        Ok(())
    }

    /// A connection that works: one that is idle, or a new one.
    async fn connection(&self) -> Result<AsyncSmtpConnection, Failure> {
        loop {
            let Some((mut connection, since)) = self.take_idle() else { return self.connect().await };
            if since.elapsed() < DOUBT || connection.test_connected().await {
                return Ok(connection);
            }
        }
    }

    fn take_idle(&self) -> Option<(AsyncSmtpConnection, Instant)> {
        let mut idle = self.idle();
        idle.retain(|(_, since)| since.elapsed() < IDLE);
        idle.pop()
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Failure> {
        let MailServer { host, port, encryption, credentials, hello } = &self.server;
        let addresses = resolve(host, *port, self.policy).await.map_err(|error| match error {
            ResolveError::Private(..) => Failure::refused(describe(&error)),
            ResolveError::Lookup(..) => Failure::unavailable(describe(&error)),
        })?;
        // The certificate is checked against the name, whatever address it has.
        let tls = (*encryption == Encryption::Tls).then(|| self.tls.clone());
        let mut connection = AsyncSmtpConnection::connect_tokio1(&*addresses, None, hello, tls, None)
            .await
            .map_err(|error| failure(&error))?;
        if *encryption == Encryption::StartTls {
            connection.starttls(self.tls.clone(), hello).await.map_err(|error| failure(&error))?;
        }
        if let Some(credentials) = credentials {
            connection
                .auth(&[Mechanism::Plain, Mechanism::Login], credentials)
                .await
                .map_err(|error| failure(&error))?;
        }
        Ok(connection)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(AsyncSmtpConnection, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn hand_in(connection: &mut AsyncSmtpConnection, mail: &Message) -> Result<(), Failure> {
    connection.send(mail.envelope(), &mail.formatted()).await.map_err(|error| failure(&error))?;
    Ok(())
}

/// A 5xx reply is a refusal, and so is what this client cannot do; all else may pass (RFC 5321, section 4.2.1).
fn failure(error: &lettre::transport::smtp::Error) -> Failure {
    let reason = describe(error);
    if error.is_permanent() || error.is_client() { Failure::refused(reason) } else { Failure::unavailable(reason) }
}
