//! What kona reads out of an L1 block: data items, and the frames in them.

use super::{block_on, drive::DriveError, providers::Provider, world::World};
use alloy_primitives::{Address, Bytes};
use doppio_protocol::frame;
use kona_derive::{DataAvailabilityProvider, EthereumDataSource, PipelineError, PipelineErrorKind};
use kona_protocol::Frame;
use std::sync::Arc;

/// The data items of an L1 block, posted by `batcher`.
pub fn data_items(world: &Arc<World>, l1: u64, batcher: Address) -> Result<Vec<Bytes>, DriveError> {
    let Some(block) = world.l1_by_number(l1) else {
        return Ok(Vec::new());
    };
    let provider = Provider(Arc::clone(world));
    let mut source = EthereumDataSource::new_from_parts(provider.clone(), provider, &world.config);
    let mut items = Vec::new();
    loop {
        match block_on(source.next(&block.info, batcher)) {
            Ok(item) => items.push(item),
            Err(PipelineErrorKind::Temporary(PipelineError::Eof)) => return Ok(items),
            Err(error) => return Err(DriveError::Pipeline(error)),
        }
    }
}

/// The frames of a data item; none if kona ignores the whole item.
pub fn frames(item: &[u8]) -> Option<Vec<frame::Frame>> {
    let frames = Frame::parse_frames(item).ok()?;
    Some(
        frames
            .into_iter()
            .map(|frame| frame::Frame {
                id: frame.id.into(),
                number: frame.number,
                data: frame.data.into(),
                is_last: frame.is_last,
            })
            .collect(),
    )
}
