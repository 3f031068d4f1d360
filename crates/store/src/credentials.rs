//! User and password of a database that change while a process runs: RDS rotates them.

#[cfg(feature = "aws-secrets")]
mod secrets_manager;

use futures_util::future::BoxFuture;
use sqlx::postgres::PgConnectOptions;

use crate::StoreError;

/// Where credentials come from.
pub(crate) trait CredentialSource: Send + Sync + 'static {
    /// The credentials as they are now, or why they cannot be read.
    fn fetch(&self) -> BoxFuture<'_, Result<Credentials, String>>;
}

/// A user and a password.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "aws-secrets", derive(serde::Deserialize))]
pub(crate) struct Credentials {
    /// The user; that of the URL where there is none.
    pub(crate) username: Option<String>,
    pub(crate) password: String,
}

impl Credentials {
    pub(crate) fn apply_to(&self, options: PgConnectOptions) -> PgConnectOptions {
        let options = options.password(&self.password);
        match &self.username {
            Some(username) => options.username(username),
            None => options,
        }
    }
}

/// The source of a URL with `secret=ARN`.
#[cfg(feature = "aws-secrets")]
#[expect(clippy::unnecessary_wraps, reason = "a build without the feature fails")]
pub(crate) fn of_secret(secret: String) -> Result<Box<dyn CredentialSource>, StoreError> {
    Ok(Box::new(secrets_manager::Secret::new(secret)))
}

#[cfg(not(feature = "aws-secrets"))]
pub(crate) fn of_secret(_secret: String) -> Result<Box<dyn CredentialSource>, StoreError> {
    let reason = "names a secret, and this build cannot read any: build with `--features aws`";
    Err(StoreError::Url { reason: reason.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::FutureExt as _;
    use millrace_testkit::Postgres as Server;
    use sqlx::{ConnectOptions as _, Executor as _};

    use super::*;
    use crate::backend::Connections as _;
    use crate::postgres::Postgres;
    use crate::store::Schema;

    /// Gives the first password at first, and then the second.
    struct Rotated(Arc<AtomicUsize>);

    impl CredentialSource for Rotated {
        fn fetch(&self) -> BoxFuture<'_, Result<Credentials, String>> {
            let password = ["first", "second"][self.0.fetch_add(1, Ordering::Relaxed).min(1)];
            let credentials = Credentials { username: Some("rotated".to_owned()), password: password.to_owned() };
            async move { Ok(credentials) }.boxed()
        }
    }

    /// Nobody but the test's user needs a password.
    const ACCESS: &str = "COPY (VALUES ('host all rotated all scram-sha-256'), ('host all all all trust'), \
                          ('local all all trust')) TO PROGRAM 'cat > \"$(readlink -f pg_hba.conf)\"'";

    #[tokio::test(flavor = "multi_thread")]
    async fn a_rotated_password_is_read_again() {
        let Some(server) = Server::dedicated().await else { return };
        let database = server.database().await;
        let mut admin = database.url().parse::<PgConnectOptions>().unwrap().connect().await.unwrap();
        admin.execute("CREATE ROLE rotated SUPERUSER LOGIN PASSWORD 'first'").await.unwrap();
        admin.execute(ACCESS).await.unwrap();
        admin.execute("SELECT pg_reload_conf()").await.unwrap();

        let fetched = Arc::new(AtomicUsize::new(0));
        let options: PgConnectOptions = database.url().parse().unwrap();
        let store =
            Postgres::open(options, "postgres://", Some(Box::new(Rotated(Arc::clone(&fetched)))), Schema::Migrated)
                .await;
        let store = store.unwrap_or_else(|error| panic!("{error}"));
        store.reader().await.unwrap();
        assert_eq!(fetched.load(Ordering::Relaxed), 1);

        admin.execute("ALTER ROLE rotated PASSWORD 'second'").await.unwrap();
        let end_others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'rotated'";
        admin.execute(end_others).await.unwrap();
        store.reader().await.unwrap();
        assert_eq!(fetched.load(Ordering::Relaxed), 2, "read once more");
        drop(store.begin().await.unwrap());
        assert_eq!(fetched.load(Ordering::Relaxed), 2, "and kept");
    }
}
