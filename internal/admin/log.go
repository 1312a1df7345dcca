package admin

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"example.org/ssh-gate/internal/host"
	"example.org/ssh-gate/internal/logbook"
	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/record"
)

// logOptions are what the verb log was called with.
type logOptions struct {
	filter     filter
	file       string
	config     string
	number     int
	numbered   bool
	follow     bool
	json       bool
	top        bool
	prometheus string
}

const (
	defaultTail = 10     // records before those that -f waits for
	screenTail  = 200    // records on a terminal, where more would only scroll by
	defaultTop  = 10     // lines of each table of --top
	maxNumber   = 10_000 // of -n: so many are held in memory
)

func log(c *call) int {
	o := &logOptions{}
	options := flag.NewFlagSet("log", flag.ContinueOnError)
	o.filter.define(c, options)
	options.StringVar(&o.file, "file", "", "the log `FILE`, rotated ones beside it included, not the one that the configuration names")
	options.StringVar(&o.config, "config", "", "this configuration of the host, a `FILE`")
	options.IntVar(&o.number, "n", 0, "the last `N` records only; with --top, so many lines a table")
	options.BoolVar(&o.follow, "f", false, "go on with what is yet to come, across rotations")
	options.BoolVar(&o.json, "json", false, "the records themselves, as they stand in the log")
	options.BoolVar(&o.top, "top", false, "count what is denied most: by key, client and request")
	options.StringVar(&o.prometheus, "prometheus", "", "count all records into `FILE`, for the textfile collector of node_exporter")
	if status, ok := c.parse(options); !ok {
		return status
	}
	options.Visit(func(f *flag.Flag) { o.numbered = o.numbered || f.Name == "n" })
	if problem := o.conflict(); problem != "" {
		return c.misused(problem)
	}
	o.filter.unheard(c)
	book, status := c.openBook(o.file, o.config)
	if book == nil {
		return status
	}
	defer book.Close()
	switch {
	case o.prometheus != "":
		return c.prometheus(book, o.prometheus)
	case o.top:
		return c.top(book, o)
	}
	return c.list(book, o)
}

func (o *logOptions) conflict() string {
	modes := 0
	for _, on := range []bool{o.json, o.top, o.prometheus != ""} {
		if on {
			modes++
		}
	}
	switch {
	case modes > 1:
		return "--json, --top and --prometheus exclude each other"
	case o.follow && (o.top || o.prometheus != ""):
		return "-f goes with the records themselves only"
	case o.prometheus != "" && (o.filter.active() || o.numbered):
		return "--prometheus counts all records, so it goes with no filter and no -n"
	case o.numbered && (o.number < 1 || o.number > maxNumber):
		return fmt.Sprintf("-n takes 1 to %d", maxNumber)
	}
	return ""
}

// openBook opens the log that an option or the configuration names, or returns the status to end with.
func (c *call) openBook(file, config string) (*logbook.Book, int) {
	if file == "" {
		host, status := c.hostConfig(config)
		if host == nil {
			return nil, status
		}
		if file = host.Log.File; file == "" {
			return nil, c.fail(errors.New("the configuration names no log file"), "the records are in syslog or the journal: journalctl -t ssh-gate -o cat -a; or name a file: --file FILE")
		}
	}
	book, err := logbook.Open(file)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, c.fail(err, "the log is for root alone: sudo ssh-gate "+c.verb)
	case err != nil:
		return nil, c.fail(err, "name the log with --file FILE; ssh-gate doctor tells where this host has it")
	}
	return book, exitOK
}

// hostConfig reads the host's configuration, or says what is wrong with it.
func (c *call) hostConfig(file string) (*policy.Config, int) {
	pointed := file != ""
	if !pointed {
		file = policy.ConfigFile
	}
	file, err := filepath.Abs(file)
	if err != nil {
		return nil, c.failFolder(err)
	}
	config, problem := host.Config(file, pointed)
	if problem != nil {
		return nil, c.tellProblem(problem)
	}
	return config, exitOK
}

