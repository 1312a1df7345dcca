package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/BurntSushi/toml"

	"example.org/ssh-gate/internal/decide"
	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/safefile"
)

// lastRequest is described by the last of the many rules only.
const lastRequest = "deploy app-1000 staging"

// manyRules is a policy of 1,000 rules whose requests begin alike, so that no rule is passed over at its first word.
func manyRules() []byte {
	types := [...]string{`{ int = [1, 500] }`, `{ chars = "a-z0-9.", len = [1, 64] }`, `{ glob = "/srv/app/*.tar" }`, `["staging", "production"]`}
	var b bytes.Buffer
	for i := range 1000 {
		fmt.Fprintf(&b, "[[allow]]\nname = \"app-%04[1]d\"\ncommand = \"deploy app-%04[1]d {what}\"\nargs.what = %[2]s\n"+
			"run = \"/bin/true {what}\"\n\n", i+1, types[i%len(types)])
	}
	return b.Bytes()
}

// cost is what a policy of many rules costs beside what its TOML alone does, medians.
type cost struct{ whole, decode time.Duration }

// decodeCost compares inside this process, both by turns n times.
func decodeCost(ctx context.Context, n int) (cost, error) {
	text := manyRules()
	var whole, decode []time.Duration
	for range n {
		w, err := timed(func() error { return decideOnce(text) })
		d, decodeErr := timed(func() error {
			var top map[string]any
			_, err := toml.Decode(string(text), &top)
			return err
		})
		if err := errors.Join(ctx.Err(), err, decodeErr); err != nil {
			return cost{}, err
		}
		whole, decode = append(whole, w), append(decode, d)
	}
	slices.Sort(whole)
	slices.Sort(decode)
	return cost{quantile(whole, 0.5), quantile(decode, 0.5)}, nil
}

// timed begins with a small heap, as a login does.
func timed(work func() error) (time.Duration, error) {
	runtime.GC()
	start := time.Now()
	err := work()
	return time.Since(start), err
}

func decideOnce(text []byte) error {
	p, faults := policy.Parse("rules", "rules.toml", text)
	if faults != nil {
		return faults
	}
	d := decide.Decide(decide.Input{Policy: p, Files: files{}, Request: lastRequest, Now: time.Now()})
	if !d.Allowed || d.Rule.Number != len(p.Rules) {
		return fmt.Errorf("the last of %d rules did not allow %q: %s %s", len(p.Rules), lastRequest, d.Reason, d.Detail)
	}
	return nil
}

// files answers as the gate's own do.
type files struct{}

func (files) Lookup(name string) (string, bool)        { return safefile.Lookup(name, policy.DefaultPath) }
func (files) Resolve(path string) (string, int, error) { return safefile.Resolve(path) }
