//! A server that holds the key: op-signer's interface, `eth_signTransaction` over HTTP.
//!
//! It is not believed. What it gives must be the transaction that was asked for, in every field, and
//! signed by the account: whoever sits between us and the key can refuse, and nothing else.

use super::{Signer, SignerError, Signing, Unsigned};
use crate::txmgr::ask::transaction_json;
use alloy_consensus::{EthereumTxEnvelope, TxEip4844, transaction::SignerRecoverable};
use alloy_eips::eip2718::Decodable2718;
use alloy_primitives::{Address, Bytes};
use doppio_rpc::{Client, ClientOptions, ClientTls, Http, Target};
use doppio_txmgr::{SignFailure, Signed, UnsignedTx};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// Longest answer that is read: calldata comes back, in hexadecimal.
const MAX_ANSWER: usize = 4 << 20;

/// Files for TLS with certificates on both sides, in PEM (`--signer.tls.ca`, `.cert`, `.key`).
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// Certificates of the authorities that the server's certificate is believed by; no other is.
    pub ca: PathBuf,
    /// Our certificate, with those that it is believed by.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// How to reach a signer.
#[derive(Clone, Debug)]
pub struct RemoteOptions {
    /// Its URL (`--signer.endpoint`).
    pub endpoint: String,
    /// The account (`--signer.address`).
    pub address: Address,
    /// Headers for each request, written `name=value` as op-service has them, or `Name: value`
    /// (`--signer.header`).
    pub headers: Vec<String>,
    /// Certificates; none to go by the system's.
    pub tls: Option<TlsFiles>,
    /// Longest time for an answer.
    pub timeout: Duration,
}

/// A signer behind HTTP.
#[derive(Debug)]
pub struct RemoteSigner {
    client: Client,
    address: Address,
}

fn read(path: &Path) -> Result<Vec<u8>, SignerError> {
    fs::read(path).map_err(|error| SignerError::File {
        file: path.display().to_string(),
        reason: error.to_string(),
    })
}

impl RemoteSigner {
    /// Reads the options. Nobody is asked yet.
    ///
    /// # Errors
    ///
    /// If the URL, a header, a certificate or a key cannot be used.
    pub fn new(options: &RemoteOptions) -> Result<Self, SignerError> {
        let mut target = Target::parse(&options.endpoint)?;
        for header in &options.headers {
            // Both signs may be in a value, so the first one says which way it is written.
            let header = match header.split_once('=') {
                Some((name, value)) if !name.contains(':') => format!("{name}: {value}"),
                _ => header.clone(),
            };
            target = target.with_header(&header)?;
        }
        let http = match &options.tls {
            None => Http::new(),
            Some(files) => {
                let tls = ClientTls {
                    authorities: read(&files.ca)?,
                    certificates: read(&files.cert)?,
                    key: read(&files.key)?,
                };
                Http::with_client_tls(&tls).map_err(SignerError::Tls)?
            }
        };
        let bounds = ClientOptions {
            timeout: options.timeout,
            max_answer_bytes: MAX_ANSWER,
        };
        Ok(Self {
            client: Client::new(http, target, bounds),
            address: options.address,
        })
    }

    /// Asks whether it is there, and gives its version.
    ///
    /// # Errors
    ///
    /// If it is not.
    pub async fn ping(&self) -> Result<String, SignerError> {
        let version = self.client.call("health_status", Vec::new()).await;
        match version {
            Ok(Value::String(version)) => Ok(version),
            Ok(other) => Ok(other.to_string()),
            Err(error) => Err(SignerError::Unreachable(error.to_string())),
        }
    }

    async fn ask(&self, tx: UnsignedTx) -> Result<Signed, SignFailure> {
        let refused = |reason: &str| SignFailure::Refused(reason.to_owned());
        let wanted = Unsigned::new(&tx)
            .ok_or_else(|| refused("a transaction with blobs has a recipient"))?;
        let mut fields = transaction_json(self.address, &tx);
        fields.insert("accessList".to_owned(), json!([]));
        let answer = self
            .client
            .call("eth_signTransaction", vec![Value::Object(fields)])
            .await
            // An error may be of a signer that is locked, or is set right by somebody.
            .map_err(|error| SignFailure::Unavailable(error.to_string()))?;
        let raw: Bytes = serde_json::from_value(answer)
            .map_err(|_| refused("the signer's answer is no transaction"))?;
        let envelope = EthereumTxEnvelope::<TxEip4844>::decode_2718_exact(&raw)
            .map_err(|_| refused("the signer's answer is no transaction"))?;
        let sender = envelope
            .recover_signer()
            .map_err(|_| refused("the signer's signature is none"))?;
        if sender != self.address {
            return Err(SignFailure::Refused(format!(
                "the signer signs for {sender}, and not for {}",
                self.address
            )));
        }
        let signature = *envelope.signature();
        // With the same signature, what was asked for has the same bytes, or it is not what was
        // signed.
        let signed = wanted.into_signed(signature);
        if signed.raw != raw {
            return Err(refused(
                "the signer signed another transaction than asked for",
            ));
        }
        Ok(signed)
    }
}

impl Signer for RemoteSigner {
    fn address(&self) -> Address {
        self.address
    }

    fn sign(&self, tx: UnsignedTx) -> Signing<'_> {
        Box::pin(self.ask(tx))
    }
}
