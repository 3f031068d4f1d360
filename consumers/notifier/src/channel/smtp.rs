//! Mail by SMTP, over pooled connections to checked addresses.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lettre::Message;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use millrace_host::exit::describe;
use millrace_outbound::{AddressPolicy, ResolveError, resolve};
use tokio::time::Instant;

use super::mail::MailTemplate;
use crate::event::Event;
use crate::failure::Failure;

/// How long an idle connection is kept: less than the 5 minutes that servers must wait (RFC 5321, 4.5.3.2.7).
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);

/// A connection idle for longer than this is tested (NOOP) before it is used.
const TEST_INTERVAL: Duration = Duration::from_secs(1);

/// The encryption of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encryption {
    /// None (`smtp://`).
    None,
    /// After `STARTTLS`, which the server must offer (`smtp+starttls://`).
    StartTls,
    /// From the first byte (`smtps://`).
    Tls,
}

/// A mail submission server.
pub(crate) struct MailServer {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) encryption: Encryption,
    pub(crate) credentials: Option<Credentials>,
    /// The client identity in EHLO.
    pub(crate) hello: ClientId,
}

/// The channel for mail.
pub(crate) struct Smtp {
    server: MailServer,
    template: MailTemplate,
    policy: AddressPolicy,
    tls: TlsParameters,
    idle: Mutex<Vec<(AsyncSmtpConnection, Instant)>>,
}

impl Smtp {
    pub(super) fn new(
        server: MailServer,
        template: MailTemplate,
        policy: AddressPolicy,
    ) -> Result<Self, lettre::transport::smtp::Error> {
        let tls = TlsParameters::new(server.host.clone())?;
        Ok(Self { server, template, policy, tls, idle: Mutex::default() })
    }

    pub(super) async fn send(&self, event: &Event<'_>) -> Result<(), Failure> {
        let mail = self.template.build(event).map_err(|error| Failure::refused(error.to_string()))?;
        let mut connection = self.connection().await?;
        submit(&mut connection, &mail).await?;
        self.idle().push((connection, Instant::now()));
        Ok(())
    }

    /// A working connection: a pooled or a new one.
    async fn connection(&self) -> Result<AsyncSmtpConnection, Failure> {
        loop {
            let Some((mut connection, since)) = self.take_idle() else { return self.connect().await };
            if since.elapsed() < TEST_INTERVAL || connection.test_connected().await {
                return Ok(connection);
            }
        }
    }

    fn take_idle(&self) -> Option<(AsyncSmtpConnection, Instant)> {
        let mut idle = self.idle();
        idle.retain(|(_, since)| since.elapsed() < IDLE_TIMEOUT);
        idle.pop()
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Failure> {
        let MailServer { host, port, encryption, credentials, hello } = &self.server;
        let addresses = resolve(host, *port, self.policy).await.map_err(|error| match error {
            ResolveError::Private(..) => Failure::refused(describe(&error)),
            ResolveError::Lookup(..) => Failure::unavailable(describe(&error)),
        })?;
        // The certificate is verified against the name, not the address.
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

async fn submit(connection: &mut AsyncSmtpConnection, mail: &Message) -> Result<(), Failure> {
    connection.send(mail.envelope(), &mail.formatted()).await.map_err(|error| failure(&error))?;
    Ok(())
}

/// A 5xx reply is a rejection, and so is a client error; all else is transient (RFC 5321, section 4.2.1).
fn failure(error: &lettre::transport::smtp::Error) -> Failure {
    let reason = describe(error);
    if error.is_permanent() || error.is_client() { Failure::refused(reason) } else { Failure::unavailable(reason) }
}
