package policy

import (
	"fmt"
	"regexp/syntax"
	"strings"
	"testing"
	"unicode/utf8"
)

// sizes is what people write, and what is made of parts in every way that multiplies.
func sizes() []string {
	list := []string{
		``, `a`, `(?i)kK`, `[a-c]`, `[^a]`, `.`, `(?s).`, `\pL`, `^a$`, `\bx\B`, `(a|b|cd)*`, `(?:)*`, `(a*)*`, `(a?)+`, `x{0}`, `x{3}`, `x{0,5}`, `x{2,}`, `(ab?){2,7}`,
		`(a?:?){400}`, `([a-z]{1,200}){1,4}[0-9]?`, `((a{1,9}){1,9}){1,9}`, `v[0-9]+\.[0-9]+\.[0-9]+`, `[\x{80}-\x{d900}]`, `(é|€|😀)+`, `(|a)*`, `(a{0,3}|b){0,4}`,
		`[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*`, `[[:word:]][\w.-]{0,127}`, `sha256:[0-9a-f]{64}`,
		`[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?){0,8}`,
	}
	for _, inner := range []string{`a`, `ab`, `[a-f]`, `(a|b)`, `a?`, `a*`, `(?:)`, `\b`, `(a|)`} {
		for _, count := range []string{`?`, `*`, `+`, `{0}`, `{1}`, `{2}`, `{0,3}`, `{1,4}`, `{3,}`, `{0,}`} {
			list = append(list, "("+inner+")"+count, "(?:x("+inner+")"+count+"){0,6}", "(?:("+inner+")"+count+"|y){2,5}")
		}
	}
	return list
}

// The size stands for what the matcher is really given: never less, and not far more.
func TestSizeOfRegex(t *testing.T) {
	for _, source := range sizes() {
		re, err := syntax.Parse(anchored(source), syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		states, _ := sizeOf(re)
		prog, err := syntax.Compile(re.Simplify())
		if err != nil {
			t.Fatal(err)
		}
		if real := len(prog.Inst); states+2 < real || states > 3*real {
			t.Errorf("%s: %d, and it is compiled to %d", source, states, real)
		}
	}
}

// States that search, or that go through the cases of a letter, weigh more.
func TestWeightOfRegex(t *testing.T) {
	for source, want := range map[string]int{
		`[a-z0-9._-]+`: 1, `(?i)abc`: 1, `é+`: 1, `\w{1,100}`: 1, `.`: 1, `a(b|\pL)?`: dearWeight, `(?i)(é|ab)*`: dearWeight, `[[:^ascii:]]`: 1, `\p{Greek}`: dearWeight,
	} {
		re, err := syntax.Parse(anchored(source), syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		if got := weightOf(re); got != want {
			t.Errorf("%s: %d, want %d", source, got, want)
		}
	}
}

// What an expression takes is never longer than is said, so that a longer value can be refused unseen.
func TestLongestOfRegex(t *testing.T) {
	for source, want := range map[string]int{
		`abc`: 3, `(?i)k`: 4, `é€`: 5, `[a-z]{1,64}`: 64, `[a-é]{2}`: 4, `.{0,3}`: 12, `(ab|c)?d`: 3, `a*`: endless, `a{3,}`: endless, `(?:)*`: 0, `(a{1,9}){1,9}`: 81,
		`^a$`: 1, ``: 0, `[\x{80}-\x{d900}]`: 4, `x{0}`: 0, `((.{1000}){1})`: 4000,
	} {
		re, err := syntax.Parse(anchored(source), syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		if _, longest := sizeOf(re); longest != want {
			t.Errorf("%s: %d bytes, not %d", source, longest, want)
		}
	}
	for _, c := range []struct{ source, value string }{
		{`(?i)k`, "\u212a"}, {`(?i)[k]{2}`, "\u212a\u212a"}, {`[é-😀]{3}`, "😀😀😀"}, {`\PN{2}`, "😀😀"}, {`(a|€){2}`, "€€"}, {`(?i)ſs`, "ſſ"},
	} {
		re, _ := syntax.Parse(anchored(c.source), syntax.Perl)
		states, longest := sizeOf(re)
		if typ := (&expression{source: c.source, states: states, weight: 1, longest: longest}); !typ.Accepts(c.value) {
			t.Errorf("%s does not take %q of %d bytes, and is said to take %d", c.source, c.value, len(c.value), longest)
		}
	}
	if n := bytesOf(utf8.MaxRune, false); n != utf8.UTFMax {
		t.Errorf("%d", n)
	}
}

// What would take a login's time only to be compiled is refused when the policy is read, one alone and all together.
func TestSizeOfRegexBounded(t *testing.T) {
	rule := func(i int, source string) string {
		return fmt.Sprintf("[[allow]]\ncommand = \"p%d {r}\"\nargs.r = { regex = '%s' }\n", i, source)
	}
	many := func(n int, source string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(rule(i, source))
		}
		return b.String()
	}
	for _, c := range []struct {
		name, policy, fault string
		faults              int
	}{
		{"an image", rule(1, `[a-z0-9]{1,63}(/[a-z0-9._-]{1,63}){0,8}:[\w.-]{1,128}`), "", 0},
		{"a thousand", rule(1, `[a-z]{1,1000}`), "", 0},
		{"inside each other", rule(1, `((a{1,30}){1,30}){1,1}(([a-z]{1,30}){1,30}){1,1}`), "", 0},
		{"too large", rule(1, `(([a-z]bcdefghijklmnop){1,30}){1,30}`), "more than 16384 states", 1},
		{"too large in a row", rule(1, strings.Repeat(`.{1000}`, 20)), "more than 16384 states", 1},
		{"many small ones", many(10_000, `v[0-9]+\.[0-9]+`), "", 0},
		{"many large ones", many(300, `[a-z]{1,1000}`), "the policy's regular expressions have more than 262144 states", 1},
	} {
		_, faults := Parse("p", "p.toml", []byte(c.policy))
		if len(faults) != c.faults || c.faults > 0 && !strings.Contains(faults.Error(), c.fault) {
			t.Errorf("%s: %v", c.name, faults)
		}
	}
}
