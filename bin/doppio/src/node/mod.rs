//! `doppio node`: the rollup node. What exists of it here is how its chain is told.

pub(crate) mod chain;
