//! A member that its group does not have, or rightly gives nothing.

use std::time::Duration;

use millrace_consumer::{Attempt, ConsumerOptions, Outcome, Processor};
use millrace_kafka::{KafkaSettings, Record};
use millrace_testkit::kafka::{
    self, CONSUMER_GROUP_DESCRIBE, DESCRIBE_GROUPS, FIND_COORDINATOR, JOIN_GROUP, LossyProxy,
};
use millrace_testkit::wait::eventually;

use crate::fixture::{BOUND, Fixture, Member, record};

struct Done;

impl Processor for Done {
    type Product = ();

    async fn process(&self, _record: &Record<'_>, _attempt: &Attempt<'_>) -> Outcome {
        Outcome::DONE
    }
}

/// A member that reaches the broker through the proxy, and whose membership is asked for four times a second.
fn member_behind(proxy: &LossyProxy, fixture: &Fixture<'_>) -> Member {
    let settings = KafkaSettings::plaintext(proxy.bootstrap_servers());
    let options = ConsumerOptions { rejoin_timeout: Duration::from_secs(1), ..Fixture::options() };
    fixture.member_with_settings(settings, Done, |_| None, options)
}

/// The client waits five minutes for the answer, and in all other ways is well.
#[tokio::test(flavor = "multi_thread")]
async fn a_member_whose_request_to_join_is_lost_joins_again() {
    let Some(kafka) = kafka::dedicated(|broker| broker).await else { return };
    let fixture = Fixture::on(&kafka, 1).await;
    kafka.produce(&fixture.topic, [record("key", "value")]).await;
    let proxy = LossyProxy::start(&kafka).await.unwrap();
    proxy.lose(JOIN_GROUP, 1);
    let member = member_behind(&proxy, &fixture);
    fixture.until_committed(1).await;
    assert_eq!(proxy.lost(JOIN_GROUP), 1);
    member.stop().await;
}

/// Neither a spare member, nor one whose topic does not exist, begins anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_rightly_owns_nothing_keeps_its_client() {
    let Some(kafka) = kafka::dedicated(|broker| broker).await else { return };
    let fixture = Fixture::on(&kafka, 1).await;
    kafka.produce(&fixture.topic, [record("key", "value")]).await;
    let owner = fixture.member(Done, Fixture::options());
    fixture.until_committed(1).await;
    let topicless = Fixture { kafka: &kafka, topic: kafka::unique("missing"), group: kafka::unique("millrace-test") };
    for fixture in [&fixture, &topicless] {
        let proxy = LossyProxy::start(&kafka).await.unwrap();
        let member = member_behind(&proxy, fixture);
        let asked = || proxy.forwarded(DESCRIBE_GROUPS) + proxy.forwarded(CONSUMER_GROUP_DESCRIBE);
        let until_asked = async |times| {
            let what = format!("the coordinator is asked {times} times");
            eventually(BOUND, &what, async || (asked() >= times).then_some(())).await;
        };
        until_asked(2).await;
        // A new client would look for the coordinator anew.
        let lookups = proxy.forwarded(FIND_COORDINATOR);
        // For a multiple of the time-out: a query is one request or two.
        until_asked(asked() + 30).await;
        assert_eq!(proxy.forwarded(FIND_COORDINATOR), lookups, "{}", fixture.topic);
        member.stop().await;
    }
    owner.stop().await;
}
