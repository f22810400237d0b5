// op-node's pipeline with a driver that does what op-node's attributes handler and engine
// controller do, and keeps the trace that the Rust program keeps of Doppio.
package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/params"

	altda "github.com/ethereum-optimism/optimism/op-alt-da"
	"github.com/ethereum-optimism/optimism/op-node/rollup/derive"
	"github.com/ethereum-optimism/optimism/op-node/rollup/sync"
	"github.com/ethereum-optimism/optimism/op-service/eth"
)

// maxResets is when a run is given up, as in the Rust program.
const maxResets = 20

type node struct {
	c        *testCase
	l1       *l1Chain
	engine   *fakeEngine
	pipeline *derive.DerivationPipeline
	log      log.Logger
	verbose  bool

	// next is the next step of the script.
	next int
	// stepping is true while the pipeline runs.
	stepping bool

	trace   []string
	derived int
	// withBatch counts blocks that hold more than deposits.
	withBatch int
	resets    int
	stopped   bool
}

func newNode(c *testCase, logger log.Logger, verbose bool) (*node, error) {
	l1 := &l1Chain{byHash: make(map[common.Hash]*l1Block), blobs: c.Blobs}
	for i := range c.Blocks {
		block, err := c.Blocks[i].decode()
		if err != nil {
			return nil, err
		}
		l1.byHash[c.Blocks[i].Hash] = block
	}
	engine, err := newEngine(&c.Config, c.Refused)
	if err != nil {
		return nil, err
	}
	n := &node{c: c, l1: l1, engine: engine, log: logger, verbose: verbose}
	l1.more = n.more
	n.newPipeline()
	return n, nil
}

// newPipeline is what a process that starts has, its engine being confirmed.
func (n *node) newPipeline() {
	n.pipeline = derive.NewDerivationPipeline(n.log, &n.c.Config, nil, n.l1, n.l1, altda.Disabled,
		n.engine, noMetrics{}, params.MainnetChainConfig)
	n.pipeline.Reset()
	n.pipeline.ConfirmEngineReset()
}

func (n *node) note(format string, args ...any) {
	n.trace = append(n.trace, fmt.Sprintf(format, args...))
}

func (n *node) stop(why string) {
	n.note("stopped: %s", why)
	n.stopped = true
}

func name(ref eth.L2BlockRef) string {
	return fmt.Sprintf("%d %s", ref.Number, hex.EncodeToString(ref.Hash[:]))
}

// run carries the script out.
func (n *node) run(ctx context.Context) {
	n.l1.setHead(n.c.Blocks[n.c.Script[0].Head].Hash)
	for n.next = 1; ; n.next++ {
		n.derive(ctx)
		if n.stopped || n.next >= len(n.c.Script) {
			return
		}
		n.note("restart")
		n.newPipeline()
		n.findHeads(ctx)
	}
}

// more lets L1 move at the very moment at which the pipeline asks for its next block. If op-node
// came back to a block that it had read to the end, it could derive more from it: how much comes
// from which L1 block would depend on how often it looks.
func (n *node) more(number uint64) bool {
	if !n.stepping || number != n.pipeline.Origin().Number+1 {
		return false
	}
	n.note("read %d safe %s pending %s", n.pipeline.Origin().Number, name(n.engine.safe),
		name(n.engine.pending))
	if n.next >= len(n.c.Script) || n.c.Script[n.next].Restart {
		return false
	}
	n.l1.setHead(n.c.Blocks[n.c.Script[n.next].Head].Hash)
	n.next++
	return true
}

