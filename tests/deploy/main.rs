//! `infra/examples/dev`, applied as a whole to emulators of AWS, and an event sent through what was applied.
//!
//! MiniStack runs the functions' programs and API Gateway; moto has what it lacks (MSK, ECS, RDS, …). Kafka and PostgreSQL
//! are real. `scripts/infra` makes the zips and the emulators' environments, and starts this.
#![allow(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

#[path = "../e2e/program.rs"]
#[allow(dead_code, reason = "shared with the other end-to-end tests")]
mod program;

#[path = "../e2e/rows.rs"]
mod rows;

mod alerts;
mod aws;
mod backfill;
mod compaction;
mod emulators;
mod event;
mod insight;
mod leftovers;
mod log_records;
mod operator;
mod permissions;
mod plan;
mod raw_logs;
mod resources;
mod tables;
mod task;
mod terraform;

use std::time::Instant;

use millrace_testkit::{Kafka, Postgres, WebhookReceiver, kafka};

use crate::aws::Aws;
use crate::emulators::Emulators;
use crate::terraform::Terraform;

/// As many as examples/dev has: topics have three copies.
const BROKERS: usize = 3;

/// What a second answer to one call that creates something says: now and then the emulators' HTTP servers do a call twice.
const DONE_TWICE: [&str; 4] = ["AlreadyExists", "already exists", "Duplicate", "ResourceConflict"];

/// The example, applied; from new emulators once more where they did something twice.
async fn applied(kafka: &Kafka, database_url: &str, chats: &WebhookReceiver) -> (Emulators, Terraform) {
    let mut is_second = false;
    loop {
        let emulators = Emulators::start(kafka.bootstrap_servers()).await;
        let secret = alerts::chats_secret(&Aws::root(emulators.ministack()), chats).await;
        let terraform = Terraform::new(&emulators, database_url, &secret);
        match terraform.apply().await {
            Ok(()) => return (emulators, terraform),
            Err(error) if !is_second && DONE_TWICE.iter().any(|text| error.contains(text)) => {
                println!("an emulator did something twice, from the beginning again:\n{error}");
                is_second = true;
            }
            Err(error) => panic!("terraform apply:\n{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dev_example_is_applied_and_carries_an_event() {
    let Some(kafka) = kafka::dedicated(|cluster| cluster.brokers(BROKERS)).await else { return };
    let Some(postgres) = Postgres::shared().await else { return };
    let database = postgres.database().await;
    // reqwest makes no client without one. All here is plain HTTP.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let begun = Instant::now();
    let chats = WebhookReceiver::start().await.unwrap();
    let (emulators, terraform) = applied(&kafka, database.url(), &chats).await;
    println!("applied in {:.0?}", begun.elapsed());
    let state = terraform.state().await;
    resources::all_are_listed(&state);
    plan::has_only_known_changes(&terraform.plan().await);
    println!("planned again by {:.0?}", begun.elapsed());

    event::is_written_stored_and_found(&emulators, &state, &kafka, database.url()).await;
    println!("an event was written, stored and found by {:.0?}", begun.elapsed());

    let aws = Aws::root(emulators.ministack());
    permissions::on_kafka_are_those_of_the_catalogue(&aws, &state).await;
    permissions::elsewhere_are_each_roles_own(&aws, &state).await;
    insight::is_written_with_the_roles_own_credentials(&aws, &state, &kafka).await;
    raw_logs::go_through_the_lake_with_the_roles_own_credentials(&aws, &state, &kafka, &chats).await;
    tables::are_queried(&aws, &state).await;
    tables::are_data_sets(&aws, &state).await;
    log_records::are_each_a_row_once(&aws, &emulators, &state, &kafka).await;
    backfill::cleans_what_is_not_cleaned_yet(&aws, &state).await;
    operator::sees_topics_groups_and_dead_letters(&state).await;
    operator::traces_an_event_and_a_log_line(&aws, &state).await;
    println!(
        "roles were asked for, an insight written, logs delivered, cleaned, counted and compacted, and an outage told, by {:.0?}",
        begun.elapsed()
    );

    let both = [aws, Aws::root(emulators.moto())];
    leftovers::are_found_before_the_destroy(&both).await;
    terraform.destroy().await.unwrap_or_else(|error| panic!("terraform destroy:\n{error}"));
    leftovers::are_none(&both).await;
    println!("destroyed by {:.0?}", begun.elapsed());
}
