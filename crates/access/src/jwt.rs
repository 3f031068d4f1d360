//! JSON Web Tokens, checked with the public keys that their issuer publishes (a JWK Set, RFC 7517).

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use millrace_edge::{Scopes, Sender};
use serde::Deserialize;
use thiserror::Error;

use crate::Reloaded;

/// CloudEvents' auth context has a kind for users and one for services; a token does not say which of them it is.
const KIND: &str = "unknown";

/// How far apart the clocks of the issuer and of this machine may be, in seconds.
const LEEWAY: u64 = 30;

/// The longest token that is looked at, in bytes.
const LENGTH_LIMIT: usize = 16 << 10;

/// The shortest modulus of an RSA key, in bytes (RFC 7518, section 3.3).
const RSA_BYTES: usize = 2048 / 8;

/// What tokens must be.
#[derive(Debug, Clone)]
pub struct Expected {
    /// `iss`.
    pub issuer: String,
    /// One of `aud`.
    pub audience: String,
    /// Whether the claims `scope` and `scp` say what a token allows; else it allows everything.
    pub has_scopes: bool,
}

/// Checks tokens.
#[derive(Clone)]
pub struct Tokens {
    keys: Reloaded<Keys>,
    expected: Arc<Expected>,
}

/// The issuer's keys.
pub struct Keys(Vec<Key>);

struct Key {
    id: Option<String>,
    decoding: DecodingKey,
    /// Those that fit the key. A token does not choose: with HMAC, a public key would be the secret.
    algorithms: Vec<Algorithm>,
}

/// Why a JWK Set is of no use.
#[derive(Debug, Error)]
pub enum KeysError {
    /// It is no JWK Set.
    #[error("it is no JWK Set: {0}")]
    Shape(#[from] serde_json::Error),
    /// It has no key that signs.
    #[error("it has no public key for signatures (RSA of 2048 bits or more, P-256, P-384 or Ed25519)")]
    Empty,
}

/// Why a token is not accepted.
#[derive(Debug, Error)]
pub enum TokenError {
    /// It is too long, or its head is none.
    #[error("it is no signed JSON Web Token")]
    Shape,
    /// It is signed by a key that the issuer does not publish.
    #[error("it is signed by an unknown key")]
    UnknownKey,
    /// The signature, the times, the issuer or the audience.
    #[error("{}", reason(.0))]
    Refused(jsonwebtoken::errors::Error),
    /// It has no subject.
    #[error("it has no subject (sub), or one that is no header's text")]
    Subject,
}

fn reason(error: &jsonwebtoken::errors::Error) -> &'static str {
    use jsonwebtoken::errors::ErrorKind;
    match error.kind() {
        ErrorKind::ExpiredSignature => "it has expired",
        ErrorKind::ImmatureSignature => "it is not valid yet",
        ErrorKind::InvalidIssuer => "it is of another issuer",
        ErrorKind::InvalidAudience => "it is for another audience",
        ErrorKind::InvalidSignature => "its signature is wrong",
        ErrorKind::Json(_) | ErrorKind::InvalidClaimFormat(_) => "a claim is malformed",
        ErrorKind::MissingRequiredClaim(_) => "a claim is missing: exp, iss, aud and sub must be there",
        _ => "it is no signed JSON Web Token of a known kind",
    }
}

#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    sub: String,
    /// A text of several (RFC 9068), or a list.
    #[serde(default)]
    scope: serde_json::Value,
    #[serde(default)]
    scp: serde_json::Value,
}

/// The scopes of a claim; what is none of both forms lists nothing.
fn listed(claim: &serde_json::Value) -> impl Iterator<Item = &str> {
    let texts = claim.as_array().map_or(std::slice::from_ref(claim), Vec::as_slice);
    texts.iter().filter_map(serde_json::Value::as_str).flat_map(|text| text.split(' '))
}

/// Whether a credential is a token, and no API key.
pub(crate) fn looks_like_one(credential: &str) -> bool {
    credential.bytes().filter(|byte| *byte == b'.').count() == 2
}

