// The L1 of a case, as op-node's fetchers see it.
package main

import (
	"context"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	optypes "github.com/ethereum-optimism/optimism/op-core/types"
	"github.com/ethereum-optimism/optimism/op-service/eth"
)

// l1Chain knows all blocks by hash, and the canonical ones by number.
type l1Chain struct {
	byHash   map[common.Hash]*l1Block
	byNumber map[uint64]common.Hash
	head     common.Hash
	blobs    map[common.Hash]hexutil.Bytes
	// more is asked when a height is not there; it says whether L1 has moved meanwhile.
	more func(number uint64) bool
}

// setHead makes a block the head of the canonical chain.
func (l *l1Chain) setHead(head common.Hash) {
	l.head = head
	l.byNumber = make(map[uint64]common.Hash)
	for block := l.byHash[head]; block != nil; block = l.byHash[block.info.ParentHash()] {
		l.byNumber[block.info.NumberU64()] = block.info.Hash()
	}
}

func (l *l1Chain) block(hash common.Hash) (*l1Block, error) {
	if block, ok := l.byHash[hash]; ok {
		return block, nil
	}
	return nil, ethereum.NotFound
}

func (l *l1Chain) L1BlockRefByLabel(ctx context.Context, _ eth.BlockLabel) (eth.L1BlockRef, error) {
	return l.L1BlockRefByHash(ctx, l.head)
}

func (l *l1Chain) L1BlockRefByNumber(ctx context.Context, number uint64) (eth.L1BlockRef, error) {
	hash, ok := l.byNumber[number]
	for !ok && l.more(number) {
		hash, ok = l.byNumber[number]
	}
	if !ok {
		return eth.L1BlockRef{}, ethereum.NotFound
	}
	return l.L1BlockRefByHash(ctx, hash)
}

func (l *l1Chain) L1BlockRefByHash(_ context.Context, hash common.Hash) (eth.L1BlockRef, error) {
	block, err := l.block(hash)
	if err != nil {
		return eth.L1BlockRef{}, err
	}
	return eth.InfoToL1BlockRef(block.info), nil
}

func (l *l1Chain) InfoByHash(_ context.Context, hash common.Hash) (eth.BlockInfo, error) {
	block, err := l.block(hash)
	if err != nil {
		return nil, err
	}
	return block.info, nil
}

func (l *l1Chain) FetchReceipts(_ context.Context, hash common.Hash) (eth.BlockInfo, optypes.Receipts, error) {
	block, err := l.block(hash)
	if err != nil {
		return nil, nil, err
	}
	return block.info, block.receipts, nil
}

func (l *l1Chain) InfoAndTxsByHash(_ context.Context, hash common.Hash) (eth.BlockInfo, types.Transactions, error) {
	block, err := l.block(hash)
	if err != nil {
		return nil, nil, err
	}
	return block.info, block.txs, nil
}

func (l *l1Chain) GetBlobsByHash(_ context.Context, _ uint64, hashes []common.Hash) ([]*eth.Blob, error) {
	blobs := make([]*eth.Blob, 0, len(hashes))
	for _, hash := range hashes {
		data, ok := l.blobs[hash]
		if !ok {
			return nil, ethereum.NotFound
		}
		blob := new(eth.Blob)
		copy(blob[:], data)
		blobs = append(blobs, blob)
	}
	return blobs, nil
}
