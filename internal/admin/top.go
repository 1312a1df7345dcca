package admin

import (
	"bufio"
	"cmp"
	"fmt"
	"slices"

	"example.org/ssh-gate/internal/logbook"
	"example.org/ssh-gate/internal/record"
)

// top counts what is denied most, or what --event names, by key, client and request.
func (c *call) top(book *logbook.Book, o *logOptions) int {
	if len(o.filter.events) == 0 {
		o.filter.events = []string{string(record.Denied)}
	}
	lines := o.number
	if !o.numbered {
		lines = defaultTop
	}
	tables := [...]struct {
		title string
		of    func(*record.Record) string
		tally tally
	}{
		{title: "key", of: func(r *record.Record) string { return orDash(r.Key) }},
		{title: "client", of: func(r *record.Record) string { return orDash(r.ClientIP) }},
		{title: "request", of: shown},
	}
	total := 0
	var missed missed
	for l := range book.All() {
		if missed.matches(&o.filter, l.Record) {
			total++
			for i := range tables {
				tables[i].tally.add(tables[i].of(l.Record))
			}
		}
	}
	out := bufio.NewWriter(c.out)
	fmt.Fprintf(out, "%d records\n", total)
	for i := range tables {
		fmt.Fprintf(out, "\n%s\n", c.paint(bold, fmt.Sprintf("%8s  %s", "count", tables[i].title)))
		for _, row := range tables[i].tally.most(lines) {
			fmt.Fprintf(out, "%8d  %s\n", row.count, fold(row.text, c.width, len("   count  ")))
		}
		if few := tables[i].tally.missed; few > 0 {
			fmt.Fprintf(out, "          %s\n", fold(fmt.Sprintf("(so many different ones that each count may be too low, by at most %d)", few), c.width, len("   count  ")))
		}
	}
	status := c.finish(book, out)
	missed.tell(c, &o.filter)
	return status
}

// maxTally bounds how many different texts are counted at a time, so that a flood of them does not fill the memory.
const maxTally = 10_000

// maxTallied bounds such a text: a request as it is shown is shorter, and so is any name or address but a made-up one.
const maxTallied = 2 * maxRequestShown

// tally counts texts. Where there are more than maxTally different ones it is the summary of Misra and Gries (Finding repeated
// elements, 1982): what is frequent stays, and no count is off by more than missed.
type tally struct {
	counts map[string]int
	missed int
}

func (t *tally) add(text string) {
	if len(text) > maxTallied {
		text = text[:maxTallied] + "..."
	}
	if t.counts == nil {
		t.counts = make(map[string]int)
	}
	if _, known := t.counts[text]; !known && len(t.counts) >= maxTally {
		t.missed++
		for other, n := range t.counts {
			if n == 1 {
				delete(t.counts, other)
			} else {
				t.counts[other] = n - 1
			}
		}
		return
	}
	t.counts[text]++
}

type row struct {
	text  string
	count int
}

func (t *tally) most(n int) []row {
	rows := make([]row, 0, len(t.counts))
	for text, count := range t.counts {
		rows = append(rows, row{text, count})
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.text, b.text)) })
	return rows[:min(n, len(rows))]
}
