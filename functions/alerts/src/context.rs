//! The function's context, built once per execution environment.
use millrace_host::exit::SettingError;
use millrace_lambda::InitError;
use millrace_objects::Objects;

use crate::chats::{Chat, Webhooks};
use crate::settings::Settings;
use crate::topic::Topic;

/// Where news go, and where it is kept what was told.
pub struct Context {
    pub(crate) objects: Objects,
    pub(crate) topic: Topic,
    pub(crate) chats: Vec<Chat>,
}

impl Context {
    /// Opens the lake and the topic, and reads the secret.
    ///
    /// # Errors
    /// [`InitError`] where a setting is invalid, or the secret cannot be read.
    pub async fn new(settings: Settings) -> Result<Self, InitError> {
        let wrong = |flag: &str, problem: String| InitError::from(SettingError::of_flag(flag, problem));
        let objects = Objects::open(&settings.lake).map_err(|error| wrong("lake", error.to_string()))?;
        let webhooks = match settings.chats_secret {
            Some(arn) => secret(arn).await.map_err(|problem| wrong("chats-secret", problem))?,
            None => Webhooks { slack: settings.slack_url, teams: settings.teams_url },
        };
        let chats = webhooks.chats().map_err(|error| wrong("chats-secret", error.to_string()))?;
        Ok(Self { objects, topic: Topic::connect(settings.alerts_topic).await, chats })
    }
}

async fn secret(arn: String) -> Result<Webhooks, String> {
    let client = aws_sdk_secretsmanager::Client::new(&millrace_aws::config().load().await);
    let read = client.get_secret_value().secret_id(arn).send().await;
    let read = read.map_err(|error| millrace_aws::message(&error))?;
    let text = read.secret_string().ok_or("the secret is no text")?;
    // The error of the parser would quote the secret.
    serde_json::from_str(text)
        .map_err(|_| "the secret is not {\"slack\": URL, \"teams\": URL}, or one of them".to_owned())
}
