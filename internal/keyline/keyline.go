// Package keyline reads authorized_keys as sshd does (sshd(8), AUTHORIZED_KEYS FILE FORMAT), and files with one public key. It opens
// nothing and decides nothing.
package keyline

import (
	"fmt"
	"strings"
)

// What is read of a file. sshd itself has no bound: it reads lines with getline(3).
const (
	MaxFile  = 4 << 20  // bytes
	MaxLines = 50_000   // of a file
	MaxLine  = 64 << 10 // bytes; the longest key, RSA of 16,384 bits, takes less than 3,000
)

// Kind says what a line is to sshd.
type Kind int

const (
	Blank   Kind = iota // blank, or a comment
	Key                 // lets a key in, or would if its options allowed it
	Ignored             // sshd passes over it
)

// Line is one line of authorized_keys.
type Line struct {
	Number  int    // counted from 1
	Start   int    // byte offset in the file
	Text    string // without its line end
	Kind    Kind
	Why     string // an Ignored line is ignored
	Options []Option
	Public  PublicKey
}

// Parse reads a file. The error says which bound it breaks: a part of a file is no ground to judge the whole on.
func Parse(data []byte) ([]Line, error) {
	if len(data) > MaxFile {
		return nil, fmt.Errorf("is %d bytes long, more than the %d that are read", len(data), MaxFile)
	}
	var lines []Line
	start := 0
	for text := range strings.Lines(string(data)) {
		l := Line{Number: len(lines) + 1, Start: start, Text: strings.TrimSuffix(text, "\n")}
		start += len(text)
		if l.Number > MaxLines {
			return nil, fmt.Errorf("has more than the %d lines that are read", MaxLines)
		}
		if len(l.Text) > MaxLine {
			return nil, fmt.Errorf("has a line %d of %d bytes, more than the %d that are read", l.Number, len(l.Text), MaxLine)
		}
		l.read()
		lines = append(lines, l)
	}
	return lines, nil
}

const blanks = " \t" // what sshd takes for blanks

// read follows sshd, for which a line also ends with a NUL: first a key is sought at its beginning, then behind options.
func (l *Line) read() {
	text, _, _ := strings.Cut(l.Text, "\x00")
	text = strings.TrimLeft(text, blanks)
	if text == "" || text[0] == '#' {
		return
	}
	l.Kind = Ignored
	public, why := readKey(text)
	if why != "" {
		options, rest, ok := cutOptions(text)
		if !ok {
			l.Why = "a quote in its options is never closed"
			return
		}
		behind, problem := readKey(strings.TrimLeft(rest, blanks))
		if problem != "" {
			if rest != "" && behind.Type != "" {
				why = problem
			}
			l.Why = why
			return
		}
		if l.Options, why = readOptions(options); why != "" {
			l.Why = why
			return
		}
		public = behind
	}
	if public.certificate {
		l.Options, l.Why = nil, "it holds a certificate, which sshd takes from the client only"
		return
	}
	l.Kind, l.Public = Key, public
}

// String writes a key line as sshd reads it back: the same options, key and comment.
func (l *Line) String() string {
	text := l.Public.String()
	if len(l.Options) > 0 {
		text = JoinOptions(l.Options) + " " + text
	}
	return text
}

// Option returns the value of the first option of this name, in lower case.
func (l *Line) Option(name string) (value string, ok bool) {
	for _, o := range l.Options {
		if o.Name == name {
			return o.Value, true
		}
	}
	return "", false
}

// Command is the forced command of the line.
func (l *Line) Command() (string, bool) { return l.Option("command") }

// CertAuthority says that the line lets in whoever has a certificate that its key signed, and not the key itself.
func (l *Line) CertAuthority() bool {
	_, ok := l.Option("cert-authority")
	return ok
}

// Permits is what a key may do beside the forced command.
type Permits struct {
	PortForwarding, AgentForwarding, X11Forwarding, PTY, UserRC bool
}

// Permits reads the flags in their order: restrict takes all away, and what stands behind it may give some back.
func (l *Line) Permits() Permits {
	p := Permits{true, true, true, true, true}
	for _, o := range l.Options {
		name, negated := strings.CutPrefix(o.Name, "no-")
		switch name {
		case "restrict":
			p = Permits{}
		case "port-forwarding":
			p.PortForwarding = !negated
		case "agent-forwarding":
			p.AgentForwarding = !negated
		case "x11-forwarding":
			p.X11Forwarding = !negated
		case "pty":
			p.PTY = !negated
		case "user-rc":
			p.UserRC = !negated
		}
	}
	return p
}
