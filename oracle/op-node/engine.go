// An engine that executes nothing, as the Rust program has it, and the L2 source on top of it.
package main

import (
	"context"
	"encoding/binary"
	"math"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/ethereum-optimism/optimism/op-node/rollup"
	"github.com/ethereum-optimism/optimism/op-node/rollup/derive"
	"github.com/ethereum-optimism/optimism/op-service/eth"
)

type fakeEngine struct {
	cfg       *rollup.Config
	blocks    map[common.Hash]*eth.ExecutionPayload
	canonical map[uint64]common.Hash
	refused   map[string]bool

	head    uint64
	pending eth.L2BlockRef
	safe    eth.L2BlockRef
}

func newEngine(cfg *rollup.Config, refused []hexutil.Bytes) (*fakeEngine, error) {
	genesis := &eth.ExecutionPayload{
		BlockHash:   cfg.Genesis.L2.Hash,
		BlockNumber: hexutil.Uint64(cfg.Genesis.L2.Number),
		Timestamp:   hexutil.Uint64(cfg.Genesis.L2Time),
		GasLimit:    hexutil.Uint64(cfg.Genesis.SystemConfig.GasLimit),
	}
	e := &fakeEngine{
		cfg:       cfg,
		blocks:    map[common.Hash]*eth.ExecutionPayload{genesis.BlockHash: genesis},
		canonical: map[uint64]common.Hash{cfg.Genesis.L2.Number: genesis.BlockHash},
		refused:   make(map[string]bool),
		head:      cfg.Genesis.L2.Number,
	}
	for _, tx := range refused {
		e.refused[string(tx)] = true
	}
	ref, err := derive.PayloadToBlockRef(cfg, genesis)
	e.pending, e.safe = ref, ref
	return e, err
}

// accepts says whether the engine takes the block of these attributes.
func (e *fakeEngine) accepts(attrs *eth.PayloadAttributes) bool {
	for _, tx := range attrs.Transactions {
		if e.refused[string(tx)] {
			return false
		}
	}
	return true
}

func blockHash(parent eth.L2BlockRef, attrs *eth.PayloadAttributes) common.Hash {
	b := append([]byte(nil), parent.Hash[:]...)
	optional := func(present bool, field func() []byte) {
		if present {
			b = append(append(b, 1), field()...)
		} else {
			b = append(b, 0)
		}
	}
	b = binary.BigEndian.AppendUint64(b, parent.Number+1)
	b = binary.BigEndian.AppendUint64(b, uint64(attrs.Timestamp))
	b = append(b, attrs.SuggestedFeeRecipient[:]...)
	b = append(b, attrs.PrevRandao[:]...)
	optional(attrs.ParentBeaconBlockRoot != nil, func() []byte { return attrs.ParentBeaconBlockRoot[:] })
	optional(attrs.Withdrawals != nil, func() []byte { return nil })
	b = binary.BigEndian.AppendUint64(b, uint64(*attrs.GasLimit))
	optional(attrs.EIP1559Params != nil, func() []byte { return attrs.EIP1559Params[:] })
	optional(attrs.MinBaseFee != nil, func() []byte {
		return binary.BigEndian.AppendUint64(nil, *attrs.MinBaseFee)
	})
	optional(attrs.NoTxPool, func() []byte { return nil })
	for _, tx := range attrs.Transactions {
		b = binary.BigEndian.AppendUint32(b, uint32(len(tx)))
		b = append(b, tx...)
	}
	return crypto.Keccak256Hash(b)
}

// build makes the block of these attributes.
func (e *fakeEngine) build(parent eth.L2BlockRef, attrs *eth.PayloadAttributes) (eth.L2BlockRef, error) {
	time := uint64(attrs.Timestamp)
	params := []byte{0, 0, 0, 250, 0, 0, 0, 6}
	if p := attrs.EIP1559Params; p != nil && *p != (eth.Bytes8{}) {
		params = p[:]
	}
	var extra []byte
	if e.cfg.IsJovian(time) {
		extra = append([]byte{1}, params...)
		extra = binary.BigEndian.AppendUint64(extra, *attrs.MinBaseFee)
	} else if e.cfg.IsHolocene(time) {
		extra = append([]byte{0}, params...)
	}
	payload := &eth.ExecutionPayload{
		ParentHash:   parent.Hash,
		FeeRecipient: attrs.SuggestedFeeRecipient,
		PrevRandao:   attrs.PrevRandao,
		BlockNumber:  hexutil.Uint64(parent.Number + 1),
		GasLimit:     hexutil.Uint64(*attrs.GasLimit),
		Timestamp:    attrs.Timestamp,
		ExtraData:    extra,
		BlockHash:    blockHash(parent, attrs),
		Transactions: attrs.Transactions,
	}
	number := parent.Number + 1
	if e.canonical[number] != payload.BlockHash {
		e.cutAbove(parent.Number)
		e.canonical[number] = payload.BlockHash
		e.head = number
	}
	e.blocks[payload.BlockHash] = payload
	return derive.PayloadToBlockRef(e.cfg, payload)
}

// cutAbove makes a block the unsafe head.
func (e *fakeEngine) cutAbove(number uint64) {
	for ; e.head > number; e.head-- {
		delete(e.canonical, e.head)
	}
}

func (e *fakeEngine) payload(hash common.Hash) (*eth.ExecutionPayload, error) {
	if payload, ok := e.blocks[hash]; ok {
		return payload, nil
	}
	return nil, ethereum.NotFound
}

func (e *fakeEngine) PayloadByHash(_ context.Context, hash common.Hash) (*eth.ExecutionPayloadEnvelope, error) {
	payload, err := e.payload(hash)
	if err != nil {
		return nil, err
	}
	return &eth.ExecutionPayloadEnvelope{ExecutionPayload: payload}, nil
}

func (e *fakeEngine) PayloadByNumber(ctx context.Context, number uint64) (*eth.ExecutionPayloadEnvelope, error) {
	return e.PayloadByHash(ctx, e.canonical[number])
}

func (e *fakeEngine) L2BlockRefByLabel(ctx context.Context, label eth.BlockLabel) (eth.L2BlockRef, error) {
	switch label {
	case eth.Safe:
		return e.safe, nil
	case eth.Unsafe:
		return e.L2BlockRefByNumber(ctx, e.head)
	default:
		return eth.L2BlockRef{}, ethereum.NotFound
	}
}

func (e *fakeEngine) L2BlockRefByHash(_ context.Context, hash common.Hash) (eth.L2BlockRef, error) {
	payload, err := e.payload(hash)
	if err != nil {
		return eth.L2BlockRef{}, err
	}
	return derive.PayloadToBlockRef(e.cfg, payload)
}

func (e *fakeEngine) L2BlockRefByNumber(ctx context.Context, number uint64) (eth.L2BlockRef, error) {
	if number > math.MaxInt64 {
		return eth.L2BlockRef{}, ethereum.NotFound
	}
	return e.L2BlockRefByHash(ctx, e.canonical[number])
}

func (e *fakeEngine) SystemConfigByL2Hash(_ context.Context, hash common.Hash) (eth.SystemConfig, error) {
	payload, err := e.payload(hash)
	if err != nil {
		return eth.SystemConfig{}, err
	}
	return derive.PayloadToSystemConfig(e.cfg, payload)
}
