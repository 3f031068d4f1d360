//! The mail of a notification: text/plain in UTF-8, with the event's id as `X-Event-Id`.
//!
//! Every line is CRLF-terminated and has at most 998 octets, none of them NUL or a lone CR (RFC 5322, 2.1.1; RFC 2045,
//! 2.7).
//!
//! No field of a notification can add a header or a recipient: addresses are parsed, and header values encoded.

use std::error::Error;

use lettre::address::Address;
use lettre::message::header::{
    ContentTransferEncoding, ContentType, Header, HeaderName, HeaderValue, MIME_VERSION_1_0,
};
use lettre::message::{Mailbox, Message};
use millrace_outbound::chat::truncate;
use thiserror::Error;

use super::template::Template;
use crate::event::{Event, fingerprint};

/// The longest subject in characters: a single word cannot be folded, and must fit into one line.
const SUBJECT_LIMIT: usize = 900;

/// The longest event id that is sent whole, in octets: it cannot be folded.
const ID_LIMIT: usize = 900;

/// The headers of a destination's mails.
#[derive(Debug, Clone)]
pub(crate) struct MailTemplate {
    pub(crate) from: Mailbox,
    pub(crate) to: Template,
    pub(crate) subject: Template,
}

/// Why a notification cannot be sent as a mail.
#[derive(Debug, Error)]
pub(crate) enum RecipientError {
    /// A placeholder's text would change the address around it.
    #[error("{0:?} cannot be part of a mail address")]
    Placeholder(String),
    /// The result is not an address.
    #[error("{0:?} is not a mail address")]
    Address(String),
    /// The mail cannot be built.
    #[error("cannot build the mail: {0}")]
    Mail(#[from] lettre::error::Error),
}

impl MailTemplate {
    /// Builds the mail of an event. Every attempt has the same `Message-ID`.
    ///
    /// # Errors
    /// [`RecipientError`] where the user id gives no mail address.
    pub(crate) fn build(&self, event: &Event<'_>) -> Result<Message, RecipientError> {
        let subject = one_line(&self.subject.fill(event));
        let mail = Message::builder()
            .header(MIME_VERSION_1_0)
            .from(self.from.clone())
            .to(Mailbox::new(None, self.recipient(event)?))
            .subject(truncate(&subject, SUBJECT_LIMIT, |_| 1))
            .message_id(Some(format!("<{}@{}>", fingerprint(event.id), self.from.email.domain())))
            .header(EventIdHeader(header_id(event)))
            .header(ContentType::TEXT_PLAIN);
        // lettre sends every short ASCII text as 7bit.
        let mail = if event.message.is_ascii() && !is_seven_bit(event.message) {
            mail.header(ContentTransferEncoding::QuotedPrintable)
        } else {
            mail
        };
        Ok(mail.body(event.message.to_owned())?)
    }

    fn recipient(&self, event: &Event<'_>) -> Result<Address, RecipientError> {
        if !self.to.is_user_id()
            && let Some(text) = self.to.values(event).find(|text| !is_plain(text))
        {
            return Err(RecipientError::Placeholder(text.to_owned()));
        }
        let address = self.to.fill(event);
        address.parse().map_err(|_| RecipientError::Address(address))
    }
}

/// Whether a text is allowed in an address: no character that is special to mail servers.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-+=~".contains(&byte))
}

/// Replaces control characters: a line break would start another header.
fn one_line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

/// Whether an ASCII text may be sent as 7bit: no NUL, and CR only before LF.
fn is_seven_bit(text: &str) -> bool {
    text.split("\r\n").all(|line| !line.contains(['\r', '\0']))
}

