//! End-to-end tests of Millrace
