//! The chats that notifications are posted to.

use std::time::Duration;

use http::HeaderMap;
use millrace_host::exit::SettingError;
use millrace_outbound::{AddressPolicy, Endpoint, HttpError, PostFailure, Proxies, chat};

use serde::Deserialize;
use thiserror::Error;
use url::Url;

use crate::event::Notification;

/// How long a chat may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A chat.
pub(crate) struct Chat {
    /// Names it, in objects' names and in the log.
    pub(crate) name: &'static str,
    body: fn(&str, &str) -> String,
    endpoint: Endpoint,
}

/// The webhooks of chats; also the content of the secret.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Webhooks {
    pub(crate) slack: Option<Url>,
    pub(crate) teams: Option<Url>,
}

/// Why chats cannot be posted to.
#[derive(Debug, Error)]
pub(crate) enum ChatError {
    /// A proxy's variable is wrong.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// There is no HTTP client.
    #[error(transparent)]
    Http(#[from] HttpError),
}

impl Webhooks {
    /// The chats that have one.
    pub(crate) fn chats(self) -> Result<Vec<Chat>, ChatError> {
        let proxies = Proxies::read(|name| std::env::var_os(name));
        let slack = self.slack.map(|url| ("slack", chat::slack as fn(&str, &str) -> String, url));
        let teams = self.teams.map(|url| ("teams", chat::teams as fn(&str, &str) -> String, url));
        let chat = |(name, body, url): (&'static str, fn(&str, &str) -> String, Url)| {
            // Who may set the variables may name any address.
            let proxy = proxies.of(&url)?;
            Ok(Chat { name, body, endpoint: Endpoint::new(url, AddressPolicy::Any, proxy)? })
        };
        slack.into_iter().chain(teams).map(chat).collect()
    }
}

impl Chat {
    /// Posts a notification, in one attempt.
    pub(crate) async fn post(&self, notification: &Notification) -> Result<(), PostFailure> {
        let body = (self.body)(&notification.title, &notification.text);
        let posted = tokio::time::timeout(TIMEOUT, self.endpoint.post(body, HeaderMap::new())).await;
        posted.unwrap_or_else(|_| Err(PostFailure::unavailable(format!("no answer within {} s", TIMEOUT.as_secs()))))
    }
}
