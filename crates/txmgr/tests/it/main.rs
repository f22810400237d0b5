//! The transaction manager, at its own interface, over an L1 that is modelled here.

mod cases;
mod failures;
mod fees;
mod model;
mod property;
mod queue;
mod restart;
mod schedules;
mod send_state;
