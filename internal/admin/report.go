package admin

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"example.org/ssh-gate/internal/lint"
	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/record"
)

// This file tells what check found: to people as a compiler does, to programs as JSON or SARIF.

// tell prints the findings, and says with which status to end.
func (e *examination) tell(c *call) int {
	findings := e.sorted()
	status := exitOK
	if e.count(lint.Error)+e.count(lint.Warning) > 0 {
		status = exitFindings
	}
	switch {
	case e.json:
		return c.print(e.asJSON(findings), status)
	case e.sarif:
		return c.print(asSARIF(findings), status)
	}
	explained := map[string]bool{}
	for _, f := range findings {
		c.tellFinding(f, !explained[f.Kind.ID])
		explained[f.Kind.ID] = true
	}
	for _, text := range e.skipped {
		c.warn("%s", text)
	}
	fmt.Fprintln(c.out, fold(e.summary(), c.width, 0))
	return status
}

func (c *call) print(v any, status int) int {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return c.fail(err, "report this: ssh-gate version")
	}
	fmt.Fprintf(c.out, "%s\n", record.ASCII(text))
	return status
}

func (e *examination) summary() string {
	var found []string
	for _, s := range severities {
		if n := e.count(s); n > 0 {
			found = append(found, counted(n, string(s)))
		}
	}
	if len(found) == 0 {
		found = []string{"nothing found"}
	}
	if len(e.findings) >= maxTold {
		found = append(found, "and more that are not told")
	}
	text := strings.Join(found, ", ")
	switch {
	case e.policies == 1:
		text += " in 1 policy"
	case e.policies > 1:
		text += fmt.Sprintf(" in %d policies", e.policies)
	}
	if e.tests > 0 {
		text += ", " + counted(e.tests, "test") + " run"
	}
	return text
}

func counted(n int, what string) string { return plural(n, what, what+"s") }

func colourOf(s lint.Severity) string {
	switch s {
	case lint.Error:
		return red
	case lint.Warning:
		return yellow
	}
	return cyan
}

// tellFinding prints one finding: place, severity, what was found, the line with a caret, what it means, and what to write instead.
func (c *call) tellFinding(f *lint.Finding, explain bool) {
	place := policy.Printable(f.File)
	if f.Line > 0 {
		place += fmt.Sprintf(":%d:%d", f.Line, f.Col)
	}
	message := policy.Printable(f.Message)
	if f.Rule != "" {
		message = "rule " + f.Rule + ": " + message
	}
	colour := colourOf(f.Kind.Severity)
	severity := string(f.Kind.Severity)
	head := len([]rune(place)) + len(": ") + len(severity) + len(": ")
	fmt.Fprintf(c.out, "%s: %s: %s\n", place, c.paint(colour, severity), c.paint(bold, fold(message+" ["+f.Kind.ID+"]", c.width, head)))
	if f.Line > 0 {
		fmt.Fprint(c.out, c.source(f.Fault, colour))
	}
	if explain {
		fmt.Fprintf(c.out, "  means: %s\n", fold(f.Kind.Why, c.width, len("  means: ")))
	}
	hint := f.Hint
	if hint == "" {
		hint = f.Kind.Fix
	}
	fmt.Fprintf(c.out, "  hint: %s\n\n", fold(policy.Printable(hint), c.width, len("  hint: ")))
}

// maxSource is how many characters of a line are shown where there is no terminal to say.
const maxSource = 160

// source shows the part of the line that holds the place, with a caret below it.
func (c *call) source(f *policy.Fault, colour string) string {
	number := strconv.Itoa(f.Line)
	width := maxSource
	if c.width > 0 {
		width = max(c.width-len(number)-len("   | "), 1)
	}
	source, from, col := []rune(policy.Printable(f.Source)), 0, f.Col-1
	if col+min(f.Len, width/2) > width {
		from = col - width/2
	}
	from = min(from, len(source))
	shown := source[from:min(len(source), from+width)]
	col -= from
	length := max(1, min(f.Len, len(shown)-col))
	return fmt.Sprintf("  %s | %s\n", number, string(shown)) +
		fmt.Sprintf("  %s | %s%s\n", strings.Repeat(" ", len(number)), strings.Repeat(" ", max(col, 0)), c.paint(colour, strings.Repeat("^", length)))
}

// report is what check --json prints.
type report struct {
	Findings []reported `json:"findings"`
	Policies int        `json:"policies"`
	Tests    int        `json:"tests"`
	Skipped  []string   `json:"skipped"` // what could not be looked at
}

type reported struct {
	ID       string        `json:"id"`
	Severity lint.Severity `json:"severity"`
	File     string        `json:"file"`
	Line     int           `json:"line,omitempty"` // counted from 1; absent where it is the file as a whole
	Column   int           `json:"column,omitempty"`
	Length   int           `json:"length,omitempty"`
	Rule     string        `json:"rule,omitempty"`
	Message  string        `json:"message"`
	Why      string        `json:"why"`
	Fix      string        `json:"fix"`
}

func (e *examination) asJSON(findings []*lint.Finding) *report {
	r := &report{Findings: []reported{}, Policies: e.policies, Tests: e.tests, Skipped: nonNil(e.skipped)}
	for _, f := range findings {
		one := reported{ID: f.Kind.ID, Severity: f.Kind.Severity, File: f.File, Line: f.Line, Rule: f.Rule, Message: f.Message, Why: f.Kind.Why, Fix: f.Hint}
		if f.Line > 0 {
			one.Column, one.Length = f.Col, f.Len
		}
		if one.Fix == "" {
			one.Fix = f.Kind.Fix
		}
		r.Findings = append(r.Findings, one)
	}
	return r
}

