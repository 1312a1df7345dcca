package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"example.org/ssh-gate/internal/record"
)

// anyWords permits probe with any words that a request can hold.
const anyWords = `
[[allow]]
command = "probe {words*}"
args.words = { regex = '(?s).*' }
`

// atOnce calls f for 0 to n-1, so many at a time.
func atOnce(n, workers int, f func(i int)) {
	numbers := make(chan int)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range numbers {
				f(i)
			}
		})
	}
	for i := range n {
		numbers <- i
	}
	close(numbers)
	wg.Wait()
}

// sent is a request and what must become of it: the words after "probe", or the reason of a denial.
type sent struct {
	request string
	words   []string
	reason  string
}

// try sends requests to a gate that permits anyWords, and holds each denial against its record.
func try(t *testing.T, requests []sent) {
	t.Helper()
	h := newHost(t, anyWords)
	outcomes := make([]outcome, len(requests))
	atOnce(len(requests), 4, func(i int) { outcomes[i] = run(t, h.request(requests[i].request)) })
	records := map[string]entry{}
	for _, e := range h.records(t) {
		records[e.Ref] = e
	}
	for i, s := range requests {
		o := outcomes[i]
		if s.reason == "" {
			if o.status != 0 {
				t.Errorf("%q: status %d, %s", s.request, o.status, o.stderr)
			} else if got := probed(t, o.stdout).Argv[1:]; !slices.Equal(got, s.words) {
				t.Errorf("%q became %q, want %q", s.request, got, s.words)
			}
			continue
		}
		e := records[ref(o.stderr)]
		if o.status != record.ExitDenied || o.stdout != "" || e.Reason != s.reason {
			t.Errorf("%q: status %d, stdout %q, reason %q, want 77, nothing, %q", s.request, o.status, o.stdout, e.Reason, s.reason)
		}
		if want := s.request[:min(len(s.request), record.MaxRequest)]; e.Request != want || e.Bytes != len(s.request) {
			t.Errorf("the record of %q says %q, %d bytes", s.request, e.Request, e.Bytes)
		}
	}
}

var refPattern = regexp.MustCompile(`^ssh-gate: [^\n]*\(ref ([0-9a-hjkmnp-tv-z]{8})\)\n$`)

// ref is the reference in the one line that a client gets; empty where it gets anything else.
func ref(stderr string) string {
	if m := refPattern.FindStringSubmatch(stderr); m != nil {
		return m[1]
	}
	return ""
}

func TestLongRequests(t *testing.T) {
	const limit, sshdLimit = 64 << 10, 131_050 // bytes
	fill := func(total int) string { return strings.Repeat("a", total-len("probe ")) }
	short := strings.Repeat(" a", (limit-len("probe"))/2)
	try(t, []sent{
		{request: "probe " + fill(limit), words: []string{fill(limit)}},
		{request: "probe " + fill(limit+1), reason: "too-long"},
		{request: "probe " + fill(sshdLimit), reason: "too-long"},
		{request: strings.Repeat(" ", limit), reason: "no-command"},
		{request: strings.Repeat("\xff", limit), reason: "not-utf8"},
		{request: strings.Repeat(" ", limit+1), reason: "too-long"},
		{request: "probe" + short, words: strings.Fields(short)}, // 32,765 words
		{request: "nothing" + short[2:], reason: "no-rule"},
	})
}

