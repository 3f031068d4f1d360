//! The commands of docs/backup.md, run as they stand there.

use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use millrace_store::Store;
use millrace_testkit::kafka::{Isolation, RawRecord};
use millrace_testkit::missing::skip;
use millrace_testkit::{Kafka, Postgres, eventually, kafka};
use tokio::process::Command;

use crate::millrace::{Millrace, Running};

const BOUND: Duration = Duration::from_secs(60);

const PAGE: &str = include_str!("../../../../docs/backup.md");

/// The nth command below a heading.
fn command(heading: &str, nth: usize) -> &'static str {
    let section = PAGE.split("\n## ").find(|section| section.starts_with(heading)).expect("the heading");
    section.split("```sh\n").nth(nth + 1).and_then(|rest| rest.split("```").next()).expect("the command")
}

/// Whether these programs are here; says what is skipped where one is not.
fn has(programs: &[&str]) -> bool {
    let is_missing = |program: &&&str| std::process::Command::new(program).arg("--version").output().is_err();
    let missing = programs.iter().find(is_missing);
    if let Some(program) = missing {
        skip(program, "it does not start; scripts/test installs it");
    }
    missing.is_none()
}

/// Runs a command by a shell, with this program on its path.
async fn shell(command: &str, folder: &std::path::Path, variables: &[(&str, &str)]) {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_millrace")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell.args(["-eu", "-c", command]).current_dir(folder).env("PATH", path).stdin(Stdio::null());
    let output = shell.envs(variables.iter().copied()).output().await.unwrap();
    assert!(output.status.success(), "{command}: {}{}", lossy(&output.stdout), lossy(&output.stderr));
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn event(id: &str) -> RawRecord {
    RawRecord::new(r#"{"user_id": "12345"}"#)
        .key("12345")
        .header("ce_id", id)
        .header("ce_type", "t")
        .header("ce_source", "/s")
}

async fn stored(store: &Store, ids: &[&str]) {
    for id in ids {
        let found = async || store.event(id).await.unwrap().map(drop);
        eventually(BOUND, &format!("{id} is stored"), found).await;
    }
}

async fn stopped(running: Running) {
    running.signal("TERM");
    let ended = running.end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

/// A backup, more events, a loss of everything, the restore: the event store reads what came after the backup again.
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_database_gets_what_came_after_its_backup() {
    if !has(&["pg_dump", "pg_restore", "psql"]) {
        return;
    }
    let Some(kafka) = kafka::dedicated(|builder| builder).await else { return };
    let Some(postgres) = Postgres::shared().await else { return };
    let database = postgres.database().await;
    let folder = tempfile::tempdir().unwrap();
    // As the page says: without the parameters that only Millrace knows.
    let url = database.url().split('?').next().unwrap();
    let variables = [("DATABASE_URL", url)];
    let consume = || {
        let arguments = ["consume", "event-store", "--kafka", kafka.bootstrap_servers(), "--database", database.url()];
        Millrace::new(arguments.into_iter().chain(["--admin-listen", "127.0.0.1:0"])).start()
    };
    Millrace::new(["topics", "apply", "--kafka", kafka.bootstrap_servers()]).run().await.ok();
    let running = consume();
    let store = Store::connect(database.url()).await.unwrap();
    kafka.produce("events", ["a", "b"].map(event)).await;
    stored(&store, &["a", "b"]).await;
    shell(command("The database", 0), folder.path(), &variables).await;
    kafka.produce("events", ["c", "d"].map(event)).await;
    stored(&store, &["c", "d"]).await;
    stopped(running).await;

    store.close().await;
    shell(
        r#"psql "$DATABASE_URL" --command 'DROP SCHEMA public CASCADE' --command 'CREATE SCHEMA public'"#,
        folder.path(),
        &variables,
    )
    .await;
    shell(command("The database", 1), folder.path(), &variables).await;
    let store = Store::connect(database.url()).await.unwrap();
    assert!(store.event("b").await.unwrap().is_some(), "what was there at the backup is there again");
    assert!(store.event("c").await.unwrap().is_none(), "and what came later is not");
    let running = consume();
    stored(&store, &["a", "b", "c", "d"]).await;
    stopped(running).await;
}

/// The edge on a broker with the topics.
async fn edge(kafka: &Kafka) -> (Running, String) {
    Millrace::new(["topics", "apply", "--kafka", kafka.bootstrap_servers()]).run().await.ok();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let serve = Millrace::new(["serve", "--listen", &address, "--kafka", kafka.bootstrap_servers()]).start();
    let serves = async || tokio::net::TcpStream::connect(&address).await.ok().map(drop);
    eventually(BOUND, "it serves", serves).await;
    (serve, format!("http://{address}"))
}

/// Orders of one cluster, put onto another: the same keys, values, ids, times and extensions.
#[tokio::test(flavor = "multi_thread")]
async fn records_are_put_back_as_they_were() {
    if !has(&["curl", "split"]) {
        return;
    }
    let Some(one) = kafka::dedicated(|builder| builder).await else { return };
    let Some(other) = kafka::dedicated(|builder| builder).await else { return };
    let (first, url) = edge(&one).await;
    let folder = tempfile::tempdir().unwrap();
    let post = r#"curl --fail --silent --output /dev/null "$EDGE/orders" --header content-type:application/json \
        --header "idempotency-key: order-$1" --data "{\"order_id\": \"$1\", \"amount\": 12345678901234567890123}""#;
    let each = format!("for id in 101 102 103; do set -- $id; {post}; done");
    shell(&each, folder.path(), &[("EDGE", &url)]).await;
    let extended = r#"curl --fail --silent --output /dev/null "$EDGE/events" --header ce-specversion:1.0 --header ce-id:x \
        --header ce-source:/shop --header ce-type:millrace.order.placed --header ce-tenant:blue --header ce-subject:s \
        --header content-type:application/json --data '{"order_id": "é"}'"#;
    shell(extended, folder.path(), &[("EDGE", &url)]).await;
    shell(command("Topics", 0), folder.path(), &[("KAFKA_BOOTSTRAP_SERVERS", one.bootstrap_servers())]).await;
    stopped(first).await;

    let (second, url) = edge(&other).await;
    shell(command("Topics", 1), folder.path(), &[("EDGE", &url)]).await;
    let records = async |kafka: &Kafka| {
        let read = kafka.read_all("orders", Isolation::Committed).await;
        let mut records: Vec<_> = read
            .into_iter()
            .map(|record| {
                let own = record.headers.into_iter().filter(|(name, _)| name != "traceparent").collect::<Vec<_>>();
                (record.key, record.value, own)
            })
            .collect();
        records.sort();
        records
    };
    let (before, after) = (records(&one).await, records(&other).await);
    assert_eq!(before.len(), 4);
    assert_eq!(after, before);

    // A record that is no CloudEvent keeps its key and its value.
    one.produce("events", [RawRecord::new(r#"{"a": 1}"#).key("its own")]).await;
    let of_events = |nth| command("Topics", nth).replace("orders", "events");
    shell(&of_events(0), folder.path(), &[("KAFKA_BOOTSTRAP_SERVERS", one.bootstrap_servers())]).await;
    shell(&of_events(1), folder.path(), &[("EDGE", &url)]).await;
    let events = other.read_all("events", Isolation::Committed).await;
    let found: Vec<_> = events.iter().map(|event| (event.key_text(), event.value_text())).collect();
    assert_eq!(found, [(Some("its own"), Some(r#"{"a": 1}"#))]);
    assert!(events[0].header("ce_id").is_some_and(|id| id.starts_with("events-")), "named by where it was");
    stopped(second).await;
}
