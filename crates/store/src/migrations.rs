//! The schema migrations, compiled in.
//!
//! Migrations are only added, and each keeps what older versions use: in a rolling deployment both versions write at
//! once, and an older version accepts a newer schema.

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migrate, Migration, MigrationType, Migrator};

/// The migrations of PostgreSQL.
pub(crate) fn postgres() -> Migrator {
    migrator(&[
        (1, "initial", include_str!("../migrations/postgres/0001_initial.sql")),
        (2, "names", include_str!("../migrations/postgres/0002_names.sql")),
    ])
}

/// The migrations of SQLite.
#[cfg(feature = "sqlite")]
pub(crate) fn sqlite() -> Migrator {
    migrator(&[
        (1, "initial", include_str!("../migrations/sqlite/0001_initial.sql")),
        (2, "names", include_str!("../migrations/sqlite/0002_names.sql")),
    ])
}

/// Runs the migrations that a database lacks.
pub(crate) async fn run<C: Migrate + Send>(migrator: &Migrator, connection: &mut C) -> Result<(), sqlx::Error> {
    // Not `run`: its future borrows the connection through `Acquire`, and the compiler cannot prove that it is `Send`.
    let migrated = migrator.run_direct(None, connection, false).await;
    migrated.map_err(|error| sqlx::Error::Migrate(Box::new(error)))
}

fn migrator(files: &[(i64, &'static str, &'static str)]) -> Migrator {
    let migrations = files.iter().map(|&(version, description, sql)| {
        Migration::new(version, description.into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    migrator.set_ignore_missing(true);
    migrator
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first eight bytes of each checksum, in hexadecimal digits.
    fn checksums(migrator: &Migrator) -> Vec<String> {
        let begin = |migration: &Migration| u64::from_be_bytes(*migration.checksum.first_chunk().unwrap());
        migrator.iter().map(|migration| format!("{:016x}", begin(migration))).collect()
    }

    /// sqlx rejects a database whose applied migration has another checksum, even if only a comment changed.
    #[test]
    fn migrations_keep_their_bytes() {
        assert_eq!(checksums(&postgres()), ["fa2e43f1c218b8d7", "e07be18ecd85fd14"]);
        #[cfg(feature = "sqlite")]
        assert_eq!(checksums(&sqlite()), ["2f072575b29af9db", "8c03b3aab7d74324"]);
    }
}
