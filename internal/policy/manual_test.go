package policy

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// chapter is where keys stand that the manual describes together.
type chapter struct {
	heading string
	keys    []string // that the parser takes there
	beside  []string // of them, those that the section names without an item of their own
	text    string   // what a file says beside the key; %s is the key and its value
	config  bool
}

var chapters = []chapter{
	{heading: ".Sh THE POLICY", keys: policyKeys, beside: []string{"env", "pass_env", "cwd", "umask", "stdin", "limits", "confine", "privileges"}, text: "%s\n"},
	{heading: ".Ss Tests", keys: testKeys, text: "[[test]]\nrequest = \"x\"\nexpect = \"deny\"\n%s\n"},
	{heading: ".Ss Rules", keys: ruleKeys, beside: []string{"limits", "confine", "privileges"}, text: "[[allow]]\ncommand = \"x\"\nrun = \"/x\"\n%s\n"},
	{heading: ".Ss Confine", keys: confineKeys, text: "[[allow]]\ncommand = \"x\"\nconfine = { %s }\n"},
	{heading: ".Ss Limits", keys: limitKeys, text: "[[allow]]\ncommand = \"x\"\nlimits = { %s }\n"},
	{heading: ".Ss Privileges", keys: []string{"privileges"}, text: "[[allow]]\ncommand = \"x\"\n%s\n"},
	{heading: ".Sh THE CONFIGURATION", keys: configItems(), text: "%s\n", config: true},
}

// configItems are the keys of a configuration as the manual has them, dotted.
func configItems() []string {
	var keys []string
	for _, key := range configKeys {
		if key != "log" {
			keys = append(keys, key)
			continue
		}
		for _, key := range logKeys {
			keys = append(keys, "log."+key)
		}
	}
	return keys
}

// section is what the manual has below a heading, up to the next.
func section(t *testing.T, heading string) string {
	t.Helper()
	page, err := os.ReadFile("../../packaging/man/ssh-gate.toml.5")
	if err != nil {
		t.Fatal(err)
	}
	_, part, ok := strings.Cut(string(page), "\n"+heading+"\n")
	if !ok {
		t.Fatalf("the manual lacks %s", heading)
	}
	return strings.ReplaceAll(regexp.MustCompile(`\n\.S[hs] `).Split(part, 2)[0], `\(dq`, `"`)
}

// same holds the keys of a section against the parser's, both ways.
func same(t *testing.T, heading string, has, takes []string) {
	t.Helper()
	for _, key := range takes {
		if !slices.Contains(has, key) {
			t.Errorf("%s: the manual lacks %s", heading, key)
		}
	}
	for _, key := range has {
		if !slices.Contains(takes, key) {
			t.Errorf("%s: the manual has %s, which the parser refuses", heading, key)
		}
	}
}

var keyItem = regexp.MustCompile(`(?m)^\.It Ic ([a-z_.]+)(?: Pq (.*))?$`)

// TestKeysInManual holds each key against ssh-gate.toml(5), with the type and the default that stand behind it there.
func TestKeysInManual(t *testing.T) {
	for _, p := range chapters {
		text := section(t, p.heading)
		var has []string
		for _, item := range keyItem.FindAllStringSubmatch(text, -1) {
			has = append(has, item[1])
			p.holds(t, item[1], item[2])
		}
		for _, key := range p.beside {
			if slices.Contains(has, key) || !regexp.MustCompile(`(?m)^\.Ic `+key+`( ,)?$`).MatchString(text) {
				t.Errorf("%s does not name %s in passing", p.heading, key)
			}
		}
		same(t, p.heading, append(has, p.beside...), p.keys)
	}
	for heading, says := range map[string]string{
		".Sh THE CONFIGURATION": "default: " + strings.Join(DefaultPath, ", ") + ".",
		".Ss Argument types":    fmt.Sprintf("from 0 to %d; default: [1, %d]", maxChars, maxChars),
	} {
		if !strings.Contains(strings.ReplaceAll(section(t, heading), "\n", " "), says) {
			t.Errorf("%s does not say %q", heading, says)
		}
	}
}

// written is a value of each kind that TOML has.
var written = map[string]string{
	"string": `"x"`, "whole number": "5", "fraction": "5.5", "boolean": "false", "list of strings": `["x"]`, "list of numbers": "[5]", "table": "{}",
	"array of tables": "[{}]", "offset date-time": "2027-01-01T00:00:00Z",
}

var (
	quoted = regexp.MustCompile(`"([^"]*)"`)
	fromTo = regexp.MustCompile(`^(\d+) to (\d+)$`)
)

