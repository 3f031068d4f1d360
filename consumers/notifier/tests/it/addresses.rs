//! Private addresses: refused on every connect, by name and by literal address, and never retried.

use millrace_consumer::Outcome;
use millrace_domain::DeadLetterClass;
use millrace_testkit::{SmtpSink, WebhookReceiver};

use crate::setup::{dead_letter, guarded_notifier, notifier, process, record, route, webhook};

#[tokio::test]
async fn a_webhook_to_a_private_address_is_refused() {
    let receiver = WebhookReceiver::start().await.unwrap();
    let url = receiver.url("/hook");
    let (_, port) = url.strip_suffix("/hook").unwrap().rsplit_once(':').unwrap();
    for host in
        ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "169.254.169.254"]
    {
        let notifier = guarded_notifier(&(webhook("hook", &format!("http://{host}:{port}/hook")) + &route("hook")));

        let (class, reason) = dead_letter(process(&notifier, record("event-1", "12345", "hello")).await);

        assert_eq!(class, DeadLetterClass::Permanent, "{host}: {reason}");
        assert!(reason.contains("private") && reason.contains("--allow-private-destinations"), "{host}: {reason}");
    }
    assert!(receiver.received().is_empty());
}

#[tokio::test]
async fn a_private_address_is_allowed_by_the_setting() {
    let receiver = WebhookReceiver::start().await.unwrap();
    let url = receiver.url("/hook").replace("127.0.0.1", "localhost");
    let notifier = notifier(&(webhook("hook", &url) + &route("hook")));
    assert_eq!(process(&notifier, record("event-1", "12345", "hello")).await, Outcome::DONE);
}

#[tokio::test]
async fn a_mail_server_at_a_private_address_is_refused() {
    let sink = SmtpSink::start().await.unwrap();
    let port = sink.address().port();
    for host in ["127.0.0.1", "localhost", "[::1]"] {
        let config = format!(
            "[destinations.mail]\ntype = \"smtp\"\nserver = \"smtp://{host}:{port}\"\nfrom = \"a@example.com\"\n\
             to = \"{{user_id}}@example.com\"\n{}",
            route("mail")
        );
        let (class, reason) =
            dead_letter(process(&guarded_notifier(&config), record("event-1", "12345", "hello")).await);
        assert_eq!(class, DeadLetterClass::Permanent, "{host}: {reason}");
        assert!(reason.contains("--allow-private-destinations"), "{host}: {reason}");
    }
    assert!(sink.mails().is_empty());
}
