//! Channels: console, webhook, Slack, Teams, mail, SNS. A channel makes one attempt; time-outs, retries and all other
//! limits are its [destination's](crate::delivery).

mod console;
pub(crate) mod hello;
mod mail;
mod signature;
mod smtp;
#[cfg(feature = "sns")]
mod sns;
mod template;
mod webhook;

use http::HeaderMap;
use millrace_outbound::{AddressPolicy, Endpoint, Proxies, chat};

use self::console::Console;
pub(crate) use self::mail::{MailTemplate, RecipientError};
pub(crate) use self::signature::Secret;
use self::smtp::Smtp;
pub(crate) use self::smtp::{Encryption, MailServer};
#[cfg(feature = "sns")]
use self::sns::Sns;
pub(crate) use self::template::Template;
use self::webhook::Webhook;
use crate::config::ChannelPlan;
use crate::event::Event;
use crate::failure::Failure;
use crate::notifier::StartError;

/// A channel.
pub(crate) enum Channel {
    Console(Console),
    Webhook(Webhook),
    Slack(Endpoint),
    Teams(Endpoint),
    Smtp(Box<Smtp>),
    #[cfg(feature = "sns")]
    Sns(Sns),
}

impl Channel {
    /// Builds the channel of a plan. It connects at the first delivery.
    pub(crate) fn build(plan: ChannelPlan, policy: AddressPolicy, proxies: &Proxies) -> Result<Self, StartError> {
        let endpoint = |url| -> Result<Endpoint, StartError> {
            let proxy = proxies.of(&url).map_err(StartError::Setting)?;
            Ok(Endpoint::new(url, policy, proxy)?)
        };
        Ok(match plan {
            ChannelPlan::Console => Self::Console(Console::stdout().map_err(StartError::Console)?),
            ChannelPlan::Webhook { url, secrets } => Self::Webhook(Webhook::new(endpoint(url)?, secrets)),
            ChannelPlan::Slack { url } => Self::Slack(endpoint(url)?),
            ChannelPlan::Teams { url } => Self::Teams(endpoint(url)?),
            ChannelPlan::Smtp { server, template } => Self::Smtp(Box::new(Smtp::new(*server, *template, policy)?)),
            #[cfg(feature = "sns")]
            ChannelPlan::Sns { topic_arn, endpoint_url } => Self::Sns(Sns::new(topic_arn, endpoint_url)),
        })
    }

    /// Whether it writes to this machine: a slow write is back-pressure there, not a time-out.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self, Self::Console(_))
    }

    /// Makes one attempt.
    ///
    /// # Errors
    /// The failure of the attempt.
    pub(crate) async fn send(&self, event: &Event<'_>) -> Result<(), Failure> {
        match self {
            Self::Console(console) => console.send(event).await,
            Self::Webhook(webhook) => webhook.send(event).await,
            Self::Slack(endpoint) => {
                Ok(endpoint.post(chat::slack(event.user_id, event.message), HeaderMap::new()).await?)
            }
            Self::Teams(endpoint) => {
                Ok(endpoint.post(chat::teams(event.user_id, event.message), HeaderMap::new()).await?)
            }
            Self::Smtp(smtp) => smtp.send(event).await,
            #[cfg(feature = "sns")]
            Self::Sns(sns) => sns.send(event).await,
        }
    }
}
