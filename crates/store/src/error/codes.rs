//! Error classes of errors, and of PostgreSQL's codes: SQLSTATE,
//! <https://www.postgresql.org/docs/current/errcodes-appendix.html>.

use millrace_domain::ErrorClass;
use sqlx::error::DatabaseError;
use sqlx::migrate::MigrateError;
use sqlx::postgres::PgDatabaseError;

/// What a host should do about it.
pub(crate) fn class_of(error: &sqlx::Error) -> ErrorClass {
    match error {
        sqlx::Error::Database(error) => class_of_code(error.as_ref()),
        sqlx::Error::Migrate(error) => match error.as_ref() {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => class_of(error),
            _ => ErrorClass::Fatal,
        },
        // A server that ends in the middle of an answer leaves an incomplete message (`Protocol`).
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::BeginFailed | sqlx::Error::Protocol(_) => {
            ErrorClass::Transient
        }
        _ => ErrorClass::Fatal,
    }
}

/// Why PostgreSQL cannot store a value of the statement, if a value is the cause.
pub(crate) fn unstorable(error: &sqlx::Error) -> Option<String> {
    let error = error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?;
    let reason = || match error.detail() {
        Some(detail) => format!("{} ({detail})", error.message()),
        None => error.message().to_owned(),
    };
    is_about_a_value(error.code()).then(reason)
}

/// Whether PostgreSQL waited for a lock longer than `lock_timeout`.
pub(crate) fn is_lock_timeout(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code == LOCK_NOT_AVAILABLE),
        sqlx::Error::Migrate(error) => match error.as_ref() {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => is_lock_timeout(error),
            _ => false,
        },
        _ => false,
    }
}

/// Whether PostgreSQL refused the user or the password.
pub(crate) fn is_credential_refusal(error: &sqlx::Error) -> bool {
    const INVALID_PASSWORD: &str = "28P01";
    error.as_database_error().is_some_and(|error| error.code().is_some_and(|code| code == INVALID_PASSWORD))
}

fn class_of_code(error: &dyn DatabaseError) -> ErrorClass {
    #[cfg(feature = "sqlite")]
    if let Some(class) = super::sqlite::class_of(error) {
        return class;
    }
    error.code().map_or(ErrorClass::Fatal, |code| class_of_sqlstate(&code))
}

fn class_of_sqlstate(code: &str) -> ErrorClass {
    match code {
        // Its database was dropped.
        "57P04" => ErrorClass::Fatal,
        // Lock and idle-in-transaction time-outs; a server that has become a replica (failover).
        LOCK_NOT_AVAILABLE | "55006" | "25P02" | "25P03" | "25P04" | "25006" => ErrorClass::Transient,
        // Connection, rollback (serialisation, deadlock), resources (disk, memory, connections), operator, system.
        _ if ["08", "40", "53", "57", "58"].iter().any(|class| code.starts_with(class)) => ErrorClass::Transient,
        _ if is_about_a_value(code) => ErrorClass::Permanent,
        _ => ErrorClass::Fatal,
    }
}

/// Data exceptions, and exceeded limits: an index entry or a value that is too large.
fn is_about_a_value(code: &str) -> bool {
    code.starts_with("22") || code.starts_with("54")
}

const LOCK_NOT_AVAILABLE: &str = "55P03";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_that_pass_by_themselves_are_transient() {
        let codes = ["08006", "40001", "40P01", "53100", "53300", "55P03", "57P01", "57P02", "57P03", "57014", "58030"];
        for code in codes {
            assert_eq!(class_of_sqlstate(code), ErrorClass::Transient, "{code}");
        }
        let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        assert_eq!(class_of(&sqlx::Error::Io(reset)), ErrorClass::Transient);
        assert_eq!(class_of(&sqlx::Error::PoolTimedOut), ErrorClass::Transient);
    }

    #[test]
    fn configuration_errors_are_fatal() {
        for code in ["28P01", "3D000", "42501", "42P01", "57P04", "XX001"] {
            assert_eq!(class_of_sqlstate(code), ErrorClass::Fatal, "{code}");
        }
    }

    #[test]
    fn a_value_that_cannot_be_stored_is_permanent() {
        for code in ["22P05", "22021", "22008", "54000"] {
            assert_eq!(class_of_sqlstate(code), ErrorClass::Permanent, "{code}");
        }
    }
}
