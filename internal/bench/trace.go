package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// facts are what was counted of one program, each a list with one number a run.
type facts map[string][]float64

func (f facts) add(name string, v float64) { f[name] = append(f[name], v) }

func (f facts) median(name string) (float64, bool) {
	if len(f[name]) == 0 {
		return 0, false
	}
	slices.Sort(f[name])
	return quantile(f[name], 0.5), true
}

const (
	packages = "packages that initialise"
	initTime = "their initialisation, ms"
	initHeap = "their allocations"
	calls    = "system calls before execve"
	clones   = "threads started (clone)"
	cpu      = "processor time, ms"
	faults   = "page faults"
	waits    = "context switches, voluntary"
	preempts = "context switches, involuntary"
)

// trace shows where the time of one allowed request goes: the least that a program needs, the least of a Go program, the gate.
func trace(ctx context.Context, out io.Writer, dir string, n int) error {
	l, err := newLab(ctx, dir)
	if err != nil {
		return err
	}
	programs := []*contender{l.find(staticC), l.find(bareGo), l.find(gateAllow)}
	programs = slices.DeleteFunc(programs, func(c *contender) bool { return c.missing != "" })
	found := make([]facts, len(programs))
	for i := range found {
		found[i] = facts{}
	}
	_, straceErr := exec.LookPath("strace")
	for k := range n {
		for i, c := range programs {
			err := errors.Join(found[i].usage(ctx, c), found[i].inits(ctx, c))
			if straceErr == nil && k < n/20+1 { // it slows what it counts, and the counts hardly vary
				err = errors.Join(err, found[i].calls(ctx, c, l.path("strace.out")))
			}
			if err != nil {
				return err
			}
		}
	}
	fmt.Fprintf(out, "Medians of %d; page faults, switches and processor time are of the whole process, /bin/true included\n\n", n)
	table(out, programs, found, []string{packages, initTime, initHeap, calls, clones, cpu, faults, waits, preempts}, 0)
	fmt.Fprint(out, "\nInitialisation, ms, where it is 0.001 or more\n")
	table(out, programs, found, named(found, "init "), 0.001)
	if straceErr != nil {
		fmt.Fprint(out, "\nSystem calls: not installed: apt-get install strace\n")
		return nil
	}
	fmt.Fprint(out, "\nSystem calls before execve\n")
	table(out, programs, found, named(found, "call "), 1)
	return nil
}

// usage is getrusage(2) of the child.
func (f facts) usage(ctx context.Context, c *contender) error {
	_, u, err := c.run(ctx)
	if err != nil {
		return err
	}
	f.add(cpu, float64(u.Utime.Nano()+u.Stime.Nano())/1e6)
	f.add(faults, float64(u.Minflt+u.Majflt))
	f.add(waits, float64(u.Nvcsw))
	f.add(preempts, float64(u.Nivcsw))
	return nil
}

// inits reads what the Go runtime tells of each package that has something to initialise.
func (f facts) inits(ctx context.Context, c *contender) error {
	cmd := exec.CommandContext(ctx, c.argv[0], c.argv[1:]...)
	cmd.Dir, cmd.Env = c.dir, append(slices.Clone(c.env), "GODEBUG=inittrace=1")
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	var count, total, allocs float64
	for line := range strings.Lines(said.String()) {
		var (
			name                string
			at, clock, bytes, n float64
		)
		if _, err := fmt.Sscanf(line, "init %s @%f ms, %f ms clock, %f bytes, %f allocs", &name, &at, &clock, &bytes, &n); err != nil {
			continue
		}
		f.add("init "+name, clock)
		count, total, allocs = count+1, total+clock, allocs+n
	}
	if count > 0 {
		f.add(packages, count)
		f.add(initTime, total)
		f.add(initHeap, allocs)
	}
	return nil
}

// calls counts what strace(1) sees of all threads until the permitted program is executed.
func (f facts) calls(ctx context.Context, c *contender, file string) error {
	cmd := exec.CommandContext(ctx, "strace", append([]string{"-f", "-o", file}, c.argv...)...)
	cmd.Dir, cmd.Env = c.dir, c.env
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("strace of %s: %w\n%s", c.name, err, out)
	}
	text, err := os.Open(file)
	if err != nil {
		return err
	}
	defer text.Close()
	counts, total := countCalls(text)
	for name, n := range counts {
		f.add("call "+name, n)
	}
	f.add(calls, total)
	f.add(clones, counts["clone"]+counts["clone3"])
	return nil
}

// countCalls counts by name, from behind the execve that started the program to the one that ends it.
func countCalls(text io.Reader) (counts map[string]float64, total float64) {
	counts = map[string]float64{}
	executed := 0
	for lines := bufio.NewScanner(text); lines.Scan(); {
		_, call, _ := strings.Cut(lines.Text(), " ")
		name, _, ok := strings.Cut(strings.TrimLeft(call, " "), "(")
		if !ok || strings.HasPrefix(name, "<") { // an exit, a signal, the second half of a call
			continue
		}
		if name == "execve" {
			if executed++; executed == 2 {
				break
			}
			continue
		}
		counts[name]++
		total++
	}
	return counts, total
}

// named are the facts whose name begins so, the largest of the last program that has it first.
func named(found []facts, prefix string) []string {
	names := map[string]float64{}
	for _, f := range found {
		for name := range f {
			if strings.HasPrefix(name, prefix) {
				names[name], _ = f.median(name)
			}
		}
	}
	return slices.SortedFunc(maps.Keys(names), func(a, b string) int {
		return cmp.Or(cmp.Compare(names[b], names[a]), strings.Compare(a, b))
	})
}

// table writes the medians of these facts, but for rows in which all are below least.
func table(out io.Writer, programs []*contender, found []facts, names []string, least float64) {
	fmt.Fprintf(out, "%-40s", "")
	for _, c := range programs {
		fmt.Fprintf(out, " %16s", c.name)
	}
	fmt.Fprintln(out)
	for _, name := range names {
		line, shown := fmt.Sprintf("%-40s", strings.TrimPrefix(strings.TrimPrefix(name, "init "), "call ")), false
		for _, f := range found {
			text := "-"
			if v, ok := f.median(name); ok {
				text, shown = fmt.Sprintf("%.6g", v), shown || v >= least
			}
			line += fmt.Sprintf(" %16s", text)
		}
		if shown {
			fmt.Fprintln(out, line)
		}
	}
}
