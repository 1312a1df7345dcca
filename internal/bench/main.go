// Command bench measures what ssh-gate costs a login, beside what people use without it: whole processes from fork to exit, all
// in one run on one machine. It is a report: a target that is missed is said, and only a program that did not do what it
// should makes it fail. Run it from the top of the repository.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	n := flag.Int("n", 1000, "measure each program this many `times`")
	traced := flag.Bool("trace", false, "show where the gate's time goes instead")
	reading := flag.Bool("log", false, "show how fast ssh-gate log reads a log of 1 GiB instead")
	flag.Parse()
	// SIGPIPE is caught too: a reader such as head must not leave our folder behind.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	err := run(ctx, os.Stdout, *n, *traced, *reading)
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: error: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, n int, traced, reading bool) error {
	if n < 1 || flag.NArg() > 0 {
		return errors.New("usage: go run ./internal/bench [-n times] [-trace | -log], times at least 1")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return err
	}
	// Below the home: the gate trusts nothing below a folder such as /tmp.
	dir, err := os.MkdirTemp(home, ".ssh-gate-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if reading {
		return readLog(ctx, out, dir)
	}
	if traced {
		return trace(ctx, out, dir, n)
	}
	return compare(ctx, out, dir, n)
}

func compare(ctx context.Context, out io.Writer, dir string, n int) error {
	c, err := decodeCost(ctx, max(n/5, 200))
	if err != nil {
		return err
	}
	l, err := newLab(ctx, dir)
	if err != nil {
		return err
	}
	if err := measure(ctx, l.contenders, n); err != nil {
		return err
	}
	if err := l.checkRecords(); err != nil {
		return err
	}
	report(out, l, c, n)
	return reportCheck(ctx, out, l)
}
