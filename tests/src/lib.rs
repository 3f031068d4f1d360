//! End-to-end tests of Millrace: its programs, unmodified, on a real Kafka. They stand in `e2e/`.
