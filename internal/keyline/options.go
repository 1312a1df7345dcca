package keyline

import (
	"strconv"
	"strings"
	"time"
)

// Option is one option of a key line.
type Option struct {
	Name   string // in lower case, "no-" included
	Value  string // without quotes; for those of valued
	Valued bool
}

// Flag and Valued are options to write.
func Flag(name string) Option          { return Option{Name: name} }
func Valued(name, value string) Option { return Option{name, value, true} }

// String spells an option. A value that Writable refuses does not come back as it was.
func (o Option) String() string {
	if !o.Valued {
		return o.Name
	}
	return o.Name + `="` + strings.ReplaceAll(o.Value, `"`, `\"`) + `"`
}

// JoinOptions spells options as they stand in front of a key: without blanks between them.
func JoinOptions(options []Option) string {
	spelled := make([]string, len(options))
	for i, o := range options {
		spelled[i] = o.String()
	}
	return strings.Join(spelled, ",")
}

// Writable says whether a value can stand in a key line: sshd has no way to spell a backslash before the closing quote.
func Writable(value string) bool {
	return !strings.ContainsAny(value, "\n\x00") && !strings.HasSuffix(value, `\`)
}

// flags are the options without a value, and whether "no-" may stand before them.
var flags = [...]struct {
	name     string
	negative bool
}{
	{"restrict", false}, {"cert-authority", false}, {"port-forwarding", true}, {"agent-forwarding", true}, {"x11-forwarding", true},
	{"touch-required", true}, {"verify-required", true}, {"pty", true}, {"user-rc", true},
}

// valued are the options with a value, and whether they may stand once only.
var valued = [...]struct {
	name string
	once bool
}{
	{"command", true}, {"principals", true}, {"from", true}, {"expiry-time", false}, {"environment", false}, {"permitopen", false},
	{"permitlisten", false}, {"tunnel", false},
}

// cutOptions finds the blank that ends the options: the first one outside quotes. A backslash before a quote quotes it anywhere.
func cutOptions(text string) (options, rest string, ok bool) {
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text) && text[i+1] == '"':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && strings.IndexByte(blanks, c) >= 0:
			return text[:i], text[i:], true
		}
	}
	return text, "", !quoted
}

// readOptions takes sshd's view of what is between the commas: nothing at all passes for an option, and one fault spoils the line.
func readOptions(text string) (options []Option, why string) {
	for text != "" {
		if text[0] == ',' {
			text = text[1:]
			continue
		}
		o, rest, why := readOption(text)
		if why == "" && rest != "" && rest[0] != ',' {
			why = "it has an option that sshd does not know"
		}
		if why == "" {
			why = o.fault(options)
		}
		if why != "" {
			return nil, why
		}
		options, text = append(options, o), rest
	}
	return options, ""
}

func readOption(text string) (o Option, rest, why string) {
	for _, f := range flags {
		start := 0
		if f.negative && hasPrefixFold(text, "no-") {
			start = len("no-")
		}
		if hasPrefixFold(text[start:], f.name) {
			end := start + len(f.name)
			return Flag(strings.ToLower(text[:end])), text[end:], ""
		}
	}
	for _, v := range valued {
		if !hasPrefixFold(text, v.name+"=") {
			continue
		}
		value, rest, ok := dequote(text[len(v.name)+1:])
		if !ok {
			return o, "", "the value of " + v.name + " does not stand between double quotes"
		}
		return Valued(v.name, value), rest, ""
	}
	return o, "", "it has an option that sshd does not know"
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

func dequote(text string) (value, rest string, ok bool) {
	if text == "" || text[0] != '"' {
		return "", "", false
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '"':
			return b.String(), text[i+1:], true
		case text[i] == '\\' && i+1 < len(text) && text[i+1] == '"':
			i++
		}
		b.WriteByte(text[i])
	}
	return "", "", false
}

// fault says why sshd would refuse the line for this option, behind those before it.
func (o Option) fault(before []Option) string {
	for _, v := range valued {
		if o.Name != v.name || !v.once {
			continue
		}
		for _, b := range before {
			if b.Name == o.Name {
				return "it has the option " + o.Name + " twice"
			}
		}
	}
	switch {
	case o.Name == "expiry-time" && !isExpiry(o.Value):
		return "its expiry-time is no time"
	case o.Name == "environment" && !isEnvironment(o.Value):
		return "its environment is no NAME=value"
	case o.Name == "tunnel" && !isTunnel(o.Value):
		return "its tunnel is no number"
	case o.Name == "permitopen" && !isHostPort(o.Value):
		return "its permitopen is no host:port"
	case o.Name == "permitlisten" && !isHostPort(o.Value) && !isHostPort("*:"+o.Value):
		return "its permitlisten is no port and no host:port"
	}
	return ""
}

// FormatExpiry spells a moment, in UTC, as the value of expiry-time.
func FormatExpiry(t time.Time) string {
	t = t.UTC()
	if t.Second() != 0 {
		return t.Format("20060102150405Z")
	}
	return t.Format("200601021504Z")
}

// Expiry is the earliest expiry-time of a line. zone is that of the host.
func (l *Line) Expiry(zone *time.Location) (earliest time.Time, ok bool) {
	for _, o := range l.Options {
		if o.Name != "expiry-time" {
			continue
		}
		if t, valid := parseExpiry(o.Value, zone); valid && (!ok || t.Before(earliest)) {
			earliest, ok = t, true
		}
	}
	return earliest, ok
}

func isExpiry(s string) bool {
	t, ok := parseExpiry(s, time.UTC)
	return ok && t.Unix() > 0
}

// parseExpiry reads YYYYMMDD, and with it HHMM or HHMMSS. A time that ends with Z is in UTC, which sshd knows since OpenSSH 9.1; any other
// is in the zone of the host. As with strptime(3) and mktime(3), blanks may stand for leading zeros, and 31 February is in March.
func parseExpiry(s string, zone *time.Location) (time.Time, bool) {
	for _, utc := range [...]string{"Z", "UTC"} {
		if n := len(s) - len(utc); n > 0 && strings.EqualFold(s[n:], utc) {
			s, zone = s[:n], time.UTC
			break
		}
	}
	if len(s) != 8 && len(s) != 12 && len(s) != 14 {
		return time.Time{}, false
	}
	var f [6]int
	fields := [...]struct{ width, least, most int }{{4, 0, 9999}, {2, 1, 12}, {2, 1, 31}, {2, 0, 23}, {2, 0, 59}, {2, 0, 61}}
	for i := 0; s != ""; i++ {
		n, err := strconv.ParseUint(strings.TrimLeft(s[:fields[i].width], " "), 10, 16)
		if f[i] = int(n); err != nil || f[i] < fields[i].least || f[i] > fields[i].most {
			return time.Time{}, false
		}
		s = s[fields[i].width:]
	}
	return time.Date(f[0], time.Month(f[1]), f[2], f[3], f[4], f[5], 0, zone), true
}

func isEnvironment(s string) bool {
	name, _, ok := strings.Cut(s, "=")
	for i := range len(name) {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_') {
			return false
		}
	}
	return ok && name != ""
}

func isTunnel(s string) bool {
	const most = 0x7fffffff - 2 // SSH_TUNID_MAX
	n, err := strconv.ParseUint(s, 10, 31)
	return strings.EqualFold(s, "any") || err == nil && n <= most
}

// isHostPort takes any word for a port that could be the name of a service, which the host alone knows.
func isHostPort(s string) bool {
	const maxHost = 1025 // NI_MAXHOST
	var host, port string
	if rest, ok := strings.CutPrefix(s, "["); ok {
		var found bool
		if host, port, found = strings.Cut(rest, "]"); !found || port == "" || strings.IndexByte(":/", port[0]) < 0 {
			return false
		}
		port = port[1:]
	} else {
		i := strings.IndexAny(s, ":/")
		if i < 0 {
			return false
		}
		host, port = s[:i], s[i+1:]
	}
	n, err := strconv.ParseUint(port, 10, 64)
	service := strings.Trim(strings.ToLower(port), "abcdefghijklmnopqrstuvwxyz0123456789+-._") == ""
	return len(host) < maxHost && port != "" && (port == "*" || err == nil && n >= 1 && n <= 65535 || err != nil && service)
}
