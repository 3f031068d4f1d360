//! Connecting: migrations, many at once, and what is said where it does not work.

use std::path::Path;
use std::time::Duration;

use millrace_domain::ErrorClass;
use millrace_store::{Store, sqlite_url};
use millrace_testkit::Postgres;

use crate::fixture::{Fixture, batch, next_offset, on_both, row, write};

on_both! {
    a_store_that_is_opened_again_has_its_rows
    a_debug_print_is_the_url_without_a_password
}

async fn a_store_that_is_opened_again_has_its_rows(stage: Fixture) {
    write(&stage.store, batch(None, 1, &[row("a", "1", 1)])).await.unwrap();
    stage.store.close().await;
    let again = Store::connect(stage.url()).await.unwrap();
    assert!(again.event("a").await.unwrap().is_some());
    assert_eq!(next_offset(&again).await, Some(1));
}

async fn a_debug_print_is_the_url_without_a_password(stage: Fixture) {
    assert_eq!(format!("{:?}", stage.store), format!("Store({:?})", stage.store.display_url()));
    if let Some(file) = stage.file() {
        assert_eq!(stage.store.display_url(), sqlite_url(&file));
        return;
    }
    let with_password = stage.url().replacen("postgres@", "postgres:s3cret@", 1);
    let store = Store::connect(&with_password).await.unwrap();
    assert!(!format!("{store:?}").contains("s3cret"));
    assert_eq!(store.display_url(), stage.store.display_url());
}

/// Processes are not threads, but each connects with connections of its own, and that is where they meet.
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
async fn many_may_open_a_new_sqlite_file_at_once() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..10 {
        connect_many_times(&sqlite_url(&folder.path().join(format!("{round}.db")))).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn many_may_open_a_new_postgresql_database_at_once() {
    let Some(postgres) = Postgres::shared().await else { return };
    let database = postgres.database().await;
    connect_many_times(database.url()).await;
}

async fn failure(url: &str) -> (ErrorClass, String) {
    let error = Store::connect(url).await.unwrap_err();
    (error.class(), error.to_string())
}

#[tokio::test]
async fn a_server_that_does_not_answer_may_come_up_yet() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (class, error) = failure(&format!("postgres://ann:s3cret@{free}/mill")).await;
    assert_eq!(class, ErrorClass::Transient);
    assert!(error.contains(&free.to_string()) && error.contains("refused") && !error.contains("s3cret"), "{error}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up_in_time() {
    // It is listened to, and nobody accepts.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://ann@{}/mill", silent.local_addr().unwrap());
    let (class, error) = tokio::time::timeout(Duration::from_secs(20), failure(&url)).await.unwrap();
    assert_eq!(class, ErrorClass::Transient);
    assert!(error.contains("no answer in 5s"), "{error}");
}

#[tokio::test]
async fn a_database_that_does_not_exist_is_for_a_person_to_mend() {
    let Some(stage) = Fixture::postgres().await else { return };
    let (url, _) = stage.url().rsplit_once('/').unwrap();
    let (class, error) = failure(&format!("{url}/nowhere")).await;
    assert_eq!(class, ErrorClass::Fatal);
    assert!(error.contains("\"nowhere\" does not exist"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_for_a_person_to_mend() {
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
