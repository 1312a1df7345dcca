package policy

import (
	"strings"
	"testing"
)

// Each of these texts was once read as something its author had not written.

// A dotted key defines a table by the way, and the decoder lets a list written later take its place, in the same rule or, the
// name being known from a rule before, in another one. The strict reading is that the key stands twice.
func TestKeyTwiceRegression(t *testing.T) {
	for name, text := range map[string]string{
		"list over dotted":       "[[allow]]\ncommand = \"a {n}\"\nargs.n.int = [1, 5]\nargs.n = [\"anything\"]\n",
		"string over dotted":     "[[allow]]\ncommand = \"a {n}\"\nargs.n.int = [1, 5]\nargs.n = \"ignored\"\n",
		"dotted in another rule": "[[allow]]\ncommand = \"a {n}\"\nargs.n.int = [1, 5]\n[[allow]]\ncommand = \"b {n}\"\nargs.n = [\"x\"]\nargs.n = [\"y\"]\n",
		"at the top":             "args.n.int = [1, 5]\nargs.n = [\"x\"]\n[[allow]]\ncommand = \"a {n}\"\n",
		"inside inline tables":   "allow = [{ command = \"a {n}\", args.n.int = [1, 5] }, { command = \"b {n}\", args.n = [\"x\"], args.n = [\"y\"] }]\n",
	} {
		if p, _ := Parse("k", "k.toml", []byte(text)); p != nil {
			t.Errorf("%s: accepted\n%s", name, text)
		}
	}
}

// The first moment that a date can name is Go's zero time, which a policy without expires has as well.
func TestExpiresInTheYearOneRegression(t *testing.T) {
	for _, at := range []string{"0001-01-01T00:00:00Z", "0001-01-01T02:00:00+02:00"} {
		if p, _ := Parse("k", "k.toml", []byte("expires = "+at+"\n")); p != nil && p.Expires.IsZero() {
			t.Errorf("expires = %s means never", at)
		}
	}
}

// The decoder passes over a byte order mark of UTF-16 before text that is none.
func TestByteOrderMarkOfUTF16Regression(t *testing.T) {
	for _, mark := range []string{"\xff\xfe", "\xfe\xff"} {
		if p, _ := Parse("k", "k.toml", []byte(mark+"description = \"x\"\n")); p != nil {
			t.Errorf("%q before the text is accepted", mark)
		}
	}
}

// In the decoder six quotes close a string whose last character is an escaped backslash: one more than anywhere else. What stood
// behind the sixth was not looked at, and a megabyte of brackets there overflowed the stack.
func TestNestingBehindSixQuotesRegression(t *testing.T) {
	for _, hidden := range []string{strings.Repeat("[", 20), "{" + strings.Repeat("a.", 20) + "a = 1}"} {
		text := `x = ["""\\"""""", ` + hidden
		if deep, _ := survey(text); deep < 0 {
			t.Errorf("%s is not too deep", text)
		}
	}
}

func TestRootWithTwoSlashesRegression(t *testing.T) {
	if p, _ := Parse("k", "k.toml", []byte("[[allow]]\ncommand = \"cat {f}\"\nargs.f = { path = \"//\" }\n")); p != nil {
		t.Error(`path = "//" is accepted`)
	}
}

// A - beside a - is itself, or makes a range, and who writes "--a" does not mean the digits and capitals between them.
func TestDashAsEndOfARangeRegression(t *testing.T) {
	for _, class := range []string{"--a", "+--", "a+---z", "---"} {
		if p, _ := Parse("k", "k.toml", []byte("[[allow]]\ncommand = \"p {x}\"\nargs.x = { chars = \""+class+"\" }\n")); p != nil {
			t.Errorf("chars = %q is accepted", class)
		}
	}
}

// A relative value is a file below cwd to the gate, and a place on another host to rsync, scp and tar.
func TestPathOnAnotherHostRegression(t *testing.T) {
	typ, err := bind(&subtree{root: "/srv", shown: "/srv", itself: true}, "/srv")
	if err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]bool{"host:x": false, "user@127.0.0.1:x": false, "a/b:c": true, "/srv/b:c": true, "a": true} {
		if typ.Accepts(value) != want {
			t.Errorf("%q is accepted: %t", value, !want)
		}
	}
}
