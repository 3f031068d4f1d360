//! The settings of each type of destination.

use std::fmt::{self, Display};

use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::extension::ClientId;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};
use url::Url;

use super::error::ConfigProblem;
use super::source::{self, Environment};
use crate::channel::{Encryption, MailServer, MailTemplate, Secret, Template, hello};
use crate::event::Event;

/// A validated channel. `Debug` leaves out URLs and passwords.
pub(crate) enum ChannelPlan {
    Console,
    Webhook {
        url: Url,
        secrets: Vec<Secret>,
    },
    Slack {
        url: Url,
    },
    Teams {
        url: Url,
    },
    Smtp {
        server: Box<MailServer>,
        template: Box<MailTemplate>,
    },
    #[cfg(feature = "sns")]
    Sns {
        topic_arn: String,
        endpoint_url: Option<String>,
    },
}

impl fmt::Debug for ChannelPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Console => "Console",
            Self::Webhook { .. } => "Webhook",
            Self::Slack { .. } => "Slack",
            Self::Teams { .. } => "Teams",
            Self::Smtp { .. } => "Smtp",
            #[cfg(feature = "sns")]
            Self::Sns { .. } => "Sns",
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConsoleTable {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UrlTable {
    url: Option<String>,
    url_env: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WebhookTable {
    url: Option<String>,
    url_env: Option<String>,
    #[serde(default)]
    secrets: Vec<String>,
    #[serde(default)]
    secrets_env: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SmtpTable {
    server: String,
    username: Option<String>,
    password: Option<String>,
    password_env: Option<String>,
    from: String,
    to: String,
    #[serde(default = "default_subject")]
    subject: String,
    hello: Option<String>,
}

fn default_subject() -> String {
    "Notification".to_owned()
}

#[cfg(feature = "sns")]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SnsTable {
    topic_arn: String,
    endpoint_url: Option<String>,
}

impl ChannelPlan {
    /// Reads the settings of this type of destination.
    pub(super) fn read(
        kind: &str,
        table: Table,
        key: &str,
        environment: Environment<'_>,
    ) -> Result<Self, ConfigProblem> {
        match kind {
            "console" => read(table, key).map(|ConsoleTable {}| Self::Console),
            "webhook" => webhook(read(table, key)?, key, environment),
            "slack" => Ok(Self::Slack { url: secret_url(read(table, key)?, key, environment)? }),
            "teams" => Ok(Self::Teams { url: secret_url(read(table, key)?, key, environment)? }),
            "smtp" => smtp(read(table, key)?, key, environment),
            #[cfg(feature = "sns")]
            "sns" => sns(read(table, key)?, key),
            #[cfg(not(feature = "sns"))]
            "sns" => Err(ConfigProblem::at(
                format!("{key}.type"),
                "SNS is not in this build; build with: cargo build -p millrace-notifier --features sns",
            )),
            other => Err(ConfigProblem::at(
                format!("{key}.type"),
                format!("unknown type {other:?}, expected console, webhook, slack, teams, smtp or sns"),
            )),
        }
    }
}

/// Deserializes the table at this key.
pub(super) fn read<T: DeserializeOwned>(table: Table, key: &str) -> Result<T, ConfigProblem> {
    serde_path_to_error::deserialize(Value::Table(table)).map_err(|error| ConfigProblem::table(key, &error))
}

fn webhook(table: WebhookTable, key: &str, environment: Environment<'_>) -> Result<ChannelPlan, ConfigProblem> {
    let WebhookTable { url, url_env, secrets, secrets_env } = table;
    let url = secret_url(UrlTable { url, url_env }, key, environment)?;
    let parse = |text: &str, location: String| Secret::parse(text).map_err(|error| ConfigProblem::at(location, error));
    let mut parsed = Vec::new();
    for (index, secret) in secrets.iter().enumerate() {
        parsed.push(parse(secret, format!("{key}.secrets[{index}]"))?);
    }
    for (index, variable) in secrets_env.iter().enumerate() {
        let location = format!("{key}.secrets_env[{index}]");
        let secret = source::look_up(&location, variable, environment)?;
        parsed.push(parse(&secret, format!("{location} ({variable})"))?);
    }
    if parsed.is_empty() {
        let hint = "is missing (secrets or secrets_env): receivers verify the signature with it";
        return Err(ConfigProblem::at(format!("{key}.secrets"), hint));
    }
    Ok(ChannelPlan::Webhook { url, secrets: parsed })
}

/// An HTTP URL. It may hold a secret, so errors do not quote it.
fn secret_url(table: UrlTable, key: &str, environment: Environment<'_>) -> Result<Url, ConfigProblem> {
    let text = source::required(key, "url", table.url, table.url_env, environment)?;
    let invalid = |problem: &dyn Display| ConfigProblem::at(format!("{key}.url"), problem);
    let url = Url::parse(text.trim()).map_err(|error| invalid(&format_args!("is not a URL: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(invalid(&format_args!("must begin with https:// or http://, not {}:", url.scheme())));
    }
    Ok(url)
}

fn smtp(table: SmtpTable, key: &str, environment: Environment<'_>) -> Result<ChannelPlan, ConfigProblem> {
    let SmtpTable { server, username, password, password_env, from, to, subject, hello } = table;
    let password = source::optional(key, "password", password, password_env, environment)?;
    let credentials = match (username, password) {
        (Some(username), Some(password)) => Some(Credentials::new(username, password)),
        (None, None) => None,
        (Some(_), None) => {
            return Err(ConfigProblem::at(format!("{key}.password"), "is missing (password or password_env)"));
        }
        (None, Some(_)) => return Err(ConfigProblem::at(format!("{key}.username"), "is missing")),
    };
    let hello = match hello {
        Some(text) => hello::parse(&text).map_err(|error| ConfigProblem::at(format!("{key}.hello"), error))?,
        None => hello::of_host(),
    };
    let server = mail_server(&server, credentials, hello)
        .map_err(|problem| ConfigProblem::at(format!("{key}.server"), problem))?;
    let from: Mailbox = from.parse().map_err(|error| {
        ConfigProblem::at(format!("{key}.from"), format!("{from:?} is not a mail address: {error}"))
    })?;
    let parse = |name: &str, text: &str| {
        Template::parse(text).map_err(|error| ConfigProblem::at(format!("{key}.{name}"), error))
    };
    let template = MailTemplate { from, to: parse("to", &to)?, subject: parse("subject", &subject)? };
    check(&template).map_err(|error| ConfigProblem::at(format!("{key}.to"), error))?;
    Ok(ChannelPlan::Smtp { server: Box::new(server), template: Box::new(template) })
}

fn mail_server(text: &str, credentials: Option<Credentials>, hello: ClientId) -> Result<MailServer, String> {
    let url = Url::parse(text).map_err(|error| format!("{text:?} is not a URL: {error}"))?;
    let (encryption, port) = match url.scheme() {
        "smtps" => (Encryption::Tls, 465),
        "smtp+starttls" => (Encryption::StartTls, 587),
        "smtp" => (Encryption::None, 25),
        other => return Err(format!("must begin with smtps://, smtp+starttls:// or smtp://, not {other}:")),
    };
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| format!("{text:?} has no host"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not contain credentials: use username and password_env".to_owned());
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err(format!("{text:?} must end after its host and port"));
    }
    if credentials.is_some() && encryption == Encryption::None {
        return Err("must begin with smtps:// or smtp+starttls:// when a password is set".to_owned());
    }
    Ok(MailServer { host: host.to_owned(), port: url.port().unwrap_or(port), encryption, credentials, hello })
}

/// Checks the template with a sample user id.
fn check(template: &MailTemplate) -> Result<(), crate::channel::RecipientError> {
    let user_id = if template.to.is_user_id() { "user@example.com" } else { "user" };
    let event = Event {
        id: "id",
        kind: "type",
        time: jiff::Timestamp::UNIX_EPOCH.into(),
        user_id,
        message: "",
        value: "{}",
        trace: None,
    };
    template.build(&event).map(drop)
}

#[cfg(feature = "sns")]
fn sns(table: SnsTable, key: &str) -> Result<ChannelPlan, ConfigProblem> {
    let SnsTable { topic_arn, endpoint_url } = table;
    if !(topic_arn.starts_with("arn:") && topic_arn.split(':').nth(2) == Some("sns")) {
        return Err(ConfigProblem::at(
            format!("{key}.topic_arn"),
            format!("{topic_arn:?} is not the ARN of an SNS topic"),
        ));
    }
    if let Some(text) = &endpoint_url {
        Url::parse(text)
            .map_err(|error| ConfigProblem::at(format!("{key}.endpoint_url"), format!("is not a URL: {error}")))?;
    }
    Ok(ChannelPlan::Sns { topic_arn, endpoint_url })
}
