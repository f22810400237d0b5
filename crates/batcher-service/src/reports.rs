//! What the machine reports, in the log and in the metrics.

use crate::meters;
use doppio_batcher::{Report, ResendReason, ThrottleOptions};
use tracing::{debug, error, info, warn};

/// Says it.
pub(crate) fn tell(report: &Report, throttle: &ThrottleOptions) {
    match report {
        Report::Started => info!("posting"),
        Report::Stopped => info!("posting no more; nothing is under way"),
        Report::OutOfSync(reason) => warn!(%reason, "waiting for the rollup node"),
        Report::BlocksLoaded { blocks, bytes } => {
            debug!(?blocks, bytes, "L2 blocks read");
            meters::loaded(*bytes);
        }
        Report::BlockRefused { block, error } => warn!(
            %block, error,
            "the execution engine gave an L2 block that cannot be posted; it is asked again"
        ),
        Report::ChannelOpened { first } => {
            debug!(first, "channel begun");
            meters::channel("opened");
        }
        Report::ChannelClosed {
            channel,
            blocks,
            reason,
            input_bytes,
            output_bytes,
        } => {
            info!(%channel, ?blocks, ?reason, input_bytes, output_bytes, "channel made");
            let count = blocks.end().saturating_sub(*blocks.start()) + 1;
            meters::channel_closed(*reason, count, *input_bytes, *output_bytes);
        }
        Report::ChannelSubmitted {
            channel,
            frames,
            l1_blocks,
        } => {
            info!(%channel, frames, l1_blocks, "channel is on L1");
            meters::channel_submitted(*frames);
        }
        Report::ChannelResent {
            channel,
            from_frame,
            reason,
        } => {
            if *reason == ResendReason::TimedOut {
                meters::channel("timed_out");
            }
            warn!(%channel, from_frame, ?reason, "channel is sent again");
        }
        Report::NotDerived {
            channel,
            blocks,
            times,
        } => warn!(
            %channel, ?blocks, times,
            "the rollup node has read the channel on L1 and did not derive its blocks; they are \
             posted again. If this goes on, compare the batcher's and the node's rollup \
             configuration"
        ),
        Report::Reset(reason) => {
            meters::reset();
            warn!(%reason, "begun anew from the safe head");
        }
        Report::Suspicion(reason) => warn!(
            %reason,
            "what is held does not fit the safe head; waiting for the rollup node to settle"
        ),
        Report::WindowWarning { block, left } => warn!(
            block,
            left,
            "the sequencing window of an L2 block ends soon; if its data is not on L1 in time, its \
             transactions are lost. Is L1 reachable, are the account's funds enough, are the fee \
             limits?"
        ),
        Report::WindowExpired { blocks, is_lost } => error!(
            ?blocks,
            is_lost,
            "the sequencing window of L2 blocks has passed: derivation replaces them by blocks \
             without users' transactions"
        ),
        Report::DaSwitched {
            to,
            prices,
            is_throttled,
        } => info!(
            to = meters::da_name(*to),
            calldata_milliwei = prices.map(|prices| prices.calldata),
            blobs_milliwei = prices.map(|prices| prices.blobs),
            is_throttled,
            "data goes elsewhere; prices are for a byte"
        ),
        Report::Throttle {
            intensity,
            unsafe_da_bytes,
            limits,
        } => {
            info!(
                intensity,
                unsafe_da_bytes,
                max_tx_size = limits.max_tx_size,
                max_block_size = limits.max_block_size,
                "block builders are throttled"
            );
            meters::throttle(
                throttle.controller,
                *intensity,
                *limits,
                *unsafe_da_bytes,
                throttle.lower_threshold,
            );
        }
        Report::Bug(what) => error!(
            what,
            "a bug in the batcher; everything is begun anew from the safe head. Please report it"
        ),
    }
}
