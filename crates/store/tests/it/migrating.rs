//! Migrations take turns, and who waits for its turn does so within a bound.

use std::time::Duration;

use millrace_domain::ErrorClass;
use millrace_store::{Store, StoreError, sqlite_url};
use millrace_testkit::Postgres;
use sqlx::migrate::Migrate as _;
use sqlx::{Connection as _, PgConnection, SqliteConnection};
use tokio::time::timeout;

/// Longer than the lock is waited for, and shorter than a caller's patience.
const BOUND: Duration = Duration::from_secs(20);

async fn not_migrated(url: &str) -> String {
    let error = timeout(BOUND, Store::connect(url)).await.expect("in time").unwrap_err();
    assert!(matches!(error, StoreError::NotMigrated { .. }), "{error}");
    assert_eq!(error.class(), ErrorClass::Transient);
    error.to_string()
}

/// A migration that another process does not end: a start says within seconds whose lock it is.
#[tokio::test(flavor = "multi_thread")]
async fn who_holds_the_migration_lock_is_told_in_time() {
    let Some(postgres) = Postgres::shared().await else { return };
    let database = postgres.database().await;
    let mut other = PgConnection::connect(database.url()).await.unwrap();
    sqlx::raw_sql("SET application_name = 'a long migration'").execute(&mut other).await.unwrap();
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut other).await.unwrap();
    // One that is not the migrations', to be told from it.
    let mut bystander = PgConnection::connect(database.url()).await.unwrap();
    sqlx::raw_sql("SELECT pg_advisory_lock(7)").execute(&mut bystander).await.unwrap();
    // As sqlx takes it, and so every version of this program.
    other.lock().await.unwrap();

    let error = not_migrated(database.url()).await;
    assert!(error.contains(&format!("was held for 5s by pid {pid} (user ")), "{error}");
    assert!(error.contains("application 'a long migration'") && error.contains("pg_terminate_backend"), "{error}");
    assert!(!error.contains("), pid"), "the bystander is not named: {error}");

    other.close().await.unwrap();
    Store::connect(database.url()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_migration_leaves_no_lock() {
    let Some(postgres) = Postgres::shared().await else { return };
    let database = postgres.database().await;
    Store::connect(database.url()).await.unwrap().close().await;
    let mut other = PgConnection::connect(database.url()).await.unwrap();
    let set = |checksum: &str| format!("UPDATE _sqlx_migrations SET checksum = {checksum} WHERE version = 1");
    sqlx::raw_sql("CREATE TABLE kept AS SELECT checksum FROM _sqlx_migrations WHERE version = 1")
        .execute(&mut other)
        .await
        .unwrap();
    sqlx::query(sqlx::AssertSqlSafe(set("''"))).execute(&mut other).await.unwrap();
    for _ in 0..2 {
        let error = timeout(BOUND, Store::connect(database.url())).await.expect("in time").unwrap_err();
        assert!(matches!(error, StoreError::Unusable { .. }), "{error}");
    }
    sqlx::query(sqlx::AssertSqlSafe(set("(SELECT checksum FROM kept)"))).execute(&mut other).await.unwrap();
    Store::connect(database.url()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_sqlite_file_is_told_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let url = sqlite_url(&folder.path().join("store.db"));
    Store::connect(&url).await.unwrap().close().await;
    let mut other = SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let error = not_migrated(&url).await;
    assert!(error.contains("store.db") && error.contains("locked"), "{error}");
    sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
    Store::connect(&url).await.unwrap();
}