// The parts of SARIF 2.1.0 (OASIS Standard, section 3) that findings take.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool       sarifTool     `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifTool   struct{ Driver sarifDriver }
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID      string    `json:"id"`
		Short   sarifText `json:"shortDescription"`
		Full    sarifText `json:"fullDescription"`
		Help    sarifText `json:"help"`
		Default struct {
			Level lint.Severity `json:"level"`
		} `json:"defaultConfiguration"`
	}
	sarifText   struct{ Text string }
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		RuleIndex int             `json:"ruleIndex"`
		Level     lint.Severity   `json:"level"` // error, warning and note are SARIF's as well
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifLocation struct {
		Physical struct {
			Artifact struct {
				URI string `json:"uri"`
			} `json:"artifactLocation"`
			Region *sarifRegion `json:"region,omitempty"`
		} `json:"physicalLocation"`
	}
	sarifRegion struct {
		StartLine   int       `json:"startLine"`
		StartColumn int       `json:"startColumn"`
		EndColumn   int       `json:"endColumn"`
		Snippet     sarifText `json:"snippet"`
	}
)

// MarshalJSON writes the one key that is not named like its field.
func (t sarifText) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"text": t.Text})
}

// MarshalJSON does so.
func (t sarifTool) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{"driver": t.Driver})
}

func asSARIF(findings []*lint.Finding) *sarifLog {
	run := sarifRun{ColumnKind: "unicodeCodePoints", Results: []sarifResult{}}
	run.Tool.Driver = sarifDriver{Name: "ssh-gate", Version: Version, Rules: []sarifRule{}}
	index := map[string]int{}
	for i, k := range lint.Kinds {
		rule := sarifRule{ID: k.ID, Short: sarifText{k.Title}, Full: sarifText{k.Why}, Help: sarifText{k.Fix}}
		rule.Default.Level = k.Severity
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, rule)
		index[k.ID] = i
	}
	for _, f := range findings {
		result := sarifResult{RuleID: f.Kind.ID, RuleIndex: index[f.Kind.ID], Level: f.Kind.Severity, Message: sarifText{f.Message}}
		var at sarifLocation
		at.Physical.Artifact.URI = fileURI(f.File)
		if f.Line > 0 {
			at.Physical.Region = &sarifRegion{f.Line, f.Col, f.Col + f.Len, sarifText{f.Source}}
		}
		result.Locations = []sarifLocation{at}
		run.Results = append(run.Results, result)
	}
	return &sarifLog{"https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json", "2.1.0", []sarifRun{run}}
}

// fileURI spells an absolute path as RFC 8089 does. Package net/url would cost every login its tables.
func fileURI(path string) string {
	var b strings.Builder
	b.WriteString("file://")
	for i := range len(path) {
		c := path[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("/-._~", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

const kindWidth = 33 // columns of an id and a severity

// listKinds prints all that check can find.
func (c *call) listKinds(asJSON bool) int {
	if asJSON {
		type kind struct {
			ID       string        `json:"id"`
			Severity lint.Severity `json:"severity"`
			Title    string        `json:"title"`
			Why      string        `json:"why"`
			Fix      string        `json:"fix"`
		}
		list := make([]kind, len(lint.Kinds))
		for i, k := range lint.Kinds {
			list[i] = kind{k.ID, k.Severity, k.Title, k.Why, k.Fix}
		}
		return c.print(list, exitOK)
	}
	for _, k := range lint.Kinds {
		if c.width > 0 && c.width < 2*kindWidth {
			fmt.Fprintf(c.out, "%s\n  %s: %s\n", c.paint(bold, k.ID), c.paint(colourOf(k.Severity), string(k.Severity)), fold(k.Title, c.width, len("  : ")+len(k.Severity)))
			continue
		}
		fmt.Fprintf(c.out, "%s%s %s%s %s\n", c.paint(bold, k.ID), strings.Repeat(" ", max(0, 24-len(k.ID))),
			c.paint(colourOf(k.Severity), string(k.Severity)), strings.Repeat(" ", 7-len(k.Severity)), fold(k.Title, c.width, kindWidth))
	}
	return exitOK
}

// tellWhy prints what one kind of finding means.
func (c *call) tellWhy(id string) int {
	k, known := lint.Of(id)
	if !known {
		var ids []string
		for _, k := range lint.Kinds {
			ids = append(ids, k.ID)
		}
		return c.misused(fmt.Sprintf("%+q is no finding, and ssh-gate check --list prints all%s", id, didYouMean(id, ids)))
	}
	p := &page{width: c.width}
	p.b.WriteString(c.paint(bold, k.ID) + "\n")
	p.row("severity", string(k.Severity))
	p.row("found", k.Title)
	p.row("means", k.Why)
	p.row("instead", k.Fix)
	fmt.Fprint(c.out, p.b.String())
	return exitOK
}

// progress tells on a terminal how far a long examination is.
type progress struct {
	c    *call
	on   bool
	last time.Time
}

const (
	progressFrom  = 200 // policies from which on it is told
	progressEvery = 100 * time.Millisecond
)

func (c *call) newProgress() progress { return progress{c: c, on: isTerminal(c.errs)} }

func (p *progress) step(i, of int) {
	if !p.on || of < progressFrom || i%16 != 0 || time.Since(p.last) < progressEvery {
		return
	}
	p.last = time.Now()
	fmt.Fprintf(p.c.errs, "\r%d of %d policies checked", i, of)
}

func (p *progress) done() {
	if !p.last.IsZero() {
		fmt.Fprint(p.c.errs, "\r\x1b[K")
	}
}
