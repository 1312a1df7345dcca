package argv

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzSplit(f *testing.F) {
	for _, seed := range []string{"", " ", "ls -l /tmp", "a;b", `"C:\temp"`, `a\`, "it's", "a=~", "é\x80", "\x1b[2J", "'\n'", `"\\\"`, "#", "{x*} {{"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, request string) {
		words, problem := Split(request)
		checkProblem(t, request, words, problem)
		if problem == nil {
			if again, problem := Split(Quote(words)); problem != nil || !sameWords(again, words) {
				t.Errorf("Split(%q) = %q, but quoted and split again %q, %v", request, words, again, problem)
			}
		}
		words, problem = SplitTemplate(request)
		checkProblem(t, request, words, problem)
	})
}

// checkProblem holds what is true of every refusal: no words, a printable message, and a position that leads to the character.
func checkProblem(t *testing.T, request string, words []string, p *Problem) {
	t.Helper()
	if p == nil {
		return
	}
	if words != nil {
		t.Errorf("%q: words %q beside a refusal", request, words)
	}
	message := p.Error()
	for i := range len(message) {
		if message[i] < 0x20 || message[i] > 0x7e {
			t.Errorf("%q: the message %q is not printable ASCII", request, message)
			break
		}
	}
	if p.Kind == TooLong {
		if p.Byte != len(request) || len(request) <= MaxRequest {
			t.Errorf("%d bytes, refused as %d", len(request), p.Byte)
		}
		return
	}
	if p.Byte < 1 || p.Byte > len(request) {
		t.Fatalf("%q: byte %d lies outside", request, p.Byte)
	}
	r, size := utf8.DecodeRuneInString(request[p.Byte-1:])
	if p.Kind == NotUTF8 {
		if r != utf8.RuneError || size != 1 || p.Char != rune(request[p.Byte-1]) {
			t.Errorf("%q: %s, but %q stands there", request, message, request[p.Byte-1])
		}
		return
	}
	if r != p.Char {
		t.Errorf("%q: %s, but %q stands there", request, message, r)
	}
}

func FuzzQuote(f *testing.F) {
	for _, seed := range []string{"a", "", "a|b", "it's|'|''", `a\b|"|$x`, "~|#|a=~", "é|{x}|*", "\xff|a", "\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, joined string) {
		words := strings.Split(joined, "|")
		words = append(words, joined) // so that the separator itself is quoted, too
		quoted := Quote(words)
		again, problem := Split(quoted)
		if problem == nil {
			if !sameWords(again, words) {
				t.Errorf("Quote(%q) = %s, which splits into %q", words, quoted, again)
			}
			return
		}
		checkProblem(t, quoted, again, problem)
		if len(quoted) <= MaxRequest && isPlain(joined) {
			t.Errorf("Quote(%q) = %s: %v", words, quoted, problem)
		}
	})
}

// isPlain says whether Quote promises that the words come back: valid UTF-8 without control characters.
func isPlain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return r < 0x20 && r != '\t' || r >= 0x7f && r <= 0x9f
	})
}

func TestQuote(t *testing.T) {
	for _, c := range []struct {
		words []string
		want  string
	}{
		{nil, ""},
		{[]string{""}, "''"},
		{[]string{"ls", "-l", "/tmp"}, "ls -l /tmp"},
		{[]string{"a b", "", "c"}, "'a b' '' c"},
		{[]string{"it's"}, `'it'\''s'`},
		{[]string{"'"}, `''\'''`},
		{[]string{`C:\temp`, "$HOME", "a;b"}, `'C:\temp' '$HOME' 'a;b'`},
		{[]string{"~", "a=~", "#", "a~b"}, "'~' 'a=~' '#' 'a~b'"},
		{[]string{"{x}", "é", "\t"}, "'{x}' 'é' '\t'"},
		{[]string{"a-_./,:=@%+Z9"}, "a-_./,:=@%+Z9"},
	} {
		if got := Quote(c.words); got != c.want {
			t.Errorf("Quote(%q) = %s, want %s", c.words, got, c.want)
		}
	}
}
