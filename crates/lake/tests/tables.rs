//! `tables.json`, from which Terraform makes Athena's tables, against the columns of the files.

use std::fs;
use std::path::Path;

use arrow_schema::{DataType, Schema, TimeUnit};
use serde_json::{Value, json};

/// A type as Hive names it.
fn hive(kind: &DataType) -> &'static str {
    match kind {
        DataType::Utf8 => "string",
        DataType::Int32 => "int",
        DataType::Int64 => "bigint",
        DataType::Float64 => "double",
        DataType::Binary => "binary",
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => "timestamp",
        DataType::Map(..) => "map<string,string>",
        other => panic!("{other} has no name in Hive here"),
    }
}

fn table(description: &str, schema: &Schema) -> Value {
    let column = |field: &arrow_schema::FieldRef| json!({"name": field.name(), "type": hive(field.data_type())});
    json!({"description": description, "columns": schema.fields().iter().map(column).collect::<Vec<_>>()})
}

#[test]
fn the_tables_of_athena_have_the_columns_of_the_files() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tables.json");
    let tables = json!({
        "cleaned": table("Log records, a row each", &millrace_lake::schema()),
        "metrics": table("What a service's rows of a minute come to", &millrace_lake::metrics::schema()),
    });
    let text = format!("{tables:#}\n");
    if std::env::var_os("MILLRACE_RENEW_DOCS").is_some() {
        fs::write(&path, &text).expect("the file is written");
    }
    let written = fs::read_to_string(&path).expect("crates/lake/tables.json");
    assert_eq!(written, text, "MILLRACE_RENEW_DOCS=1 cargo test -p millrace-lake --test tables renews it");
}
