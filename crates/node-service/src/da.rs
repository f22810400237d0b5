//! The DA server of a chain whose batches are commitments (`--altda.da-server`).

use core::time::Duration;
use doppio_derive::{PayloadAnswer, PayloadRequest, da_request_path, read_da_answer};
use doppio_protocol::config::ChainProfile;
use doppio_rpc::{Http, Target, UrlError};

/// Longest payload that is read, in bytes: what a whole channel may hold.
const MAX_PAYLOAD: usize = 128 << 20;

/// How to reach a DA server.
#[derive(Clone, Debug)]
pub struct DaOptions {
    /// Its URL.
    pub server: String,
    /// Longest time for a request.
    pub timeout: Duration,
}

/// A DA server.
#[derive(Clone, Debug)]
pub struct DaSource {
    http: Http,
    target: Target,
    timeout: Duration,
}

impl DaSource {
    /// Reads the options. Nothing is asked yet.
    ///
    /// # Errors
    ///
    /// If the URL is none.
    pub fn new(options: &DaOptions) -> Result<Self, UrlError> {
        Ok(Self {
            http: Http::new(),
            target: Target::parse(&options.server)?,
            timeout: options.timeout,
        })
    }

    /// What is behind a commitment; why it is not known now, in words, otherwise.
    pub(crate) async fn get(
        &self,
        profile: &ChainProfile,
        request: &PayloadRequest,
    ) -> Result<PayloadAnswer, String> {
        let path = da_request_path(&request.commitment, request.l1_block.number);
        let answer = self
            .http
            .get(&self.target, &path, MAX_PAYLOAD, self.timeout)
            .await
            .map_err(|error| format!("the DA server {}: {error}", self.target.name()))?;
        read_da_answer(profile, answer.status.as_u16(), answer.body)
            .map_err(|error| format!("{}: {error}", self.target.name()))
    }
}
