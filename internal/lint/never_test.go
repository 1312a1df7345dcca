package lint

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"example.org/ssh-gate/internal/argv"
	"example.org/ssh-gate/internal/decide"
	"example.org/ssh-gate/internal/policy"
)

// What random policies are made of, and the words that their requests are made of.
var (
	someTypes = []string{
		`["a", "b"]`, `["a", "b", "-v", ""]`, `["3"]`, `["-", "v1"]`, `{ int = [1, 3] }`, `{ int = [-5, 900] }`, `{ chars = "ab" }`, `{ chars = "a-z0-9-", len = [0, 9] }`,
		`{ chars = "a-z:/é" }`, `{ regex = '[ab]*' }`, `{ regex = '-?[a-z0-9]+' }`, `{ text = [0, 40] }`, `{ text = [1, 3] }`, `{ path = "/srv" }`,
		`{ path = "/srv", itself = false }`, `{ path = "/srv/link" }`, `{ path = "/srv/data" }`, `{ path = "/srv/data", links = "ignore" }`, `{ path = "/", links = "ignore" }`,
		`{ path = "data" }`, `{ glob = "/srv/*" }`, `{ glob = "/srv/data/?" }`, `["/srv/link/x", "/srv/data"]`,
	}
	someOptions = []string{
		`{ options = ["-v", "-f {x}"] }`, `{ options = ["-v", "-f {x}"], repeat = true }`, `{ options = ["-f", "-f {x}", "{y}"], repeat = true }`, `{ options = ["{y}", "-v"] }`,
	}
	someWords = []string{"", "a", "b", "ab", "ba", "-", "-v", "-f", "3", "2", "-4", "12", "v1", "é", "a:b", "a=b", "x", "abcd", "/srv", "/srv/", "/srv/a", "/srv/link", "/srv/link/x",
		"/srv/data", "/srv/data/y", "/etc/x", "data", "data/y", "a b", "-a", "a-", "v=a", "v=3", "v=-", "v=-a", "a:3", "-:a", "-:", ":a", "-:3", "-a:b"}
	someElements = []string{"{x}", "{y}", "{x?}", "{y*}", "{x+}", "{o*}", "{o+}", "v={x}", "{x}:{y}", "{x}{y}", "a", "-v", "3"}
)

var linked = host{absent: []string{"gone"}, links: map[string]string{"/srv/link": "/etc", "/srv/data": "/srv/store"}, abi: 6}

// randomPolicy has a few rules, of one command each, that are alike enough for some to take what others take.
func randomPolicy(rng *rand.Rand) string {
	pick := func(list []string) string { return list[rng.IntN(len(list))] }
	types := []string{pick(someTypes), pick(someTypes), pick(someTypes)}
	elements := []string{pick(someElements), pick(someElements), pick(someElements), pick(someElements)}
	var b strings.Builder
	for range 2 + rng.IntN(4) {
		command := pick([]string{"p", "p", "p", "/usr/bin/p", "gone"})
		used := map[byte]bool{}
		for range rng.IntN(4) {
			e := pick(elements)
			for _, name := range "xyo" {
				if strings.Contains(e, "{"+string(name)) {
					used[byte(name)] = true
				}
			}
			command += " " + e
		}
		if rng.IntN(12) == 0 {
			command = ""
			used = map[byte]bool{}
		}
		var args strings.Builder
		options := ""
		if used['o'] {
			options = pick(someOptions)
			fmt.Fprintf(&args, "args.o = %s\n", options)
		}
		for _, name := range "xy" {
			if used[byte(name)] || strings.Contains(options, "{"+string(name)+"}") {
				fmt.Fprintf(&args, "args.%c = %s\n", name, pick(types))
			}
		}
		fmt.Fprintf(&b, "[[allow]]\ncwd = \"/srv\"\ncommand = %q\n%s", command, args.String())
		switch {
		case command == "":
			b.WriteString("run = \"/bin/r\"\n")
		case rng.IntN(3) == 0 && !used['o'] && strings.Count(command, "{x")+strings.Count(command, "{y") == 1:
			i := strings.Index(command, "{")
			fmt.Fprintf(&b, "run = \"/bin/r %s\"\n", command[i:i+strings.Index(command[i:], "}")+1])
		}
	}
	return b.String()
}

// randomRequest has words that the elements of a pattern take, mostly.
func randomRequest(rng *rand.Rand, p *policy.Pattern) []string {
	var words []string
	var from func(elements []policy.Element)
	from = func(elements []policy.Element) {
		for _, e := range elements {
			n := 1
			switch e.Repeat {
			case policy.Optional:
				n = rng.IntN(2)
			case policy.AnyNumber:
				n = rng.IntN(4)
			case policy.AtLeastOne:
				n = 1 + rng.IntN(3)
			}
			for range n {
				if o, ok := typeOf(&e).(*policy.Options); ok {
					from(o.List[rng.IntN(len(o.List))].Elements)
					continue
				}
				fits := slices.DeleteFunc(slices.Clone(someWords), func(w string) bool { return !decide.Takes(e.Parts, w) })
				if literal, ok := e.Literal(); ok {
					fits = []string{literal}
				}
				if len(fits) == 0 || rng.IntN(40) == 0 {
					fits = someWords
				}
				words = append(words, fits[rng.IntN(len(fits))])
			}
		}
	}
	from(p.Elements)
	if len(words) > 0 && words[0] == "p" && rng.IntN(2) == 0 {
		words[0] = "/usr/bin/p"
	}
	return words
}

// TestNeverMatchesIsTrue: whatever a rule takes that is said never to match, a rule before it takes.
func TestNeverMatchesIsTrue(t *testing.T) {
	told, held := 0, 0
	for seed := range uint64(2000) {
		a, b := neverFalse(t, rand.New(rand.NewPCG(seed, 7)))
		told, held = told+a, held+b
	}
	t.Logf("%d rules are said never to match; %d requests of theirs were tried", told, held)
	if told < 300 || held < 5_000 {
		t.Errorf("only %d rules were said never to match, and %d requests tried", told, held)
	}
}

func neverFalse(t *testing.T, rng *rand.Rand) (told, held int) {
	t.Helper()
	text := randomPolicy(rng)
	p := parse(t, "random", text)
	for _, f := range Policy(p, text, linked, now) {
		if f.Kind.ID != "never-matches" || strings.HasPrefix(f.Message, "the option") {
			continue
		}
		told++
		number := slices.IndexFunc(p.Rules, func(r policy.Rule) bool { return r.Label() == f.Rule })
		for range 60 {
			request := argv.Quote(randomRequest(rng, &p.Rules[number].Patterns[0]))
			alone := policy.Policy{Rules: p.Rules[number : number+1]}
			if d := decide.Decide(decide.Input{Policy: &alone, Files: linked, Request: request}); d.Rule == nil {
				continue
			}
			held++
			before := policy.Policy{Rules: p.Rules[:number]}
			if d := decide.Decide(decide.Input{Policy: &before, Files: linked, Request: request}); d.Rule == nil {
				t.Fatalf("%s\nbut no rule before it takes %q:\n%s", f.Error(), request, text)
			}
		}
	}
	return told, held
}

// FuzzNeverMatches is TestNeverMatchesIsTrue for other seeds.
func FuzzNeverMatches(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Fuzz(func(t *testing.T, a, b uint64) { neverFalse(t, rand.New(rand.NewPCG(a, b))) })
}
