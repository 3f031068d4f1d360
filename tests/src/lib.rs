//! End-to-end tests of Millrace: its programs, unmodified, on a real Kafka. The tests are in `e2e/`.
