//! A new API key.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::Rng as _;
use sha2::{Digest as _, Sha256};

/// How keys begin: what finds secrets in files and commits can look for it.
const PREFIX: &str = "millrace_";

/// A key, and its entry in the file.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// The key: for its sender alone.
    pub key: String,
    /// Its entry, which holds only its hash.
    pub entry: String,
}

impl NewKey {
    /// A key of 256 random bits.
    #[must_use]
    pub fn random(name: &str, scopes: &[&str]) -> Self {
        let mut bits = [0_u8; 32];
        rand::rng().fill_bytes(&mut bits);
        let key = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bits));
        let mut sha256 = String::new();
        for byte in Sha256::digest(&key) {
            // Writing to a text does not fail.
            let _ = write!(sha256, "{byte:02x}");
        }
        let entry = format!("[[keys]]\nname = {name:?}\nsha256 = {sha256:?}\nscopes = {scopes:?}\n");
        Self { key, entry }
    }
}
