//! The file of API keys: their hashes, and what each of them may do.

use std::collections::BTreeSet;
use std::sync::Arc;

use millrace_edge::{SCOPES, Scopes, Sender};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use thiserror::Error;

/// The kind of sender, as CloudEvents' auth context names it.
const KIND: &str = "api_key";

type Hash = [u8; 32];

/// A key, known by its hash alone. A plain SHA-256 is enough: keys are 256 random bits, which nobody guesses.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ApiKey {
    hash: Hash,
    sender: Sender,
}

/// The keys of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApiKeys(Vec<ApiKey>);

/// Why a file holds no keys.
#[derive(Debug, Error)]
pub enum ApiKeysError {
    /// It is not TOML of this shape.
    #[error("{0}")]
    Shape(#[from] toml::de::Error),
    /// A hash is none.
    #[error("the key {name}: sha256 must be 64 hexadecimal digits")]
    Hash {
        /// The key's name.
        name: String,
    },
    /// A scope does not exist.
    #[error("the key {name}: there is no scope {scope}; there are {}, *.read, *.write and *", SCOPES.join(", "))]
    Scope {
        /// The key's name.
        name: String,
        /// The scope.
        scope: String,
    },
    /// A name is empty, or has characters that no header can have.
    #[error("the name {name:?} must be 1 to 64 letters, digits, dots, hyphens and underscores")]
    Name {
        /// The name.
        name: String,
    },
    /// There is none.
    #[error("it has no keys")]
    Empty,
    /// Two keys have one hash.
    #[error("the key {name} is there twice")]
    Twice {
        /// The name of the second.
        name: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    keys: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    sha256: String,
    scopes: Vec<String>,
}

impl ApiKeys {
    /// Reads a file:
    ///
    /// ```toml
    /// [[keys]]
    /// name = "shop"
    /// sha256 = "…" # 64 hexadecimal digits
    /// scopes = ["orders.write", "events.read"]
    /// ```
    ///
    /// Several keys may have one name, so that a sender can change from one to the other.
    ///
    /// # Errors
    /// It has another shape.
    pub fn parse(text: &str) -> Result<Self, ApiKeysError> {
        let File { keys } = toml::from_str(text)?;
        if keys.is_empty() {
            // Such as a file that is being written.
            return Err(ApiKeysError::Empty);
        }
        let mut hashes = BTreeSet::new();
        let mut read = Vec::with_capacity(keys.len());
        for Entry { name, sha256, scopes } in keys {
            let is_allowed = |letter: u8| letter.is_ascii_alphanumeric() || b"._-".contains(&letter);
            if !(1..=64).contains(&name.len()) || !name.bytes().all(is_allowed) {
                return Err(ApiKeysError::Name { name });
            }
            let Some(hash) = hash(&sha256) else { return Err(ApiKeysError::Hash { name }) };
            if !hashes.insert(hash) {
                return Err(ApiKeysError::Twice { name });
            }
            let scopes = match Scopes::new(scopes) {
                Ok(scopes) => Arc::new(scopes),
                Err(scope) => return Err(ApiKeysError::Scope { name, scope }),
            };
            read.push(ApiKey { hash, sender: Sender { name: name.into(), kind: KIND, scopes, address: None } });
        }
        Ok(Self(read))
    }

    /// The sender with this key. All keys are compared, each in constant time.
    #[must_use]
    pub fn sender(&self, key: &str) -> Option<&Sender> {
        let hash: Hash = Sha256::digest(key).into();
        let mut found = None;
        for key in &self.0 {
            if bool::from(key.hash.ct_eq(&hash)) {
                found = Some(&key.sender);
            }
        }
        found
    }
}

fn hash(text: &str) -> Option<Hash> {
    let digits = text.as_bytes();
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut hash = Hash::default();
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::NewKey;

    /// A key, and a file with it.
    fn shop() -> (NewKey, ApiKeys) {
        let key = NewKey::random("shop", &["orders.write"]);
        let keys = ApiKeys::parse(&key.entry).unwrap();
        (key, keys)
    }

    #[test]
    fn a_new_keys_entry_knows_the_key() {
        let (key, keys) = shop();
        let sender = keys.sender(&key.key).unwrap();
        assert_eq!((&*sender.name, sender.kind), ("shop", "api_key"));
        assert!(sender.check("orders.write").is_ok() && sender.check("events.write").is_err());
        assert!(!key.entry.contains(&key.key), "the file does not have the key itself");
        assert_ne!(key.key, NewKey::random("shop", &["orders.write"]).key);
    }

    #[test]
    fn a_sender_may_have_two_keys() {
        let (old, new) = (NewKey::random("shop", &["*"]), NewKey::random("shop", &["*"]));
        let keys = ApiKeys::parse(&format!("{}\n{}", old.entry, new.entry)).unwrap();
        assert!([old, new].iter().all(|key| keys.sender(&key.key).is_some_and(|sender| &*sender.name == "shop")));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let entry = |name: &str, sha256: &str, scope: &str| {
            format!("[[keys]]\nname = {name:?}\nsha256 = {sha256:?}\nscopes = [{scope:?}]\n")
        };
        let sum = "ab".repeat(32);
        for (text, said) in [
            (entry("shop", "abc", "*"), "the key shop: sha256"),
            (entry("shop", &sum, "order.write"), "no scope order.write; there are notifications.write"),
            (entry("a b", &sum, "*"), r#"the name "a b""#),
            (entry("", &sum, "*"), r#"the name """#),
            (entry("one", &sum, "*") + &entry("two", &sum.to_uppercase(), "*"), "the key two is there twice"),
            ("[[keys]]\nname = 'a'\nkey = 'b'".to_owned(), "unknown field `key`"),
            ("keys = 1".to_owned(), "keys"),
        ] {
            let error = ApiKeys::parse(&text).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        assert!(matches!(ApiKeys::parse(""), Err(ApiKeysError::Empty)));
    }

    proptest! {
        #[test]
        fn no_other_text_is_a_key(text in ".*") {
            let (key, keys) = shop();
            prop_assert_eq!(keys.sender(&text).is_some(), text == key.key);
        }
    }
}
