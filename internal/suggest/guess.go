package suggest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"example.org/ssh-gate/internal/lint"
)

// guess is the type of a placeholder, and what it was made from.
type guess struct {
	kind   byte
	hint   string // of a name
	values []string
	text   string // the type, in the policy's language
	why    string // what it lets through, for the comment
	inside []word // what stands inside options
}

const (
	kindList byte = iota + 1
	kindInt
	kindForm
	kindPath
	kindChars
	kindOptions
)

const (
	maxList   = 8    // values that are listed rather than guessed at
	maxShaped = 1024 // bytes of a word that is looked into
	maxCuts   = 8    // places where a word is cut at either end
	maxClass  = 64   // characters of a class beside letters and digits
)

// guessWord guesses what a place of a command takes, where different words were seen.
func guessWord(values []string, program string) []part {
	first := values[0]
	switch {
	case anyOf(values, func(v string) bool { return v == "" || len(v) > maxShaped }):
		return lone(guessList(values))
	case anyOf(values, func(v string) bool { return v[0] == '-' }):
		return guessOption(values, program)
	case all(values, func(v string) bool { return v[0] == '/' }):
		return lone(guessPath(values, program))
	}
	if g := guessShape(values); g != nil {
		return lone(g)
	}
	if name, _, ok := strings.Cut(first, "="); ok && isVariable(name) && all(values, func(v string) bool { return strings.HasPrefix(v, name+"=") }) {
		return behind(name+"=", name, values, program)
	}
	if parts := guessPort(values, program); parts != nil {
		return parts
	}
	if parts := guessAround(values); parts != nil {
		return parts
	}
	if len(values) > maxList {
		if parts := guessClass(values); parts != nil {
			return parts
		}
	}
	return lone(guessList(values))
}

func lone(g *guess) []part { return []part{{guess: g}} }

func all(values []string, is func(string) bool) bool {
	return !slices.ContainsFunc(values, func(v string) bool { return !is(v) })
}

func anyOf(values []string, is func(string) bool) bool { return slices.ContainsFunc(values, is) }

// guessOption is for words of which one begins with -: nothing but what was seen, or a value behind the same name.
func guessOption(values []string, program string) []part {
	name, _, valued := strings.Cut(values[0], "=")
	if valued && all(values, func(v string) bool { return strings.HasPrefix(v, name+"=") }) {
		return behind(name+"=", strings.TrimLeft(name, "-"), values, program)
	}
	if letter := values[0][:min(2, len(values[0]))]; isOption(letter) && all(values, func(v string) bool { return strings.HasPrefix(v, letter) }) {
		if rest := cut(values, letter, ""); all(rest, isInt) {
			g := guessInt(rest)
			g.hint = letter[1:]
			return []part{{text: letter}, {guess: g}}
		}
	}
	return lone(guessList(values))
}

// behind guesses the values behind a name that they share.
func behind(prefix, name string, values []string, program string) []part {
	parts := guessWord(cut(values, prefix, ""), program)
	for _, p := range parts {
		if p.guess != nil {
			p.guess.hint = name
			break
		}
	}
	return append([]part{{text: prefix}}, parts...)
}

func cut(values []string, prefix, suffix string) []string {
	rest := make([]string, len(values))
	for i, v := range values {
		rest[i] = strings.TrimSuffix(strings.TrimPrefix(v, prefix), suffix)
	}
	return rest
}

