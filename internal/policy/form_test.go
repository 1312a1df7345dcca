package policy

import (
	"fmt"
	"slices"
	"testing"
)

// linksOf resolves these paths and no others.
type linksOf map[string]string

func (l linksOf) Lookup(string) (string, bool) { return "", false }
func (l linksOf) Resolve(path string) (string, int, error) {
	if to, ok := l[path]; ok {
		return to, 0, nil
	}
	return path, 0, nil
}

// typeFrom reads a type as a policy spells it.
func typeFrom(t *testing.T, spelled string) Type {
	t.Helper()
	p, faults := Parse("k", "k.toml", fmt.Appendf(nil, "[[allow]]\ncwd = \"/srv\"\ncommand = \"a {x}\"\nargs.x = %s\n", spelled))
	if faults != nil {
		t.Fatal(faults.Render())
	}
	return p.Rules[0].Patterns[0].Elements[1].Parts[0].Type
}

func TestWithin(t *testing.T) {
	files := linksOf{"/srv/link": "/etc"}
	for _, c := range []struct {
		inner, outer string
		want         bool
	}{
		{`["a", "b"]`, `["b", "c", "a"]`, true},
		{`["a", "b"]`, `["b"]`, false},
		{`["a"]`, `{ chars = "a-z" }`, true},
		{`["-a"]`, `{ chars = "a-z-" }`, false}, // no value of chars begins a word with -
		{`["", "a"]`, `{ text = [0, 9] }`, false},
		{`["-a"]`, `{ regex = '-a|b' }`, true},
		{`["/srv/link"]`, `{ path = "/srv" }`, false},
		{`{ int = [1, 3] }`, `["1", "2", "3"]`, true},
		{`{ int = [2, 9999999] }`, `{ int = [1, 9999999] }`, true},
		{`{ int = [0, 9999999] }`, `{ int = [1, 9999999] }`, false},
		{`{ chars = "a-f", len = [2, 3] }`, `{ chars = "a-z", len = [1, 3] }`, true},
		{`{ chars = "a-f", len = [2, 4] }`, `{ chars = "a-z", len = [1, 3] }`, false},
		{`{ chars = "a-fé" }`, `{ chars = "a-zà-ÿ" }`, true},
		{`{ chars = "a-fé" }`, `{ chars = "a-z" }`, false},
		{`{ chars = "a-z /-", len = [1, 9] }`, `{ text = [1, 9] }`, true},
		{`{ chars = "é" }`, `{ text = [1, 255] }`, false}, // not known to be printable
		{`{ text = [2, 3] }`, `{ text = [1, 3] }`, true},
		{`{ text = [0, 3] }`, `{ text = [1, 3] }`, false},
		{`{ regex = 'a+' }`, `{ regex = 'a+' }`, true},
		{`{ regex = 'a+' }`, `{ regex = 'a*' }`, false}, // not known
		{`{ glob = "/srv/*" }`, `{ glob = "/srv/*" }`, true},
		{`{ glob = "/srv/a*" }`, `{ glob = "/srv/*" }`, false},
		{`{ path = "/srv/a" }`, `{ path = "/srv" }`, true},
		{`{ path = "/srv/a" }`, `{ path = "/srv/a", itself = false }`, false},
		{`{ path = "/srv/a", itself = false }`, `{ path = "/srv/a" }`, true},
		{`{ path = "/srv" }`, `{ path = "/srv/a" }`, false},
		{`{ path = "/srv2" }`, `{ path = "/srv" }`, false},
		{`{ path = "/srv/link" }`, `{ path = "/srv" }`, false},
		{`{ path = "/srv/link" }`, `{ path = "/srv", links = "ignore" }`, true},
		{`{ path = "/srv/a", links = "ignore" }`, `{ path = "/srv" }`, false},
		{`{ path = "a" }`, `{ path = "/srv" }`, true},
	} {
		if got := Within(typeFrom(t, c.inner), typeFrom(t, c.outer), files); got != c.want {
			t.Errorf("%s within %s: %v", c.inner, c.outer, got)
		}
	}
	if !Within(typeFrom(t, `{ path = "/srv/link" }`), typeFrom(t, `{ path = "/srv" }`), nil) {
		t.Error("by its text /srv/link is below /srv")
	}
}

func TestValues(t *testing.T) {
	if got, ok := Values(typeFrom(t, `{ int = [-1, 1] }`), 3); !ok || !slices.Equal(got, []string{"-1", "0", "1"}) {
		t.Errorf("got %q", got)
	}
	for _, spelled := range []string{`{ int = [-1, 2] }`, `{ int = [-9223372036854775808, 9223372036854775807] }`, `["a", "b", "c", "d"]`, `{ chars = "a", len = [1, 1] }`} {
		if got, ok := Values(typeFrom(t, spelled), 3); ok {
			t.Errorf("%s has the values %q", spelled, got)
		}
	}
}
