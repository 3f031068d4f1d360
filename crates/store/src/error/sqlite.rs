//! Error classes of SQLite's result codes: <https://www.sqlite.org/rescode.html>.

use millrace_domain::ErrorClass;
use sqlx::error::DatabaseError;
use sqlx::sqlite::SqliteError;

const BUSY: i32 = 5;
const LOCKED: i32 = 6;

/// Whether SQLite found the file locked by another connection.
pub(crate) fn is_lock_contention(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(code).is_some_and(|code| matches!(code, BUSY | LOCKED))
}

/// The class of an error of SQLite's; none for another database's.
pub(super) fn class_of(error: &dyn DatabaseError) -> Option<ErrorClass> {
    error.try_downcast_ref::<SqliteError>()?;
    Some(code(error).map_or(ErrorClass::Fatal, class_of_code))
}

/// The primary result code of an extended one.
fn code(error: &dyn DatabaseError) -> Option<i32> {
    error.try_downcast_ref::<SqliteError>()?;
    Some(error.code()?.parse::<i32>().ok()? & 0xff)
}

fn class_of_code(code: i32) -> ErrorClass {
    const NOMEM: i32 = 7;
    const INTERRUPT: i32 = 9;
    const IOERR: i32 = 10;
    const FULL: i32 = 13;
    const PROTOCOL: i32 = 15;
    const TOOBIG: i32 = 18;
    match code {
        BUSY | LOCKED | NOMEM | INTERRUPT | IOERR | FULL | PROTOCOL => ErrorClass::Transient,
        TOOBIG => ErrorClass::Permanent,
        _ => ErrorClass::Fatal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_by_itself_is_transient_and_a_wrong_file_fatal() {
        assert_eq!([BUSY, 10, 13].map(class_of_code), [ErrorClass::Transient; 3]);
        assert_eq!([8, 11, 26].map(class_of_code), [ErrorClass::Fatal; 3]);
        assert_eq!(class_of_code(18), ErrorClass::Permanent);
    }
}
