//! The rollup node's decisions, as pure state machines.
//!
//! [`Driver`] owns the heads of the L2 chain and decides what is done next: ask L1, ask the engine,
//! derive, take a block that was gossiped. It never awaits, reads a clock or opens a socket. Whoever
//! drives it asks [`Driver::step`] what is needed now, does that one thing, and brings the answer. What
//! fails is tried again, and changes nothing.
//!
//! The parts are pure as well and stand for themselves: [`select_origin`] (which L1 block the next
//! L2 block takes), [`UnsafeBlocks`] (blocks that came before their turn), [`EngineError`] (what an
//! engine's error means).

mod driver;
mod engine;
mod engine_json;
mod heads;
mod origin;
mod sequencer;
mod unsafe_blocks;
mod window;

pub use driver::{Driver, DriverError, DriverOptions, Event, Next, NotAsked, Stop};
pub use engine::{EngineAnswer, EngineCall, EngineError, EngineStatus};
pub use engine_json::{MalformedAnswer, answer as engine_answer, request as engine_request};
pub use heads::{Heads, L1Heads};
pub use origin::{OriginError, OriginInput, select_origin};
pub use sequencer::{Millis, SequencerAnswer, SequencerNeed, SequencerOptions, StartError};
pub use unsafe_blocks::{Refused, UnsafeBlocks};
pub use window::WindowState;
