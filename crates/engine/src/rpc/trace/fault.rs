//! Why an instruction fails and what it would have cost, as geth's interpreter says it.
//!
//! The EVM here stops at the first thing that is wrong and does not compute the whole cost. geth
//! checks the stack first, then charges in two steps, and traces show how far it came.

use super::state::StateView;
use doppio_rpc::RpcError;

use alloy_primitives::{Address, U256};
use revm::{
    bytecode::opcode::{self as op, OpCode},
    interpreter::{
        InstructionResult,
        host::DummyHost,
        instructions::instruction_table_gas_changes_spec,
        interpreter::{EthInterpreter, STACK_LIMIT},
    },
    primitives::hardfork::SpecId,
};

/// Words of the stack that an instruction reads at most, of those whose cost depends on them.
pub(super) const OPERANDS: usize = 7;

/// An instruction before it ran.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before {
    pub(super) op: u8,
    pub(super) gas: u64,
    /// Top of the stack, the topmost first.
    pub(super) top: [U256; OPERANDS],
    pub(super) stack_len: usize,
    /// In bytes.
    pub(super) memory_len: usize,
    /// The contract whose storage it works on.
    pub(super) address: Address,
    /// Whether the account or slot that it reads was not accessed before.
    pub(super) cold: bool,
    /// Value of the slot that it writes at the beginning of the transaction, and now.
    pub(super) slot: (U256, U256),
    /// Whether it makes an account by what it passes on.
    pub(super) makes_heir: bool,
}

/// A failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) cost: u64,
    pub(super) error: String,
    /// Whether the instruction itself began, all that it costs being paid.
    pub(super) began: bool,
}

const COLD_ACCOUNT: u64 = 2_600;
const COLD_SLOT: u64 = 2_100;
const WARM: u64 = 100;
const VALUE_TRANSFER: u64 = 9_000;
const NEW_ACCOUNT: u64 = 25_000;
/// Least gas of `SSTORE` (EIP-2200).
const SENTRY: u64 = 2_300;
/// Largest init code (EIP-3860).
const MAX_INIT_CODE: u64 = 49_152;
/// Largest memory whose cost geth computes.
const MAX_MEMORY: u64 = 0x1f_ffff_ffe0;

const OUT_OF_GAS: &str = "out of gas";
const OVERFLOW: &str = "gas uint64 overflow";
const PROTECTED: &str = "write protection";

/// The name of an instruction.
pub(super) fn name(op: u8) -> String {
    match OpCode::new(op) {
        Some(known) => known.as_str().to_owned(),
        None => format!("opcode {op:#x} not defined"),
    }
}

/// Says why an instruction failed.
pub(super) fn fault(
    before: &Before,
    result: InstructionResult,
    spec: SpecId,
    is_static: bool,
    state: &mut dyn StateView,
) -> Result<Fault, RpcError> {
    let early = |cost, error: String| {
        Ok(Fault {
            cost,
            error,
            began: false,
        })
    };
    let op = before.op;
    // an instruction that is not there takes nothing
    if matches!(
        result,
        InstructionResult::OpcodeNotFound
            | InstructionResult::NotActivated
            | InstructionResult::InvalidFEOpcode
    ) {
        return Ok(Fault {
            cost: 0,
            error: format!("invalid opcode: {}", name(op)),
            began: true,
        });
    }
    let constant = constant(op);
    if let Some(info) = OpCode::info_by_op(op) {
        let (have, inputs) = (before.stack_len, usize::from(info.inputs()));
        let most = STACK_LIMIT + inputs - usize::from(info.outputs());
        if have < inputs {
            return early(constant, format!("stack underflow ({have} <=> {inputs})"));
        }
        if have > most {
            return early(constant, format!("stack limit reached {have} ({most})"));
        }
    }
    let Some(left) = before.gas.checked_sub(constant) else {
        return early(constant, OUT_OF_GAS.to_owned());
    };
    let memory_size = match memory_size(before) {
        Some(size) => size,
        None => return early(constant, OVERFLOW.to_owned()),
    };
    let dynamic = match dynamic(before, memory_size, left, spec, is_static, state)? {
        Ok(dynamic) => dynamic,
        Err(error) => return early(constant, format!("{OUT_OF_GAS}: {error}")),
    };
    let cost = constant.saturating_add(dynamic);
    if left < dynamic {
        return early(cost, OUT_OF_GAS.to_owned());
    }
    let error = match result {
        InstructionResult::InvalidJump => "invalid jump destination",
        InstructionResult::OutOfOffset => "return data out of bounds",
        InstructionResult::StateChangeDuringStaticCall
        | InstructionResult::CallNotAllowedInsideStatic => PROTECTED,
        other => words(other),
    };
    Ok(Fault {
        cost,
        error: error.to_owned(),
        began: true,
    })
}

