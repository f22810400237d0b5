//! op-service's `SendState` tests, by name.

use doppio_txmgr::{Critical, PublishFailure, SendState};

const COUNT: u64 = 3;
const HOUR: u64 = 3_600_000;

fn state() -> SendState {
    SendState::new(COUNT, HOUR)
}

fn too_low(state: &mut SendState, times: u64) {
    for _ in 0..times {
        state.refused(PublishFailure::NonceTooLow);
    }
}

#[test]
fn send_state_no_abort_after_init() {
    assert_eq!(state().critical(0), None);
    assert!(!state().is_mined());
}

#[test]
fn send_state_no_abort_after_process_nil_error() {
    let mut state = state();
    for _ in 0..COUNT {
        state.accepted();
    }
    assert_eq!(state.critical(0), None);
}

#[test]
fn send_state_no_abort_after_process_other_error() {
    let mut state = state();
    for _ in 0..COUNT {
        state.refused(PublishFailure::Other);
    }
    assert_eq!(state.critical(0), None);
}

#[test]
fn send_state_abort_safely_after_nonce_too_low_no_tx_published() {
    let mut state = state();
    too_low(&mut state, 1);
    assert_eq!(state.critical(0), Some(Critical::NonceTooLow));
}

#[test]
fn send_state_abort_safely_after_nonce_too_low_but_no_tx_mined() {
    let mut state = state();
    state.accepted();
    too_low(&mut state, 1);
    assert_eq!(state.critical(0), None);
    too_low(&mut state, 1);
    assert_eq!(state.critical(0), None);
    too_low(&mut state, 1);
    assert_eq!(state.critical(0), Some(Critical::NonceTooLow));
}

#[test]
fn send_state_mining_tx_cancels_abort() {
    let mut state = state();
    too_low(&mut state, 2);
    state.mined();
    assert_eq!(state.critical(0), None);
    too_low(&mut state, 1);
    assert_eq!(state.critical(0), None);
}

#[test]
fn send_state_reorging_tx_resets_abort() {
    let mut state = state();
    state.accepted();
    too_low(&mut state, 2);
    state.mined();
    state.not_mined();
    too_low(&mut state, 1);
    assert_eq!(state.critical(0), None);
}

#[test]
fn send_state_no_abort_even_if_nonce_too_low_after_tx_mined() {
    let mut state = state();
    state.mined();
    too_low(&mut state, COUNT);
    assert_eq!(state.critical(0), None);
}

#[test]
fn send_state_safe_abort_if_nonce_too_low_persists_after_unmine() {
    let mut state = state();
    state.accepted();
    state.mined();
    state.not_mined();
    too_low(&mut state, 2);
    assert_eq!(state.critical(0), None);
    too_low(&mut state, 1);
    assert_eq!(state.critical(0), Some(Critical::NonceTooLow));
}

#[test]
fn send_state_safe_abort_while_calling_not_mined_on_unmined_tx() {
    let mut state = state();
    too_low(&mut state, COUNT);
    state.not_mined();
    assert_eq!(state.critical(0), Some(Critical::NonceTooLow));
}

#[test]
fn send_state_is_waiting_for_confirmation_after_tx_mined() {
    let mut state = state();
    state.mined();
    assert!(state.is_mined());
    state.mined();
    assert!(state.is_mined());
}

#[test]
fn send_state_is_not_waiting_for_confirmation_after_tx_unmined() {
    let mut state = state();
    state.mined();
    state.not_mined();
    assert!(!state.is_mined());
}

#[test]
fn send_state_timeout_abort() {
    assert_eq!(
        SendState::new(COUNT, 10).critical(20),
        Some(Critical::NotInMempool)
    );
    assert_eq!(SendState::new(COUNT, 10).critical(10), None);
}

#[test]
fn send_state_no_timeout_abort_if_published_tx() {
    let mut state = SendState::new(COUNT, 10);
    state.accepted();
    assert_eq!(state.critical(20), None);
}
