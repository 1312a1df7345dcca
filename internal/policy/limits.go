package policy

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Limits bound what a program may use up; each is unset where it is zero.
type Limits struct {
	Timeout   time.Duration // wall clock
	Sessions  int           // at once
	Rate      Rate
	CPU       time.Duration // of each process
	Memory    int64         // bytes of address space of each process
	Files     int           // open at once in each process
	FileSize  int64         // bytes of each file that is written
	Processes int           // of the account
	Nice      int
	Kill      bool // when the client is gone

	OfKey bool // Sessions and Rate stand at the top of the policy, so they count all rules that have no own together
}

// Rate is "6/1h": at most Times starts in any Window.
type Rate struct {
	Times  int
	Window time.Duration
}

// Confine says what a confined program may reach beside the values that have an access.
type Confine struct {
	Read, Write, Execute []string
	NoNetwork            bool
	Fallback             bool // where the kernel cannot hold it, run all the same
}

// Words lists the limits that are set, as a policy spells them.
func (l *Limits) Words() []string {
	var words []string
	add := func(set bool, name, value string) {
		if set {
			words = append(words, name+" "+value)
		}
	}
	counted := " for the rule"
	if l.OfKey {
		counted = " for the key"
	}
	add(l.Timeout > 0, "timeout", Duration(l.Timeout))
	add(l.Sessions > 0, "sessions", itoa(l.Sessions)+counted)
	add(l.Rate.Times > 0, "rate", itoa(l.Rate.Times)+"/"+Duration(l.Rate.Window)+counted)
	add(l.CPU > 0, "cpu", Duration(l.CPU))
	add(l.Memory > 0, "memory", spelledSize(l.Memory))
	add(l.Files > 0, "files", itoa(l.Files))
	add(l.FileSize != 0, "file_size", spelledSize(max(l.FileSize, 0)))
	add(l.Processes > 0, "processes", itoa(l.Processes))
	add(l.Nice > 0, "nice", itoa(l.Nice))
	add(l.Kill, "on_disconnect", "kill")
	return words
}

// Duration spells a time as a policy does: 10m, not 10m0s.
func Duration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// spelledSize spells a number of bytes as a policy does, in the largest unit that leaves no rest.
func spelledSize(n int64) string {
	unit := 0
	for ; n > 0 && n%1024 == 0 && unit < len(sizeUnits); unit++ {
		n /= 1024
	}
	return strconv.FormatInt(n, 10) + sizeUnits[max(unit-1, 0):unit]
}

const sizeUnits = "KMGT" // of 1024 each

const (
	maxDuration  = 366 * 24 * time.Hour
	maxSessions  = 1000
	maxRate      = 1000 // starts in a window: so many moments are remembered
	maxSize      = 1 << 50
	maxCount     = 1 << 20 // of open files and processes
	maxConfine   = 256     // paths in each list of confine
	lowestMemory = 16 << 20
)

// limits reads the table; what it leaves out is as in the defaults.
func (t *table) limits(defaults Limits, top bool) Limits {
	own, ok := t.table("limits")
	if !ok {
		return defaults
	}
	l := defaults
	own.only(limitKeys)
	own.duration("timeout", &l.Timeout)
	own.duration("cpu", &l.CPU)
	own.size("memory", &l.Memory, lowestMemory)
	own.size("file_size", &l.FileSize, 0)
	own.count("files", &l.Files, 3, maxCount)
	own.count("processes", &l.Processes, 1, maxCount)
	own.count("nice", &l.Nice, 0, 19)
	if own.has("sessions") || own.has("rate") {
		// The two are counted in one place, so a rule that sets one of them has both of its own.
		l.Sessions, l.Rate, l.OfKey = 0, Rate{}, top
		own.count("sessions", &l.Sessions, 1, maxSessions)
		own.rate(&l.Rate)
	}
	if own.has("on_disconnect") {
		l.Kill = own.choice("on_disconnect", "kill") == "kill"
	}
	return l
}

