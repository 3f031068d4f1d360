//! Apache Kafka from its jars. Without a JDK these tests are skipped, or fail if `CI` is set.

use std::time::{Duration, Instant};

use crate::client::{end_offset, partitions, produce, produce_within};
use crate::process::has_ended;
use millrace_broker::topics::{self, TopicSpec};
use millrace_broker::{Apache, ApacheCluster, apache};
use rdkafka::ClientConfig;
use rdkafka::client::DefaultClientContext;

const TIMEOUT: Duration = Duration::from_secs(30);

async fn start(builder: apache::ApacheBuilder) -> Option<ApacheCluster> {
    // A killed broker can register again only after its session time-out.
    match builder.short_lived().heap_mib(256).session_timeout(Duration::from_secs(2)).start().await {
        Ok(cluster) => Some(cluster),
        Err(error @ apache::Error::ProgramMissing { .. }) if std::env::var_os("CI").is_none() => {
            eprintln!("SKIPPED: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

async fn create(cluster: &ApacheCluster, specs: &[TopicSpec]) -> Result<Vec<String>, topics::Error> {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", cluster.bootstrap_servers());
    topics::create_missing(&client, DefaultClientContext, specs, TIMEOUT).await
}

/// A paused broker acknowledges nothing, and resumes.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_broker_restarts_with_the_acknowledged_records() {
    let folder = tempfile::tempdir().unwrap();
    let Some(cluster) = start(Apache::builder(folder.path())).await else { return };
    let address = cluster.bootstrap_servers();
    let broker = cluster.broker(1).unwrap();
    assert_eq!(create(&cluster, &[TopicSpec::new("orders", 2)]).await.unwrap(), ["orders"]);
    produce(&address, "orders", 0, 100).await.unwrap();

    broker.pause().unwrap();
    let result = produce_within(Duration::from_secs(1), &address, "orders", 1).await;
    assert!(result.is_err(), "a paused broker acknowledged a record");
    broker.resume().unwrap();
    produce(&address, "orders", 1, 1).await.unwrap();

    broker.kill().unwrap();
    assert_eq!(broker.pid(), None);
    assert!(matches!(broker.pause(), Err(apache::Error::NotRunning { broker: 1 })));
    broker.restart().await.unwrap();
    assert!(matches!(broker.restart().await, Err(apache::Error::Running { broker: 1 })));
    assert_eq!(broker.address(), address);
    assert_eq!(end_offset(&address, "orders", 0).await, 100);
    produce(&address, "orders", 0, 1).await.unwrap();

    broker.stop().await.unwrap();
    broker.restart().await.unwrap();
    assert_eq!(end_offset(&address, "orders", 0).await, 101);
}

/// And its port.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_restarted_on_its_folder_has_its_records() {
    let folder = tempfile::tempdir().unwrap();
    let Some(cluster) = start(Apache::builder(folder.path())).await else { return };
    let address = cluster.bootstrap_servers();
    let pid = cluster.broker(1).unwrap().pid().unwrap();
    create(&cluster, &[TopicSpec::new("orders", 1)]).await.unwrap();
    produce(&address, "orders", 0, 3).await.unwrap();

    let second = Apache::builder(folder.path()).start().await;
    assert!(matches!(second, Err(apache::Error::InUse { .. })), "{second:?}");
    cluster.stop().await.unwrap();
    assert!(has_ended(pid));

    let cluster = start(Apache::builder(folder.path())).await.unwrap();
    assert_eq!(cluster.bootstrap_servers(), address);
    assert_eq!(end_offset(&address, "orders", 0).await, 3);
    let pid = cluster.broker(1).unwrap().pid().unwrap();
    drop(cluster);
    assert!(has_ended(pid), "a broker outlived its cluster");
}

/// With two of three killed, `min.insync.replicas` is not met.
#[tokio::test(flavor = "multi_thread")]
async fn three_brokers_acknowledge_while_one_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let builder = Apache::builder(folder.path()).brokers(3).min_insync_replicas(2);
    let Some(cluster) = start(builder).await else { return };
    let address = cluster.bootstrap_servers();
    assert_eq!(address.split(',').count(), 3);
    create(&cluster, &[TopicSpec::new("orders", 3)]).await.unwrap();
    for partition in 0..3 {
        produce(&address, "orders", partition, 10).await.unwrap();
    }

    cluster.broker(1).unwrap().kill().unwrap();
    for partition in 0..3 {
        produce(&address, "orders", partition, 10).await.unwrap();
    }
    cluster.broker(2).unwrap().kill().unwrap();
    let result = produce_within(Duration::from_secs(3), &address, "orders", 0).await;
    assert!(result.is_err(), "a record was acknowledged with one of three replicas in sync");

    let (one, two) = (cluster.broker(1).unwrap(), cluster.broker(2).unwrap());
    let (one, two) = tokio::join!(one.restart(), two.restart());
    one.unwrap();
    two.unwrap();
    for partition in 0..3 {
        let end = end_offset(&address, "orders", partition).await;
        assert!(end >= 20, "partition {partition} ends at {end}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_topics_are_created_and_existing_ones_kept() {
    let folder = tempfile::tempdir().unwrap();
    let Some(cluster) = start(Apache::builder(folder.path())).await else { return };
    let mut kept_for_an_hour = TopicSpec::new("events", 3);
    kept_for_an_hour.config.insert("retention.ms".to_owned(), "3600000".to_owned());
    assert_eq!(create(&cluster, &[kept_for_an_hour.clone()]).await.unwrap(), ["events"]);

    let other = TopicSpec::new("events", 7);
    assert_eq!(create(&cluster, &[other, TopicSpec::new("orders", 2)]).await.unwrap(), ["orders"]);
    assert_eq!(partitions(&cluster.bootstrap_servers(), "events").await, 3);

    let mut wrong = TopicSpec::new("logs", 1);
    wrong.config.insert("retention.hours".to_owned(), "1".to_owned());
    let error = create(&cluster, &[wrong]).await.unwrap_err().to_string();
    assert!(error.contains("`logs`"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_at_the_start_has_the_end_of_the_brokers_log() {
    let folder = tempfile::tempdir().unwrap();
    let builder = Apache::builder(folder.path()).property("log.retention.ms", "soon");
    let error = match builder.start().await {
        Ok(_) => panic!("a broker started with a wrong setting"),
        Err(error @ apache::Error::ProgramMissing { .. }) if std::env::var_os("CI").is_none() => {
            eprintln!("SKIPPED: {error}");
            return;
        }
        Err(error) => error.to_string(),
    };
    assert!(error.contains("log.retention.ms"), "{error}");
}

#[tokio::test]
async fn an_unreachable_address_is_named_within_the_timeout() {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", "127.0.0.1:9");
    let timeout = Duration::from_secs(1);
    let asked = Instant::now();
    let error = topics::create_missing(&client, DefaultClientContext, &[TopicSpec::new("orders", 1)], timeout)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("127.0.0.1:9"), "{error}");
    assert!(asked.elapsed() < Duration::from_secs(5));
}
