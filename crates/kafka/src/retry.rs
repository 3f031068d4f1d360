//! Retries of queries that a cluster cannot answer yet, because a partition or group is moving to another broker or was
//! just created.

use std::thread::sleep;
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaResult, RDKafkaErrorCode as Code};

/// The time between two attempts.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// Runs `query`, which blocks for at most the time it is given, until its result is final or `timeout` has passed.
///
/// # Errors
/// The last error.
pub fn until_final<T>(timeout: Duration, mut query: impl FnMut(Duration) -> KafkaResult<T>) -> KafkaResult<T> {
    let deadline = Instant::now() + timeout;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match query(left) {
            Err(error) if left > RETRY_INTERVAL && error.rdkafka_error_code().is_some_and(is_retriable) => {
                sleep(RETRY_INTERVAL);
            }
            answer => return answer,
        }
    }
}

/// Whether no broker can answer yet.
fn is_retriable(code: Code) -> bool {
    matches!(
        code,
        Code::LeaderNotAvailable
            | Code::NotLeaderForPartition
            | Code::CoordinatorLoadInProgress
            | Code::CoordinatorNotAvailable
            | Code::NotCoordinator
    )
}

#[cfg(test)]
mod tests {
    use rdkafka::error::KafkaError as RdKafkaError;

    use super::*;

    const LOADING: RdKafkaError = RdKafkaError::OffsetFetch(Code::CoordinatorLoadInProgress);

    #[test]
    fn only_a_retriable_error_is_retried() {
        let mut attempts = 0;
        let answer = until_final(Duration::from_mins(1), |_| {
            attempts += 1;
            if attempts < 3 { Err(LOADING) } else { Ok(attempts) }
        });
        assert_eq!(answer, Ok(3));
        let fatal = RdKafkaError::OffsetFetch(Code::GroupAuthorizationFailed);
        assert_eq!(until_final(Duration::from_mins(1), |_| Err::<(), _>(fatal.clone())), Err(fatal));
    }

    #[test]
    fn the_last_error_is_returned_after_the_timeout() {
        assert_eq!(until_final(Duration::ZERO, |_| Err::<(), _>(LOADING)), Err(LOADING));
    }
}
