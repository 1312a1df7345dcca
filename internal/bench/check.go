package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"time"
)

// checkRuns is how often ssh-gate check goes over all policies.
const checkRuns = 5

// reportCheck says how long ssh-gate check takes over many policies.
func reportCheck(ctx context.Context, out io.Writer, l *lab) error {
	text, err := os.ReadFile(l.path("many/key-05000.toml"))
	if err != nil {
		return err
	}
	var took []time.Duration
	for range checkRuns {
		cmd := exec.CommandContext(ctx, l.path("ssh-gate"), "check", "--policy-dir", l.path("many"), "--config", l.path("config.toml"), "--level", "error")
		start := time.Now()
		if said, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("ssh-gate check: %w\n%s", err, said)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	_, err = fmt.Fprintf(out, "\nssh-gate check, %d policies of %d lines: %.1f s, median of %d\n", manyPolicies, bytes.Count(text, []byte("\n")),
		quantile(took, 0.5).Seconds(), checkRuns)
	return err
}
