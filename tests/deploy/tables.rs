//! The workgroup's queries over the lake's tables. The workgroup itself is another emulator's than the tables.

use millrace_testkit::eventually;
use serde_json::{Value, json};

use crate::aws::Aws;
use crate::task::BOUND;
use crate::terraform::State;

/// The bucket, and the database of the tables.
fn lake(state: &State) -> (&str, &str) {
    let name = |address: &str, name: &str| state.resource(address)[name].as_str().unwrap();
    let database = "module.millrace.module.tables[0].aws_glue_catalog_database.lake";
    (name("module.millrace.aws_s3_bucket.data", "bucket"), name(database, "name"))
}

/// A query's answer, once it has ended.
async fn result(root: &Aws, database: &str, bucket: &str, query: &str) -> Value {
    let start = json!({
        "QueryString": query, "QueryExecutionContext": {"Database": database},
        "ResultConfiguration": {"OutputLocation": format!("s3://{bucket}/queries/")},
    });
    let started = root.json("athena", "AmazonAthena.StartQueryExecution", &start).await;
    let id = json!({"QueryExecutionId": started["QueryExecutionId"]});
    eventually(BOUND, "a query ends", async || {
        let execution = root.json("athena", "AmazonAthena.GetQueryExecution", &id).await;
        let status = &execution["QueryExecution"]["Status"];
        assert_ne!(status["State"], "FAILED", "{query}: {status}");
        (status["State"] == "SUCCEEDED").then_some(())
    })
    .await;
    root.json("athena", "AmazonAthena.GetQueryResults", &id).await["ResultSet"].take()
}

/// The rows of a query's answer, below their heads.
async fn rows(root: &Aws, database: &str, bucket: &str, query: &str) -> Vec<Vec<String>> {
    let result = result(root, database, bucket, query).await;
    let text = |cell: &Value| cell["VarCharValue"].as_str().unwrap_or_default().to_owned();
    let rows = result["Rows"].as_array().unwrap().iter().skip(1);
    rows.map(|row| row["Data"].as_array().unwrap().iter().map(text).collect()).collect()
}

/// Each query of the workgroup runs, and finds the records that were carried before: 200 of `shop`, 50 of `ledger`, 800 of `pay` with errors.
pub(crate) async fn are_queried(root: &Aws, state: &State) {
    let (bucket, database) = lake(state);
    let queries = state.resources().into_iter().filter(|resource| resource["type"] == "aws_athena_named_query");
    let mut names = Vec::new();
    for query in queries {
        let values = &query["values"];
        let name = values["name"].as_str().unwrap().to_owned();
        // Records of yesterday, of before midnight, are looked for as well.
        let text =
            values["query"].as_str().unwrap().replace("dt = current_date", "dt >= current_date - INTERVAL '1' DAY");
        let rows = rows(root, database, bucket, &text).await;
        if name == "volume_by_format" {
            let found: Vec<_> = rows.iter().map(|row| row.join(" ")).collect();
            assert_eq!(found, ["pay json 800", "shop plain 200", "ledger json 50"]);
        }
        if name == "errors_by_service" {
            let sum = |service: &str, column: usize| {
                let of_service = rows.iter().filter(|row| row[0] == service);
                of_service.map(|row| row[column].parse::<f64>().unwrap()).sum::<f64>()
            };
            let expected = (800.0, f64::from(40 + 3 * 14), 200.0, 0.0);
            assert_eq!((sum("pay", 2), sum("pay", 3), sum("shop", 2), sum("shop", 3)), expected);
        }
        assert!(!rows.is_empty() || name == "exceptions" || name == "slow_minutes", "{name} finds nothing");
        names.push(name);
    }
    assert_eq!(names.len(), 5, "{names:?}");
}

/// QuickSight's type of a column of Athena.
fn shown_as(athena: &str) -> &'static str {
    match athena {
        "varchar" => "STRING",
        "timestamp" => "DATETIME",
        "integer" | "bigint" => "INTEGER",
        "double" => "DECIMAL",
        other => panic!("{other}"),
    }
}

/// The data sets of the dashboard are queries with rows, whose columns are those that are declared.
pub(crate) async fn are_data_sets(root: &Aws, state: &State) {
    let (bucket, database) = lake(state);
    let data_sets: Value = serde_json::from_str(include_str!("../../infra/modules/quicksight/data_sets.json")).unwrap();
    for (name, query) in [
        ("errors", include_str!("../../infra/modules/quicksight/queries/errors.sql")),
        ("metrics", include_str!("../../infra/modules/quicksight/queries/metrics.sql")),
    ] {
        // The database is that of the request.
        let query = query.replace("\"${database}\".", "").replace("${days}", "7");
        let result = result(root, database, bucket, &query).await;
        let columns = result["ResultSetMetadata"]["ColumnInfo"].as_array().unwrap();
        let columns = columns
            .iter()
            .map(|column| json!({"name": column["Name"], "type": shown_as(column["Type"].as_str().unwrap())}));
        assert_eq!(Value::from_iter(columns), data_sets[name]["columns"], "{name}");
        assert!(result["Rows"].as_array().unwrap().len() > 1, "{name} is empty");
    }
}
