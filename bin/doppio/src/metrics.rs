//! The metrics server of every role, and the engine's flags for it.

use crate::output::CommandError;
use clap::Args;
use metrics_exporter_prometheus::PrometheusBuilder;
use std::net::{IpAddr, SocketAddr};
use tracing::info;

#[derive(Debug, Args)]
#[command(next_help_heading = "Metrics")]
pub(crate) struct MetricsArgs {
    /// Serve Prometheus metrics over HTTP
    #[arg(id = "metrics", long = "metrics", env = "DOPPIO_ENGINE_METRICS")]
    enabled: bool,

    /// Address to listen on
    #[arg(
        id = "metrics.addr",
        long = "metrics.addr",
        env = "DOPPIO_ENGINE_METRICS_ADDR",
        value_name = "IP",
        default_value = "127.0.0.1"
    )]
    address: IpAddr,

    /// Port to listen on
    #[arg(
        id = "metrics.port",
        long = "metrics.port",
        env = "DOPPIO_ENGINE_METRICS_PORT",
        value_name = "PORT",
        default_value_t = 6060
    )]
    port: u16,
}

impl MetricsArgs {
    /// Where to serve them, if that is asked for.
    pub(crate) fn listen(&self) -> Option<SocketAddr> {
        self.enabled
            .then(|| SocketAddr::new(self.address, self.port))
    }
}

/// Starts the server, if there is an address. Must be called within a tokio runtime.
pub(crate) fn start(address: Option<SocketAddr>) -> Result<(), CommandError> {
    if let Some(address) = address {
        PrometheusBuilder::new()
            .with_http_listener(address)
            .install()
            .map_err(|error| format!("metrics on {address}: {error}"))?;
        info!(%address, "metrics");
    }
    Ok(())
}
