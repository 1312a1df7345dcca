package policy

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "rewrite the golden files of broken policies")

// parsePolicy and parseConfig have one shape, so that both kinds of file go through the same tests.
func parsePolicy(file string, text []byte) (any, Faults) {
	p, faults := Parse("broken", file, text)
	if p == nil {
		return nil, faults
	}
	return p, faults
}

func parseConfig(file string, text []byte) (any, Faults) {
	c, faults := ParseConfig(file, text)
	if c == nil {
		return nil, faults
	}
	return c, faults
}

func TestBrokenPolicies(t *testing.T) {
	goldenFiles(t, "testdata/broken", parsePolicy)
}

func TestBrokenConfigurations(t *testing.T) {
	goldenFiles(t, "testdata/broken/config", parseConfig)
}

func goldenFiles(t *testing.T, dir string, parse func(string, []byte) (any, Faults)) {
	files, err := filepath.Glob(dir + "/*.toml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has no files: %v", dir, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".toml")
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimSuffix(file, ".toml")+".golden", parse, string(text))
		})
	}
}

// golden holds what is said about a broken text against what a person has read and found good.
func golden(t *testing.T, file string, parse func(string, []byte) (any, Faults), text string) {
	t.Helper()
	value, faults := parse(strings.TrimSuffix(filepath.Base(file), ".golden")+".toml", []byte(text))
	if faults == nil || value != nil {
		t.Fatalf("accepted, with faults %v", faults)
	}
	checkFaults(t, text, faults)
	got := faults.Render()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// checkFaults holds what is true of every fault: its place lies in the text, faults stand in the order of their places, and
// what is shown is printable.
func checkFaults(t *testing.T, text string, faults Faults) {
	t.Helper()
	lines := strings.Split(text, "\n")
	for i, f := range faults {
		if f.Line < 1 || f.Line > len(lines) {
			t.Fatalf("line %d of %d: %s", f.Line, len(lines), f.Message)
		}
		if width := utf8.RuneCountInString(lines[f.Line-1]); f.Col < 1 || f.Col > width+1 {
			t.Errorf("column %d in line %d, which has %d characters: %s", f.Col, f.Line, width, f.Message)
		}
		if f.Len < 1 {
			t.Errorf("%d characters to underline: %s", f.Len, f.Message)
		}
		if f.Message == "" || strings.Contains(f.Error(), "\n") {
			t.Errorf("a fault takes one line: %q", f.Error())
		}
		if i > 0 && (f.Line < faults[i-1].Line || f.Line == faults[i-1].Line && f.Col < faults[i-1].Col) {
			t.Errorf("%d:%d is told after %d:%d", f.Line, f.Col, faults[i-1].Line, faults[i-1].Col)
		}
	}
	for _, shown := range []string{faults.Render(), faults.Error()} {
		if i := strings.IndexFunc(shown, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 || !utf8.ValidString(shown) {
			t.Errorf("not printable: %q", shown)
		}
	}
}

// oddTexts cannot be kept well in a file: they are no UTF-8, or too large.
var oddTexts = map[string]string{
	"odd-byte-order-mark":    "\uFEFFdescription = \"x\"\n",
	"odd-utf16-little":       utf16Text(false, "description = \"x\"\n"),
	"odd-utf16-little-mark":  utf16Text(false, "\uFEFFdescription = \"x\"\n"),
	"odd-utf16-big":          utf16Text(true, "description = \"x\"\n"),
	"odd-utf16-big-mark":     utf16Text(true, "\uFEFFdescription = \"x\"\n"),
	"odd-latin1":             "# caf\xe9\ndescription = \"caf\xe9\"\n",
	"odd-carriage-return":    "description = \"x\"\rusers = [\"deploy\"]\r",
	"odd-windows-line-ends":  "description = \"x\"\r\nusers = [ ]\r\n",
	"odd-nul":                "description = \"x\"\n\x00\n",
	"odd-too-large":          "description = \"x\"\n" + strings.Repeat("# filler\n", MaxBytes/9),
	"odd-too-large-one-line": strings.Repeat("é", MaxBytes),
	"odd-brackets":           "users = [\n  \"deploy\",\n  " + strings.Repeat("[", 1<<20-100),
	"odd-braces":             "args = " + strings.Repeat("{ a = ", 100_000),
	"odd-dotted-key":         strings.Repeat("a.", 5000) + "a = 1\n",
	"odd-dotted-header":      "[" + strings.Repeat("a.", 5000) + "a]\n",
	"odd-dotted-inline":      "args = { " + strings.Repeat("a . ", 5000) + "a = 1 }\n",
	"odd-spaced-dots":        strings.Repeat("a \t.\t ", 2000) + "a = 1\n",
	"odd-many-rules":         strings.Repeat("[[allow]]\ncommand = \"uptime\"\n", maxRules+1),
	"odd-many-users":         "users = [" + strings.Repeat(`"a", `, maxList+1) + "]\n",
	"odd-many-commands":      "[[allow]]\ncommand = [" + strings.Repeat(`"a", `, maxList+1) + "]\n",
	"odd-many-words":         "[[allow]]\ncommand = \"a {x}\"\nargs.x = [" + strings.Repeat(`"a", `, maxList+1) + "]\n",
	"odd-many-variables":     "[env]\n" + numbered("K%d = \"v\"\n", maxEnv+1),
	"odd-many-passed":        "pass_env = [" + numbered(`"K%d", `, maxEnv+1) + "]\n",
	"odd-many-options":       "[[allow]]\ncommand = \"a {x*}\"\nargs.x = { options = [" + numbered(`"-o%d", `, maxOptions+1) + "] }\n",
	"odd-long-command":       "[[allow]]\ncommand = \"a " + strings.Repeat("b", maxPattern) + "\"\n",
	"odd-wordy-command":      "[[allow]]\ncommand = \"" + strings.Repeat("a ", maxElements+1) + "\"\n",
	"odd-long-regex":         "[[allow]]\ncommand = \"a {x}\"\nargs.x = { regex = '" + strings.Repeat("a", maxRegex+1) + "' }\n",
	"odd-large-regex":        "[[allow]]\ncommand = \"a {x}\"\nargs.x = { regex = '((a{100}){100}){100}' }\n",
	"odd-long-cwd":           "cwd = \"/" + strings.Repeat("a/", 2048) + "a\"\n",
	"odd-long-key":           strings.Repeat("k", 300) + " = 1\n",
}

func utf16Text(big bool, s string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		if big {
			b = append(b, byte(u>>8), byte(u))
		} else {
			b = append(b, byte(u), byte(u>>8))
		}
	}
	return string(b)
}

func numbered(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

func TestOddTexts(t *testing.T) {
	for name, text := range oddTexts {
		t.Run(name, func(t *testing.T) {
			golden(t, "testdata/broken/"+name+".golden", parsePolicy, text)
		})
	}
}

// One entry, word or byte less is still accepted: the bounds are where the messages say.
func TestBoundsAreInclusive(t *testing.T) {
	for name, text := range map[string]string{
		"rules":     strings.Repeat("[[allow]]\ncommand = \"uptime\"\n", maxRules),
		"users":     "users = [" + strings.Repeat(`"a", `, maxList) + "]\n",
		"variables": "[env]\n" + numbered("K%d = \"v\"\n", maxEnv),
		"passed":    "pass_env = [" + numbered(`"K%d", `, maxEnv) + "]\n",
		"options":   "[[allow]]\ncommand = \"a {x*}\"\nargs.x = { options = [" + numbered(`"-o%d", `, maxOptions) + "] }\n",
		"command":   "[[allow]]\ncommand = \"a " + strings.Repeat("b", maxPattern-2) + "\"\n",
		"words":     "[[allow]]\ncommand = \"" + strings.Repeat("a ", maxElements) + "\"\n",
		"regex":     "[[allow]]\ncommand = \"a {x}\"\nargs.x = { regex = '" + strings.Repeat("a", maxRegex) + "' }\n",
		"bytes":     strings.Repeat("#\n", MaxBytes/2),
		"nesting":   "[[allow]]\ncommand = \"a {x}\"\nargs = { x = { int = [1, 2] } } # " + strings.Repeat("[", 100),
		"dots":      "[[allow]]\ncommand = \"a {a}{b}{c}{d}{e}{f}{g}{h}{i}\"\nargs = { a.int = [1, 2], b.int = [1, 2], c.int = [1, 2], d.int = [1, 2], e.int = [1, 2], f.int = [1, 2], g.int = [1, 2], h.int = [1, 2], i.int = [1, 2] }\n",
		"name":      "[[allow]]\nname = \"" + strings.Repeat("n", 64) + "\"\ncommand = \"a\"\n",
	} {
		if _, faults := Parse("k", name, []byte(text)); faults != nil {
			t.Errorf("%s: %v", name, faults)
		}
	}
}

// Every broken policy has one fault; this one has one in each line that says so, and all are told, in order.
func TestAllFaultsAreTold(t *testing.T) {
	text, err := os.ReadFile("testdata/many-faults.toml")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/many-faults.golden", parsePolicy, string(text))
	var want, got []int
	for i, line := range strings.Split(string(text), "\n") {
		if strings.Contains(line, "# fault") {
			want = append(want, i+1)
		}
	}
	_, faults := Parse("k", "k.toml", text)
	for _, f := range faults {
		got = append(got, f.Line)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("faults in the lines %v, want %v", got, want)
	}
}

// At most maxFaultsTold are told, and they are the first.
func TestFaultsAreCapped(t *testing.T) {
	_, faults := Parse("k", "k.toml", []byte(numbered("[[allow]]\nname = %d\ncommand = \"x\"\n", 3*maxFaultsTold)))
	if len(faults) != maxFaultsTold {
		t.Fatalf("%d faults", len(faults))
	}
	for i, f := range faults {
		if f.Line != 3*i+2 {
			t.Errorf("fault %d stands in line %d", i, f.Line)
		}
	}
	text := numbered("key%d = 1\n", 20_000)
	if _, faults = Parse("k", "k.toml", []byte(text)); len(faults) != maxFaultsTold {
		t.Fatalf("%d faults", len(faults))
	}
	checkFaults(t, text, faults)
}

// The keys of a table come in random order; what is told must not.
func TestFaultsAreDeterministic(t *testing.T) {
	text, err := os.ReadFile("testdata/many-faults.toml")
	if err != nil {
		t.Fatal(err)
	}
	_, first := Parse("k", "k.toml", text)
	for range 50 {
		if _, again := Parse("k", "k.toml", text); again.Render() != first.Render() {
			t.Fatalf("got\n%swant\n%s", again.Render(), first.Render())
		}
	}
}

func TestFaultError(t *testing.T) {
	f := &Fault{File: "k.toml", Line: 3, Col: 5, Len: 1, Message: "it is wrong", Hint: "write it right"}
	if got, want := f.Error(), "k.toml:3:5: it is wrong; write it right"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	f.Hint = ""
	if got, want := (Faults{f, f, f}).Error(), "k.toml:3:5: it is wrong (and 2 more)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