func TestQuoteStorms(t *testing.T) {
	const n = 10_000
	rep := strings.Repeat
	try(t, []sent{
		{request: "probe " + rep(`''`, n), words: []string{""}},
		{request: "probe " + rep(`""`, n), words: []string{""}},
		{request: "probe " + rep(`'' `, n), words: make([]string, n)},
		{request: "probe " + rep(`'"'"'"`, n), words: []string{rep(`"'`, n)}},
		{request: "probe " + rep(`\'`, n), words: []string{rep(`'`, n)}},
		{request: "probe " + rep(`\\`, n), words: []string{rep(`\`, n)}},
		{request: "probe " + `"` + rep(`\\`, n) + `"`, words: []string{rep(`\`, n)}},
		{request: "probe " + `"` + rep(`\"`, n) + `"`, words: []string{rep(`"`, n)}},
		{request: "probe " + `"` + rep(`\a`, n) + `"`, words: []string{rep(`\a`, n)}},
		{request: "probe " + `'` + rep(`\`, n) + `'`, words: []string{rep(`\`, n)}},
		{request: "probe " + rep(`'`, n+1), reason: "needs-shell"},
		{request: "probe " + rep(`"`, n+1), reason: "needs-shell"},
		{request: "probe " + rep(`\`, n+1), reason: "needs-shell"},
		{request: "probe " + `"` + rep(`\"`, n), reason: "needs-shell"},
	})
}

// TestEveryByte puts each byte but NUL, which no environment holds, bare, and if it is ASCII in quotes of both kinds and behind a
// backslash.
func TestEveryByte(t *testing.T) {
	var requests []sent
	for b := 1; b < 256; b++ {
		for _, form := range []string{"bare", "single", "double", "escaped"} {
			if b < 0x80 || form == "bare" { // beyond ASCII no byte means anything by itself, wherever it stands
				requests = append(requests, oneByte(string([]byte{byte(b)}), form))
			}
		}
	}
	try(t, requests)
}

func oneByte(b, form string) sent {
	frames := map[string]string{"bare": `a%sz`, "single": `'a%sz'`, "double": `"a%sz"`, "escaped": `a\%sz`}
	s := sent{request: "probe " + fmt.Sprintf(frames[form], b), words: []string{"a" + b + "z"}}
	in := func(set string) bool { return strings.Contains(set, b) }
	switch {
	case b != "\t" && b < " " || b == "\x7f":
		s.reason = "control-character"
		if b == "\n" && form == "bare" {
			s.reason = "needs-shell"
		}
	case b >= "\x80":
		s.reason = "not-utf8"
	case form == "bare" && in(" \t"):
		s.words = []string{"a", "z"}
	case form == "bare" && b == `\`:
		s.words = []string{"az"}
	case form == "bare" && in(";&|<>()$`*?[{'\""), form == "single" && in("'"), form == "double" && in("$`\""):
		s.reason = "needs-shell"
	}
	return s
}

func TestPlacesOfMetacharacters(t *testing.T) {
	try(t, []sent{
		{request: "probe #x", reason: "needs-shell"},
		{request: "probe '#x' a#x", words: []string{"#x", "a#x"}},
		{request: "probe ~", reason: "needs-shell"},
		{request: "probe ~root/x", reason: "needs-shell"},
		{request: "probe --to=~/x", reason: "needs-shell"},
		{request: "probe host:~/x", reason: "needs-shell"},
		{request: "probe '~' a~ host:a~ \\~", words: []string{"~", "a~", "host:a~", "~"}},
		{request: "probe !x a!b ^ % } ] = : , .", words: []string{"!x", "a!b", "^", "%", "}", "]", "=", ":", ",", "."}},
		{request: "probe ü 日本 '€;'", words: []string{"ü", "日本", "€;"}},
		{request: "probe a\u0085b", reason: "control-character"},
		{request: "probe a\u009bb", reason: "control-character"},
		{request: "probe '\xc3'", reason: "not-utf8"},
		{request: "probe \xc0\xaf", reason: "not-utf8"},
		{request: "probe \xed\xa0\x80", reason: "not-utf8"},
		{request: "probe a\nprobe b", reason: "needs-shell"},
		{request: "probe 'a\nb'", reason: "control-character"},
		{request: "probe a\\\nb", reason: "control-character"},
		{request: "\ufeffprobe a", reason: "no-rule"},
		{request: "probe\u00a0a", reason: "no-rule"},
		{request: "probe a\u2028b", words: []string{"a\u2028b"}},
	})
}

// TestPatternsThatInviteBacktracking sends the longest requests to patterns that can be cut in many ways: it hangs where the
// matcher tries them all.
func TestPatternsThatInviteBacktracking(t *testing.T) {
	h := newHost(t, `
args.a = ["a"]
args.b = ["a", "b"]
args.c = { text = [1, 65536] }
args.x = { chars = ":a" }
args.y = { text = [0, 65536] }
args.z = { regex = '(a*)*(a*)*' }
args.o = { options = ["a", "{a}", "{c}", "a {b}", "a a a"], repeat = true }
[[allow]]
command = "probe {a*} {b*} {c*} {a*} {b+} {c?} end"
[[allow]]
command = "probe {o*} {o*} {o*} {o*} end"
run = "/bin/true"
[[allow]]
command = "probe {x}:{x}:{y}:{y}:{z}:{z}:{z}end"
run = "/bin/true"
`)
	for _, request := range []string{
		"probe" + strings.Repeat(" a", 32_000),
		"probe" + strings.Repeat(" a b", 16_000),
		"probe " + strings.Repeat(":", 65_000),
		"probe " + strings.Repeat("a:", 32_000),
		"probe " + strings.Repeat("a", 65_000),
	} {
		h.denied(t, run(t, h.request(request)), "no-rule")
	}
}

// TestPolicyReplaced renames new policies over the old one while requests run: each request meets the one or the other, whole.
func TestPolicyReplaced(t *testing.T) {
	const one, other = "[[allow]]\ncommand = \"probe one\"\n", "[[allow]]\ncommand = \"probe other\"\nargs = {}\n"
	h := newHost(t, one)
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			err := os.WriteFile(h.path("keys/next"), []byte([]string{one, other}[i%2]), 0o644)
			if err == nil {
				err = os.Rename(h.path("keys/next"), h.path("keys/deploy.toml"))
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	}()
	var mu sync.Mutex
	seen := map[string]int{}
	atOnce(200, 4, func(i int) {
		request := []string{"probe one", "probe other"}[i%2]
		o := run(t, h.request(request))
		mu.Lock()
		defer mu.Unlock()
		seen[fmt.Sprint(request, " ", o.status)]++
		if o.status != 0 && o.status != record.ExitDenied {
			t.Errorf("%q: %+v", request, o)
		}
	})
	close(done)
	<-stopped
	if len(seen) != 4 {
		t.Errorf("the policies did not change under the requests: %v", seen)
	}
	for _, e := range h.records(t) {
		if e.Reason != "no-rule" {
			t.Errorf("%+v", e)
		}
	}
}

func TestManyDenialsAtOnce(t *testing.T) {
	const n = 1000
	h := newHost(t, `[[allow]]
command = "probe"
`)
	outcomes := make([]outcome, n)
	request := func(i int) string { return fmt.Sprintf("denied %d ", i) + strings.Repeat("x", i*4) }
	atOnce(n, 16, func(i int) { outcomes[i] = run(t, h.request(request(i))) })
	records := map[string]entry{}
	for _, e := range h.records(t) {
		if _, taken := records[e.Ref]; taken {
			t.Errorf("the reference %s stands twice", e.Ref)
		}
		records[e.Ref] = e
	}
	if len(records) != n {
		t.Errorf("%d references, want %d", len(records), n)
	}
	for i, o := range outcomes {
		e, ok := records[ref(o.stderr)]
		if o.status != record.ExitDenied || !ok || e.Request != request(i) {
			t.Errorf("denial %d: %+v, recorded as %+v", i, o, e)
		}
	}
}
