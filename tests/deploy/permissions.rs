//! What each role may do, asked of an emulator that checks policies: what its program needs, and nothing else.

use std::collections::BTreeSet;

use millrace_domain::catalogue::{Consumer, catalogue};
use serde_json::{Map, Value};

use crate::aws::Aws;
use crate::terraform::State;

const FUNCTIONS: &str = include_str!("../../functions/functions.json");

/// The ARN of a resource of the root module, or of one below.
fn arn(state: &State, address: &str) -> String {
    state.resource(&format!("module.millrace.{address}"))["arn"].as_str().unwrap().to_owned()
}

/// The ARN of the role of a service's program.
pub(crate) fn task_role(state: &State, service: &str) -> String {
    arn(state, &format!("module.consumers.aws_iam_role.task[\"{service}\"]"))
}

fn function_role(state: &State, function: &str) -> String {
    arn(state, &format!("module.function[\"{function}\"].aws_iam_role.this"))
}

/// The programs of consumers, each with its names in the catalogue.
const CONSUMERS: [(&str, &[&str]); 5] = [
    ("event-store", &["event-store"]),
    ("log-shipper", &["log-shipper"]),
    ("login-insights", &["login-insights", "login-insights-files"]),
    ("notifier", &["notifier"]),
    ("payments", &["payments"]),
];

/// The function that an installation with projected partitions is without.
const NOT_DEPLOYED: &str = "athena-refresh";

/// The group of `millrace replay`.
const REPLAY: &str = "millrace-replay";

/// One principal's access to Kafka.
#[derive(Default)]
struct Access {
    role: String,
    reads: BTreeSet<String>,
    writes: BTreeSet<String>,
    groups: BTreeSet<String>,
    is_transactional: bool,
    makes_topics: bool,
    /// What has nothing to do with Kafka.
    is_kept_out: bool,
}

fn expected(state: &State) -> Vec<Access> {
    let catalogue = catalogue();
    let consumers = CONSUMERS.map(|(program, names)| {
        let of_program = || catalogue.consumers.iter().filter(|consumer| names.contains(&&*consumer.name));
        assert_eq!(of_program().count(), names.len(), "{program}");
        let reads: BTreeSet<_> = of_program().flat_map(|consumer| consumer.reads.clone()).collect();
        let dead_letters = reads.iter().filter_map(|topic| catalogue.topic(topic)?.dead_letter_topic.clone());
        let writes: BTreeSet<_> = of_program().flat_map(|consumer| consumer.writes.clone()).collect();
        Access {
            role: task_role(state, program),
            is_transactional: !writes.is_empty(),
            writes: writes.into_iter().chain(dead_letters).collect(),
            reads,
            groups: of_program().map(Consumer::group).collect(),
            ..Access::default()
        }
    });
    let needed = catalogue.consumers.iter().filter(|consumer| !consumer.is_optional).count();
    assert_eq!(needed, CONSUMERS.iter().map(|(_, names)| names.len()).sum::<usize>());

    let functions: Map<String, Value> = serde_json::from_str(FUNCTIONS).unwrap();
    let deployed = functions.into_iter().filter(|(name, _)| name != NOT_DEPLOYED);
    let functions = deployed.map(|(name, function)| Access {
        role: function_role(state, &name),
        writes: serde_json::from_value(function["writes"].clone()).unwrap(),
        makes_topics: name == "topics",
        is_kept_out: function["has_kafka"] == false,
        ..Access::default()
    });
    let operator = Access {
        role: task_role(state, "operator"),
        reads: catalogue.all().into_iter().map(|topic| topic.name).collect(),
        writes: catalogue.topics.iter().map(|topic| topic.name.clone()).collect(),
        groups: BTreeSet::from([REPLAY.to_owned()]),
        is_transactional: true,
        ..Access::default()
    };
    consumers.into_iter().chain(functions).chain([operator]).collect()
}

/// Every role against every topic, group and transactional id.
pub(crate) async fn on_kafka_are_those_of_the_catalogue(aws: &Aws, state: &State) {
    let cluster = state.output("kafka_cluster_arn").as_str().unwrap();
    let named = |kind: &str, name: &str| format!("{}/{name}", cluster.replace(":cluster/", &format!(":{kind}/")));
    for access in expected(state) {
        let role = &access.role;
        let check = async |action: &str, resource: String, expected: bool| {
            let action = format!("kafka-cluster:{action}");
            assert_eq!(aws.allows(role, &action, &resource).await, expected, "{role}: {action} on {resource}");
        };
        check("Connect", cluster.to_owned(), !access.is_kept_out).await;
        check("WriteDataIdempotently", cluster.to_owned(), !access.writes.is_empty()).await;
        check("AlterCluster", cluster.to_owned(), false).await;
        for topic in catalogue().all() {
            let resource = || named("topic", &topic.name);
            check("ReadData", resource(), access.reads.contains(&topic.name)).await;
            check("WriteData", resource(), access.writes.contains(&topic.name)).await;
            check("CreateTopic", resource(), access.makes_topics).await;
            check("AlterTopic", resource(), access.makes_topics).await;
            check("AlterTopicDynamicConfiguration", resource(), access.makes_topics).await;
            check("DeleteTopic", resource(), false).await;
        }
        for group in catalogue().consumers.iter().map(Consumer::group).chain([REPLAY.to_owned()]) {
            check("AlterGroup", named("group", &group), access.groups.contains(&group)).await;
            check("DeleteGroup", named("group", &group), false).await;
        }
        // MSK's own, which topology shows as well.
        check("DescribeGroup", named("group", "another"), access.groups.contains(REPLAY)).await;
        let transactions = named("transactional-id", "millrace-any");
        check("AlterTransactionalId", transactions, access.is_transactional).await;
        check("AlterTransactionalId", named("transactional-id", "another"), false).await;
    }
}

