//! Kafka's topics made those of a catalogue, as a Lambda function: what `millrace topics apply` does, for those whose
//! brokers only the VPC reaches. Terraform calls it with each change of the catalogue.
//!
//! Event: `{"catalogue": {…}?, "replication": N?, "shorten_retention": false, "dry_run": false}`; without a catalogue it
//! is Millrace's own. Answer: what `millrace topics apply --json` prints. A refusal fails the invocation with the error
//! type `TopicsRefused`, and nothing was changed.

mod handle;
mod settings;

pub use handle::handle;
pub use settings::Settings;
