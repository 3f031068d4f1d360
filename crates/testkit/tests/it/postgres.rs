//! The shared and the dedicated PostgreSQL.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use millrace_testkit::{Postgres, eventually};
use sqlx::{Connection as _, PgConnection};

const TIMEOUT: Duration = Duration::from_secs(20);

async fn run(url: &str, statements: &'static str) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::raw_sql(statements).execute(&mut connection).await?;
    connection.close().await
}

async fn count(url: &str, query: &'static str) -> i64 {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query_scalar(query).fetch_one(&mut connection).await.unwrap()
}

#[tokio::test]
async fn each_test_has_a_database_of_its_own() {
    let Some(postgres) = Postgres::shared().await else { return };
    let (mine, yours) = (postgres.database().await, postgres.database().await);
    run(mine.url(), "CREATE TABLE rows (row int); INSERT INTO rows VALUES (1), (2)").await.unwrap();
    assert_eq!(count(mine.url(), "SELECT count(*) FROM rows").await, 2);
    assert!(run(yours.url(), "SELECT * FROM rows").await.unwrap_err().to_string().contains("does not exist"));
}

#[tokio::test]
async fn a_database_is_dropped_although_a_client_is_connected() {
    let Some(postgres) = Postgres::shared().await else { return };
    let database = postgres.database().await;
    let url = database.url().to_owned();
    let _connected = PgConnection::connect(&url).await.unwrap();
    drop(database);
    let error = PgConnection::connect(&url).await.unwrap_err().to_string();
    assert!(error.contains("does not exist"), "{error}");
}

#[tokio::test]
async fn a_dedicated_server_keeps_commits_over_stop_and_crash() {
    let Some(postgres) = Postgres::dedicated().await else { return };
    let database = postgres.database().await;
    run(database.url(), "CREATE TABLE rows (row int); INSERT INTO rows VALUES (1)").await.unwrap();

    postgres.stop().await;
    assert!(PgConnection::connect(database.url()).await.is_err());
    postgres.start().await;
    let mut open = PgConnection::connect(database.url()).await.unwrap();
    for statement in ["INSERT INTO rows VALUES (2)", "BEGIN; INSERT INTO rows VALUES (3)"] {
        sqlx::raw_sql(statement).execute(&mut open).await.unwrap();
    }

    postgres.crash().await;
    assert!(sqlx::raw_sql("COMMIT").execute(&mut open).await.is_err(), "the connection is closed");
    postgres.start().await;
    assert_eq!(count(database.url(), "SELECT sum(row) FROM rows").await, 3, "1 and 2 are there, 3 was not committed");
}

#[tokio::test]
#[ignore = "runs in the process that the_shared_server_ends_with_the_process starts"]
async fn a_process_with_the_shared_server() {
    let Some(postgres) = Postgres::shared().await else { return };
    println!("at={}", postgres.database().await.url());
    if std::env::var_os(STAYS).is_some() {
        // The other process kills this one; if that has ended, this one ends by itself.
        tokio::time::sleep(Duration::from_mins(1)).await;
    }
}

/// Set if the other process is to wait until it is killed.
const STAYS: &str = "MILLRACE_TEST_STAYS";

async fn end_of_a_process_with_a_server(is_killed: bool) {
    let scratch = tempfile::tempdir().unwrap();
    // If this is root, the server runs as another user, which needs access.
    std::fs::set_permissions(scratch.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut process = Command::new(std::env::current_exe().unwrap());
    process
        .args(["--exact", "postgres::a_process_with_the_shared_server", "--ignored", "--nocapture"])
        .env_remove("DATABASE_URL")
        .env("TMPDIR", scratch.path())
        .stdout(Stdio::piped());
    if is_killed {
        process.env(STAYS, "yes");
    }
    let mut process = process.spawn().unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut lines = lines.map(Result::unwrap);
    let Some(url) = lines.find_map(|line| line.split_once("at=").map(|(_, url)| url.to_owned())) else {
        assert!(process.wait().unwrap().success(), "the other process has no server and must skip");
        return;
    };
    let address = url.split(['@', '/']).find(|part| part.starts_with("127.0.0.1:")).unwrap().to_owned();
    if is_killed {
        assert!(tokio::net::TcpStream::connect(&address).await.is_ok());
        process.kill().unwrap();
    }
    assert_eq!(process.wait().unwrap().success(), !is_killed);
    eventually(TIMEOUT, "the server ends with its process", async || {
        tokio::net::TcpStream::connect(&address).await.err()
    })
    .await;
    eventually(TIMEOUT, "its files are removed", async || is_empty(scratch.path()).then_some(())).await;
}

fn is_empty(folder: &Path) -> bool {
    folder.read_dir().unwrap().next().is_none()
}

#[tokio::test]
async fn the_shared_server_ends_with_the_process() {
    end_of_a_process_with_a_server(false).await;
}

#[tokio::test]
async fn the_shared_server_ends_with_a_process_that_is_killed() {
    end_of_a_process_with_a_server(true).await;
}
