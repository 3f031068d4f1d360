//! Tokens of an issuer that is made here, and one that OpenSSL has signed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, Header, encode};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::*;

const ISSUER: &str = "https://issuer.example";

/// 2100-01-01
const FAR: u64 = 4_102_444_800;

/// An issuer's key: its part that is published, and what signs.
struct Issuer {
    jwk: Value,
    signing: EncodingKey,
    algorithm: Algorithm,
}

impl Issuer {
    fn p256(id: &str) -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
        // Uncompressed: 4, x, y
        let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
        let [x, y] = [x, y].map(|part| URL_SAFE_NO_PAD.encode(part));
        let jwk = json!({"kty": "EC", "crv": "P-256", "use": "sig", "kid": id, "x": x, "y": y});
        Self { jwk, signing: EncodingKey::from_ec_der(document.as_ref()), algorithm: Algorithm::ES256 }
    }

    fn ed25519(id: &str) -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
        let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": x});
        Self { jwk, signing: EncodingKey::from_ed_der(document.as_ref()), algorithm: Algorithm::EdDSA }
    }

    fn token(&self, claims: &Value) -> String {
        let kid = self.jwk["kid"].as_str().map(str::to_owned);
        encode(&Header { kid, ..Header::new(self.algorithm) }, claims, &self.signing).unwrap()
    }
}

fn claims() -> Value {
    json!({"iss": ISSUER, "aud": ["other", "millrace"], "sub": "shop", "exp": FAR, "scope": "openid orders.write"})
}

fn tokens(keys: &[&Value], has_scopes: bool) -> Tokens {
    let set = json!({"keys": keys}).to_string();
    let keys = Keys::parse(set.as_bytes()).unwrap();
    Tokens::new(
        Reloaded::fixed(keys),
        Expected { issuer: ISSUER.to_owned(), audience: "millrace".to_owned(), has_scopes },
    )
}

#[tokio::test]
async fn a_token_of_each_kind_of_key_is_accepted() {
    for issuer in [Issuer::p256("1"), Issuer::ed25519("2")] {
        let sender = tokens(&[&issuer.jwk], false).sender(&issuer.token(&claims())).unwrap();
        assert_eq!((&*sender.name, sender.kind), ("shop", "unknown"));
        assert!(sender.check("events.read").is_ok(), "without --jwt-use-scopes it may do everything");
    }
}

/// While an issuer changes its key, both are published, and some issuers do not name them.
#[tokio::test]
async fn each_of_several_keys_without_a_name_is_tried() {
    let [mut one, mut other] = ["1", "2"].map(Issuer::p256);
    for issuer in [&mut one, &mut other] {
        issuer.jwk.as_object_mut().unwrap().remove("kid");
    }
    let tokens = tokens(&[&one.jwk, &other.jwk, &Issuer::ed25519("3").jwk], false);
    for issuer in [one, other] {
        assert_eq!(&*tokens.sender(&issuer.token(&claims())).unwrap().name, "shop");
    }
    let stranger = encode(&Header::new(Algorithm::ES256), &claims(), &Issuer::p256("1").signing).unwrap();
    assert!(tokens.sender(&stranger).unwrap_err().to_string().contains("signature is wrong"));
}

#[tokio::test]
async fn openssl_has_signed_this_one() {
    let jwk = json!({"kty": "RSA", "alg": "RS256", "kid": "rsa-1", "e": "AQAB", "n": MODULUS});
    assert_eq!(&*tokens(&[&jwk], false).sender(OPENSSL).unwrap().name, "shop");
}

#[tokio::test]
async fn scopes_are_those_of_the_token() {
    let issuer = Issuer::p256("1");
    let tokens = tokens(&[&issuer.jwk], true);
    for (claims, allowed, refused) in [
        (claims(), "orders.write", "events.write"),
        (
            json!({"iss": ISSUER, "aud": "millrace", "sub": "a", "exp": FAR, "scp": ["events.read"]}),
            "events.read",
            "orders.write",
        ),
        (
            json!({"iss": ISSUER, "aud": "millrace", "sub": "a", "exp": FAR, "scp": "status.read"}),
            "status.read",
            "events.read",
        ),
    ] {
        let sender = tokens.sender(&issuer.token(&claims)).unwrap();
        assert!(sender.check(allowed).is_ok() && sender.check(refused).is_err(), "{claims}");
    }
    let none = json!({"iss": ISSUER, "aud": "millrace", "sub": "a", "exp": FAR});
    assert!(tokens.sender(&issuer.token(&none)).unwrap().check("events.read").is_err());
}