/// A failure of which nothing but its kind is known.
pub(super) const fn words(result: InstructionResult) -> &'static str {
    match result {
        InstructionResult::Revert => "execution reverted",
        InstructionResult::CallTooDeep => "max call depth exceeded",
        InstructionResult::OutOfFunds | InstructionResult::OverflowPayment => {
            "insufficient balance for transfer"
        }
        InstructionResult::CreateCollision => "contract address collision",
        InstructionResult::NonceOverflow => "nonce uint64 overflow",
        InstructionResult::CreateContractSizeLimit => "max code size exceeded",
        InstructionResult::CreateInitCodeSizeLimit => "max initcode size exceeded",
        InstructionResult::CreateContractStartingWithEF => "invalid code: must not begin with 0xef",
        _ => OUT_OF_GAS,
    }
}

/// What geth charges before it looks at the operands.
fn constant(op: u8) -> u64 {
    match op {
        op::EXP | op::SLOAD | op::SSTORE | op::LOG0..=op::LOG4 => 0,
        op::CREATE | op::CREATE2 => 32_000,
        op::SELFDESTRUCT => 5_000,
        _ => {
            let table =
                instruction_table_gas_changes_spec::<EthInterpreter, DummyHost>(SpecId::OSAKA);
            table[usize::from(op)].static_gas()
        }
    }
}

fn words_of(bytes: u64) -> u64 {
    bytes.div_ceil(32)
}

/// Bytes of memory that an instruction needs; none if there cannot be so many.
fn memory_size(before: &Before) -> Option<u64> {
    let end = |offset: usize, length: U256| -> Option<u64> {
        if length.is_zero() {
            return Some(0);
        }
        let offset = u64::try_from(before.top[offset]).ok()?;
        offset.checked_add(u64::try_from(length).ok()?)
    };
    let at = |index: usize| before.top[index];
    let bytes = match before.op {
        op::MLOAD | op::MSTORE => end(0, U256::from(32)),
        op::MSTORE8 => end(0, U256::ONE),
        op::KECCAK256 | op::RETURN | op::REVERT | op::LOG0..=op::LOG4 => end(0, at(1)),
        op::CALLDATACOPY | op::CODECOPY | op::RETURNDATACOPY => end(0, at(2)),
        op::EXTCODECOPY => end(1, at(3)),
        op::MCOPY => {
            let offset = usize::from(at(1) > at(0));
            end(offset, at(2))
        }
        op::CREATE | op::CREATE2 => end(1, at(2)),
        op::CALL | op::CALLCODE => Some(end(3, at(4))?.max(end(5, at(6))?)),
        op::DELEGATECALL | op::STATICCALL => Some(end(2, at(3))?.max(end(4, at(5))?)),
        _ => Some(0),
    }?;
    words_of(bytes).checked_mul(32)
}

/// What growing the memory costs.
fn memory_gas(before: &Before, size: u64) -> Result<u64, String> {
    if size > MAX_MEMORY {
        return Err(OVERFLOW.to_owned());
    }
    let fee = |bytes: u64| {
        let words = words_of(bytes);
        3 * words + words * words / 512
    };
    let now = u64::try_from(before.memory_len).unwrap_or(u64::MAX);
    Ok(if size > now { fee(size) - fee(now) } else { 0 })
}

