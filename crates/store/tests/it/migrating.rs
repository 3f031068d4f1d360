//! One process migrates at a time; the others wait with a time-out.

use std::time::Duration;

use millrace_domain::ErrorClass;
use millrace_store::{Store, StoreError, sqlite_url};
use millrace_testkit::Postgres;
use sqlx::migrate::Migrate as _;
use sqlx::{Connection as _, PgConnection, SqliteConnection};
use tokio::time::timeout;

/// Longer than the lock time-out, and shorter than a caller's time-out.
const TIMEOUT: Duration = Duration::from_secs(20);

async fn not_migrated(url: &str) -> String {
    let error = timeout(TIMEOUT, Store::connect(url)).await.expect("in time").unwrap_err();
    assert!(matches!(error, StoreError::NotMigrated { .. }), "{error}");
    assert_eq!(error.class(), ErrorClass::Transient);
    error.to_string()
}

/// Within seconds, while another process hangs in a migration.
#[tokio::test(flavor = "multi_thread")]
async fn the_error_names_the_holder_of_the_migration_lock() {
    let Some(postgres) = Postgres::shared().await else { return };
    let database = postgres.database().await;
    let mut other = PgConnection::connect(database.url()).await.unwrap();
    sqlx::raw_sql("SET application_name = 'a long migration'").execute(&mut other).await.unwrap();
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut other).await.unwrap();
    // A lock of another key, whose holder must not be named.
    let mut bystander = PgConnection::connect(database.url()).await.unwrap();
    sqlx::raw_sql("SELECT pg_advisory_lock(7)").execute(&mut bystander).await.unwrap();
    // The lock that sqlx takes in every version of this program.
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
        let error = timeout(TIMEOUT, Store::connect(database.url())).await.expect("in time").unwrap_err();
        assert!(matches!(error, StoreError::Unusable { .. }), "{error}");
    }
    sqlx::query(sqlx::AssertSqlSafe(set("(SELECT checksum FROM kept)"))).execute(&mut other).await.unwrap();
    Store::connect(database.url()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_sqlite_file_is_an_error_in_time() {
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
