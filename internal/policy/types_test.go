package policy

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"regexp/syntax"
	"strings"
	"testing"
	"unicode"
)

// mustParse reads a policy that has no fault.
func mustParse(t *testing.T, text string) *Policy {
	t.Helper()
	p, faults := Parse("k", "k.toml", []byte(text))
	if faults != nil {
		t.Fatalf("%s\n%s", faults.Render(), text)
	}
	return p
}

// typeOf reads one type as a policy spells it.
func typeOf(t *testing.T, spelled string) Type {
	t.Helper()
	return typeIn(t, spelled, "")
}

// typeIn is typeOf for a rule with a cwd.
func typeIn(t *testing.T, spelled, cwd string) Type {
	t.Helper()
	if cwd != "" {
		cwd = fmt.Sprintf("cwd = %q\n", cwd)
	}
	p := mustParse(t, "[[allow]]\ncommand = \"p {x*}\"\n"+cwd+"args.x = "+spelled+"\n")
	return p.Rules[0].Patterns[0].Elements[1].Parts[0].Type
}

func repeated(s string, n int) string { return strings.Repeat(s, n) }

func TestTypesAccept(t *testing.T) {
	for _, c := range []struct {
		spelled string
		yes, no []string
	}{
		{`["a"]`, []string{"a"}, []string{"", "A", "a ", " a", "aa", "\u0430"}},
		{`["app.service", "", "two words", "-x", "é", "{x}"]`,
			[]string{"app.service", "", "two words", "-x", "é", "{x}"},
			[]string{"app", "appxservice", "two", "x", "e\u0301", "app.service\n"}},

		{`{ int = [1, 500] }`, []string{"1", "9", "10", "500"},
			[]string{"0", "501", "-1", "+1", "01", "1.0", "1e2", "", " 1", "1 ", "0x1", "1_0", "١", "１", "99999999999999999999", "1\u00a0", "--1", "1,0"}},
		{`{ int = [-10, 10] }`, []string{"-10", "-1", "0", "10"}, []string{"-0", "+0", "00", "-01", "-11", "11", "-", "+", "\u22121"}},
		{`{ int = [7, 7] }`, []string{"7"}, []string{"6", "8", "07"}},
		{`{ int = [-9223372036854775808, 9223372036854775807] }`, []string{"-9223372036854775808", "9223372036854775807", "0"},
			[]string{"-9223372036854775809", "9223372036854775808", "18446744073709551616", repeated("1", 5000)}},

		{`{ chars = "a-z" }`, []string{"a", "z", "az", repeated("m", 255)}, []string{"", "A", "a-z", "-", "`", "{", repeated("m", 256), "aé", "a b"}},
		{`{ chars = "A-Za-z0-9._-" }`, []string{"v1.2", "a-b", "a..b", ".a", "a.", "...", "_"}, []string{".", "..", "a/b", "a b"}},
		{`{ chars = "-a" }`, []string{"a", "a-a"}, []string{"b", ""}},
		{`{ chars = "a-" }`, []string{"a", "a-a"}, []string{"b", ""}},
		{`{ chars = "-" }`, []string{"-", "--"}, []string{"a", ""}},
		{`{ chars = "a.\\^]$*" }`, []string{`a`, `\`, `^`, `]`, `$`, `*`, "a."}, []string{"b", "[", ".", ".."}},
		{`{ chars = "a-cx-z" }`, []string{"abcxyz"}, []string{"d", "w", "-"}},
		{`{ chars = "a-a" }`, []string{"aa"}, []string{"-", "b"}},
		{`{ chars = "./0-9" }`, []string{"1/2", "...", ".1", "/"}, []string{"..", ".", "../1", "1/..", "1/../2", "1/./2", "./1", "/.", "/..", "-"}},
		{`{ chars = "a-z/" }`, []string{"a/b", "/", "//", "a/"}, []string{"a.b", "A"}},
		{`{ chars = "а-яё " }`, []string{"привет", "ё", "а я"}, []string{"a", "Я", repeated("я", 128)}},
		{`{ chars = "é-ü" }`, []string{"é", "öü"}, []string{"e", "è", "ý", "e\u0301", "o"}},
		{`{ chars = "😀-😂a" }`, []string{"😁", "a😀😂"}, []string{"😃", "b"}},
		{`{ chars = "a-z", len = [0, 3] }`, []string{"", "a", "abc"}, []string{"abcd"}},
		{`{ chars = "a-zé", len = [2, 4] }`, []string{"ab", "é", "éé", "abcd"}, []string{"a", "ééa", "abcde"}},
		{`{ chars = "a-z", len = [0, 0] }`, []string{""}, []string{"a"}},
		{`{ chars = "a-z", len = [255, 255] }`, []string{repeated("a", 255)}, []string{repeated("a", 254), repeated("a", 256)}},

		{`{ regex = 'v[0-9]+\.[0-9]+' }`, []string{"v1.2", "v10.20"}, []string{"v1.2 ", "xv1.2", "v1.2.3", "v1", "", "v1x2", "v1.2\n"}},
		{`{ regex = 'a|ab' }`, []string{"a", "ab"}, []string{"abb", "b", "aab", ""}},
		{`{ regex = 'ab|a' }`, []string{"a", "ab"}, []string{"abb", "b", ""}},
		{`{ regex = 'a*?' }`, []string{"", "a", "aaa"}, []string{"b", "ab"}},
		{`{ regex = '' }`, []string{""}, []string{"a"}},
		{`{ regex = '\Qa.b\E' }`, []string{"a.b"}, []string{"axb", `a.b\z`, "a.b)"}},
		{`{ regex = '\Qa)|(b\E' }`, []string{"a)|(b"}, []string{"a", "b"}},
		{`{ regex = 'a{2,' }`, []string{"a{2,"}, []string{"aa", "a"}},
		{`{ regex = 'a(?i)' }`, []string{"a"}, []string{"A", "ab"}},
		{`{ regex = '(?i)abc' }`, []string{"ABC", "abc", "aBc"}, []string{"abcd"}},
		{`{ regex = '(?m)^a$' }`, []string{"a"}, []string{"a ", "aa", "a\na", "a\n"}},
		{`{ regex = '^a' }`, []string{"a"}, []string{"ab", "ba"}},
		{`{ regex = 'a$' }`, []string{"a"}, []string{"ba", "a$"}},
		{`{ regex = '\Aa\z' }`, []string{"a"}, []string{"ab"}},
		{`{ regex = '.' }`, []string{"a", "é", "😀", ".", " "}, []string{"", "ab", "e\u0301", "\n"}},
		{`{ regex = '(?s).+' }`, []string{"a b", "\u00a0"}, []string{""}},
		{`{ regex = '[^/]+' }`, []string{"..", "a b", "-rf"}, []string{"a/b", ""}},
		{`{ regex = '\bfoo\b.*' }`, []string{"foo", "foo bar"}, []string{"foobar", " foo"}},
		{`{ regex = '(a|b)(c|d)*' }`, []string{"a", "bcd"}, []string{"c", "abc"}},
		{`{ regex = '(?:a#b)' }`, []string{"a#b"}, []string{"a"}},
		{`{ regex = 'é{2}' }`, []string{"éé"}, []string{"é", "ééé"}},

		{`{ path = "/srv/backup" }`, []string{"/srv/backup", "/srv/backup/", "/srv/backup/a", "/srv/backup/a/b/", "/srv/backup/...", "/srv/backup/a b", "/srv/backup/-x", "/srv/backup/.a"},
			[]string{"", "/", "/srv", "/srv/backup2", "/srv/backup2/a", "/srv/backu", "/srv/backup/..", "/srv/backup/../x", "/srv/backup/./a", "/srv/backup/.", "/srv/backup//a",
				"//srv/backup/a", "/srv/backup/a//", "/srv/backup//", "srv/backup/a", "a", "./a", "~/a", "/SRV/backup/a", "/srv/backup/" + repeated("a", 4096)}},
		{`{ path = "/srv/backup/" }`, []string{"/srv/backup", "/srv/backup/a"}, []string{"/srv", "/srv/backupa"}},
		{`{ path = "/srv/backup", itself = false }`, []string{"/srv/backup/a", "/srv/backup/a/"}, []string{"/srv/backup", "/srv/backup/", "/srv"}},
		{`{ path = "/srv/backup", itself = true }`, []string{"/srv/backup"}, nil},
		{`{ path = "/srv/backup", links = "ignore" }`, []string{"/srv/backup", "/srv/backup/a"}, []string{"/srv/backup/../a", "a"}},
		{`{ path = "/" }`, []string{"/", "/etc", "/etc/", "/a/b"}, []string{"", "//", "///", "//a", "/..", "/.", "/a/..", "a", "."}},
		{`{ path = "/", itself = false }`, []string{"/etc", "/a/b"}, []string{"/", "", "//"}},
		{`{ path = "/srv/é" }`, []string{"/srv/é/a"}, []string{"/srv/e\u0301/a"}},

		{`{ glob = "/var/log/*.log" }`, []string{"/var/log/a.log", "/var/log/a.b.log", "/var/log/a b.log", "/var/log/-.log"},
			[]string{"/var/log/.log", "/var/log/.a.log", "/var/log/a/b.log", "/var/log/a.log/", "/var/log/a.log.gz", "/var/log//a.log", "/var/log/../log/a.log", "/var/log/./a.log", "var/log/a.log", "a.log", "", "/",
				"/var/log/a.LOG", "/var/logs/a.log"}},
		{`{ glob = "/srv/*" }`, []string{"/srv/a", "/srv/a*", "/srv/a..b", "/srv/é"}, []string{"/srv/", "/srv", "/srv/.", "/srv/..", "/srv/.a", "/srv/a/b", "/srv//a"}},
		{`{ glob = "/srv/.*" }`, []string{"/srv/.a", "/srv/..a", "/srv/..."}, []string{"/srv/.", "/srv/..", "/srv/a", "/srv/.a/b"}},
		{`{ glob = "/srv/?" }`, []string{"/srv/a", "/srv/é", "/srv/😀", "/srv/?"}, []string{"/srv/", "/srv/ab", "/srv/.", "/srv/e\u0301"}},
		{`{ glob = "/srv/?.log" }`, []string{"/srv/é.log"}, []string{"/srv/.log", "/srv/..log", "/srv/ab.log"}},
		{`{ glob = "/srv/*/*/x" }`, []string{"/srv/a/b/x"}, []string{"/srv/a/x", "/srv/a/b/c/x", "/srv/a/.b/x"}},
		{`{ glob = "/srv/a*b*c" }`, []string{"/srv/abc", "/srv/aXbYc", "/srv/abcbc", "/srv/abbcc"}, []string{"/srv/acb", "/srv/ab", "/srv/abcd", "/srv/a/bc"}},
		{`{ glob = "/srv/[ab]{c,d}\\" }`, []string{`/srv/[ab]{c,d}\`}, []string{"/srv/a", "/srv/ac", "/srv/bd"}},
		{`{ glob = "/srv/**" }`, []string{"/srv/a"}, []string{"/srv/a/b", "/srv/.a"}},
		{`{ glob = "/srv/file" }`, []string{"/srv/file"}, []string{"/srv/file/", "/srv/files", "/srv/fil"}},
		{`{ glob = "/*" }`, []string{"/etc"}, []string{"/", "/etc/passwd", "/.a"}},
		{`{ glob = "/*/a" }`, []string{"/x/a"}, []string{"/.x/a", "//a", "/a"}},

		{`{ text = [1, 8] }`, []string{"a", "a b", "éééé", "12345678", "..", "/etc", "*", "\u4e2d"},
			[]string{"", "123456789", "ééééé", "\t", "a\u00a0b", "a\u202eb", "a\u200bb", "a\u2028b", "\ufeff", "a\u0085b", "\U000e0041", "\u2003"}},
		{`{ text = [0, 2] }`, []string{"", "ab"}, []string{"abc"}},
		{`{ text = [0, 65536] }`, []string{"", repeated("a", 65536)}, []string{repeated("a", 65537)}},
		{`{ text = [3, 3] }`, []string{"abc", "漢"}, []string{"ab", "abcd"}},
		// Options are matched by words; the text of one value says nothing.
		{`{ options = ["-v", "--n={n}"] }` + "\nargs.n = { int = [1, 2] }", nil, []string{"-v", "--n=1", ""}},
	} {
		typ := typeOf(t, c.spelled)
		for _, v := range c.yes {
			if !typ.Accepts(v) {
				t.Errorf("%s does not take %.60q", c.spelled, v)
			}
		}
		for _, v := range c.no {
			if typ.Accepts(v) {
				t.Errorf("%s takes %.60q", c.spelled, v)
			}
		}
	}
}

func TestRelativePaths(t *testing.T) {
	for _, c := range []struct {
		spelled, cwd string
		yes, no      []string
	}{
		{`{ path = "/srv/backup" }`, "/srv/backup", []string{"a", "a/b", "a/", "/srv/backup", "/srv/backup/a", "...", "a/b:c", "/srv/backup/a:b"},
			[]string{"", ".", "..", "./a", "a/..", "a//b", "../backup/a", "a/./b", "host:a", "user@host:/a", ":a", "a:b/c"}},
		{`{ path = "/srv/backup" }`, "/srv", []string{"backup", "backup/a", "backup/", "/srv/backup/a"}, []string{"a", "backup2", "srv/backup"}},
		{`{ path = "/srv/backup" }`, "/", []string{"srv/backup", "srv/backup/a"}, []string{"srv", "a", "/a"}},
		{`{ path = "in" }`, "/srv", []string{"in", "in/a", "/srv/in", "/srv/in/a"}, []string{"out", "inn", "a", "/in", "/srv/inn"}},
		{`{ path = "in/" }`, "/", []string{"in/a", "/in/a"}, []string{"a", "/srv/in"}},
		{`{ path = "in", itself = false }`, "/srv", []string{"in/a"}, []string{"in", "/srv/in", "in/"}},
		{`{ glob = "/srv/*" }`, "/srv", []string{"/srv/a"}, []string{"a"}},
	} {
		typ := typeIn(t, c.spelled, c.cwd)
		for _, v := range c.yes {
			if !typ.Accepts(v) {
				t.Errorf("%s in %s does not take %q", c.spelled, c.cwd, v)
			}
		}
		for _, v := range c.no {
			if typ.Accepts(v) {
				t.Errorf("%s in %s takes %q", c.spelled, c.cwd, v)
			}
		}
	}
}

// One type at the top serves rules with different folders.
func TestRelativePathIsBoundByEachRule(t *testing.T) {
	p := mustParse(t, `
args.f = { path = "in" }
[[allow]]
command = "a {f}"
cwd = "/one"
[[allow]]
command = "b {f}"
cwd = "/two"
`)
	for i, dir := range []string{"/one", "/two"} {
		typ := p.Rules[i].Patterns[0].Elements[1].Parts[0].Type
		for _, other := range []string{"/one", "/two"} {
			if got, want := typ.Accepts(other+"/in/x"), other == dir; got != want {
				t.Errorf("the rule with cwd %s takes a path in %s: %v", dir, other, got)
			}
		}
	}
}

func TestGuardedTypes(t *testing.T) {
	for spelled, want := range map[string]bool{
		`["-a"]`: false, `{ int = [-1, 1] }`: false, `{ regex = '-a' }`: false, `{ options = ["-v"] }`: false,
		`{ chars = "-a" }`: true, `{ path = "/" }`: true, `{ glob = "/*" }`: true, `{ text = [0, 9] }`: true,
	} {
		if got := typeOf(t, spelled).Guarded(); got != want {
			t.Errorf("%s is guarded: %v", spelled, got)
		}
	}
}

// What a type says of itself goes into records and messages.
func TestTypesDescribeThemselvesInASCII(t *testing.T) {
	for _, spelled := range []string{
		`["é", "\u202e"]`, `{ chars = "а-я\u202e" }`, `{ regex = '\x1b|é' }`, `{ path = "/é\u001b" }`, `{ glob = "/é\u202e*" }`,
		`{ int = [1, 2] }`, `{ text = [1, 2] }`, `{ options = ["é{n}"] }` + "\nargs.n = [\"a\"]",
	} {
		shown := typeOf(t, spelled).String()
		if strings.ContainsFunc(shown, func(r rune) bool { return r < 0x20 || r > 0x7e }) || shown == "" {
			t.Errorf("%s is shown as %q", spelled, shown)
		}
	}
}

// For every source that is complete by itself, \A(?:...)\z says the same as the type does.
func TestRegexMeansTheWholeValue(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	atoms := []string{"a", "b", "ab", ".", "[ab]", "[^a]", "a*", "b+?", "(a|b)", "(?:ab|a)", "^", "$", `\b`, "(a|ab)(c|bcd)", "a??", "é", "(?i:A)", "b{1,2}", "|", `\Qa.\E`, "a|", "", `\z`, "(?s:.)"}
	compared := 0
	for range 2000 {
		var source strings.Builder
		for range 1 + rng.IntN(4) {
			source.WriteString(atoms[rng.IntN(len(atoms))])
		}
		if _, err := syntax.Parse(source.String(), syntax.Perl); err != nil {
			continue
		}
		typ := &expression{source: source.String()}
		whole, err := syntax.Parse(anchored(typ.source), syntax.Perl)
		if err != nil {
			continue // a policy with it is refused
		}
		typ.states, typ.longest = sizeOf(whole)
		// Not by anchors, but by the longest of all matches from the beginning.
		reference := regexp.MustCompile(typ.source)
		reference.Longest()
		for range 20 {
			var value strings.Builder
			for range rng.IntN(5) {
				value.WriteString([]string{"a", "b", "c", "d", "é", "."}[rng.IntN(6)])
			}
			compared++
			if got, want := typ.Accepts(value.String()), wholly(reference, value.String()); got != want {
				t.Fatalf("%q takes %q: %v", source.String(), value.String(), got)
			}
		}
	}
	if compared < 10_000 {
		t.Errorf("only %d values were compared", compared)
	}
}

// The glob's matcher against a translation to a regular expression.
func TestGlobAgreesWithARegex(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	pick := func(letters []string, n int) string {
		var b strings.Builder
		for range rng.IntN(n) {
			b.WriteString(letters[rng.IntN(len(letters))])
		}
		return b.String()
	}
	for range 20_000 {
		pattern, path := "/x"+pick([]string{"a", "b", "*", "?", "/x", ".", "é"}, 7), "/x"+pick([]string{"a", "b", "/x", ".", "é", "*"}, 8)
		source := regexp.QuoteMeta(pattern)
		source = strings.NewReplacer(`\*`, `[^/]*`, `\?`, `[^/]`).Replace(source)
		want := regexp.MustCompile(`\A` + source + `\z`).MatchString(path)
		if got := globMatch(pattern, path); got != want {
			t.Fatalf("%q takes %q: %v", pattern, path, got)
		}
	}
}

// No accepted value has a property that its type rules out, whatever the class and the value.
func TestAcceptedValuesHoldNothingForbidden(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	letters := []string{".", "..", "/", "a", "-", "é", "./", "../", "\u202e", "*", " "}
	types := []Type{
		typeOf(t, `{ chars = "a./*é -" , len = [0, 255] }`), typeOf(t, `{ chars = "+./0-9-" }`), typeIn(t, `{ path = "/a" }`, "/a"),
		typeIn(t, `{ path = "/" }`, "/"), typeOf(t, `{ glob = "/*/*" }`), typeOf(t, `{ glob = "/.*/a*" }`), typeOf(t, `{ text = [0, 50] }`),
	}
	accepted := 0
	for range 50_000 {
		var b strings.Builder
		b.WriteString([]string{"", "/", "/a/"}[rng.IntN(3)])
		for range rng.IntN(6) {
			b.WriteString(letters[rng.IntN(len(letters))])
		}
		value := b.String()
		for _, typ := range types {
			if !typ.Accepts(value) {
				continue
			}
			accepted++
			_, isText := typ.(*text)
			for _, component := range strings.Split(value, "/") {
				if !isText && (component == "." || component == "..") {
					t.Fatalf("%s takes %q", typ, value)
				}
			}
			if isText && strings.ContainsFunc(value, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Fatalf("%s takes %q", typ, value)
			}
		}
	}
	if accepted < 10_000 {
		t.Errorf("only %d values were accepted", accepted)
	}
}

// links is a file system of links alone: everything exists, and what is not named is no link.
type links map[string]string

func (l links) Lookup(string) (string, bool) { return "", false }

func (l links) Resolve(path string) (string, int, error) {
	if l[path] == "!" {
		return "", 0, errors.New("permission denied")
	}
	for at, target := range l {
		if path == at {
			return l.Resolve(target)
		}
		if rest, ok := strings.CutPrefix(path, at+"/"); ok {
			return l.Resolve(joinPath(target, rest))
		}
	}
	return path, 0, nil
}

func TestLocatedTypes(t *testing.T) {
	files := links{
		"/srv/backup/out": "/etc", "/srv/backup/in": "/srv/backup/a", "/srv/backup/up": "/srv/backup", "/srv/backup/hidden": "!", "/srv/link": "/data/backup",
		"/var/run": "/run", "/var/log/passwd.log": "/etc/passwd", "/var/log/same.log": "/var/log/a.log", "/var/log/dot.log": "/var/log/.secret.log", "/var/log/deep.log": "/var/log/old/a.log",
		"/odd": "/star*", "/closed": "!",
	}
	for _, c := range []struct {
		spelled string
		yes, no []string
	}{
		{`{ path = "/srv/backup" }`, []string{"/srv/backup", "/srv/backup/a", "/srv/backup/in", "/srv/backup/in/", "/srv/backup/in/x", "/srv/backup/up", "/srv/backup/up/a"},
			[]string{"/srv/backup/out", "/srv/backup/out/passwd", "/srv/backup/hidden"}},
		{`{ path = "/srv/backup", itself = false }`, []string{"/srv/backup/a", "/srv/backup/up/a"}, []string{"/srv/backup/up"}},
		{`{ path = "/srv/backup", links = "ignore" }`, []string{"/srv/backup/out/passwd", "/srv/backup/hidden"}, nil},
		{`{ path = "/srv/link" }`, []string{"/srv/link", "/srv/link/a"}, nil},
		{`{ path = "/closed" }`, nil, []string{"/closed", "/closed/a"}},
		{`{ path = "/" }`, []string{"/", "/srv/backup/out/passwd"}, []string{"/srv/backup/hidden"}},
		{`{ path = "/", itself = false }`, []string{"/etc"}, nil},
		{`{ glob = "/var/log/*.log" }`, []string{"/var/log/a.log", "/var/log/same.log"}, []string{"/var/log/passwd.log", "/var/log/dot.log", "/var/log/deep.log"}},
		{`{ glob = "/var/run/*.pid" }`, []string{"/var/run/x.pid"}, nil},
		{`{ glob = "/v*/log/*.log" }`, []string{"/var/log/a.log"}, nil},
		{`{ glob = "/odd/?" }`, nil, []string{"/odd/a"}},
		{`{ glob = "/closed/?" }`, nil, []string{"/closed/a"}},
		{`{ glob = "/srv/backup/in" }`, nil, []string{"/srv/backup/in"}},
		{`{ glob = "/*" }`, []string{"/etc"}, nil},
	} {
		typ := typeOf(t, c.spelled).(Located)
		for _, v := range append(c.yes, c.no...) {
			if !typ.Accepts(v) {
				t.Fatalf("%s does not take %q by its text", c.spelled, v)
			}
		}
		for _, v := range c.yes {
			if _, err := typ.Lies(v, files); err != nil {
				t.Errorf("%s refuses %q: %v", c.spelled, v, err)
			}
		}
		for _, v := range c.no {
			if _, err := typ.Lies(v, files); err == nil {
				t.Errorf("%s lets %q pass", c.spelled, v)
			}
		}
	}
}

func wholly(re *regexp.Regexp, value string) bool {
	at := re.FindStringIndex(value)
	return at != nil && at[0] == 0 && at[1] == len(value)
}
