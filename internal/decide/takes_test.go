package decide

import "testing"

func TestTakes(t *testing.T) {
	p := mustParse(t, "[[allow]]\ncommand = \"a {x}:{y} b {x}\"\nargs.x = { chars = \"a-z:-\" }\nargs.y = { int = [1, 9] }\n")
	elements := p.Rules[0].Patterns[0].Elements
	for _, c := range []struct {
		element int
		word    string
		want    bool
	}{
		{0, "a", true}, {0, "ab", false}, {1, "x:3", true}, {1, "x:y:3", true}, {1, "x:10", false}, {1, "-x:3", false}, {1, "x", false}, {2, "b", true}, {3, "x-", true}, {3, "-x", false},
	} {
		if got := Takes(elements[c.element].Parts, c.word); got != c.want {
			t.Errorf("element %d takes %q: %v", c.element, c.word, got)
		}
	}
}
