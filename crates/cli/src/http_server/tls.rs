//! TLS of the HTTP server: a certificate and its key, read again when their files change.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use millrace_access::{Reloaded, reloaded};
use millrace_host::exit::SettingError;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, crypto};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Time-out of a handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Settings of TLS.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Access")]
pub(crate) struct TlsArgs {
    /// Serve HTTPS with this certificate: a PEM file with its chain; read again when it changes
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key: a PEM file
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

/// Does the handshakes.
#[derive(Debug, Clone)]
pub(crate) struct Tls(Reloaded<ServerConfig>);

impl TlsArgs {
    /// TLS, where it was asked for.
    ///
    /// # Errors
    /// A file is no certificate or no key, or they do not fit.
    pub(crate) fn load(&self) -> Result<Option<Tls>, SettingError> {
        SettingError::refuse_empty(&["tls-cert", "tls-key"])?;
        let (Some(cert), Some(key)) = (self.tls_cert.clone(), self.tls_key.clone()) else { return Ok(None) };
        let files = vec![cert.clone(), key.clone()];
        reloaded(files, move || config(&cert, &key)).map(|config| Some(Tls(config)))
    }

    /// Whether TLS was asked for.
    pub(crate) fn is_on(&self) -> bool {
        self.tls_cert.is_some()
    }
}

impl Tls {
    /// Does a connection's handshake.
    pub(crate) fn accept(&self, stream: TcpStream) -> impl Future<Output = io::Result<TlsStream<TcpStream>>> + use<> {
        let accept = TlsAcceptor::from(self.0.get()).accept(stream);
        async { timeout(HANDSHAKE_TIMEOUT, accept).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) }
    }
}

fn config(cert: &Path, key: &Path) -> Result<ServerConfig, SettingError> {
    let wrong = |flag: &str, file: &Path, problem: String| {
        SettingError::of_flag(flag, format!("{}: {problem}", file.display()))
    };
    let chain = certificates(cert).map_err(|problem| wrong("tls-cert", cert, problem))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong("tls-key", key, error.to_string()))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private))
        .map_err(|error| wrong("tls-key", key, format!("it is not the key of {}: {error}", cert.display())))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match chain {
        Ok(chain) if chain.is_empty() => Err("it has no certificate (PEM)".to_owned()),
        Ok(chain) => Ok(chain),
        Err(error) => Err(error.to_string()),
    }
}

/// A connection to this machine's own server, for the health check. It may have any certificate: what it is asked for is whether
/// it serves.
pub(crate) mod own {
    use std::net::TcpStream;

    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
    use rustls::pki_types::{ServerName, UnixTime};
    use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned};

    use super::{Arc, CertificateDer, crypto, io};

    #[derive(Debug)]
    struct Any(WebPkiSupportedAlgorithms);

    impl ServerCertVerifier for Any {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls12_signature(message, certificate, signature, &self.0)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls13_signature(message, certificate, signature, &self.0)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.0.supported_schemes()
        }
    }

    /// TLS over a connection.
    pub(crate) fn connect(stream: TcpStream) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
        let provider = crypto::ring::default_provider();
        let verifier = Any(provider.signature_verification_algorithms);
        let config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        let name = ServerName::IpAddress(stream.peer_addr()?.ip().into());
        let client = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
        Ok(StreamOwned::new(client, stream))
    }
}
