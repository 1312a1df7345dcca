package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// warmup is how many rounds come before those that count.
const warmup = 5

// contender is one program called in one way, and what it should do.
type contender struct {
	name    string
	argv    []string
	env     []string
	dir     string
	want    int    // exit status
	ends    string // the name of the process at its end: proof that it became the permitted program; empty: not asked
	log     string // gets a line each time; may be empty
	missing string // why it is not measured; empty: it is

	goals []goal

	runs int
	took []time.Duration // sorted by measure
}

// needs says what to install where a file is missing.
func (c *contender) needs(file, debianPackage string) *contender {
	if _, err := os.Stat(file); err != nil {
		c.missing = "not installed: apt-get install " + debianPackage
	}
	return c
}

// goal is a target: at most so many times another contender, or so much more than it.
type goal struct {
	base  string
	times float64 // 0: more counts
	more  time.Duration
}

func (c *contender) aim(base string, times float64) *contender {
	c.goals = append(c.goals, goal{base: base, times: times})
	return c
}

func (c *contender) over(base string, more time.Duration) *contender {
	c.goals = append(c.goals, goal{base: base, more: more})
	return c
}

// measure runs all of them n times, in rounds, so that whatever drifts hits all alike. Within a round the order is random: else each
// would always find the caches as the same neighbour left them.
func measure(ctx context.Context, all []*contender, n int) error {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	round := slices.DeleteFunc(slices.Clone(all), func(c *contender) bool { return c.missing != "" })
	for i := -warmup; i < n; i++ {
		rand.Shuffle(len(round), func(a, b int) { round[a], round[b] = round[b], round[a] })
		for _, c := range round {
			took, _, err := c.run(ctx)
			if err != nil {
				return err
			}
			if i >= 0 {
				c.took = append(c.took, took)
			}
		}
	}
	for _, c := range round {
		slices.Sort(c.took)
	}
	return nil
}

// run runs the program once, from before fork to after wait, and checks that it did what it should.
func (c *contender) run(ctx context.Context) (time.Duration, *syscall.Rusage, error) {
	null, err := syscall.Open(os.DevNull, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return 0, nil, err
	}
	defer syscall.Close(null)
	attr := &syscall.ProcAttr{Dir: c.dir, Env: c.env, Files: []uintptr{uintptr(null), uintptr(null), uintptr(null)}}
	start := time.Now()
	pid, err := syscall.ForkExec(c.argv[0], c.argv, attr)
	if err != nil {
		return 0, nil, fmt.Errorf("%s: %w", c.name, err)
	}
	// WNOWAIT leaves the process to be looked at.
	err = retry(func() error { return unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil) })
	took := time.Since(start)
	comm, commErr := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	var (
		status syscall.WaitStatus
		usage  syscall.Rusage
	)
	waitErr := retry(func() error { _, err := syscall.Wait4(pid, &status, 0, &usage); return err })
	if err := errors.Join(ctx.Err(), err, commErr, waitErr); err != nil {
		return 0, nil, err
	}
	c.runs++
	ends := string(bytes.TrimSpace(comm))
	if !status.Exited() || status.ExitStatus() != c.want || c.ends != "" && ends != c.ends {
		return 0, nil, c.explain(ctx, ends, status)
	}
	return took, &usage, nil
}

func retry(call func() error) error {
	for {
		if err := call(); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// explain runs the program once more to hear what it says.
func (c *contender) explain(ctx context.Context, ends string, status syscall.WaitStatus) error {
	cmd := exec.CommandContext(ctx, c.argv[0], c.argv[1:]...)
	cmd.Env, cmd.Dir = c.env, c.dir
	said, _ := cmd.CombinedOutput()
	return fmt.Errorf("%s: ended as %q with status %d (signal %d), expected %q with status %d\n%s\n%s", c.name, ends,
		status.ExitStatus(), status.Signal(), c.ends, c.want, strings.Join(c.argv, " "), said)
}

// quantile is of sorted values, at least one of them.
func quantile[T any](sorted []T, q float64) T { return sorted[int(q*float64(len(sorted)-1)+0.5)] }

func (c *contender) median() time.Duration { return quantile(c.took, 0.5) }
