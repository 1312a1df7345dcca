package argv

import (
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestSplitVectors(t *testing.T) {
	for _, v := range readVectors(t) {
		words, problem := Split(v.request)
		if problem != nil {
			words = nil
		}
		if !sameWords(words, v.words) || !sameProblem(problem, v.problem) {
			t.Errorf("split.txt:%d: Split(%q) = %q, %s; want %q, %s", v.line, v.request, words, show(problem), v.words, show(v.problem))
		}
	}
}

// TestControlEverywhere holds every control character that there is, and tab, in each way to quote it.
func TestControlEverywhere(t *testing.T) {
	ways := []struct{ before, after string }{{"a ", " b"}, {"'", "'"}, {`"`, `"`}, {`\`, ""}, {`"\`, `"`}}
	for r := rune(0); r <= 0x9f; r++ {
		if r == '\t' || r >= 0x20 && r < 0x7f {
			continue
		}
		for i, way := range ways {
			request := way.before + string(r) + way.after
			want := &Problem{Kind: Control, Char: r, Byte: len(way.before) + 1}
			if r == '\n' && i == 0 {
				want.Kind = NeedsShell
			}
			if _, problem := Split(request); !sameProblem(problem, want) {
				t.Errorf("Split(%q): %s, want %s", request, show(problem), show(want))
			}
		}
	}
}

func TestSplitLength(t *testing.T) {
	full := strings.Repeat("a", MaxRequest)
	if words, problem := Split(full); problem != nil || !sameWords(words, []string{full}) {
		t.Errorf("%d bytes: %d words, %s", len(full), len(words), show(problem))
	}
	for _, last := range []string{"a", " ", ";", "\x00", "\xff"} {
		_, problem := Split(full + last)
		if want := (&Problem{Kind: TooLong, Byte: MaxRequest + 1}); !sameProblem(problem, want) {
			t.Errorf("%d bytes that end with %q: %s, want %s", MaxRequest+1, last, show(problem), show(want))
		}
	}
	if words, problem := Split(strings.Repeat(" ", MaxRequest)); problem != nil || len(words) != 0 {
		t.Errorf("%d blanks: %d words, %s", MaxRequest, len(words), show(problem))
	}
}

// storms are requests of the greatest length that are little but quotes, with the words that they stand for.
func storms() map[string][]string {
	const n = MaxRequest
	empty := make([]string, n/4)
	return map[string][]string{
		strings.Repeat("'", n):                         {""},
		strings.Repeat(`"`, n):                         {""},
		strings.Repeat(`''""`, n/4):                    {""},
		strings.Repeat(`\`, n):                         {strings.Repeat(`\`, n/2)},
		strings.Repeat(`\'`, n/2):                      {strings.Repeat(`'`, n/2)},
		`"` + strings.Repeat(`\a`, n/2-1) + `"`:        {strings.Repeat(`\a`, n/2-1)},
		`"` + strings.Repeat(`\"`, n/2-1) + `"`:        {strings.Repeat(`"`, n/2-1)},
		`"` + strings.Repeat(`\\`, n/2-1) + `"`:        {strings.Repeat(`\`, n/2-1)},
		"'" + strings.Repeat(`"`, n-2) + "'":           {strings.Repeat(`"`, n-2)},
		strings.Repeat(`""  `, n/4):                    empty,
		strings.Repeat(`''`+"\t ", n/4):                empty,
		strings.Repeat(`"\'"\\'"'`+"''", n/11):         {strings.Repeat(`\'\"`, n/11)},
		strings.Repeat("a"+strings.Repeat(`''`, 8), 9): {strings.Repeat("a", 9)},
	}
}

func TestQuoteStorms(t *testing.T) {
	for request, want := range storms() {
		if words, problem := Split(request); problem != nil || !sameWords(words, want) {
			t.Errorf("%d bytes of %.12q: %d words, %s; want %d words", len(request), request, len(words), show(problem), len(want))
		}
	}
	const n = MaxRequest - 1 // an odd number, so the last one is open
	for _, quote := range []string{"'", `"`, `\`} {
		_, problem := Split(strings.Repeat(quote, n))
		if want := (&Problem{Kind: NeedsShell, Char: rune(quote[0]), Byte: n}); !sameProblem(problem, want) {
			t.Errorf("%d times %s: %s, want %s", n, quote, show(problem), show(want))
		}
	}
}

// TestProblemMessages holds each kind of message whole: people and their scripts read them.
func TestProblemMessages(t *testing.T) {
	for request, want := range map[string]string{
		"ls | wc":   `'|' at byte 4 needs a shell, and there is none; quote it, or send one plain command`,
		"a\nb":      `'\n' at byte 2 separates commands for a shell; send one plain command`,
		"ls ~/a":    `'~' at byte 4 is a home folder for a shell; write the path out, or quote it`,
		"a #b":      `'#' at byte 3 begins a comment for a shell; quote it, or send one plain command`,
		`a\`:        `'\\' at byte 2 is the last character, so a shell would wait for more; leave it out or double it`,
		"it's":      `'\'' at byte 3 opens a quote that is never closed`,
		"'\x1b[2J'": `'\x1b' at byte 2 is a control character; leave it out`,
		"\u009b":    `'\u009b' at byte 1 is a control character; leave it out`,
		"a\xff":     "byte 2, 0xff, is not valid UTF-8",

		strings.Repeat("\x1b", MaxRequest+1): "the request is 65537 bytes long, more than the 65536 that are read",
	} {
		if _, problem := Split(request); problem == nil || problem.Error() != want {
			t.Errorf("Split(%.20q): %v, want %s", request, problem, want)
		}
	}
}

// vector is a line of testdata/split.txt, which says what stands in it.
type vector struct {
	line    int
	request string
	words   []string
	problem *Problem
}

func readVectors(t *testing.T) []vector {
	t.Helper()
	text, err := os.ReadFile("testdata/split.txt")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	for i, line := range strings.Split(string(text), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		v, err := parseVector(line)
		if err != nil {
			t.Fatalf("split.txt:%d: %v", i+1, err)
		}
		v.line = i + 1
		vectors = append(vectors, v)
	}
	if len(vectors) == 0 {
		t.Fatal("split.txt holds no vector")
	}
	return vectors
}

func parseVector(line string) (v vector, err error) {
	if v.request, line, err = cutQuoted(line); err != nil {
		return v, err
	}
	verdict, rest, _ := strings.Cut(strings.TrimPrefix(line, " "), " ")
	switch verdict {
	case "words":
		for rest != "" && err == nil {
			var word string
			word, rest, err = cutQuoted(strings.TrimPrefix(rest, " "))
			v.words = append(v.words, word)
		}
		return v, err
	case "refused":
		v.problem, err = parseProblem(rest)
		return v, err
	}
	return v, fmt.Errorf("%q is neither words nor refused", verdict)
}

func cutQuoted(s string) (value, rest string, err error) {
	quoted, err := strconv.QuotedPrefix(s)
	if err != nil {
		return "", "", err
	}
	value, err = strconv.Unquote(quoted)
	return value, s[len(quoted):], err
}

var kinds = map[string]Kind{"needs-shell": NeedsShell, "control": Control, "not-utf8": NotUTF8}

// parseProblem reads KIND CHARACTER BYTE.
func parseProblem(s string) (*Problem, error) {
	kind, rest, _ := strings.Cut(s, " ")
	space := strings.LastIndexByte(rest, ' ')
	if kinds[kind] == 0 || space < 0 {
		return nil, fmt.Errorf("%q is not a kind, a character and a byte", s)
	}
	p := &Problem{Kind: kinds[kind]}
	var err error
	if p.Byte, err = strconv.Atoi(rest[space+1:]); err != nil {
		return nil, err
	}
	char := rest[:space]
	if p.Kind == NotUTF8 {
		n, err := strconv.ParseUint(char, 0, 8)
		p.Char = rune(n)
		return p, err
	}
	char, err = strconv.Unquote(char)
	p.Char, _ = utf8.DecodeRuneInString(char)
	return p, err
}

func sameWords(a, b []string) bool {
	return len(a) == 0 && len(b) == 0 || reflect.DeepEqual(a, b)
}

func sameProblem(a, b *Problem) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Kind == b.Kind && a.Char == b.Char && a.Byte == b.Byte
}

func show(p *Problem) string {
	if p == nil {
		return "accepted"
	}
	return fmt.Sprintf("refused (kind %d, %q, byte %d)", p.Kind, p.Char, p.Byte)
}
