//! Connection and security settings, under Kafka's names.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use rdkafka::ClientConfig;

use crate::error::KafkaError;

/// How connections are secured, as Kafka's `security.protocol` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SecurityProtocol {
    /// No encryption, no authentication.
    Plaintext,
    /// TLS.
    Ssl,
    /// Authentication without encryption.
    SaslPlaintext,
    /// Authentication over TLS.
    SaslSsl,
}

/// How a client authenticates, as Kafka's `sasl.mechanism` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SaslMechanism {
    /// User name and password in clear text: only over TLS.
    #[value(name = "PLAIN")]
    Plain,
    /// Salted challenge response with SHA-256.
    #[value(name = "SCRAM-SHA-256")]
    ScramSha256,
    /// Salted challenge response with SHA-512.
    #[value(name = "SCRAM-SHA-512")]
    ScramSha512,
    /// IAM authentication of Amazon MSK.
    #[cfg(feature = "msk")]
    #[value(name = "AWS_MSK_IAM")]
    AwsMskIam,
}

impl SaslMechanism {
    fn as_librdkafka(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
            #[cfg(feature = "msk")]
            Self::AwsMskIam => "OAUTHBEARER",
        }
    }
}

/// Kafka's security settings, under Kafka's names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Kafka security")]
pub struct Security {
    /// How connections are secured [default: PLAINTEXT]
    #[arg(long = "kafka-security-protocol", value_name = "PROTOCOL", ignore_case = true)]
    pub security_protocol: Option<SecurityProtocol>,
    /// How to authenticate, with SASL_PLAINTEXT or SASL_SSL
    #[arg(long = "kafka-sasl-mechanism", value_name = "MECHANISM", ignore_case = true)]
    pub sasl_mechanism: Option<SaslMechanism>,
    /// User name for PLAIN and SCRAM
    #[arg(long = "kafka-sasl-username", value_name = "NAME")]
    pub sasl_username: Option<String>,
    /// Password for PLAIN and SCRAM; prefer the environment variable to the flag
    #[arg(long = "kafka-sasl-password", value_name = "PASSWORD")]
    pub sasl_password: Option<String>,
    /// File or folder of CA certificates [default: the system's]
    #[arg(long = "kafka-ssl-ca-location", value_name = "PATH")]
    pub ssl_ca_location: Option<PathBuf>,
    /// This client's certificate (PEM), for mutual TLS
    #[arg(long = "kafka-ssl-certificate-location", value_name = "FILE")]
    pub ssl_certificate_location: Option<PathBuf>,
    /// This client's private key (PEM), for mutual TLS
    #[arg(long = "kafka-ssl-key-location", value_name = "FILE")]
    pub ssl_key_location: Option<PathBuf>,
    /// Passphrase of the private key
    #[arg(long = "kafka-ssl-key-password", value_name = "PASSWORD")]
    pub ssl_key_password: Option<String>,
}

/// Bootstrap brokers, security settings and further client properties.
#[derive(Debug, Clone, Default)]
pub struct KafkaSettings {
    /// Bootstrap brokers, `HOST:PORT` separated by commas.
    pub bootstrap_servers: String,
    /// Security settings.
    pub security: Security,
    /// librdkafka properties for every client; they override all others.
    pub overrides: Vec<(String, String)>,
    /// librdkafka properties for consumers only.
    pub consumer_overrides: Vec<(String, String)>,
}

impl KafkaSettings {
    /// Settings for brokers without security.
    pub fn plaintext(bootstrap_servers: impl Into<String>) -> Self {
        Self { bootstrap_servers: bootstrap_servers.into(), ..Self::default() }
    }