#[tokio::test]
async fn every_other_token_is_refused_with_its_reason() {
    let (issuer, stranger) = (Issuer::p256("1"), Issuer::p256("1"));
    let tokens = tokens(&[&issuer.jwk, &Issuer::ed25519("2").jwk], false);
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        issuer.token(&claims)
    };
    let unsigned = issuer.token(&claims()).rsplit_once('.').unwrap().0.to_owned() + ".";
    let of_other = Issuer::p256("3").token(&claims());
    // Signed with the published key as a secret.
    let secret = EncodingKey::from_secret(issuer.jwk["x"].as_str().unwrap().as_bytes()).unwrap();
    let hmac =
        encode(&Header { kid: Some("1".to_owned()), ..Header::new(Algorithm::HS256) }, &claims(), &secret).unwrap();
    for (token, reason) in [
        (with("exp", json!(1_000_000_000)), "expired"),
        (with("nbf", json!(FAR - 1)), "not valid yet"),
        (with("iss", json!("https://other.example")), "another issuer"),
        (with("aud", json!("other")), "another audience"),
        (with("sub", json!("")), "no subject"),
        (with("sub", json!("a\nb")), "no subject"),
        (issuer.token(&json!({"iss": ISSUER, "aud": "millrace", "sub": "a"})), "a claim is missing"),
        (issuer.token(&json!({"iss": ISSUER, "sub": "a", "exp": FAR})), "a claim is missing"),
        (stranger.token(&claims()), "signature is wrong"),
        (of_other, "unknown key"),
        (hmac, "unknown key"),
        (with("nbf", json!("soon")), "a claim is malformed"),
        (unsigned, "signature is wrong"),
        ("a.b.c".to_owned(), "no signed JSON Web Token"),
        (format!("a.b.{}", "c".repeat(20_000)), "no signed JSON Web Token"),
    ] {
        let error = tokens.sender(&token).map(|sender| sender.name).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}, and not {reason}");
    }
}

#[test]
fn a_set_without_a_key_for_signatures_is_refused() {
    for text in [r#"{"keys": []}"#, r#"{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}"#, r#"{"keys": [{"kty": "new"}]}"#] {
        assert!(matches!(Keys::parse(text.as_bytes()), Err(KeysError::Empty)), "{text}");
    }
    assert!(matches!(Keys::parse(b"<html>"), Err(KeysError::Shape(_))));
    let key = Issuer::ed25519("1").jwk;
    let set = json!({"keys": [{"kty": "new"}, key, {"kty": "EC", "crv": "P-521", "x": "", "y": ""}]}).to_string();
    assert_eq!(Keys::parse(set.as_bytes()).unwrap().0.len(), 1, "what is not known takes nothing with it");
}

const MODULUS: &str = "\
     jkCP_eeDsNpzRvDUVL86EuFfee9sN0oA1DrtlYjbt88t6c0meLbTYSS9_NIF233u2TNbLXtb_ayjspiARDWKMAwy4dPnJuauXXhTLOxNfZtg9W\
     O0E8yY_bsG2rsRCMB82Yb9MSg2wq6L5Ag0hE53p-ekGPYHHV7Vb8BKIeBH-G-SnknoYdrSEMxA-vEYidHKbhsQbuc9hgplmlSm0P7ygzUgs4gU\
     p3Fs-xLTgtD-1OvG62AMSHEFE_LbTc3Rdg29tpzS6c-rIXqpM02ltlTSTT8tAWn-GsGLh37OobFFSsuYrUMwefyHQUaMmUsleNO2KmYBwW8hAx\
     kEOSF9CZ2Lmw";

/// The claims `iss`, `aud` and `sub` of the others, valid until 2100.
const OPENSSL: &str = "\
     eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InJzYS0xIn0.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIiwiYXVkIjoibW\
     lsbHJhY2UiLCJzdWIiOiJzaG9wIiwiZXhwIjo0MTAyNDQ0ODAwfQ.Yw3zjfYNPSFCdVSi3-X5xhtKdfxGS113l0roo4CCrAyxHnC-gs82rkfFC\
     LHwCQEAYietkTvRdoYbIt6KT4ZWmoaQuGLDCGO7qDyDLvG5shmWOUxZv3lyQ0e9cuQxhHYMV-kXUerDbudkLf3Z8Y9J3CoUsIJFWl7VjLyqJ78\
     yCFXGlegB2RhasB1LwSAXfrfwsuhyLwQtYvP0XIrMKPUTjiZC1a8N5fI033iMJkZdmIkBZERGfPSJ-OVy8EfRgncTLnJLRbfjijZE6liDk0JMb\
     _xRq0kCuT1cs1OgPB2BDmqzPfSVH9rHPZP_J36S_fRfuCXEszfwQ5TL5ybaH6hE3Q";

/// A modulus of 1,024 bits is too short, and a key's own algorithm binds.
#[test]
fn keys_that_are_too_weak_or_for_another_algorithm_are_left_out() {
    let rsa = |bytes: usize, more: Value| {
        let modulus = URL_SAFE_NO_PAD.encode(vec![0xff_u8; bytes]);
        let mut jwk = json!({"kty": "RSA", "n": modulus, "e": "AQAB"});
        jwk.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Keys::parse(json!({"keys": [jwk]}).to_string().as_bytes())
    };
    assert!(matches!(rsa(128, json!({})), Err(KeysError::Empty)));
    assert!(matches!(rsa(256, json!({"alg": "RSA-OAEP"})), Err(KeysError::Empty)));
    let keys = rsa(256, json!({})).unwrap();
    assert_eq!(keys.of(None, Algorithm::PS256).count(), 1);
    let keys = rsa(256, json!({"alg": "RS256"})).unwrap();
    assert_eq!((keys.of(None, Algorithm::RS256).count(), keys.of(None, Algorithm::PS256).count()), (1, 0));
}
