//! Retries of queries that a cluster cannot answer yet: a partition or a group is moving to another broker, or was just
//! created.

use std::thread::sleep;
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaResult, RDKafkaErrorCode as Code};

/// How long to wait between two tries.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// Runs `query`, which blocks for at most the time given, until its answer is final or `timeout` is over.
///
/// # Errors
/// The last answer.
pub fn until_final<T>(timeout: Duration, mut query: impl FnMut(Duration) -> KafkaResult<T>) -> KafkaResult<T> {
    let deadline = Instant::now() + timeout;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match query(left) {
            Err(error) if left > RETRY_INTERVAL && error.rdkafka_error_code().is_some_and(is_passing) => {
                sleep(RETRY_INTERVAL);
            }
            answer => return answer,
        }
    }
}

/// Whether no broker can answer just now.
fn is_passing(code: Code) -> bool {
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
    fn a_passing_error_is_retried_and_a_lasting_one_returned() {
        let mut asked = 0;
        let answer = until_final(Duration::from_mins(1), |_| {
            asked += 1;
            if asked < 3 { Err(LOADING) } else { Ok(asked) }
        });
        assert_eq!(answer, Ok(3));
        let lasting = RdKafkaError::OffsetFetch(Code::GroupAuthorizationFailed);
        assert_eq!(until_final(Duration::from_mins(1), |_| Err::<(), _>(lasting.clone())), Err(lasting));
    }

    #[test]
    fn it_gives_up_after_the_timeout() {
        assert_eq!(until_final(Duration::ZERO, |_| Err::<(), _>(LOADING)), Err(LOADING));
    }
}