/// What geth charges for the operands, with `left` gas to pay it from.
fn dynamic(
    before: &Before,
    memory_size: u64,
    left: u64,
    spec: SpecId,
    is_static: bool,
    state: &mut dyn StateView,
) -> Result<Result<u64, String>, RpcError> {
    let at = |index: usize| before.top[index];
    let word = |index: usize| u64::try_from(at(index)).map_err(|_| OVERFLOW.to_owned());
    let memory = memory_gas(before, memory_size);
    let plus = |more: Result<u64, String>| {
        let (memory, more) = (memory.clone()?, more?);
        memory.checked_add(more).ok_or_else(|| OVERFLOW.to_owned())
    };
    let copied = |length: usize, each: u64| {
        let words = words_of(word(length)?);
        words.checked_mul(each).ok_or_else(|| OVERFLOW.to_owned())
    };
    let cold = |cost| if before.cold { cost } else { 0 };
    Ok(match before.op {
        op::MLOAD | op::MSTORE | op::MSTORE8 | op::RETURN | op::REVERT => memory,
        op::KECCAK256 => plus(copied(1, 6)),
        op::CALLDATACOPY | op::CODECOPY | op::RETURNDATACOPY | op::MCOPY => plus(copied(2, 3)),
        op::EXTCODECOPY => {
            let cold = cold(COLD_ACCOUNT - WARM);
            plus(copied(3, 3).map(|copied| copied.saturating_add(cold)))
        }
        op::LOG0..=op::LOG4 => {
            let topics = u64::from(before.op - op::LOG0) + 1;
            let data = word(1).and_then(|length| {
                let data = length.checked_mul(8).ok_or_else(|| OVERFLOW.to_owned());
                Ok(data?.saturating_add(375 * topics))
            });
            plus(data)
        }
        op::EXP => Ok(10 + 50 * at(1).byte_len() as u64),
        op::BALANCE | op::EXTCODESIZE | op::EXTCODEHASH => Ok(cold(COLD_ACCOUNT - WARM)),
        op::SLOAD => Ok(if before.cold { COLD_SLOT } else { WARM }),
        op::SSTORE => sstore(before, left, is_static),
        op::CREATE | op::CREATE2 => {
            let each = if before.op == op::CREATE { 0 } else { 6 };
            let shanghai = spec.is_enabled_in(SpecId::SHANGHAI);
            let code = word(2).and_then(|size| {
                if shanghai && size > MAX_INIT_CODE {
                    return Err(format!(
                        "max initcode size exceeded: code size {size} limit {MAX_INIT_CODE}"
                    ));
                }
                copied(2, if shanghai { each + 2 } else { each })
            });
            plus(code)
        }
        op::SELFDESTRUCT => selfdestruct(before, left, is_static),
        op::CALL | op::CALLCODE | op::DELEGATECALL | op::STATICCALL => {
            call(before, memory, left, spec, is_static, state)?
        }
        _ => Ok(0),
    })
}

fn sstore(before: &Before, left: u64, is_static: bool) -> Result<u64, String> {
    if is_static {
        return Err(PROTECTED.to_owned());
    }
    if left <= SENTRY {
        return Err("not enough gas for reentrancy sentry".to_owned());
    }
    let (original, current) = before.slot;
    let cold = if before.cold { COLD_SLOT } else { 0 };
    let write = if current == before.top[1] || original != current {
        WARM
    } else if original.is_zero() {
        20_000
    } else {
        5_000 - COLD_SLOT
    };
    Ok(cold + write)
}

fn selfdestruct(before: &Before, left: u64, is_static: bool) -> Result<u64, String> {
    if is_static {
        return Err(PROTECTED.to_owned());
    }
    let cold = if before.cold { COLD_ACCOUNT } else { 0 };
    if left < cold {
        return Err(OUT_OF_GAS.to_owned());
    }
    Ok(cold + if before.makes_heir { NEW_ACCOUNT } else { 0 })
}

/// Calls that cannot be paid. Since EIP-7702 geth looks at what is left after each step; before, it
/// computes on, with what the callee was to get.
fn call(
    before: &Before,
    memory: Result<u64, String>,
    left: u64,
    spec: SpecId,
    is_static: bool,
    state: &mut dyn StateView,
) -> Result<Result<u64, String>, RpcError> {
    let out_of_gas = || Ok(Err(OUT_OF_GAS.to_owned()));
    let has_value = matches!(before.op, op::CALL | op::CALLCODE) && !before.top[2].is_zero();
    let protected = before.op == op::CALL && is_static && has_value;
    let prague = spec.is_enabled_in(SpecId::PRAGUE);
    if protected && prague {
        return Ok(Err(PROTECTED.to_owned()));
    }
    let cold = if before.cold { COLD_ACCOUNT - WARM } else { 0 };
    let Some(left) = left.checked_sub(cold) else {
        return out_of_gas();
    };
    if protected {
        return Ok(Err(PROTECTED.to_owned()));
    }
    let mut base = match memory {
        Ok(memory) => memory + if has_value { VALUE_TRANSFER } else { 0 },
        Err(error) => return Ok(Err(error)),
    };
    if before.op == op::CALL {
        if left < base {
            return out_of_gas();
        }
        let callee = Address::from_word(before.top[1].into());
        if has_value && state.account(callee)?.is_empty() {
            base += NEW_ACCOUNT;
        }
    }
    if prague {
        return out_of_gas();
    }
    let available = left.wrapping_sub(base);
    let most = available - available / 64;
    let given = u64::try_from(before.top[0]).map_or(most, |asked| asked.min(most));
    let total = base
        .checked_add(given)
        .and_then(|total| total.checked_add(cold));
    Ok(total.ok_or_else(|| OVERFLOW.to_owned()))
}
