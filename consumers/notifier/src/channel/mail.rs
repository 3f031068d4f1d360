//! A notification as a mail: text/plain in UTF-8, with the event's id as `X-Event-Id`.
//!
//! Nothing a notification says can add a header or a recipient: addresses are parsed, and header values encoded.

use std::error::Error;

use lettre::address::Address;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use thiserror::Error;

use super::template::Template;
use crate::event::{Event, fingerprint};

/// What stands on every mail of a destination.
#[derive(Debug, Clone)]
pub(crate) struct MailTemplate {
    pub(crate) from: Mailbox,
    pub(crate) to: Template,
    pub(crate) subject: Template,
}

/// Why there is no mail for a notification.
#[derive(Debug, Error)]
pub(crate) enum RecipientError {
    /// A placeholder's text would change the address around it.
    #[error("{0:?} cannot fixture in a mail address")]
    Placeholder(String),
    /// The whole is no address.
    #[error("{0:?} is no mail address")]
    Address(String),
    /// The parts do not make a mail.
    #[error("cannot write the mail: {0}")]
    Mail(#[from] lettre::error::Error),
}

impl MailTemplate {
    /// The mail for this event. Another attempt gives the same `Message-ID`.
    ///
    /// # Errors
    /// [`RecipientError`] where the event's user has no mail address.
    pub(crate) fn write(&self, event: &Event<'_>) -> Result<Message, RecipientError> {
        let mail = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, self.recipient(event)?))
            .subject(one_line(&self.subject.fill(event)))
            .message_id(Some(format!("<{}@{}>", fingerprint(event.id), self.from.email.domain())))
            .header(EventIdHeader(event.id_for_header().into_owned()))
            .header(ContentType::TEXT_PLAIN)
            .body(event.message.to_owned())?;
        Ok(mail)
    }

    fn recipient(&self, event: &Event<'_>) -> Result<Address, RecipientError> {
        if !self.to.is_user_id()
            && let Some(text) = self.to.filled_in(event).find(|text| !is_plain(text))
        {
            return Err(RecipientError::Placeholder(text.to_owned()));
        }
        let address = self.to.fill(event);
        address.parse().map_err(|_| RecipientError::Address(address))
    }
}

/// Whether a text may stand in an address: none of the characters that mail servers give a meaning.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-+=~".contains(&byte))
}

/// A subject of two lines would be a header of two.
fn one_line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

#[derive(Clone)]
struct EventIdHeader(String);

impl Header for EventIdHeader {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("X-Event-Id")
    }

    fn parse(text: &str) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(Self(text.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::EXAMPLE;

    fn letterhead(to: &str) -> MailTemplate {
        MailTemplate {
            from: "Millrace <millrace@example.com>".parse().unwrap(),
            to: Template::parse(to).unwrap(),
            subject: Template::parse("For {user_id}").unwrap(),
        }
    }

    fn text(mail: &Message) -> String {
        String::from_utf8(mail.formatted()).unwrap()
    }

    #[test]
    fn a_mail_is_plain_utf_8_text_with_the_events_id() {
        let mail = letterhead("{user_id}@example.com").write(&EXAMPLE).unwrap();
        let text = text(&mail);
        for line in [
            "From: Millrace <millrace@example.com>",
            "To: 12345@example.com",
            "Subject: For 12345",
            "X-Event-Id: 0198c5a0-0000-7000-8000-000000000001",
            "Content-Type: text/plain; charset=utf-8",
            "Your order has shipped",
        ] {
            assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
        }
        let again = letterhead("{user_id}@example.com").write(&EXAMPLE).unwrap();
        let id = |mail: &Message| mail.headers().get_raw("Message-ID").unwrap().to_owned();
        assert_eq!(id(&mail), id(&again));
    }

    #[test]
    fn nothing_in_a_notification_adds_a_header() {
        let event = Event {
            id: "1\r\nBcc: evil@example.org",
            kind: "t\r\nBcc: evil@example.org\r\n\r\nbody",
            message: "hello\r\nBcc: evil@example.org\r\n.\r\nMAIL FROM:<evil@example.org>",
            ..EXAMPLE
        };
        let mut head = letterhead("{user_id}@example.com");
        head.subject = Template::parse("{type} {id}").unwrap();
        let mail = head.write(&event).unwrap();
        let text = text(&mail);
        let (headers, _) = text.split_once("\r\n\r\n").unwrap();
        assert!(!headers.lines().any(|line| line.to_ascii_lowercase().starts_with("bcc")), "{text}");
        assert_eq!(mail.envelope().to().len(), 1);
    }

    #[test]
    fn a_user_id_cannot_choose_another_recipient() {
        let embedded = letterhead("{user_id}@example.com");
        for user_id in ["a@evil.org", "a,b", "a\r\nRCPT TO:<x@y>", "\"a b\"", "a b", "a%evil.org", "!a", "é", "<a>", ""]
        {
            assert!(embedded.write(&Event { user_id, ..EXAMPLE }).is_err(), "{user_id:?}");
        }
        let whole = letterhead("{user_id}");
        assert_eq!(whole.write(&Event { user_id: "ann@example.org", ..EXAMPLE }).unwrap().envelope().to().len(), 1);
        for user_id in ["12345", "a@b.org, c@d.org", "a@b.org>\r\nRCPT TO:<c@d.org", "Ann <a@b.org>"] {
            assert!(whole.write(&Event { user_id, ..EXAMPLE }).is_err(), "{user_id:?}");
        }
    }
}