/// Secrets, objects, logs, images and keys: one thing that each role needs, and its neighbours that are not its own.
pub(crate) async fn elsewhere_are_each_roles_own(aws: &Aws, state: &State) {
    let starts = |service: &str| arn(state, &format!("module.consumers.aws_iam_role.execution[\"{service}\"]"));
    let key = arn(state, "aws_kms_key.this");
    let bucket = arn(state, "aws_s3_bucket.data");
    let database = state.resource("module.millrace.module.database[0].aws_rds_cluster.this");
    let database = database["master_user_secret"][0]["secret_arn"].as_str().unwrap();
    let configuration = &arn(state, "aws_secretsmanager_secret.notifier[0]");
    let logs = |service: &str| {
        let group = arn(state, &format!("module.consumers.aws_cloudwatch_log_group.service[\"{service}\"]"));
        format!("{group}:log-stream:1")
    };
    let stream = &arn(state, "module.lake.aws_kinesis_firehose_delivery_stream.raw_logs");
    let delivery = arn(state, "module.lake.aws_iam_role.delivery");
    let [insight, other, cleaned, metrics, compaction] = [
        "insights/insights_1.json",
        "raw/1",
        "cleaned/dt=2026-01-31/hour=1/a.parquet",
        "metrics/dt=2026-01-31/hour=1/metrics.parquet",
        "stages/compact/dt=2026-01-31/hour=1.json",
    ]
    .map(|key| format!("{bucket}/{key}"));

    // The key is for calls that services make with it (kms:ViaService), which no emulator can be asked about.
    let read_secret = "secretsmanager:GetSecretValue";
    for (role, action, resource, expected) in [
        (task_role(state, "event-store"), read_secret, database, true),
        (task_role(state, "notifier"), read_secret, database, true),
        (function_role(state, "api"), read_secret, database, true),
        (task_role(state, "operator"), read_secret, database, true),
        (task_role(state, "operator"), "s3:GetObject", &cleaned, true),
        (task_role(state, "operator"), "s3:GetObject", &insight, false),
        (task_role(state, "operator"), "s3:PutObject", &cleaned, false),
        (task_role(state, "payments"), read_secret, database, false),
        (task_role(state, "login-insights"), read_secret, database, false),
        (function_role(state, "topics"), read_secret, database, false),
        (task_role(state, "event-store"), "kms:Decrypt", &key, false),
        (task_role(state, "login-insights"), "kms:GenerateDataKey", &key, false),
        (task_role(state, "login-insights"), "s3:PutObject", &insight, true),
        (task_role(state, "login-insights"), "s3:PutObject", &other, false),
        (task_role(state, "login-insights"), "s3:DeleteObject", &insight, false),
        (task_role(state, "event-store"), "s3:PutObject", &insight, false),
        (task_role(state, "log-shipper"), "firehose:PutRecordBatch", stream, true),
        (task_role(state, "log-shipper"), "firehose:DeleteDeliveryStream", stream, false),
        (task_role(state, "log-shipper"), "s3:PutObject", &other, false),
        (task_role(state, "login-insights"), "firehose:PutRecordBatch", stream, false),
        (delivery.clone(), "s3:PutObject", &other, true),
        (delivery, "s3:PutObject", &insight, false),
        (function_role(state, "log-clean"), "s3:GetObject", &other, true),
        (function_role(state, "log-clean"), "s3:DeleteObject", &other, false),
        (function_role(state, "log-clean"), "s3:PutObject", &cleaned, true),
        (function_role(state, "log-clean"), "s3:GetObject", &insight, false),
        (function_role(state, "log-clean"), read_secret, database, false),
        (function_role(state, "log-metrics"), "s3:GetObject", &cleaned, true),
        (function_role(state, "log-metrics"), "s3:DeleteObject", &cleaned, false),
        (function_role(state, "log-metrics"), "s3:GetObject", &compaction, true),
        (function_role(state, "log-metrics"), "s3:PutObject", &compaction, false),
        (function_role(state, "log-metrics"), "s3:GetObject", &other, false),
        (function_role(state, "log-metrics"), "s3:PutObject", &metrics, true),
        (function_role(state, "log-compact"), "s3:GetObject", &cleaned, true),
        (function_role(state, "log-compact"), "s3:DeleteObject", &cleaned, true),
        (function_role(state, "log-compact"), "s3:GetObject", &other, false),
        (function_role(state, "log-compact"), "s3:DeleteObject", &metrics, false),
        (function_role(state, "alerts"), "s3:GetObject", &cleaned, false),
        (function_role(state, "alerts"), read_secret, database, false),
        (starts("notifier"), read_secret, configuration, true),
        (starts("event-store"), read_secret, configuration, false),
        (task_role(state, "notifier"), read_secret, configuration, false),
        (starts("payments"), "logs:PutLogEvents", &logs("payments"), true),
        (starts("payments"), "logs:PutLogEvents", &logs("notifier"), false),
        (task_role(state, "payments"), "logs:PutLogEvents", &logs("payments"), false),
    ] {
        assert_eq!(aws.allows(&role, action, resource).await, expected, "{role}: {action} on {resource}");
    }
}