// holds holds what the manual says of a key against what the parser makes of it.
func (p *chapter) holds(t *testing.T, key, says string) {
	t.Helper()
	kind, fallback, _ := strings.Cut(says, "; default: ")
	var takes, good, bad []string // kinds, and values of the first
	switch words := quoted.FindAllString(kind, -1); {
	case fromTo.MatchString(kind):
		m := fromTo.FindStringSubmatch(kind)
		low, _ := strconv.Atoi(m[1])
		high, _ := strconv.Atoi(m[2])
		takes, good, bad = []string{"whole number"}, m[1:], []string{strconv.Itoa(low - 1), strconv.Itoa(high + 1)}
	case strings.HasPrefix(kind, "such as ") && len(words) == 1:
		takes, good = []string{"string"}, words
	case len(words) > 0 && kind == strings.Join(words, " or "):
		takes, good, bad = []string{"string"}, words, []string{`"x"`, `""`}
	case kind == "list of paths", kind == "list of folders":
		takes, good = []string{"list of strings"}, []string{`["/x"]`}
	case kind == "table of strings":
		takes, bad = []string{"table"}, []string{"{ X = 5 }"}
	case kind == "string of octal digits":
		takes, good, bad = []string{"string"}, []string{`"027"`}, []string{`"029"`}
	case kind == "string or list of strings":
		takes = []string{"string", "list of strings"}
	default:
		takes = []string{kind}
	}
	for _, kind := range takes {
		if written[kind] == "" {
			t.Errorf("%s: %s is %q, which is no kind of value", p.heading, key, kind)
		}
	}
	for kind, value := range written {
		_, err := p.parse(key, value)
		refused := strings.Contains(err, "expected ")
		if taken := slices.Contains(takes, kind); taken == refused {
			t.Errorf("%s: %s is %q, and a %s is met by: %s", p.heading, key, says, kind, err)
		}
	}
	for _, value := range good {
		if _, err := p.parse(key, value); err != "" {
			t.Errorf("%s: %s = %s: %s", p.heading, key, value, err)
		}
	}
	for _, value := range bad {
		if _, err := p.parse(key, value); err == "" {
			t.Errorf("%s: %s = %s is taken", p.heading, key, value)
		}
	}
	p.falls(t, key, takes[0], fallback, good)
}

// falls holds a default: that value means what no value means, and any other does not.
func (p *chapter) falls(t *testing.T, key, kind, fallback string, choices []string) {
	t.Helper()
	fallback = strings.TrimPrefix(fallback, "Pa ")
	switch {
	case kind == "boolean" && fallback != "":
		choices = []string{"true", "false"}
	case key == "log.file":
		fallback, choices = strconv.Quote(fallback), []string{strconv.Quote(fallback), `""`, `"/x"`}
	case !strings.HasPrefix(fallback, `"`): // in words
		return
	}
	if !slices.Contains(choices, fallback) {
		t.Errorf("%s: the default %s of %s is not among %q", p.heading, fallback, key, choices)
	}
	absent, err := p.parse("", "")
	for _, value := range choices {
		given, err2 := p.parse(key, value)
		if err+err2 != "" || reflect.DeepEqual(absent, given) != (value == fallback) {
			t.Errorf("%s: %s = %s, where the default is %s: %s", p.heading, key, value, fallback, err+err2)
		}
	}
}

// parse reads a file that gives a key this value, or does not give it.
func (p *chapter) parse(key, value string) (any, string) {
	pair := key + " = " + value
	if key == "" {
		pair = ""
	}
	text := fmt.Sprintf(p.text, pair)
	switch key {
	case "command", "run", "request", "expect": // which stand there already
		text = regexp.MustCompile(`\n`+key+` = "[^\n]*`).ReplaceAllString(strings.Replace(text, pair+"\n", "", 1), "\n"+pair)
	case "raw":
		text = strings.Replace(text, "command = \"x\"\n", "", 1)
	}
	if p.config {
		c, faults := ParseConfig("config.toml", []byte(text))
		return c, told(faults)
	}
	parsed, faults := Parse("x", "x.toml", []byte(text))
	return parsed, told(faults)
}

func told(faults Faults) string {
	if faults == nil {
		return ""
	}
	return faults.Render()
}

// TestTypesInManual holds the types of arguments, and the keys beside them, against the manual.
func TestTypesInManual(t *testing.T) {
	text := section(t, ".Ss Argument types")
	items := strings.Split(text, "\n.It Li ")[1:]
	var has []string
	for _, item := range items {
		example, about, _ := strings.Cut(item, "\n")
		if _, faults := Parse("x", "x.toml", []byte("args.x = "+example+"\n")); faults != nil {
			t.Errorf("the manual's example %s:\n%s", example, faults.Render())
		}
		if strings.HasPrefix(example, "[") {
			continue // a list of words, which no key names
		}
		name := strings.Fields(example)[1]
		has = append(has, name)
		var beside, takes []string
		for _, m := range regexp.MustCompile(`(?m)\b([a-z]+) = |^\.Ic ([a-z]+)`).FindAllStringSubmatch(example+"\n"+strings.Split(about, "\n.El")[0], -1) {
			if key := m[1] + m[2]; key != name && !slices.Contains(ruleKeys, key) && !slices.Contains(beside, key) {
				beside = append(beside, key)
			}
		}
		for _, k := range typeKeys {
			if k.name == name {
				takes = k.beside
			}
		}
		same(t, "the type "+name, beside, takes)
	}
	var takes []string
	for _, k := range typeKeys {
		takes = append(takes, k.name)
	}
	same(t, ".Ss Argument types", has, takes)
	if len(items) != len(takes)+1 {
		t.Errorf("the manual has %d types, the parser %d and lists of words", len(items), len(takes))
	}
}
