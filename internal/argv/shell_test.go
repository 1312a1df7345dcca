package argv

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var seed = flag.Uint64("seed", 1, "of the random requests that are held against real shells")

const randomRequests = 20000

// TestSplitAsShells holds Split against the shells that it claims to equal, with vectors, quote storms and random requests.
func TestSplitAsShells(t *testing.T) {
	cases := map[string][]string{} // request to words
	for _, v := range readVectors(t) {
		if v.problem == nil {
			cases[v.request] = v.words
		}
	}
	for request, words := range storms() {
		cases[request] = words
	}
	random := rand.New(rand.NewPCG(*seed, 0))
	accepted := 0
	for range randomRequests {
		request := randomRequest(random)
		words, problem := Split(request)
		checkProblem(t, request, words, problem)
		if problem == nil {
			cases[request] = words
			accepted++
		}
	}
	if accepted < randomRequests/4 {
		t.Errorf("seed %d: only %d of %d random requests are accepted, too few to prove anything", *seed, accepted, randomRequests)
	}
	holdAgainstShells(t, cases)
}

// TestQuoteAsShells: what Quote writes, shells read as the same words.
func TestQuoteAsShells(t *testing.T) {
	cases := map[string][]string{}
	random := rand.New(rand.NewPCG(*seed, 1))
	for range randomRequests / 4 {
		words := make([]string, random.IntN(4))
		for i := range words {
			words[i] = randomText(random, slices.Concat(special, groups, refused, harmless), 6)
		}
		if quoted := Quote(words); isPlain(quoted) {
			cases[quoted] = words
		}
	}
	holdAgainstShells(t, cases)
}

// TestHarmlessIsAccepted is the converse: a request without special characters is split at its blanks.
func TestHarmlessIsAccepted(t *testing.T) {
	random := rand.New(rand.NewPCG(*seed, 2))
	for range randomRequests {
		request := randomText(random, harmless, 40)
		words, problem := Split(request)
		if want := strings.FieldsFunc(request, func(r rune) bool { return r == ' ' || r == '\t' }); problem != nil || !sameWords(words, want) {
			t.Fatalf("seed %d: Split(%q) = %q, %s; want %q", *seed, request, words, show(problem), want)
		}
	}
}

// harmless characters mean nothing to a shell, wherever they stand. The bytes of some are 0x81 to 0x88, which dash uses for itself.
var harmless = append(strings.Split("a b A Z 0 9 ! % + , - . / : = @ ] ^ _ } é ā Ĉ 中 \u00a0 \u2028 \u3000 \ufeff \ufffd 😀", " "), " ", " ", " ", "\t")

// special characters mean something to a shell, and are data when they are quoted.
var special = strings.Split("; & | < > ( ) $ ` * ? [ { ~ # ' \" \\", " ")

// groups mean something to a shell only as they stand here; refused may stand nowhere.
var (
	groups  = []string{"=~", ":~", " #", " ~", "$a", "[ab]", "{a,b}"}
	refused = []string{"\n", "\x01", "\x7f", "\u0085", "\xff", "\xc4"}
)