/// The event's id; of one above the limit, its beginning and a fingerprint of the whole.
fn header_id(event: &Event<'_>) -> String {
    let id = event.id_for_header();
    match id.get(..ID_LIMIT) {
        Some(beginning) if id.len() > ID_LIMIT => format!("{beginning}...{}", fingerprint(event.id)),
        _ => id.into_owned(),
    }
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
    use proptest::prelude::*;

    use super::*;
    use crate::event::tests::EXAMPLE;

    fn template(to: &str) -> MailTemplate {
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
        let mail = template("{user_id}@example.com").build(&EXAMPLE).unwrap();
        let text = text(&mail);
        for line in [
            "MIME-Version: 1.0",
            "From: Millrace <millrace@example.com>",
            "To: 12345@example.com",
            "Subject: For 12345",
            "X-Event-Id: 0198c5a0-0000-7000-8000-000000000001",
            "Content-Type: text/plain; charset=utf-8",
            "Your order has shipped",
        ] {
            assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
        }
        let again = template("{user_id}@example.com").build(&EXAMPLE).unwrap();
        let id = |mail: &Message| mail.headers().get_raw("Message-ID").unwrap().to_owned();
        assert_eq!(id(&mail), id(&again));
    }

    #[test]
    fn a_lone_carriage_return_and_a_nul_are_encoded() {
        let message = "one\rtwo\0three\nfour\r\nfive\r";
        let mail = template("{user_id}@example.com").build(&Event { message, ..EXAMPLE }).unwrap();
        let text = text(&mail);
        let (headers, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(headers.lines().any(|line| line == "Content-Transfer-Encoding: quoted-printable"), "{headers}");
        assert_eq!(body, "one=0Dtwo=00three\r\nfour\r\nfive=0D");
    }

    #[test]
    fn a_long_subject_is_marked_and_long_ids_stay_distinct() {
        let mut template = template("mail@example.com");
        template.subject = Template::parse("{id}").unwrap();
        let ids = [format!("{}1", "x".repeat(3_000)), format!("{}2", "x".repeat(3_000))];
        let [first, second] = ids.each_ref().map(|id| template.build(&Event { id, ..EXAMPLE }).unwrap());
        let subject = first.headers().get_raw("Subject").unwrap();
        assert!(subject.starts_with("xxx") && subject.ends_with("… [truncated]"), "{subject}");
        let id = |mail: &Message| mail.headers().get_raw("X-Event-Id").unwrap().to_owned();
        assert!(id(&first).starts_with("xxx") && id(&first) != id(&second), "{}", id(&first));
        let longest = "x".repeat(ID_LIMIT);
        assert_eq!(id(&template.build(&Event { id: &longest, ..EXAMPLE }).unwrap()), longest);
    }

    /// Words and line breaks of all lengths, in ASCII and beyond.
    fn texts() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            "[ -~]{0,40}",
            "[\r\n\0 .]{1,3}",
            "\\PC{0,20}",
            "[a-zé ]{900,1100}",
            (0usize..3_000).prop_map(|length| "x".repeat(length)),
            (0usize..3_000).prop_map(|length| " ".repeat(length)),
        ];
        prop::collection::vec(part, 0..6).prop_map(|parts| parts.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_line_of_every_mail_is_valid_for_a_relay(id in texts(), kind in texts(), message in texts()) {
            let mut template = template("mail@example.com");
            template.subject = Template::parse("{type} {id}").unwrap();
            let mail = template.build(&Event { id: &id, kind: &kind, message: &message, ..EXAMPLE }).unwrap();
            let mail = text(&mail);
            prop_assert!(mail.is_ascii());
            for line in mail.split("\r\n") {
                prop_assert!(line.len() <= 998 && !line.contains(['\r', '\n', '\0']), "{:?}", line);
            }
        }
    }

    #[test]
    fn no_field_of_a_notification_adds_a_header() {
        let event = Event {
            id: "1\r\nBcc: evil@example.org",
            kind: "t\r\nBcc: evil@example.org\r\n\r\nbody",
            message: "hello\r\nBcc: evil@example.org\r\n.\r\nMAIL FROM:<evil@example.org>",
            ..EXAMPLE
        };
        let mut template = template("{user_id}@example.com");
        template.subject = Template::parse("{type} {id}").unwrap();
        let mail = template.build(&event).unwrap();
        let text = text(&mail);
        let (headers, _) = text.split_once("\r\n\r\n").unwrap();
        assert!(!headers.lines().any(|line| line.to_ascii_lowercase().starts_with("bcc")), "{text}");
        assert_eq!(mail.envelope().to().len(), 1);
    }

    #[test]
    fn a_user_id_cannot_choose_another_recipient() {
        let embedded = template("{user_id}@example.com");
        for user_id in ["a@evil.org", "a,b", "a\r\nRCPT TO:<x@y>", "\"a b\"", "a b", "a%evil.org", "!a", "é", "<a>", ""]
        {
            assert!(embedded.build(&Event { user_id, ..EXAMPLE }).is_err(), "{user_id:?}");
        }
        let whole = template("{user_id}");
        assert_eq!(whole.build(&Event { user_id: "ann@example.org", ..EXAMPLE }).unwrap().envelope().to().len(), 1);
        for user_id in ["12345", "a@b.org, c@d.org", "a@b.org>\r\nRCPT TO:<c@d.org", "Ann <a@b.org>"] {
            assert!(whole.build(&Event { user_id, ..EXAMPLE }).is_err(), "{user_id:?}");
        }
    }
}
