package admin

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"example.org/ssh-gate/internal/argv"
	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/record"
	"example.org/ssh-gate/internal/suggest"
)

// maxLines bounds how many lines of standard input are read. Different ones are bounded in suggest.
const maxLines = 1_000_000

// suggestOptions say where the log is, and which of its requests are wanted.
type suggestOptions struct {
	key, file, config string
	since, until      time.Time
}

func suggestRules(c *call) int {
	o := &suggestOptions{}
	options := o.define(c)
	given, status, ok := c.parseWords(options)
	if !ok {
		return status
	}
	var requests suggest.Requests
	fromLog := options.NFlag() > 0
	switch {
	case fromLog && len(given) > 0:
		return c.misused("options read the log, and requests are given, too; leave one of the two out")
	case fromLog && o.key == "":
		return c.misused("options read the log, so the key whose denials are wanted is missing: --key NAME")
	case fromLog && !policy.IsName(strings.TrimPrefix(o.key, accountKeys)):
		return c.misused(fmt.Sprintf("--key %+q is no name of a key", o.key))
	case fromLog:
		if status := c.deniedRequests(&requests, o); status != exitOK {
			return status
		}
	case len(given) == 0 && isTerminal(os.Stdin):
		return c.misused("no request is given: write each behind --, as one argument; or name the key whose denials the log has, --key NAME; or give a file, < requests.txt")
	case len(given) == 0, len(given) == 1 && given[0] == "-":
		if err := c.readRequests(&requests, os.Stdin); err != nil {
			return c.fail(fmt.Errorf("standard input: %w", err), "give a file that can be read: ssh-gate suggest < requests.txt")
		}
	default:
		for _, text := range given {
			requests.Add(text)
		}
	}
	return c.tellRules(&requests)
}

func (o *suggestOptions) define(c *call) *flag.FlagSet {
	options := flag.NewFlagSet("suggest", flag.ContinueOnError)
	options.StringVar(&o.key, "key", "", "what the log says that this key was denied, a `NAME`")
	moment := func(to *time.Time, name, usage string) {
		options.Func(name, usage, func(value string) (err error) {
			*to, err = c.moment(value)
			return err
		})
	}
	moment(&o.since, "since", "with --key: from this `TIME` on: 90d, 12h, today, 2026-11-22")
	moment(&o.until, "until", "with --key: before this `TIME`")
	options.StringVar(&o.file, "file", "", "with --key: the log `FILE`, rotated ones beside it included, not the one that the configuration names")
	options.StringVar(&o.config, "config", "", "with --key: this configuration of the host, a `FILE`")
	return options
}

// aboutRequests are the reasons for a denial that a rule could have changed. What was denied because of who asked, or from where,
// is no ground for a rule.
func aboutRequests() []string {
	var codes []string
	for _, r := range []record.Reason{record.NoRule, record.NoCommand, record.NeedsShell, record.ControlCharacter, record.NotUTF8, record.TooLong} {
		codes = append(codes, string(r))
	}
	return codes
}

// deniedRequests takes requests from the log. One that the log has only in part is passed over: what was cut off is not known.
func (c *call) deniedRequests(to *suggest.Requests, o *suggestOptions) int {
	only := filter{keys: []string{o.key}, events: []string{string(record.Denied)}, reasons: aboutRequests(), since: o.since, until: o.until}
	book, status := c.openBook(o.file, o.config)
	if book == nil {
		return status
	}
	defer book.Close()
	cut := 0
	var missed missed
	for l := range book.All() {
		switch {
		case !missed.matches(&only, l.Record):
		case l.Bytes > len(l.Request):
			cut++
		default:
			to.Add(l.Request)
		}
	}
	if cut > 0 {
		c.warn("requests passed over of which the log has the first %d bytes only: %d", record.MaxRequest, cut)
	}
	status = c.finish(book, bufio.NewWriter(io.Discard))
	missed.tell(c, &only)
	return status
}

// readRequests takes one request a line. A line that is longer than any request may be is cut where it has become too long.
func (c *call) readRequests(to *suggest.Requests, from io.Reader) error {
	in := bufio.NewReader(from)
	var line []byte
	for lines := 0; ; {
		piece, err := in.ReadSlice('\n')
		ended := err == nil
		if ended {
			piece = piece[:len(piece)-1]
		}
		line = append(line, piece[:min(len(piece), argv.MaxRequest+1-len(line))]...)
		switch {
		case ended || errors.Is(err, io.EOF) && len(line) > 0:
			if lines++; lines > maxLines {
				c.warn("only the first %d lines were read", maxLines)
				return nil
			}
			to.Add(string(line))
			line = line[:0]
		case err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull):
			return err
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
	}
}

func (c *call) tellRules(requests *suggest.Requests) int {
	answer := requests.Rules()
	if _, err := io.WriteString(c.out, answer.Text); err != nil {
		return c.failOutput(err)
	}
	if answer.Left > 0 {
		c.warn("requests that no rule was made for, because there are too many: %d", answer.Left)
	}
	if answer.Rules+answer.Drafts == 0 {
		c.warn("there is no request for which a rule could be suggested")
		return exitFindings
	}
	return exitOK
}
