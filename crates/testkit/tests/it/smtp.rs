//! The SMTP sink with lettre as client.

use lettre::message::header::ContentType;
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::{self, SmtpTransport};
use lettre::{Message, Transport as _};
use millrace_testkit::SmtpSink;
use millrace_testkit::smtp::Moment;

fn mail(to: &[&str], body: &str) -> Message {
    let builder = Message::builder().from("millrace@example.org".parse().unwrap()).subject("Grüße");
    let builder = to.iter().fold(builder, |builder, to| builder.to(to.parse().unwrap()));
    builder.header(ContentType::TEXT_PLAIN).body(body.to_owned()).unwrap()
}

async fn send(sink: &SmtpSink, mail: Message) -> Result<smtp::response::Response, smtp::Error> {
    let address = sink.address();
    let sending = tokio::task::spawn_blocking(move || {
        SmtpTransport::builder_dangerous(address.ip().to_string())
            .port(address.port())
            .hello_name(ClientId::Domain("client.example.org".to_owned()))
            .build()
            .send(&mail)
    });
    sending.await.unwrap()
}

#[tokio::test]
async fn a_mail_is_recorded_with_envelope_and_content() {
    let sink = SmtpSink::start().await.unwrap();
    send(&sink, mail(&["ann@example.org", "bob@example.org"], "first\n.second\n..third")).await.unwrap();
    send(&sink, mail(&["eve@example.org"], "another")).await.unwrap();

    let mails = sink.mails();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0].hello, "client.example.org");
    assert_eq!(mails[0].from, "millrace@example.org");
    assert_eq!(mails[0].to, ["ann@example.org", "bob@example.org"]);
    let content = String::from_utf8(mails[0].content.clone()).unwrap();
    assert!(content.contains("To: ann@example.org, bob@example.org\r\n"), "{content}");
    assert!(content.ends_with("\r\n\r\nfirst\r\n.second\r\n..third\r\n"), "{content}");
}

#[tokio::test]
async fn each_step_can_be_refused_transiently_or_permanently() {
    let sink = SmtpSink::start().await.unwrap();
    for moment in [Moment::Connect, Moment::Mail, Moment::Rcpt, Moment::Data, Moment::End] {
        sink.refuse(moment, "451 4.3.0 try again later", None);
        assert!(send(&sink, mail(&["ann@example.org"], "hello")).await.unwrap_err().is_transient(), "{moment:?}");
        sink.accept();
        sink.refuse(moment, "550 5.1.1 no such user", None);
        assert!(send(&sink, mail(&["ann@example.org"], "hello")).await.unwrap_err().is_permanent(), "{moment:?}");
        sink.accept();
    }
    assert!(sink.mails().is_empty());
}

#[tokio::test]
async fn a_refusal_ends_after_its_count() {
    let sink = SmtpSink::start().await.unwrap();
    sink.refuse(Moment::Rcpt, "451 4.3.0 try again later", Some(2));
    for _ in 0..2 {
        send(&sink, mail(&["ann@example.org"], "hello")).await.unwrap_err();
    }
    send(&sink, mail(&["ann@example.org"], "hello")).await.unwrap();
    assert_eq!(sink.mails().len(), 1);
}
