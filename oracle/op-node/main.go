// Derives the chains of the Rust program in cases/ with op-node's own pipeline, and compares what
// happens, line by line, with what happened in Doppio.
//
// Cases come on standard input, one JSON object a line. With -show the trace of op-node is printed
// instead, with attributes and errors.
package main

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/ethereum/go-ethereum/log"

	oplog "github.com/ethereum-optimism/optimism/op-service/log"
)

// maxLine bounds the bytes of a case.
const maxLine = 1 << 30

// progress is after how many chains the counts are printed.
const progress = 1000

func main() {
	show := flag.Bool("show", false, "print op-node's trace instead of comparing")
	verbose := flag.Bool("v", false, "print op-node's log")
	before := flag.Int("before", 4, "lines printed before a difference")
	flag.Parse()
	logger := log.NewLogger(log.DiscardHandler())
	if *verbose {
		logger = oplog.NewLogger(os.Stderr, oplog.DefaultCLIConfig())
	}
	log.SetDefault(logger)

	var total summary
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 1<<20), maxLine)
	for in.Scan() {
		if len(bytes.TrimSpace(in.Bytes())) == 0 {
			continue
		}
		if err := total.chain(in.Bytes(), logger, *show, *before); err != nil {
			fmt.Fprintln(os.Stderr, err)
			fmt.Println(total)
			os.Exit(2)
		}
		if total.chains%progress == 0 && !*show {
			fmt.Fprintln(os.Stderr, total)
		}
	}
	if err := in.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if *show {
		return
	}
	fmt.Println(total)
	if total.differences > 0 || total.chains == 0 {
		os.Exit(1)
	}
}

// summary counts what was compared.
type summary struct {
	chains, l1Blocks, l2Blocks, refused, resets, restarts, stopped, batchTxs, differences int
}

func (s summary) String() string {
	return fmt.Sprintf("%d chains, %d L1 blocks, %d L2 blocks (%d with batch transactions, %d "+
		"refused), %d resets, %d restarts, %d chains stopped, %d differences", s.chains,
		s.l1Blocks, s.l2Blocks, s.batchTxs, s.refused, s.resets, s.restarts, s.stopped,
		s.differences)
}

// chain derives one chain, and compares.
func (s *summary) chain(line []byte, logger log.Logger, show bool, before int) error {
	c, err := parseCase(line)
	if err != nil {
		return err
	}
	n, err := newNode(c, logger, show)
	if err != nil {
		return fmt.Errorf("seed %d: %w", c.Seed, err)
	}
	n.run(context.Background())
	if show {
		fmt.Println(strings.Join(n.trace, "\n"))
		return nil
	}
	s.chains++
	s.l1Blocks += len(c.Blocks)
	s.l2Blocks += n.derived
	s.batchTxs += n.withBatch
	for _, line := range n.trace {
		switch {
		case strings.HasSuffix(line, "refused"):
			s.refused++
		case line == "reset":
			s.resets++
		case line == "restart":
			s.restarts++
		case strings.HasPrefix(line, "stopped"):
			s.stopped++
		}
	}
	for i := 0; i < max(len(c.Trace), len(n.trace)); i++ {
		ours, theirs := at(c.Trace, i), at(n.trace, i)
		if ours == theirs {
			continue
		}
		s.differences++
		fmt.Printf("seed %d differs at line %d:\n", c.Seed, i)
		for j := max(0, i-before); j < i; j++ {
			fmt.Printf("  both    %s\n", c.Trace[j])
		}
		fmt.Printf("  doppio  %s\n  op-node %s\n", ours, theirs)
		break
	}
	return nil
}

func at(trace []string, i int) string {
	if i < len(trace) {
		return trace[i]
	}
	return "(the end)"
}
