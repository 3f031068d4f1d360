//! Mail, as a server receives it.

use std::process::Command;

use millrace_consumer::Outcome;
use millrace_domain::DeadLetterClass;
use millrace_testkit::smtp::Moment;
use millrace_testkit::{SmtpSink, WebhookReceiver};

use crate::setup::{dead_letter, notifier, process, record, route, webhook};

fn config(sink: &SmtpSink) -> String {
    format!(
        "[destinations.mail]\ntype = \"smtp\"\nserver = \"smtp://{}\"\nfrom = \"Millrace <millrace@example.com>\"\n\
         to = \"{{user_id}}@example.com\"\nsubject = \"For {{user_id}}\"\nlimits.backoff = \"1ms\"\n",
        sink.address()
    )
}

#[tokio::test]
async fn a_mail_is_plain_text_with_the_events_id() {
    let sink = SmtpSink::start().await.unwrap();
    let notifier = notifier(&(config(&sink) + &route("mail")));

    for number in 0..3 {
        let outcome = process(&notifier, record(&format!("event-{number}"), "12345", "Grüße, 日本")).await;
        assert_eq!(outcome, Outcome::DONE);
    }

    let mails = sink.mails();
    assert_eq!(mails.len(), 3);
    let text = String::from_utf8(mails[2].content.clone()).unwrap();
    assert_eq!(
        (mails[2].from.as_str(), &mails[2].to[..]),
        ("millrace@example.com", &["12345@example.com".to_owned()][..])
    );
    for line in ["X-Event-Id: event-2", "Subject: For 12345", "Content-Type: text/plain; charset=utf-8"] {
        assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
    }
    assert!(!text.to_ascii_lowercase().contains("multipart"), "{text}");
}

#[tokio::test]
async fn ehlo_sends_the_configured_name() {
    let sink = SmtpSink::start().await.unwrap();
    let notifier = notifier(&(config(&sink) + "hello = \"notifier.example.com\"\n" + &route("mail")));
    assert_eq!(process(&notifier, record("event-1", "12345", "hello")).await, Outcome::DONE);
    assert_eq!(sink.mails()[0].hello, "notifier.example.com");
}

#[tokio::test]
async fn ehlo_sends_the_host_name_by_default() {
    let sink = SmtpSink::start().await.unwrap();
    let notifier = notifier(&(config(&sink) + &route("mail")));
    assert_eq!(process(&notifier, record("event-1", "12345", "hello")).await, Outcome::DONE);
    let host = Command::new("uname").arg("-n").output().unwrap();
    assert_eq!(sink.mails()[0].hello, String::from_utf8(host.stdout).unwrap().trim());
}

#[tokio::test]
async fn characters_that_a_relay_refuses_are_encoded() {
    let sink = SmtpSink::start().await.unwrap();
    let notifier = notifier(&(config(&sink) + &route("mail")));
    assert_eq!(process(&notifier, record("event-1", "12345", r"one\rtwo\u0000three\nfour")).await, Outcome::DONE);
    let text = String::from_utf8(sink.mails()[0].content.clone()).unwrap();
    for line in ["MIME-Version: 1.0", "Content-Transfer-Encoding: quoted-printable", "one=0Dtwo=00three", "four"] {
        assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
    }
}

#[tokio::test]
async fn a_4xx_reply_is_retried_and_a_5xx_reply_uses_the_fallback() {
    let sink = SmtpSink::start().await.unwrap();
    let receiver = WebhookReceiver::start().await.unwrap();
    let config = config(&sink) + "fallback = [\"hook\"]\n" + &webhook("hook", &receiver.url("/hook")) + &route("mail");
    let notifier = notifier(&config);

    sink.refuse(Moment::Rcpt, "451 4.3.0 try again later", Some(2));
    assert_eq!(process(&notifier, record("event-1", "12345", "hello")).await, Outcome::DONE);
    assert_eq!((sink.mails().len(), receiver.received().len()), (1, 0));

    sink.refuse(Moment::Rcpt, "550 5.1.1 no such user", None);
    assert_eq!(process(&notifier, record("event-2", "12345", "hello")).await, Outcome::DONE);
    assert_eq!((sink.mails().len(), receiver.received().len()), (1, 1));
}

#[tokio::test]
async fn a_user_id_without_an_address_is_a_permanent_dead_letter() {
    let sink = SmtpSink::start().await.unwrap();
    let notifier = notifier(&(config(&sink) + &route("mail")));

    let (class, reason) = dead_letter(process(&notifier, record("event-1", "x@evil.org, y", "hello")).await);

    assert_eq!(class, DeadLetterClass::Permanent);
    assert!(reason.contains("cannot be part of a mail address"), "{reason}");
    assert!(sink.mails().is_empty());
}