    /// The configuration that all clients share. `role` becomes part of the client id.
    ///
    /// # Errors
    /// [`KafkaError::Setting`] where settings contradict each other, or need TLS and this build has none.
    pub fn client_config(&self, role: &str) -> Result<ClientConfig, KafkaError> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.bootstrap_servers)
            .set("client.id", format!("millrace-{role}"))
            // How soon a topic that was missing is found after its creation.
            .set("topic.metadata.refresh.interval.ms", "10000")
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "2000")
            // Another broker is tried before the caller's own time-out.
            .set("socket.connection.setup.timeout.ms", "5000")
            .set("log.connection.close", "false");
        self.security.apply(&mut config, cfg!(feature = "tls"))?;
        self.override_in(&mut config);
        Ok(config)
    }

    /// Applies the overrides again, over what a role has set since [`Self::client_config`].
    pub fn override_in(&self, config: &mut ClientConfig) {
        for (name, value) in &self.overrides {
            config.set(name, value);
        }
    }

    /// Whether clients authenticate with IAM tokens.
    #[cfg(feature = "msk")]
    pub(crate) fn uses_iam(&self) -> bool {
        self.security.sasl_mechanism == Some(SaslMechanism::AwsMskIam)
    }
}

impl Security {
    fn protocol(&self) -> SecurityProtocol {
        self.security_protocol.unwrap_or(match self.sasl_mechanism {
            Some(_) => SecurityProtocol::SaslSsl,
            None => SecurityProtocol::Plaintext,
        })
    }

    /// `has_tls`: whether librdkafka was built with OpenSSL, which SCRAM needs as well.
    fn apply(&self, config: &mut ClientConfig, has_tls: bool) -> Result<(), KafkaError> {
        let protocol = self.protocol();
        let (name, sasl, tls) = match protocol {
            SecurityProtocol::Plaintext => ("plaintext", false, false),
            SecurityProtocol::Ssl => ("ssl", false, true),
            SecurityProtocol::SaslPlaintext => ("sasl_plaintext", true, false),
            SecurityProtocol::SaslSsl => ("sasl_ssl", true, true),
        };
        config.set("security.protocol", name);
        if sasl {
            self.apply_sasl(config)?;
        }
        if tls {
            self.apply_tls(config);
        }
        self.check_unused(name, sasl, tls)?;
        // Last: a setting that is missing is missing in every build.
        match self.sasl_mechanism.filter(|mechanism| sasl && *mechanism != SaslMechanism::Plain) {
            _ if has_tls => Ok(()),
            _ if tls => Err(needs_tls("security.protocol", &name.to_uppercase())),
            Some(mechanism) => Err(needs_tls("sasl.mechanism", mechanism.as_librdkafka())),
            None => Ok(()),
        }
    }

    /// A setting of a protection that is off is refused: whoever sets it relies on it.
    fn check_unused(&self, protocol: &str, sasl: bool, tls: bool) -> Result<(), KafkaError> {
        let tls_protocols = "SSL or SASL_SSL";
        let settings = [
            ("sasl.username", self.sasl_username.is_some(), sasl, "SASL_SSL or SASL_PLAINTEXT"),
            ("sasl.password", self.sasl_password.is_some(), sasl, "SASL_SSL or SASL_PLAINTEXT"),
            ("sasl.mechanism", self.sasl_mechanism.is_some(), sasl, "SASL_SSL or SASL_PLAINTEXT"),
            ("ssl.ca.location", self.ssl_ca_location.is_some(), tls, tls_protocols),
            ("ssl.certificate.location", self.ssl_certificate_location.is_some(), tls, tls_protocols),
            ("ssl.key.location", self.ssl_key_location.is_some(), tls, tls_protocols),
            ("ssl.key.password", self.ssl_key_password.is_some(), tls, tls_protocols),
        ];
        match settings.into_iter().find(|(_, is_set, is_used, _)| *is_set && !is_used) {
            None => Ok(()),
            Some((property, _, _, needed)) => {
                let protocol = protocol.to_uppercase();
                let reason = format!("needs KAFKA_SECURITY_PROTOCOL {needed}, and that is {protocol}");
                Err(KafkaError::setting(property, String::new(), reason))
            }
        }
    }

    fn apply_sasl(&self, config: &mut ClientConfig) -> Result<(), KafkaError> {
        let mechanism = self.sasl_mechanism.ok_or_else(|| missing("sasl.mechanism", "SASL needs a mechanism"))?;
        config.set("sasl.mechanism", mechanism.as_librdkafka());
        if mechanism.as_librdkafka() != "OAUTHBEARER" {
            let user = self.sasl_username.as_ref();
            let password = self.sasl_password.as_ref();
            config.set("sasl.username", user.ok_or_else(|| missing("sasl.username", "the mechanism needs it"))?);
            config.set("sasl.password", password.ok_or_else(|| missing("sasl.password", "the mechanism needs it"))?);
        }
        Ok(())
    }

