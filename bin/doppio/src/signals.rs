//! How a role is told to stop.

use std::io;
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

/// Waits for SIGINT or SIGTERM.
pub(crate) async fn wait() -> io::Result<()> {
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    tokio::select! {
        _ = interrupt.recv() => info!("SIGINT: stopping"),
        _ = terminate.recv() => info!("SIGTERM: stopping"),
    }
    Ok(())
}