// list prints records, and goes on if it is to follow.
func (c *call) list(book *logbook.Book, o *logOptions) int {
	out := bufio.NewWriter(c.out)
	render := c.render
	if o.json {
		render = func(l logbook.Line) string { return string(l.Text) }
	}
	tail := ring{size: o.number}
	switch {
	case o.numbered:
	case o.follow:
		tail.size = defaultTail
	case c.width > 0 && !o.json:
		tail.size = screenTail
	}
	matched := 0
	var missed missed
	for l := range book.All() {
		if !missed.matches(&o.filter, l.Record) {
			continue
		}
		matched++
		if tail.size > 0 {
			tail.add(render(l))
		} else {
			out.WriteString(render(l) + "\n")
		}
	}
	for _, text := range tail.all() {
		out.WriteString(text + "\n")
	}
	status := c.finish(book, out)
	if !o.follow || status != exitOK {
		if tail.size == screenTail && !o.numbered && matched > tail.size && status == exitOK {
			c.tell("note", fmt.Sprintf("the last %d of %d records; for more: -n 1000; for all: the same call with | less behind it", tail.size, matched))
		}
		missed.tell(c, &o.filter)
		return status
	}
	for l := range book.Follow(func(pause time.Duration) bool {
		if status = c.finish(book, out); status == exitOK {
			time.Sleep(pause)
		}
		return status == exitOK
	}) {
		if o.filter.matches(l.Record) {
			out.WriteString(render(l) + "\n")
		}
	}
	return status
}

// finish reports what could not be read, once, which is never fatal: the rest of the log was.
func (c *call) finish(book *logbook.Book, out *bufio.Writer) int {
	if err := out.Flush(); err != nil {
		return c.failOutput(err)
	}
	for _, problem := range book.Problems {
		c.warn("%v", problem)
	}
	if book.Damaged > 0 {
		c.warn("damaged lines passed over: %d", book.Damaged)
	}
	book.Problems, book.Damaged = nil, 0
	return exitOK
}

// ring holds the last lines.
type ring struct {
	size, next int
	lines      []string
}

func (r *ring) add(text string) {
	if len(r.lines) < r.size {
		r.lines = append(r.lines, text)
		return
	}
	r.lines[r.next] = text
	r.next = (r.next + 1) % r.size
}

func (r *ring) all() []string { return append(r.lines[r.next:], r.lines[:r.next]...) }

// maxRequestShown is how many characters of a request people are shown; --json has the rest.
const maxRequestShown = 200

// render is a record as people read it: when, what became of it, who, from where, what was asked, and why not. All texts are
// printable ASCII, whatever the client sent.
func (c *call) render(l logbook.Line) string {
	colour := red
	why := string(l.Reason)
	if l.Detail != "" {
		why += ": " + record.Escape(l.Detail)
	}
	switch l.Event {
	case record.Allowed:
		colour, why = green, "rule "+record.Escape(l.Rule)
	case record.Error:
		colour = yellow
	}
	event := fmt.Sprintf("%-7s", l.Event)
	head := fmt.Sprintf("%s  %s  %-10s %-12s %-15s", l.Time.In(c.zone).Format("2006-01-02 15:04:05"), event, orDash(l.User), orDash(l.Key), orDash(l.ClientIP))
	paint := func(text string) string { return strings.Replace(text, event, c.paint(colour, event), 1) } // no time looks like an event
	text := shown(l.Record) + "  " + why
	ref := "(ref " + orDash(l.Ref) + ")"
	if c.width == 0 || len(head)+len("  ")+len(text)+len(" ")+len(ref) <= c.width {
		return paint(head) + "  " + text + " " + ref
	}
	// All texts are ASCII, so this blank is none of theirs.
	const fixed = "\u00a0"
	if head = strings.TrimRight(head, " "); len(head) > c.width {
		event = string(l.Event)
		head = fold(strings.Join(strings.Fields(head), " "), c.width, 0)
	}
	text = fold(text+" "+strings.Replace(ref, " ", fixed, 1), c.width, recordIndent)
	text = strings.ReplaceAll(strings.Replace(text, fixed, " ", 1), " \n", "\n") // two blanks stand before the reason
	return paint(head) + "\n" + strings.Repeat(" ", recordIndent) + text
}

const recordIndent = 4 // of the second line of a record, where a terminal is too narrow for one

// orDash shows an absent text; one with a blank could pass for two columns.
func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return strings.ReplaceAll(record.Escape(text), " ", `\x20`)
}

// shown is a request between quotes, cut if it is long.
func shown(r *record.Record) string {
	if r.Request == "" {
		return "(no command)"
	}
	text := strings.ReplaceAll(record.Escape(r.Request), `"`, `\"`)
	if len(text) > maxRequestShown || r.Bytes > len(r.Request) {
		return fmt.Sprintf(`"%s..." (%d bytes)`, text[:min(len(text), maxRequestShown)], r.Bytes)
	}
	return `"` + text + `"`
}
