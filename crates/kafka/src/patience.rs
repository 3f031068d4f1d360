//! Questions that a cluster cannot answer yet: a partition or a group is on its way to another broker, or has just
//! been made.

use std::thread::sleep;
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaResult, RDKafkaErrorCode as Code};

/// How long to wait before asking again.
const PAUSE: Duration = Duration::from_millis(100);

/// Asks `question`, which blocks for at most the time given, until its answer is final or `timeout` is over.
pub(crate) fn ask<T>(timeout: Duration, mut question: impl FnMut(Duration) -> KafkaResult<T>) -> KafkaResult<T> {
    let deadline = Instant::now() + timeout;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match question(left) {
            Err(error) if left > PAUSE && error.rdkafka_error_code().is_some_and(is_passing) => sleep(PAUSE),
            answer => return answer,
        }
    }
}

/// Whether what was asked has no broker to answer for it just now.
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
    use rdkafka::error::KafkaError;

    use super::*;

    const LOADING: KafkaError = KafkaError::OffsetFetch(Code::CoordinatorLoadInProgress);

    #[test]
    fn a_passing_error_is_asked_away_and_a_lasting_one_is_the_answer() {
        let mut asked = 0;
        let answer = ask(Duration::from_mins(1), |_| {
            asked += 1;
            if asked < 3 { Err(LOADING) } else { Ok(asked) }
        });
        assert_eq!(answer, Ok(3));
        let lasting = KafkaError::OffsetFetch(Code::GroupAuthorizationFailed);
        assert_eq!(ask(Duration::from_mins(1), |_| Err::<(), _>(lasting.clone())), Err(lasting));
    }

    #[test]
    fn patience_ends() {
        assert_eq!(ask(Duration::ZERO, |_| Err::<(), _>(LOADING)), Err(LOADING));
    }
}
