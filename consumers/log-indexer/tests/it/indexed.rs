//! Rows in a real OpenSearch.

use std::process::Command;

use millrace_broker::embedded::Embedded;
use millrace_testkit::opensearch::{self, OpenSearch};
use millrace_testkit::{Program, eventually};
use serde_json::{Value, json};

use crate::program::command;
use crate::rows::{DLQ, ago, broker, index_of, produce, row};

pub(crate) fn indexer(search: &OpenSearch, broker: &Embedded, prefix: &str) -> Command {
    let mut command = command();
    command.args(["--kafka", broker.bootstrap_servers(), "--index-to", &search.url(), "--index-prefix", prefix]);
    command.args(["--index-batch-age", "50ms"]);
    command
}

/// The documents that a query finds in these indices, by id.
fn found(search: &OpenSearch, indices: &str, query: &Value) -> Vec<String> {
    search.call("POST", &format!("/{indices}/_refresh"), "");
    let body = json!({"query": query, "size": 1_000, "sort": ["time"]}).to_string();
    let (status, answer) = search.call("POST", &format!("/{indices}/_search"), &body);
    assert_eq!(status, 200, "{answer}");
    let hits = answer["hits"]["hits"].as_array().unwrap().iter();
    hits.map(|hit| hit["_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_is_found_by_each_of_its_fields_in_the_index_of_its_day() {
    let Some(search) = opensearch::shared().await else { return };
    let (broker, prefix) = (broker(), "fields");
    let (old, new) = (ago(72), ago(1));
    let rows = [row("a", old, "Payment declined: card expired"), row("b", new, "two\nlines \u{1f600}")];
    produce(&broker, rows.iter().map(|row| (row["id"].as_str().unwrap().to_owned(), row.to_string()))).await;
    let program = Program::start(&mut indexer(search, &broker, prefix)).await;
    program.processed("log-indexer", 2).await;
    program.stop().await;

    for (row, time) in rows.iter().zip([old, new]) {
        let path = format!("/{}/_doc/{}", index_of(prefix, time), row["id"].as_str().unwrap());
        let (status, document) = search.call("GET", &path, "");
        assert_eq!(status, 200, "{document}");
        assert_eq!(document["_source"], *row, "as it stands on the topic");
    }
    let pattern = format!("{prefix}-*");
    let exactly = |time: jiff::Timestamp| json!({"range": {"time": {"gte": time - jiff::SignedDuration::from_mins(1), "lte": time + jiff::SignedDuration::from_mins(1)}}});
    for (query, expected) in [
        (json!({"match": {"body": "declined"}}), &["a"][..]),
        (json!({"term": {"service": "checkout"}}), &["a", "b"]),
        (json!({"term": {"attributes.user.id": "u1"}}), &["a", "b"]),
        (json!({"term": {"attributes.a.b": "2"}}), &["a", "b"]),
        (json!({"range": {"duration_ms": {"gt": 12.5, "lt": 13}}}), &["a", "b"]),
        (json!({"range": {"severity_number": {"gte": 17}}}), &["a", "b"]),
        (json!({"term": {"time_ns": rows[1]["time_ns"]}}), &["b"]),
        (exactly(old), &["a"]),
        (exactly(new), &["b"]),
    ] {
        assert_eq!(found(search, &pattern, &query), expected, "{query}");
    }
    let (_, settings) = search.call("GET", &format!("/{}/_settings", index_of(prefix, new)), "");
    assert_eq!(settings[index_of(prefix, new)]["settings"]["index"]["auto_expand_replicas"], "0-1");
}

/// The queries of docs/search.md find what they say they do.
#[tokio::test(flavor = "multi_thread")]
async fn the_queries_of_the_documentation_find_their_row() {
    const DOCUMENTATION: &str = include_str!("../../../../docs/search.md");
    let Some(search) = opensearch::shared().await else { return };
    let (broker, prefix) = (broker(), "documented");
    let mut wanted = row("wanted", jiff::Timestamp::now(), "a timeout of the gateway");
    wanted["trace_id"] = "4bf92f3577b34da6a3ce929d0e0e4736".into();
    wanted["exception_type"] = "TimeoutError".into();
    wanted["attributes"]["user_id"] = "u42".into();
    let mut other = row("other", ago(2), "paid");
    other["severity_number"] = 9.into();
    let rows = [("wanted", wanted), ("other", other)];
    produce(&broker, rows.into_iter().map(|(id, row)| (id.to_owned(), row.to_string()))).await;
    let program = Program::start(&mut indexer(search, &broker, prefix)).await;
    program.processed("log-indexer", 2).await;
    program.stop().await;

    search.call("POST", &format!("/{prefix}-*/_refresh"), "");
    let queries = DOCUMENTATION.split("```console\n").skip(1).map(|block| block.split_once("```").unwrap().0);
    let mut count = 0;
    for query in queries {
        let (line, body) = query.split_once('\n').unwrap();
        assert_eq!(line, "GET millrace-logs-*/_search");
        let (status, answer) = search.call("POST", &format!("/{prefix}-*/_search"), body);
        assert_eq!(status, 200, "{query}\n{answer}");
        assert_eq!(answer["hits"]["total"]["value"], 1, "{query}\n{answer}");
        let buckets = &answer["aggregations"]["minutes"]["buckets"];
        let is_found = answer["hits"]["hits"][0]["_id"] == "wanted"
            || buckets[0]["exceptions"]["buckets"][0]["key"] == "TimeoutError";
        assert!(is_found, "{query}\n{answer}");
        count += 1;
    }
    assert_eq!(count, 4);
}

/// What comes again replaces itself, what is refused is dead-lettered, and neither touches the rest.
#[tokio::test(flavor = "multi_thread")]
async fn each_row_is_there_once_and_what_is_refused_is_a_dead_letter() {
    let Some(search) = opensearch::shared().await else { return };
    let (broker, prefix, time) = (broker(), "refused", ago(1));
    let good = |number: usize| {
        (format!("good-{}", number % 300), row(&format!("good-{}", number % 300), time, "x").to_string())
    };
    let mut wrong = row("wrong-type", time, "x");
    wrong["attributes"] = "text".into();
    let mut number = row("number", time, "x");
    number["observed_time"] = 1_769_860_800.into();
    let mut long = row("long", time, "x");
    long["attributes"]["sql"] = "select ".repeat(10_000).into();
    let others = [
        ("wrong-type".to_owned(), wrong.to_string()),
        ("number".to_owned(), number.to_string()),
        ("no-time".to_owned(), "{\"body\":\"x\"}".to_owned()),
        ("no-json".to_owned(), "hello".to_owned()),
        ("long".to_owned(), long.to_string()),
        ("i".repeat(600), row("long-id", time, "x").to_string()),
    ];
    produce(&broker, (0..400).map(good).chain(others).chain((400..600).map(good))).await;
    let program = Program::start(&mut indexer(search, &broker, prefix)).await;
    program.processed("log-indexer", 601).await;
    program.counted("millrace_consumer_records_total{consumer=\"log-indexer\",result=\"dead_lettered\"} 5").await;
    let metrics = program.get("/metrics");
    program.stop().await;

    let index = index_of(prefix, time);
    let mut ids = found(search, &index, &json!({"match_all": {}}));
    ids.sort_unstable();
    let mut expected: Vec<String> =
        (0..300).map(|number| format!("good-{number}")).chain(["long".to_owned()]).collect();
    expected.sort_unstable();
    assert_eq!(ids, expected);
    let (_, document) = search.call("GET", &format!("/{index}/_doc/long"), "");
    assert_eq!(document["_source"]["attributes"]["truncated"], "true");
    assert!(document["_source"]["attributes"]["sql"].as_str().unwrap().len() > 31_000);
    assert!(metrics.contains("millrace_log_indexer_documents_total{result=\"retried\"} 0"), "{metrics}");

    let letters = letters(&broker, 5).await;
    for (id, reason) in [
        ("wrong-type", "OpenSearch answers 400: mapper_parsing_exception: failed to parse field [attributes]"),
        ("number", "OpenSearch answers 400: mapper_parsing_exception: failed to parse field [observed_time]"),
        ("no-time", "the row has no time"),
        ("no-json", "the value is no JSON object"),
        (&"i".repeat(600), "its id has 600 bytes; OpenSearch takes 512"),
    ] {
        let found = letters.iter().find(|(own, _)| own == id).unwrap_or_else(|| panic!("no {id} in {letters:?}"));
        assert!(found.1.starts_with(reason), "{found:?}");
    }
}

/// The ids and reasons of dead letters.
async fn letters(broker: &Embedded, count: usize) -> Vec<(String, String)> {
    use rdkafka::Message as _;
    use rdkafka::consumer::{Consumer as _, StreamConsumer};
    use rdkafka::message::Headers as _;

    let consumer: StreamConsumer = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", broker.bootstrap_servers())
        .set("group.id", "letters")
        .create()
        .unwrap();
    let mut places = rdkafka::TopicPartitionList::new();
    places.add_partition_offset(DLQ, 0, rdkafka::Offset::Beginning).unwrap();
    consumer.assign(&places).unwrap();
    let mut letters = Vec::new();
    while letters.len() < count {
        let letter = consumer.recv().await.unwrap();
        let header = |name: &str| {
            let mut headers = letter.headers().unwrap().iter();
            let value = headers.find(|header| header.key == name).and_then(|header| header.value).unwrap();
            String::from_utf8(value.to_vec()).unwrap()
        };
        letters.push((header("ce_id"), header("dlq.error.reason")));
    }
    letters
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_of_somebody_else_or_of_a_later_version_stays() {
    let Some(search) = opensearch::shared().await else { return };
    let shards = |template: &Value| {
        template["index_templates"][0]["index_template"]["template"]["settings"]["index"]["number_of_shards"].clone()
    };
    for (prefix, template, expected) in [
        ("own-template", json!({}), "3"),
        ("later-template", json!({"version": 99, "_meta": {"managed_by": "millrace"}}), "3"),
        ("earlier-template", json!({"version": 1, "_meta": {"managed_by": "millrace"}}), "1"),
    ] {
        let broker = broker();
        let mut template = template;
        template["index_patterns"] = json!([format!("{prefix}-*")]);
        let mappings = json!({"dynamic": false, "properties": {"time": {"type": "date"}}});
        template["template"] = json!({"settings": {"index": {"number_of_shards": 3}}, "mappings": mappings});
        let path = format!("/_index_template/{prefix}");
        assert_eq!(search.call("PUT", &path, &template.to_string()).0, 200);
        produce(&broker, [("a".to_owned(), row("a", ago(1), "x").to_string())]).await;
        let program = Program::start(&mut indexer(search, &broker, prefix)).await;
        program.processed("log-indexer", 1).await;
        program.stop().await;
        assert_eq!(shards(&search.call("GET", &path, "").1), expected, "{prefix}");
    }
}

/// A block of an index, as Amazon OpenSearch Service sets it where storage is short, is waited for; the other days' rows are
/// indexed meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_index_is_waited_for() {
    let Some(search) = opensearch::shared().await else { return };
    let (broker, prefix) = (broker(), "blocked");
    let (old, new) = (ago(72), ago(1));
    let index = index_of(prefix, old);
    assert_eq!(
        search
            .call(
                "PUT",
                &format!("/{index}"),
                r#"{"mappings": {"dynamic": false, "properties": {"time": {"type": "date"}}}}"#
            )
            .0,
        200
    );
    assert_eq!(search.call("PUT", &format!("/{index}/_block/write"), "").0, 200);
    let rows = [("old", old), ("new", new)].map(|(id, time)| (id.to_owned(), row(id, time, "x").to_string()));
    produce(&broker, rows).await;
    let program = Program::start(&mut indexer(search, &broker, prefix)).await;
    program.counted("millrace_log_indexer_documents_total{result=\"retried\"} 2").await;
    assert_eq!(found(search, &index_of(prefix, new), &json!({"match_all": {}})), ["new"]);
    let lifted = json!({"index.blocks.write": null}).to_string();
    assert_eq!(search.call("PUT", &format!("/{index}/_settings"), &lifted).0, 200);
    program.processed("log-indexer", 2).await;
    program.stop().await;
    assert_eq!(found(search, &index, &json!({"match_all": {}})), ["old"]);
}

/// Of two rows with one id the second counts, unless it is refused.
#[tokio::test(flavor = "multi_thread")]
async fn rows_of_one_id_come_in_one_after_the_other() {
    let Some(search) = opensearch::shared().await else { return };
    let (broker, prefix, time) = (broker(), "same-id", ago(1));
    let mut wrong = row("b", time, "wrong");
    wrong["status"] = "bad".into();
    let rows = [row("a", time, "first"), row("b", time, "right"), row("a", time, "second"), wrong];
    produce(&broker, rows.iter().map(|row| (row["id"].as_str().unwrap().to_owned(), row.to_string()))).await;
    let program = Program::start(&mut indexer(search, &broker, prefix)).await;
    program.processed("log-indexer", 3).await;
    program.counted("millrace_consumer_records_total{consumer=\"log-indexer\",result=\"dead_lettered\"} 1").await;
    program.stop().await;
    for (id, body) in [("a", "second"), ("b", "right")] {
        let (_, document) = search.call("GET", &format!("/{}/_doc/{id}", index_of(prefix, time)), "");
        assert_eq!(document["_source"]["body"], body);
    }
}

/// An index that another template would give other types is not made: types are for good.
#[tokio::test(flavor = "multi_thread")]
async fn an_index_without_the_types_is_not_made() {
    let Some(search) = opensearch::shared().await else { return };
    let (broker, prefix, time) = (broker(), "outranked", ago(1));
    let mappings = json!({"properties": {"time": {"type": "date"}}});
    let other = json!({"index_patterns": ["outranked-20*"], "priority": 900, "template": {"mappings": mappings}});
    assert_eq!(search.call("PUT", "/_index_template/outranking", &other.to_string()).0, 200);
    produce(&broker, [("a".to_owned(), row("a", time, "x").to_string())]).await;
    let program = Program::start(&mut indexer(search, &broker, prefix)).await;
    program.counted("millrace_log_indexer_documents_total{result=\"retried\"} 2").await;
    assert_eq!(search.call("HEAD", &format!("/{}", index_of(prefix, time)), "").0, 404);
    assert_eq!(search.call("DELETE", "/_index_template/outranking", "").0, 200);
    program.processed("log-indexer", 1).await;
    program.stop().await;
    let (_, mapping) = search.call("GET", &format!("/{}/_mapping", index_of(prefix, time)), "");
    assert_eq!(mapping[index_of(prefix, time)]["mappings"]["properties"]["attributes"]["type"], "flat_object");
}

/// Prefixes of which one begins with the other share a cluster.
#[tokio::test(flavor = "multi_thread")]
async fn a_longer_prefix_has_its_own_template() {
    let Some(search) = opensearch::shared().await else { return };
    for prefix in ["sites", "sites-eu"] {
        let broker = broker();
        produce(&broker, [("a".to_owned(), row("a", ago(1), prefix).to_string())]).await;
        let program = Program::start(&mut indexer(search, &broker, prefix)).await;
        program.processed("log-indexer", 1).await;
        program.stop().await;
        let (_, document) = search.call("GET", &format!("/{}/_doc/a", index_of(prefix, ago(1))), "");
        assert_eq!(document["_source"]["body"], prefix);
    }
}

/// A cluster that may not make the index of a day keeps rows waiting: nothing of them is lost, and none is a dead letter.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_makes_no_index_is_waited_for() {
    let Some(search) = opensearch::shared().await else { return };
    let (broker, prefix, time) = (broker(), "unmade", ago(1));
    let pattern = |allowed: &str| json!({"persistent": {"action.auto_create_index": allowed}}).to_string();
    assert_eq!(search.call("PUT", "/_cluster/settings", &pattern("-unmade-*,+*")).0, 200);
    produce(&broker, [("a".to_owned(), row("a", time, "x").to_string())]).await;
    let program = Program::start(&mut indexer(search, &broker, prefix)).await;
    program.counted("millrace_log_indexer_documents_total{result=\"retried\"} 2").await;
    let made = async || (search.call("PUT", "/_cluster/settings", &pattern("true")).0 == 200).then_some(());
    eventually(std::time::Duration::from_secs(10), "indices may be made again", made).await;
    program.processed("log-indexer", 1).await;
    program.stop().await;
    assert_eq!(found(search, &index_of(prefix, time), &json!({"match_all": {}})), ["a"]);
}