// duration reads whole seconds, at least one: 0 would switch off what it is to switch on.
func (t *table) duration(key string, to *time.Duration) {
	text, ok := t.str(key)
	if !ok {
		return
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Second || d > maxDuration || d%time.Second != 0 {
		t.fault(key, strconv.QuoteToASCII(text)+" is no time of whole seconds, from 1s to 8784h", `write one such as "90s", "10m" or "1h30m"`)
		return
	}
	*to = d
}

// size reads bytes with a unit of 1024s.
func (t *table) size(key string, to *int64, least int64) {
	text, ok := t.str(key)
	if !ok {
		return
	}
	digits := strings.TrimRight(text, sizeUnits)
	shift := 0
	if unit := text[len(digits):]; len(unit) == 1 {
		shift = 10 * (1 + strings.Index(sizeUnits, unit))
	} else if unit != "" {
		digits = ""
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > maxSize>>shift || n<<shift < least {
		hint := `write a whole number and a unit, K, M, G or T, such as "512M" or "2G"`
		if err == nil && n >= 0 && n <= maxSize>>shift {
			hint = fmt.Sprintf("write %q or more: with less no program starts", spelledSize(least))
		}
		t.fault(key, fmt.Sprintf("%s is no size from %s to %s", strconv.QuoteToASCII(text), spelledSize(least), spelledSize(maxSize)), hint)
		return
	}
	*to = n << shift
	if *to == 0 {
		*to = -1 // nothing may be written; zero would mean unset
	}
}

func (t *table) count(key string, to *int, low, high int64) {
	v, ok := t.m[key]
	if !ok {
		return
	}
	n, ok := v.(int64)
	if !ok || n < low || n > high {
		hint := "write it without quotes and without a fraction"
		if ok && n < low {
			hint = fmt.Sprintf("write %d or more; a limit that is left out bounds nothing", low)
		} else if ok {
			hint = fmt.Sprintf("write %d or less, or leave the limit out", high)
		}
		t.fault(key, fmt.Sprintf("expected a whole number from %d to %d", low, high), hint)
		return
	}
	*to = int(n)
}

func (t *table) rate(to *Rate) {
	text, ok := t.str("rate")
	if !ok {
		return
	}
	times, window, _ := strings.Cut(text, "/")
	if window != "" && (window[0] < '0' || window[0] > '9') {
		window = "1" + window // "6/h"
	}
	n, err := strconv.ParseUint(times, 10, 16)
	d, windowErr := time.ParseDuration(window)
	if err != nil || windowErr != nil || n < 1 || n > maxRate || d < time.Second || d > maxDuration {
		t.fault("rate", strconv.QuoteToASCII(text)+" is no rate", fmt.Sprintf(`write how often in what time, such as "6/1h" or "1/10s"; at most %d times`, maxRate))
		return
	}
	*to = Rate{int(n), d}
}

// confine reads the table, or false, which takes the default back.
func (t *table) confine(defaults *Confine) *Confine {
	v, ok := t.m["confine"]
	if !ok {
		return defaults
	}
	if off, isBool := v.(bool); isBool {
		if off {
			t.fault("confine", "true says nothing", "write confine = {}, or name what the program may reach")
		}
		return nil
	}
	own, ok := t.table("confine")
	if !ok {
		return defaults
	}
	own.only(confineKeys)
	c := &Confine{Read: own.paths("read"), Write: own.paths("write"), Execute: own.paths("execute")}
	for i, path := range c.Write {
		if path == "/" {
			t.r.fault(own.at.child("write").entry(i), atValue, "a program that may write everything is not confined", "name what it has to write")
		}
	}
	c.NoNetwork = !own.boolean("network", true)
	if own.has("fallback") {
		c.Fallback = own.choice("fallback", "refuse", "allow") == "allow"
	}
	return c
}

func (t *table) paths(key string) []string {
	list, _ := t.strs(key, maxConfine)
	for i, path := range list {
		if path != "/" && !cleanPath(path) {
			t.r.fault(t.at.child(key).entry(i), atValue, strconv.QuoteToASCII(path)+" is no absolute path without empty, . or .. parts", "")
		}
	}
	return list
}
