// The form of a case: one line of JSON from the Rust program.
package main

import (
	"encoding/json"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	optypes "github.com/ethereum-optimism/optimism/op-core/types"
	"github.com/ethereum-optimism/optimism/op-node/rollup"
	"github.com/ethereum-optimism/optimism/op-service/eth"
)

// testCase is a chain, and what Doppio derived from it.
type testCase struct {
	Seed    uint64                        `json:"seed"`
	Config  rollup.Config                 `json:"config"`
	Blocks  []jsonBlock                   `json:"blocks"`
	Blobs   map[common.Hash]hexutil.Bytes `json:"blobs"`
	Script  []scriptStep                  `json:"script"`
	Refused []hexutil.Bytes               `json:"refused"`
	Trace   []string                      `json:"trace"`
	Derived int                           `json:"derived"`
}

// scriptStep says what happens next: L1 has a new head, or the node restarts.
type scriptStep struct {
	Head    int  `json:"head"`
	Restart bool `json:"restart"`
}

type jsonBlock struct {
	Hash          common.Hash     `json:"hash"`
	Number        uint64          `json:"number"`
	Parent        common.Hash     `json:"parent"`
	Time          uint64          `json:"time"`
	Mix           common.Hash     `json:"mix"`
	BaseFee       string          `json:"baseFee"`
	ExcessBlobGas *uint64         `json:"excessBlobGas"`
	BeaconRoot    *common.Hash    `json:"beaconRoot"`
	Txs           []hexutil.Bytes `json:"txs"`
	Receipts      []jsonReceipt   `json:"receipts"`
}

type jsonReceipt struct {
	Success bool      `json:"success"`
	Logs    []jsonLog `json:"logs"`
}

type jsonLog struct {
	Address common.Address `json:"address"`
	Topics  []common.Hash  `json:"topics"`
	Data    hexutil.Bytes  `json:"data"`
}

// l1Block is an L1 block as op-node's fetchers give it.
type l1Block struct {
	info     eth.BlockInfo
	txs      types.Transactions
	receipts optypes.Receipts
}

func parseCase(line []byte) (*testCase, error) {
	c := new(testCase)
	if err := json.Unmarshal(line, c); err != nil {
		return nil, err
	}
	if err := c.Config.Check(); err != nil {
		return nil, fmt.Errorf("seed %d: op-node refuses the configuration: %w", c.Seed, err)
	}
	return c, nil
}

func (b *jsonBlock) decode() (*l1Block, error) {
	baseFee, ok := new(big.Int).SetString(b.BaseFee, 10)
	if !ok {
		return nil, fmt.Errorf("base fee %q", b.BaseFee)
	}
	header := &types.Header{
		ParentHash:       b.Parent,
		Number:           new(big.Int).SetUint64(b.Number),
		Time:             b.Time,
		MixDigest:        b.Mix,
		Difficulty:       new(big.Int),
		BaseFee:          baseFee,
		ExcessBlobGas:    b.ExcessBlobGas,
		ParentBeaconRoot: b.BeaconRoot,
	}
	block := &l1Block{info: eth.HeaderBlockInfoTrusted(b.Hash, header)}
	logIndex := uint(0)
	for i, raw := range b.Txs {
		tx := new(types.Transaction)
		if err := tx.UnmarshalBinary(raw); err != nil {
			return nil, fmt.Errorf("transaction %d of L1 block %d: %w", i, b.Number, err)
		}
		block.txs = append(block.txs, tx)
		receipt := new(optypes.Receipt)
		receipt.TxHash = tx.Hash()
		receipt.BlockHash = b.Hash
		receipt.TransactionIndex = uint(i)
		if b.Receipts[i].Success {
			receipt.Status = types.ReceiptStatusSuccessful
		}
		for _, log := range b.Receipts[i].Logs {
			receipt.Logs = append(receipt.Logs, &types.Log{
				Address:     log.Address,
				Topics:      log.Topics,
				Data:        log.Data,
				BlockNumber: b.Number,
				TxHash:      tx.Hash(),
				TxIndex:     uint(i),
				BlockHash:   b.Hash,
				Index:       logIndex,
			})
			logIndex++
		}
		block.receipts = append(block.receipts, receipt)
	}
	return block, nil
}