impl Keys {
    /// Reads a JWK Set. Keys that are not for signatures are left out.
    ///
    /// # Errors
    /// It is none, or has no such key.
    pub fn parse(text: &[u8]) -> Result<Self, KeysError> {
        // Keys of a kind that is not known here must not take the others with them.
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<serde_json::Value>,
        }
        let Set { keys } = serde_json::from_slice(text)?;
        let keys = keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).collect();
        let keys: Vec<_> = JwkSet { keys }.keys.iter().filter_map(key).collect();
        if keys.is_empty() { Err(KeysError::Empty) } else { Ok(Self(keys)) }
    }

    /// The keys that may have signed a token: those with its id, or all where it names none, of its algorithm.
    fn of(&self, id: Option<&str>, algorithm: Algorithm) -> impl Iterator<Item = &Key> {
        let is_named = move |key: &&Key| id.is_none() || key.id.as_deref() == id;
        self.0.iter().filter(is_named).filter(move |key| key.algorithms.contains(&algorithm))
    }
}

fn key(jwk: &Jwk) -> Option<Key> {
    if jwk.common.public_key_use.as_ref().is_some_and(|purpose| *purpose != PublicKeyUse::Signature) {
        return None;
    }
    let mut algorithms = match &jwk.algorithm {
        AlgorithmParameters::RSA(key) => {
            use Algorithm::{PS256, PS384, PS512, RS256, RS384, RS512};
            let modulus = URL_SAFE_NO_PAD.decode(&key.n).ok()?;
            if modulus.iter().skip_while(|byte| **byte == 0).count() < RSA_BYTES {
                return None;
            }
            vec![RS256, RS384, RS512, PS256, PS384, PS512]
        }
        AlgorithmParameters::EllipticCurve(curve) => match curve.curve {
            EllipticCurve::P256 => vec![Algorithm::ES256],
            EllipticCurve::P384 => vec![Algorithm::ES384],
            _ => return None,
        },
        AlgorithmParameters::OctetKeyPair(_) => vec![Algorithm::EdDSA],
        // A secret in a published set is none.
        _ => return None,
    };
    if let Some(named) = jwk.common.key_algorithm {
        algorithms.retain(|algorithm| KeyAlgorithm::from(*algorithm) == named);
    }
    if algorithms.is_empty() {
        return None;
    }
    let decoding = DecodingKey::from_jwk(jwk).ok()?;
    Some(Key { id: jwk.common.key_id.clone(), decoding, algorithms })
}

impl Tokens {
    /// Tokens of an issuer with these keys.
    #[must_use]
    pub fn new(keys: Reloaded<Keys>, expected: Expected) -> Self {
        Self { keys, expected: Arc::new(expected) }
    }

    /// Who sent a token.
    ///
    /// # Errors
    /// It is not accepted.
    pub(crate) fn sender(&self, token: &str) -> Result<Sender, TokenError> {
        if token.len() > LENGTH_LIMIT {
            return Err(TokenError::Shape);
        }
        let header = decode_header(token).map_err(|_| TokenError::Shape)?;
        let keys = self.keys.get();
        let mut validation = Validation::new(header.alg);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.expected.issuer]);
        validation.set_audience(&[&self.expected.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        let mut refused = TokenError::UnknownKey;
        let mut accepted = None;
        for key in keys.of(header.kid.as_deref(), header.alg) {
            match decode::<Claims>(token, &key.decoding, &validation) {
                Ok(token) => {
                    accepted = Some(token.claims);
                    break;
                }
                Err(error) => refused = TokenError::Refused(error),
            }
        }
        let Claims { sub, scope, scp } = accepted.ok_or(refused)?;
        // It becomes a record's header.
        if sub.is_empty() || sub.len() > 256 || sub.chars().any(char::is_control) {
            return Err(TokenError::Subject);
        }
        let scopes =
            if self.expected.has_scopes { Scopes::known(listed(&scope).chain(listed(&scp))) } else { Scopes::all() };
        Ok(Sender { name: sub.into(), kind: KIND, scopes: Arc::new(scopes), address: None })
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tokens").field("expected", &self.expected).finish_non_exhaustive()
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Keys").field("keys", &self.0.len()).finish()
    }
}

#[cfg(test)]
mod tests;
