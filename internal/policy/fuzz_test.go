package policy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzParse holds that any text gives a policy or faults, never both and never neither, the same each time, and that what is
// said about it can be shown.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/broken/*.toml", "testdata/broken/config/*.toml", "testdata/*.toml", "../../examples/*.toml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatalf("%s: no files (%v)", pattern, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	for _, text := range oddTexts {
		if len(text) < 4096 {
			f.Add([]byte(text))
		}
	}
	f.Add([]byte("args.a = { n = 0b"))                   // the decoder's message holds the character as it stands
	f.Add([]byte("users = [\"a\"\u202e"))                // so does this one
	f.Add([]byte("args.a = 0b\n"))                       // and a line end
	f.Add([]byte("\"\u1f61"))                            // its place is a byte within a character
	f.Add([]byte("x = [\"\"\"\\\\\"\"\"\"\"\", [[1]]]")) // six quotes close a string
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 16<<10 {
			return
		}
		for _, parse := range []func(string, []byte) (any, Faults){parsePolicy, parseConfig} {
			value, faults := parse("k.toml", text)
			if (value == nil) == (faults == nil) {
				t.Fatalf("got %v and %v", value, faults)
			}
			if faults != nil {
				checkFaults(t, string(text), faults)
			}
			again, faultsAgain := parse("k.toml", text)
			if (again == nil) != (value == nil) || faults != nil && faults.Render() != faultsAgain.Render() {
				t.Fatalf("first\n%s\nthen\n%s", faults.Render(), faultsAgain.Render())
			}
		}
		if p, _ := Parse("k", "k.toml", text); p != nil {
			checkPolicy(t, p)
		}
	})
}

// checkPolicy holds what the decision relies on.
func checkPolicy(t *testing.T, p *Policy) {
	t.Helper()
	for i := range p.Rules {
		rule := &p.Rules[i]
		if rule.Number != i+1 || rule.Label() == "" {
			t.Fatalf("rule %d is numbered %d", i+1, rule.Number)
		}
		if (rule.Raw == "") == (len(rule.Patterns) == 0) {
			t.Fatalf("rule %d has the raw text %q and %d patterns", i+1, rule.Raw, len(rule.Patterns))
		}
		if rule.Raw != "" && rule.Run == nil {
			t.Fatalf("rule %d has a raw text and no run", i+1)
		}
		if rule.Run != nil {
			if program := rule.Run.Program(); !cleanPath(program) || program == "/" {
				t.Fatalf("rule %d runs %q", i+1, program)
			}
		}
		for _, pattern := range rule.Patterns {
			if len(pattern.Elements) == 0 && rule.Run == nil {
				t.Fatalf("rule %d has an empty command and no run", i+1)
			}
			if len(pattern.Elements) > 0 {
				if _, ok := pattern.Elements[0].Literal(); !ok {
					t.Fatalf("rule %d begins with a placeholder", i+1)
				}
			}
			for _, e := range pattern.Elements {
				checkElement(t, &e)
			}
		}
	}
}

func checkElement(t *testing.T, e *Element) {
	t.Helper()
	if e.Repeat != One && (len(e.Parts) != 1 || e.Parts[0].Name == "") {
		t.Fatalf("%+v repeats and is no placeholder", e)
	}
	for _, part := range e.Parts {
		if strings.ContainsRune(part.Text, 0) {
			t.Fatalf("%+v holds a NUL", part)
		}
		if (part.Name == "") != (part.Type == nil) {
			t.Fatalf("%+v has no type", part)
		}
		options, ok := part.Type.(*Options)
		if !ok {
			continue
		}
		if e.Repeat != AnyNumber && e.Repeat != AtLeastOne {
			t.Fatalf("{%s} holds options and does not repeat", part.Name)
		}
		for _, o := range options.List {
			if len(o.Elements) == 0 {
				t.Fatalf("{%s} holds an empty option", part.Name)
			}
			for _, inside := range o.Elements {
				if inside.Repeat != One {
					t.Fatalf("{%s} holds an option that repeats", part.Name)
				}
				checkElement(t, &inside)
			}
		}
	}
}
