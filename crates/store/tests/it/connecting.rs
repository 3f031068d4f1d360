//! Connecting: migrations, concurrent connects, errors.

use std::path::Path;
use std::time::Duration;

use millrace_domain::ErrorClass;
use millrace_store::{Store, sqlite_url};
use millrace_testkit::Postgres;

use crate::fixture::{Fixture, batch, next_offset, on_both, row, write};

on_both! {
    a_reopened_store_has_its_rows
    the_debug_text_is_the_url_without_its_password
}

async fn a_reopened_store_has_its_rows(fixture: Fixture) {
    write(&fixture.store, batch(None, 1, &[row("a", "1", 1)])).await.unwrap();
    fixture.store.close().await;
    let again = Store::connect(fixture.url()).await.unwrap();
    assert!(again.event("a").await.unwrap().is_some());
    assert_eq!(next_offset(&again).await, Some(1));
}

async fn the_debug_text_is_the_url_without_its_password(fixture: Fixture) {
    assert_eq!(format!("{:?}", fixture.store), format!("Store({:?})", fixture.store.display_url()));
    if let Some(file) = fixture.file() {
        assert_eq!(fixture.store.display_url(), sqlite_url(&file));
        return;
    }
    let with_password = fixture.url().replacen("postgres@", "postgres:s3cret@", 1);
    let store = Store::connect(&with_password).await.unwrap();
    assert!(!format!("{store:?}").contains("s3cret"));
    assert_eq!(store.display_url(), fixture.store.display_url());
}

/// Stands for many processes: each store has connections of its own.
async fn connect_many_times(url: &str) {
    let connecting: Vec<_> = (0..12)
        .map(|_| {
            let url = url.to_owned();
            tokio::spawn(async move { Store::connect(&url).await })
        })
        .collect();
    for store in connecting {
        assert_eq!(next_offset(&store.await.unwrap().unwrap()).await, None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn concurrent_connects_may_create_a_sqlite_file() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..10 {
        connect_many_times(&sqlite_url(&folder.path().join(format!("{round}.db")))).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn concurrent_connects_may_migrate_a_postgresql_database() {
    let Some(postgres) = Postgres::shared().await else { return };
    let database = postgres.database().await;
    connect_many_times(database.url()).await;
}

async fn failure(url: &str) -> (ErrorClass, String) {
    let error = Store::connect(url).await.unwrap_err();
    (error.class(), error.to_string())
}

#[tokio::test]
async fn a_refused_connection_is_transient() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (class, error) = failure(&format!("postgres://ann:s3cret@{free}/mill")).await;
    assert_eq!(class, ErrorClass::Transient);
    assert!(error.contains(&free.to_string()) && error.contains("refused") && !error.contains("s3cret"), "{error}");
}

#[tokio::test]
async fn a_server_that_does_not_answer_times_out() {
    // The port listens, and no connection is accepted.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://ann@{}/mill", silent.local_addr().unwrap());
    let (class, error) = tokio::time::timeout(Duration::from_secs(20), failure(&url)).await.unwrap();
    assert_eq!(class, ErrorClass::Transient);
    assert!(error.contains("no answer in 5s"), "{error}");
}

#[tokio::test]
async fn a_database_that_does_not_exist_is_fatal() {
    let Some(fixture) = Fixture::postgres().await else { return };
    let (url, _) = fixture.url().rsplit_once('/').unwrap();
    let (class, error) = failure(&format!("{url}/nowhere")).await;
    assert_eq!(class, ErrorClass::Fatal);
    assert!(error.contains("\"nowhere\" does not exist"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_not_a_database_is_fatal() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("letter.txt");
    std::fs::write(&file, "Dear Sir or Madam, ".repeat(100)).unwrap();
    let (class, error) = failure(&sqlite_url(&file)).await;
    assert_eq!(class, ErrorClass::Fatal);
    assert!(error.contains("letter.txt") && error.contains("not a database"), "{error}");

    let (class, error) = failure(&sqlite_url(&file.join("store.db"))).await;
    assert_eq!(class, ErrorClass::Fatal);
    assert!(error.contains("there is no folder") && !file.join("store.db").exists(), "{error}");
    let (class, error) = failure(&sqlite_url(Path::new("/"))).await;
    assert_eq!(class, ErrorClass::Fatal);
    assert!(error.contains("cannot be used"), "{error}");
}