func isVariable(name string) bool {
	const more = "0123456789_.-"
	letter := func(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' }
	for i := range len(name) {
		if !letter(name[i]) && (i == 0 || strings.IndexByte(more, name[i]) < 0) {
			return false
		}
	}
	return name != ""
}

// guessPort is for host:port.
func guessPort(values []string, program string) []part {
	var hosts, ports []string
	for _, v := range values {
		host, port, ok := strings.Cut(v, ":")
		if !ok || host == "" || !isInt(port) {
			return nil
		}
		if !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
		if !slices.Contains(ports, port) {
			ports = append(ports, port)
		}
	}
	pieces := func(values []string, hint string) []part {
		if len(values) == 1 {
			return []part{{text: values[0]}}
		}
		parts := guessWord(values, program)
		for _, p := range parts {
			if p.guess != nil {
				p.guess.hint = hint
			}
		}
		return parts
	}
	return append(append(pieces(hosts, "host"), part{text: ":"}), pieces(ports, "port")...)
}

// guessAround is for words that differ in the middle, where the middle is a number or has an evident shape: app-1 and app-2.
func guessAround(values []string) []part {
	prefix, suffix := shared(values)
	for _, p := range cuts(prefix, false) {
		for _, s := range cuts(suffix, true) {
			if p == "" && s == "" || anyOf(values, func(v string) bool { return len(v) <= len(p)+len(s) }) {
				continue
			}
			g := guessShape(cut(values, p, s))
			if g != nil && (g.kind == kindInt || !isDotted(p, s)) {
				return around(p, g, s)
			}
		}
	}
	return nil
}

// isDotted says whether what stands between a beginning and an end is but a part of something longer, such as an address.
func isDotted(prefix, suffix string) bool {
	return strings.HasSuffix(prefix, ".") || len(suffix) > 1 && suffix[0] == '.' && isDigit(suffix[1])
}

func around(prefix string, g *guess, suffix string) []part {
	var parts []part
	if prefix != "" {
		parts = append(parts, part{text: prefix})
	}
	parts = append(parts, part{guess: g})
	if suffix != "" {
		parts = append(parts, part{text: suffix})
	}
	return parts
}

// shared is what all values begin and end with, the two not overlapping.
func shared(values []string) (prefix, suffix string) {
	prefix = values[0]
	for _, v := range values {
		for !strings.HasPrefix(v, prefix) {
			prefix = prefix[:len(prefix)-1]
		}
	}
	suffix = values[0][len(prefix):]
	for _, v := range values {
		for !strings.HasSuffix(v[len(prefix):], suffix) {
			suffix = suffix[1:]
		}
	}
	return prefix, suffix
}

// cuts are parts of a shared beginning or end that end where a letter, digit or mark meets one of another sort, the shortest first, so
// that a date is seen whole although all have the same year.
func cuts(text string, end bool) []string {
	found := []string{""}
	for i := 1; i <= len(text) && len(found) <= maxCuts; i++ {
		piece, next := text[:i], i == len(text)
		a, b := text[i-1], byte(0)
		if end {
			piece, a = text[len(text)-i:], text[len(text)-i]
		}
		if !next {
			if b = text[i]; end {
				b = text[len(text)-i-1]
			}
		}
		if a >= 0x80 || isDigit(a) || !next && sort(a) == sort(b) && sort(a) != 0 {
			continue // never between the digits of one number, or the bytes of one character
		}
		found = append(found, piece)
	}
	return found
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func sort(c byte) int {
	switch {
	case isDigit(c):
		return 1
	case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80:
		return 2
	}
	return 0
}

// guessShape recognises numbers, and what is written in a form of its own; nil if there is none.
func guessShape(values []string) *guess {
	if all(values, isInt) {
		return guessInt(values)
	}
	for _, f := range forms() {
		if all(values, f.fits) {
			return &guess{kind: kindForm, hint: f.hint, values: values, text: "{ regex = '" + f.regex + "' }", why: "any " + f.what}
		}
	}
	if length := len(values[0]); length >= minHash && all(values, func(v string) bool { return len(v) == length && isHash(v) }) {
		return &guess{kind: kindForm, hint: "hash", values: values, text: fmt.Sprintf("{ regex = '[0-9a-f]{%d}' }", length),
			why: fmt.Sprintf("any %d hexadecimal digits", length)}
	}
	return nil
}

// form is a way of writing that tells what is meant. In a mask 0 is a digit, x a hexadecimal one, 9 any number of digits.
type form struct{ mask, regex, hint, what string }

func forms() []form {
	const date, dateMask = `[0-9]{4}-[0-9]{2}-[0-9]{2}`, "0000-00-00"
	return []form{
		{"v9.9", `v[0-9]+\.[0-9]+`, "version", "version of two numbers"},
		{"v9.9.9", `v[0-9]+\.[0-9]+\.[0-9]+`, "version", "version of three numbers"},
		{"9.9.9", `[0-9]+\.[0-9]+\.[0-9]+`, "version", "version of three numbers"},
		{dateMask, date, "date", "date"},
		{dateMask + "T00:00", date + `T[0-9]{2}:[0-9]{2}`, "time", "date with a time of day"},
		{dateMask + "T00:00:00", date + `T[0-9]{2}:[0-9]{2}:[0-9]{2}`, "time", "date with a time of day"},
		{dateMask + "T00:00:00Z", date + `T[0-9]{2}:[0-9]{2}:[0-9]{2}Z`, "time", "date with a time of day"},
		{"xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`, "id", "UUID"},
	}
}

func (f form) fits(v string) bool {
	for i := range len(f.mask) {
		if v == "" {
			return false
		}
		switch m := f.mask[i]; {
		case m == '9':
			rest := strings.TrimLeft(v, "0123456789")
			if len(rest) == len(v) {
				return false
			}
			v = rest
			continue
		case m == '0' && !isDigit(v[0]), m == 'x' && strings.IndexByte("0123456789abcdef", v[0]) < 0, m != '0' && m != 'x' && v[0] != m:
			return false
		}
		v = v[1:]
	}
	return v == ""
}

const minHash = 7 // digits of the shortest hash, as git abbreviates it

// isHash wants both digits and letters, as almost every hash has them and almost no word.
func isHash(v string) bool {
	return strings.Trim(v, "0123456789abcdef") == "" && strings.ContainsAny(v, "0123456789") && strings.ContainsAny(v, "abcdef")
}

// isInt says whether a value is a whole number, not below 0, in its shortest form.
func isInt(v string) bool {
	n, err := strconv.ParseInt(v, 10, 64)
	return err == nil && n >= 0 && strconv.FormatInt(n, 10) == v
}

func guessInt(values []string) *guess {
	lo, hi := int64(1<<63-1), int64(0)
	for _, v := range values {
		n, _ := strconv.ParseInt(v, 10, 64)
		lo, hi = min(lo, n), max(hi, n)
	}
	return &guess{kind: kindInt, hint: "n", values: values, text: fmt.Sprintf("{ int = [%d, %d] }", lo, hi), why: "whole numbers from the least to the greatest seen"}
}

func guessList(values []string) *guess {
	quoted := make([]string, len(values))
	hint := "value"
	if all(values, isAction) {
		hint = "word"
	}
	if all(values, isOption) {
		hint = "option"
	}
	for i, v := range values {
		quoted[i] = quote(v)
	}
	return &guess{kind: kindList, hint: hint, values: values, text: "[" + strings.Join(quoted, ", ") + "]", why: "these and no other"}
}

// guessPath finds the deepest folder that has all. The root and the system's own folders are too much to guess.
func guessPath(values []string, program string) *guess {
	these := guessList(values)
	these.hint = "path"
	common := strings.Split(strings.TrimSuffix(values[0], "/"), "/")
	for _, v := range values {
		parts := strings.Split(strings.TrimSuffix(v, "/"), "/")
		if slices.Contains(parts[1:], "") || slices.Contains(parts, ".") || slices.Contains(parts, "..") {
			return these
		}
		n := 0
		for n < len(common) && n < len(parts) && parts[n] == common[n] {
			n++
		}
		common = common[:n]
	}
	if name := base(program); lint.RunsFiles(name) && name != "git-receive-pack" { // its hooks are told of in a note
		these.why = "these and no other, because the program runs what it is given"
		return these
	}
	root := strings.Join(common, "/")
	if root == "" || isSystem(root) {
		these.why = "these and no other, because the folder that has them all is too much to guess"
		return these
	}
	g := &guess{kind: kindPath, hint: "path", values: values, text: "{ path = " + quote(root), why: "any path below the deepest folder that has them all"}
	if !anyOf(values, func(v string) bool { return strings.TrimSuffix(v, "/") == root }) {
		g.text += ", itself = false"
	}
	switch access := accessOf(program); access {
	case "":
		g.why += `; add access = "read" or "write", and the kernel holds the program to it`
	default:
		g.text += ", access = " + quote(access)
		g.why += "; the access is a guess from the program, and the kernel holds it to that"
	}
	g.text += " }"
	return g
}

// isSystem says whether a folder holds more than data: programs, settings, or, as a home does, what decides on access.
func isSystem(folder string) bool {
	parts := strings.Split(strings.TrimPrefix(folder, "/"), "/")
	if parts[0] == "etc" || parts[0] == "home" && len(parts) <= 2 || slices.Contains(parts, ".ssh") || folder == "/var/log/ssh-gate" {
		return true
	}
	switch folder {
	case "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/opt", "/proc", "/root", "/run", "/sbin", "/sys", "/usr", "/usr/bin",
		"/usr/lib", "/usr/local", "/usr/sbin", "/usr/share", "/var", "/var/lib", "/var/spool", "/tmp", "/var/tmp":
		return true
	}
	return false
}

// guessClass takes the characters seen, for the part of the words that differs; nil where no class will do. The values may stand behind
// a name and a sign already.
func guessClass(values []string) []part {
	prefix, suffix := shared(values)
	before, after := cuts(prefix, false), cuts(suffix, true)
	p, s := before[len(before)-1], after[len(after)-1]
	if anyOf(values, func(v string) bool { return len(v) <= len(p)+len(s) }) {
		p, s = "", ""
	}
	middle := cut(values, p, s)
	chars, ok := characters(middle)
	if !ok || strings.Contains(chars, "/") && (p == "" || strings.IndexByte("=:,", p[len(p)-1]) >= 0) {
		return nil // with a slash first the value would be an absolute path, which none was
	}
	shortest, longest := len(middle[0]), 0
	for _, v := range middle {
		shortest, longest = min(shortest, len(v)), max(longest, len(v))
	}
	if longest > maxChars {
		return nil
	}
	return around(p, &guess{kind: kindChars, hint: "name", values: middle, why: "text of the characters and lengths seen",
		text: fmt.Sprintf("{ chars = %s, len = [%d, %d] }", quote(chars), shortest, longest)}, s)
}

// characters spells the class of all characters of the values, - last; no class takes the components . and .. of a path.
func characters(values []string) (class string, ok bool) {
	lower, upper, digits, dash := "", "", "", ""
	var others []rune
	for _, v := range values {
		for _, c := range v {
			switch {
			case c >= 'a' && c <= 'z':
				lower = "a-z"
			case c >= 'A' && c <= 'Z':
				upper = "A-Z"
			case c >= '0' && c <= '9':
				digits = "0-9"
			case c == '-':
				dash = "-"
			case !slices.Contains(others, c):
				others = append(others, c)
			}
		}
		for component := range strings.SplitSeq(v, "/") {
			if component == "." || component == ".." {
				return "", false
			}
		}
		if len(others) > maxClass {
			return "", false
		}
	}
	slices.Sort(others)
	return lower + upper + digits + string(others) + dash, true
}

// maxChars is how long a value of chars may be.
const maxChars = 255

// guessOptions is for options that are there or not. Those that have the same name and different values become one.
func guessOptions(seen []string, program string) *guess {
	g := &guess{kind: kindOptions, hint: "options", values: seen, why: "any of them, in any order, each as often as it stands in the list"}
	var order []string
	named := make(map[string][]string)
	for _, o := range seen {
		name, _, valued := strings.Cut(o, "=")
		if !valued {
			name = o
		}
		if named[name] == nil {
			order = append(order, name)
		}
		named[name] = append(named[name], o)
	}
	for _, name := range order {
		values := slices.Compact(slices.Sorted(slices.Values(named[name])))
		if len(values) == 1 || !all(values, func(v string) bool { return strings.HasPrefix(v, name+"=") }) {
			for _, v := range named[name] {
				g.inside = append(g.inside, fixed(v))
			}
			continue
		}
		g.inside = append(g.inside, word{parts: guessOption(values, program)})
	}
	return g
}