// derive steps the pipeline until L1 has no more. Errors are told apart as in op-node's
// PipelineDeriver.
func (n *node) derive(ctx context.Context) {
	for !n.stopped {
		n.stepping = true
		attributes, err := n.pipeline.Step(ctx, n.engine.pending)
		n.stepping = false
		if n.verbose && err != nil {
			n.note("# %v", err)
		}
		switch {
		case err == io.EOF:
			return
		case errors.Is(err, derive.ErrReset):
			n.note("reset")
			n.findHeads(ctx)
		case errors.Is(err, derive.ErrTemporary):
			n.stop("temporary")
		case errors.Is(err, derive.ErrCritical):
			n.stop("critical")
		case errors.Is(err, derive.NotEnoughData):
		case err != nil:
			n.stop(fmt.Sprintf("error %v", err))
		case attributes != nil:
			n.apply(attributes)
		}
	}
}

// apply does what the engine controller does with attributes.
func (n *node) apply(attributes *derive.AttributesWithParent) {
	attrs := attributes.Attributes
	if attributes.Parent != n.engine.pending {
		n.stop("attributes do not follow the pending safe head")
		return
	}
	n.derived++
	if !attrs.IsDepositsOnly() {
		n.withBatch++
	}
	accepted := n.engine.accepts(attrs)
	verdict := "refused"
	if accepted {
		hash := blockHash(attributes.Parent, attrs)
		verdict = hex.EncodeToString(hash[:])
	}
	concluding := "pending"
	if attributes.Concluding {
		concluding = "concluding"
	}
	origin, sequence := n.origin(attributes)
	n.note("block %d on %s origin %d+%d from %d %s %d txs: %s", attributes.Parent.Number+1,
		hex.EncodeToString(attributes.Parent.Hash[:4]), origin, sequence,
		attributes.DerivedFrom.Number, concluding, len(attrs.Transactions), verdict)
	if n.verbose {
		text, _ := json.Marshal(attrs)
		n.note("# %s", text)
	}
	if accepted {
		ref, err := n.engine.build(attributes.Parent, attrs)
		if err == nil {
			_, err = n.engine.SystemConfigByL2Hash(context.Background(), ref.Hash)
		}
		if err != nil {
			n.stop("temporary")
			return
		}
		n.engine.pending = ref
		if attributes.Concluding && eth.L2BlockRefAdvances(n.engine.safe, ref) {
			n.engine.safe = ref
		}
		return
	}
	if attrs.IsDepositsOnly() {
		n.stop("critical")
		return
	}
	if n.c.Config.IsHolocene(attributes.DerivedFrom.Time) {
		replacement, err := n.pipeline.DepositsOnlyAttributes(attributes.Parent.ID(), attributes.DerivedFrom)
		if err != nil {
			n.stop("critical")
			return
		}
		n.apply(replacement)
		return
	}
	n.engine.pending = n.engine.safe
}

// origin is what the first transaction says of L1.
func (n *node) origin(attributes *derive.AttributesWithParent) (number, sequence uint64) {
	payload := &eth.ExecutionPayload{
		BlockNumber:  eth.Uint64Quantity(attributes.Parent.Number + 1),
		Timestamp:    attributes.Attributes.Timestamp,
		Transactions: attributes.Attributes.Transactions,
	}
	ref, err := derive.PayloadToBlockRef(&n.c.Config, payload)
	if err != nil {
		return 0, 0
	}
	return ref.L1Origin.Number, ref.SequenceNumber
}

// findHeads does what the engine controller does at a reset.
func (n *node) findHeads(ctx context.Context) {
	n.resets++
	if n.resets > maxResets {
		n.stop("too many resets")
		return
	}
	heads, err := sync.FindL2Heads(ctx, &n.c.Config, n.l1, n.engine, n.log, &sync.Config{})
	if err != nil || heads.Unsafe == (eth.L2BlockRef{}) {
		if n.verbose {
			n.note("# %v", err)
		}
		n.stop("no heads")
		return
	}
	n.note("heads unsafe %s safe %s", name(heads.Unsafe), name(heads.Safe))
	n.engine.cutAbove(heads.Unsafe.Number)
	n.engine.safe = heads.Safe
	n.engine.pending = heads.Safe
	n.pipeline.Reset()
	n.pipeline.ConfirmEngineReset()
}