// randomRequest makes a request that is a row of pieces, each quoted in some way, or a row of any characters at all.
func randomRequest(random *rand.Rand) string {
	if random.IntN(3) == 0 {
		return randomText(random, slices.Concat(special, groups, harmless), 12)
	}
	var b strings.Builder
	for range 1 + random.IntN(6) {
		switch random.IntN(8) {
		case 0:
			b.WriteString("'" + randomText(random, without("'"), 4) + "'")
		case 1:
			b.WriteString(`"` + randomText(random, without(`"`, `\`, "$", "`", "$a"), 4) + `"`)
		case 2:
			b.WriteString(`"` + randomText(random, []string{`\a`, `\ `, `\\`, `\$`, "\\`", `\"`, `\'`, `\~`, `\é`, `\ā`, "'", "a", " "}, 6) + `"`)
		case 3:
			b.WriteString(`\` + pick(random, special))
		case 4:
			b.WriteString(pick(random, []string{" ", "\t", "''", `""`}))
		case 5:
			b.WriteString(pick(random, slices.Concat(special, groups, refused)))
		default:
			b.WriteString(randomText(random, harmless, 3))
		}
	}
	return b.String()
}

func randomText(random *rand.Rand, alphabet []string, most int) string {
	var b strings.Builder
	for range random.IntN(most + 1) {
		b.WriteString(pick(random, alphabet))
	}
	return b.String()
}

func pick(random *rand.Rand, alphabet []string) string { return alphabet[random.IntN(len(alphabet))] }

// without gives what may stand in quotes but for these.
func without(exceptions ...string) []string {
	return slices.DeleteFunc(slices.Concat(special, groups, harmless), func(c string) bool { return slices.Contains(exceptions, c) })
}

// holdAgainstShells asks each shell, in the plain locale and in UTF-8, for the words of each request.
func holdAgainstShells(t *testing.T, cases map[string][]string) {
	t.Helper()
	requests := make([]string, 0, len(cases))
	for request := range cases {
		requests = append(requests, request)
	}
	for _, shell := range []string{"dash", "bash"} {
		t.Run(shell, func(t *testing.T) {
			path, err := exec.LookPath(shell)
			if err != nil {
				missing(t, shell)
			}
			for _, locale := range []string{"C", "C.UTF-8"} {
				got := askShell(t, path, locale, requests)
				for i, request := range requests {
					if want := cases[request]; !sameWords(got[i], want) {
						t.Errorf("seed %d: %.200q is %.200q to %s (%s), but %.200q to Split", *seed, request, got[i], shell, locale, want)
					}
				}
			}
		})
	}
}

// askShell runs one script with one line a request. Everything that a shell could make of a request that is no plain words
// shows: there are files for a glob to match, a home folder, a variable named a, and no commands.
func askShell(t *testing.T, shell, locale string, requests []string) [][]string {
	t.Helper()
	dir, scripts := t.TempDir(), t.TempDir()
	for _, name := range []string{"a", "b", "aa", "ab", "=", "-"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var script bytes.Buffer
	for _, request := range requests {
		fmt.Fprintf(&script, "printf '%%s\\0' A %s\nprintf '\\036\\0'\n", request)
	}
	file := filepath.Join(scripts, "script")
	if err := os.WriteFile(file, script.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(shell, file)
	cmd.Dir = dir
	cmd.Env = []string{"HOME=/home/of/nobody", "PATH=/nonexistent", "a=variable", "LC_ALL=" + locale}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	records := parseAnswers(stdout.String())
	if err != nil || stderr.Len() > 0 || len(records) != len(requests) {
		at := "none"
		if len(records) < len(requests) {
			at = strconv.Quote(requests[len(records)])
		}
		t.Fatalf("seed %d: %s (%s): %v, %d answers to %d requests, first without one: %.200s\n%.500q", *seed, shell, locale, err, len(records), len(requests), at, stderr.String())
	}
	return records
}

// parseAnswers reads, of each request, an A, the words and a record separator, each ended by NUL.
func parseAnswers(out string) [][]string {
	var (
		records [][]string
		words   []string
	)
	for _, field := range strings.Split(strings.TrimSuffix(out, "\x00"), "\x00") {
		if field == "\x1e" {
			if len(words) == 0 || words[0] != "A" { // nothing came out, or something else
				words = append([]string{"", "no answer"}, words...)
			}
			records, words = append(records, words[1:]), nil
			continue
		}
		words = append(words, field)
	}
	return records
}

// TestClientRequests holds what real clients were seen to send: each is plain words, and then those that shells see, or
// refused for the reason that stands beside it.
func TestClientRequests(t *testing.T) {
	text, err := os.ReadFile("testdata/client-requests.tsv")
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string][]string{}
	for i, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")[1:] {
		f := strings.Split(line, "\t")
		if len(f) != 4 {
			t.Fatalf("client-requests.tsv:%d: %d fields, want 4", i+2, len(f))
		}
		request, verdict := unescape(t, f[2]), f[3]
		var want *Problem
		if verdict != "plain" {
			if want, err = parseProblem(verdict); err != nil {
				t.Fatalf("client-requests.tsv:%d: %v", i+2, err)
			}
		}
		words, problem := Split(request)
		if !sameProblem(problem, want) {
			t.Errorf("client-requests.tsv:%d: Split(%q): %s, want %s", i+2, request, show(problem), show(want))
		}
		if problem == nil {
			cases[request] = words
		}
	}
	if len(cases) < 80 {
		t.Errorf("only %d requests are plain", len(cases))
	}
	holdAgainstShells(t, cases)
}

// unescape reads C escapes; quotes stand for themselves.
func unescape(t *testing.T, s string) string {
	t.Helper()
	if s == "<unset>" || s == "<empty>" {
		return ""
	}
	var b strings.Builder
	for s != "" {
		r, multibyte, rest, err := strconv.UnquoteChar(s, 0)
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if multibyte {
			b.WriteRune(r)
		} else {
			b.WriteByte(byte(r))
		}
		s = rest
	}
	return b.String()
}

// missing ends a test that needs a tool: in continuous integration every tool must be there.
func missing(t *testing.T, tool string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed", tool)
	}
	t.Skipf("needs %s: apt-get install %s", tool, tool)
}
