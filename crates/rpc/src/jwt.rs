//! The secret that a rollup node and its engine share, and the tokens that are made with it.
//!
//! A token is a JSON Web Token (RFC 7519) with HS256 that says when it was issued. It is good for a
//! minute before and after.

use alloy_primitives::hex;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use core::fmt;
use hmac::{Hmac, Mac};
use serde::Deserialize;
use sha2::Sha256;
use std::{
    fs::{self, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};
use thiserror::Error;

/// How far a token's time may be from now, in seconds.
const MAX_DRIFT: u64 = 60;

/// Why there is no secret.
#[derive(Debug, Error)]
pub enum JwtSecretError {
    /// The file.
    #[error("the JWT secret {path} cannot be {}: {error}", if *.writing { "written" } else { "read" })]
    File {
        /// The file.
        path: PathBuf,
        /// Whether it was to be made.
        writing: bool,
        /// What went wrong.
        error: io::Error,
    },
    /// Not 32 bytes.
    #[error("a JWT secret must be 64 hex digits (32 bytes)")]
    Form,
    /// There is no randomness.
    #[error("a JWT secret cannot be made: {0}")]
    Random(getrandom::Error),
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TokenError {
    /// There is none.
    #[error("missing token")]
    Missing,
    /// It is no token.
    #[error("token is malformed")]
    Malformed,
    /// It is made by another algorithm.
    #[error("signing method is not HS256")]
    Algorithm,
    /// It is made with another secret.
    #[error("signature is invalid")]
    Signature,
    /// It does not say when it was issued.
    #[error("missing issued-at")]
    NoIssuedAt,
    /// It is of more than a minute ago.
    #[error("stale token")]
    Stale,
    /// It is of more than a minute ahead.
    #[error("future token")]
    Future,
    /// It says that it is good no more.
    #[error("token is expired")]
    Expired,
}

/// The secret.
#[derive(Clone)]
pub struct JwtSecret([u8; 32]);

impl fmt::Debug for JwtSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JwtSecret(..)")
    }
}

#[derive(Deserialize)]
struct TokenHeader {
    alg: String,
}

#[derive(Deserialize)]
struct Claims {
    iat: Option<f64>,
    exp: Option<f64>,
}

impl JwtSecret {
    /// Reads a secret of 64 hex digits.
    pub fn parse(text: &str) -> Result<Self, JwtSecretError> {
        let text = text.trim();
        let digits = text.strip_prefix("0x").unwrap_or(text);
        let mut secret = [0; 32];
        hex::decode_to_slice(digits, &mut secret).map_err(|_| JwtSecretError::Form)?;
        Ok(Self(secret))
    }

    /// Reads a secret from a file, which is made if it does not exist, for its owner's eyes only.
    pub fn read_or_create(path: &Path) -> Result<Self, JwtSecretError> {
        let failed = |writing, error| JwtSecretError::File {
            path: path.to_owned(),
            writing,
            error,
        };
        match fs::read_to_string(path) {
            Ok(text) => return Self::parse(&text),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(failed(false, error)),
        }
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(JwtSecretError::Random)?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| failed(true, error))?;
        }
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .and_then(|mut file| file.write_all(hex::encode(secret).as_bytes()))
            .map_err(|error| failed(true, error))?;
        Ok(Self(secret))
    }

    fn mac(&self, signed: &str) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(signed.as_bytes());
        Some(mac)
    }

    /// A token that was issued at a time, in seconds since the Unix epoch.
    pub fn token(&self, issued_at: u64) -> String {
        let header = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
        let claims = BASE64_URL_SAFE_NO_PAD.encode(format!(r#"{{"iat":{issued_at}}}"#));
        let signed = format!("{header}.{claims}");
        let signature = self
            .mac(&signed)
            .map(|mac| BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
            .unwrap_or_default();
        format!("{signed}.{signature}")
    }

    /// A token that is issued now.
    pub fn token_now(&self) -> String {
        self.token(now())
    }

    /// Checks a token at a time, in seconds since the Unix epoch.
    pub fn check(&self, token: &str, now: u64) -> Result<(), TokenError> {
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        let TokenHeader { alg } = decode(header)?;
        if alg != "HS256" {
            return Err(TokenError::Algorithm);
        }
        let signature = BASE64_URL_SAFE_NO_PAD
            .decode(signature)
            .map_err(|_| TokenError::Malformed)?;
        self.mac(signed)
            .and_then(|mac| mac.verify_slice(&signature).ok())
            .ok_or(TokenError::Signature)?;
        let Claims { iat, exp } = decode(claims)?;
        let issued_at = iat.ok_or(TokenError::NoIssuedAt)?;
        let (now, drift) = (now as f64, MAX_DRIFT as f64);
        if exp.is_some_and(|expires_at| expires_at <= now) {
            Err(TokenError::Expired)
        } else if issued_at < now - drift {
            Err(TokenError::Stale)
        } else if issued_at > now + drift {
            Err(TokenError::Future)
        } else {
            Ok(())
        }
    }

    /// Checks the value of an `Authorization` header, now.
    pub(crate) fn check_header(&self, value: Option<&str>) -> Result<(), TokenError> {
        let token = value
            .and_then(|value| value.strip_prefix("Bearer "))
            .filter(|token| !token.is_empty())
            .ok_or(TokenError::Missing)?;
        self.check(token, now())
    }
}

/// Seconds since the Unix epoch.
fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs())
}

fn decode<T: for<'de> Deserialize<'de>>(part: &str) -> Result<T, TokenError> {
    let json = BASE64_URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| TokenError::Malformed)?;
    serde_json::from_slice(&json).map_err(|_| TokenError::Malformed)
}
