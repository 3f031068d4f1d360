//! What is there after `terraform destroy`, by the tag that everything has.

use crate::aws::Aws;

/// What is still listed, as on AWS: ECS knows what it has deleted, and a key waits for a week. moto keeps RDS's own snapshot,
/// which AWS deletes with the cluster.
const LISTED_STILL: [&str; 3] = [":ecs:", ":kms:", ":cluster-snapshot:rds:"];

async fn found(emulator: &Aws) -> Vec<String> {
    let all = emulator.tagged("project", "millrace").await;
    all.into_iter().filter(|arn| !LISTED_STILL.iter().any(|part| arn.contains(part))).collect()
}

/// So that [`are_none`] can fail.
pub(crate) async fn are_found_before_the_destroy(emulators: &[Aws]) {
    for emulator in emulators {
        assert!(found(emulator).await.len() > 5);
    }
}

/// Nothing is left that would cost anything.
pub(crate) async fn are_none(emulators: &[Aws]) {
    for emulator in emulators {
        assert_eq!(found(emulator).await, Vec::<String>::new());
    }
}