    fn apply_tls(&self, config: &mut ClientConfig) {
        let ca = self.ssl_ca_location.as_ref().map_or_else(|| "probe".to_owned(), |path| path.display().to_string());
        config.set("ssl.ca.location", ca);
        let files = [
            ("ssl.certificate.location", &self.ssl_certificate_location),
            ("ssl.key.location", &self.ssl_key_location),
        ];
        for (name, path) in files {
            if let Some(path) = path {
                config.set(name, path.display().to_string());
            }
        }
        if let Some(password) = &self.ssl_key_password {
            config.set("ssl.key.password", password);
        }
    }
}

fn needs_tls(property: &str, value: &str) -> KafkaError {
    let reason = "this build has no TLS for Kafka; build with `--features tls`";
    KafkaError::setting(property, value.to_owned(), reason.to_owned())
}

fn missing(property: &str, reason: &str) -> KafkaError {
    KafkaError::setting(property, String::new(), format!("{reason}; it is not set"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configured(security: &Security, has_tls: bool) -> Result<ClientConfig, KafkaError> {
        let mut config = ClientConfig::new();
        security.apply(&mut config, has_tls).map(|()| config)
    }

    fn with_mechanism(mechanism: SaslMechanism) -> Security {
        Security {
            sasl_mechanism: Some(mechanism),
            sasl_username: Some("ann".to_owned()),
            sasl_password: Some("secret".to_owned()),
            ..Security::default()
        }
    }

    #[test]
    fn a_mechanism_alone_implies_tls() {
        let config = configured(&with_mechanism(SaslMechanism::ScramSha512), true).unwrap();
        assert_eq!(config.get("security.protocol"), Some("sasl_ssl"));
        assert_eq!(config.get("sasl.mechanism"), Some("SCRAM-SHA-512"));
        assert_eq!(config.get("ssl.ca.location"), Some("probe"));
    }

    #[test]
    fn a_missing_password_is_named_by_flag_and_variable() {
        let security = Security { sasl_password: None, ..with_mechanism(SaslMechanism::Plain) };
        let error = configured(&security, true).unwrap_err().to_string();
        assert!(error.contains("--kafka-sasl-password (KAFKA_SASL_PASSWORD)"), "{error}");
    }

    #[test]
    fn a_setting_of_a_protection_that_is_off_is_refused() {
        let plain = Security { security_protocol: Some(SecurityProtocol::Plaintext), ..Security::default() };
        for (security, setting) in [
            (Security { ssl_ca_location: Some("ca.pem".into()), ..Security::default() }, "KAFKA_SSL_CA_LOCATION"),
            (Security { sasl_username: Some("ann".to_owned()), ..Security::default() }, "KAFKA_SASL_USERNAME"),
            (Security { sasl_mechanism: Some(SaslMechanism::Plain), ..plain }, "KAFKA_SASL_MECHANISM"),
        ] {
            let error = configured(&security, true).unwrap_err().to_string();
            assert!(error.contains(setting) && error.contains("that is PLAINTEXT"), "{error}");
        }
    }

    #[test]
    fn settings_that_need_tls_are_refused_without_it() {
        let plain = SecurityProtocol::SaslPlaintext;
        let over_plain = |mechanism| Security { security_protocol: Some(plain), ..with_mechanism(mechanism) };
        let ssl = Security { security_protocol: Some(SecurityProtocol::Ssl), ..Security::default() };
        for (security, setting) in [
            (ssl, "KAFKA_SECURITY_PROTOCOL"),
            (with_mechanism(SaslMechanism::Plain), "KAFKA_SECURITY_PROTOCOL"),
            (over_plain(SaslMechanism::ScramSha256), "KAFKA_SASL_MECHANISM"),
        ] {
            let error = configured(&security, false).unwrap_err().to_string();
            assert!(error.contains(setting) && error.contains("--features tls"), "{error}");
            configured(&security, true).unwrap();
        }
        configured(&over_plain(SaslMechanism::Plain), false).unwrap();
    }
}
