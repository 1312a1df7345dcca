package main

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"
)

const row = "%-33s %8s %8s %8s %10s %11s  %s"

// report writes the table.
func report(out io.Writer, l *lab, c cost, n int) {
	fmt.Fprintf(out, "Whole processes from fork to exit, in ms: %d of each, interleaved; %s, %d processors, %s\n\n",
		n, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
	fmt.Fprintf(out, row+"\n", "", "median", "25 %", "75 %", "x bare Go", "x bash deny", "target")
	for _, p := range l.contenders {
		if p.missing != "" {
			fmt.Fprintf(out, "%-33s %s\n", p.name, p.missing)
			continue
		}
		ofBash := ""
		if p.want == denied {
			ofBash = ratio(p, l.find(bashDeny))
		}
		goal := l.target(p)
		if p.name == gateRules {
			goal = c.target()
		}
		line := fmt.Sprintf(row, p.name, ms(p.median()), ms(quantile(p.took, 0.25)), ms(quantile(p.took, 0.75)),
			ratio(p, l.find(bareGo)), ofBash, goal)
		fmt.Fprintln(out, strings.TrimRight(line, " "))
	}
}

func (l *lab) target(p *contender) string {
	texts := make([]string, len(p.goals))
	for i, g := range p.goals {
		base := l.find(g.base)
		if base.missing != "" {
			texts[i] = g.base + ": not known, " + base.missing
			continue
		}
		most := time.Duration(g.times * float64(base.median()))
		text := fmt.Sprintf("<= %.2f x %s", g.times, g.base)
		if g.times == 0 {
			most = base.median() + g.more
			text = fmt.Sprintf("<= %s + %s ms, is %s", g.base, ms(g.more), signed(p.median()-base.median()))
		}
		texts[i] = text + ": " + met(p.median() <= most)
	}
	return strings.Join(texts, "; ")
}

func signed(d time.Duration) string {
	return fmt.Sprintf("%+.3f", float64(d)/float64(time.Millisecond))
}

// decodeTimes is how many times the cost of decoding its TOML a policy may cost.
const decodeTimes = 2

func (c cost) target() string {
	return fmt.Sprintf("reading and deciding <= %d x decoding the TOML, in one process: %s / %s = %.2f: %s", decodeTimes,
		ms(c.whole), ms(c.decode), float64(c.whole)/float64(c.decode), met(c.whole <= decodeTimes*c.decode))
}

func met(yes bool) string {
	if yes {
		return "met"
	}
	return "NOT MET"
}

// ratio is empty where there is nothing to compare with.
func ratio(p, base *contender) string {
	if base.missing != "" {
		return ""
	}
	return fmt.Sprintf("%.2f", float64(p.median())/float64(base.median()))
}

func ms(d time.Duration) string { return fmt.Sprintf("%.3f", float64(d)/float64(time.Millisecond)) }
