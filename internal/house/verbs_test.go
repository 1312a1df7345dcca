package house

import (
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// gateItself stands for calls without a verb.
const gateItself = "gate"

// everywhere are options that every call takes and that help does not list.
var everywhere = []string{"--help", "-h", "--version"}

// helpOf is what the product says of a verb.
func helpOf(t *testing.T, binary string, words ...string) string {
	t.Helper()
	out, err := exec.Command(binary, words...).Output()
	if err != nil {
		t.Fatalf("%s: %v", strings.Join(words, " "), err)
	}
	return string(out)
}

// taken returns the verbs of the product in their order, and the options that each takes, by what its help says.
func taken(t *testing.T) (verbs []string, options map[string][]string) {
	t.Helper()
	binary := build(t)
	option := regexp.MustCompile(`(?m)^  (--?[a-z][a-z-]*)`)
	gate, list, _ := strings.Cut(helpOf(t, binary, "help"), "\nVerbs")
	options = map[string][]string{gateItself: found(option, gate)}
	verbs = found(regexp.MustCompile(`(?m)^  ([a-z]+) `), list)
	for _, verb := range verbs {
		options[verb] = found(option, helpOf(t, binary, verb, "--help"))
	}
	if len(verbs) < 8 || len(options[gateItself]) < 5 || len(options["log"]) < 15 {
		t.Fatalf("the help was not understood: %v", options)
	}
	return verbs, options
}

// found returns the first group of each match, in order, each once.
func found(pattern *regexp.Regexp, text string) []string {
	var all []string
	for _, m := range pattern.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(all, m[1]) {
			all = append(all, m[1])
		}
	}
	return all
}

// same compares what a paper has with what the product takes, both ways.
func same(t *testing.T, where string, has, takes []string) {
	t.Helper()
	for _, name := range takes {
		if !slices.Contains(has, name) {
			t.Errorf("%s lacks %s", where, name)
		}
	}
	for _, name := range has {
		if !slices.Contains(takes, name) {
			t.Errorf("%s has %s, which does not exist", where, name)
		}
	}
}

func without(list []string, names ...string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(name string) bool { return slices.Contains(names, name) })
}

// TestVerbsInManual holds each verb and each option against the manual, where each has to be an item below its verb.
func TestVerbsInManual(t *testing.T) {
	verbs, options := taken(t)
	text := paper(t, "packaging/man/ssh-gate.8")
	synopsis := section(t, text, ".Sh SYNOPSIS", ".Sh")
	described := section(t, text, ".Ss Verbs", ".Ss")
	same(t, "the manual's list of verbs", itemsOf(described), verbs)
	named := found(regexp.MustCompile(`(?m)^\.Cm ([a-z]+)`), synopsis)
	same(t, "the manual's synopsis", named, verbs)

	flags := regexp.MustCompile(`(?m)^\.It .*|\.Op Fl .*`)
	item := regexp.MustCompile(`Fl (-?[a-z][a-z-]*)`)
	read := func(text string) []string {
		var all []string
		for _, line := range flags.FindAllString(text, -1) {
			for _, m := range item.FindAllStringSubmatch(line, -1) {
				all = append(all, "-"+m[1])
			}
		}
		return all
	}
	same(t, "the manual, of the gate itself,", read(section(t, text, "\nThe options, each of which", ".Ss Verbs")), options[gateItself])
	for _, verb := range verbs {
		same(t, "the manual, of "+verb+",", without(read(belowItem(described, verb)), everywhere...), options[verb])
	}

	known := append(slices.Concat(slices.Collect(maps.Values(options))...), everywhere...)
	known = append(known, "-c") // as sshd calls a login shell
	for _, name := range found(regexp.MustCompile(`\bFl (-?[a-z][a-z-]*)`), text) {
		if !slices.Contains(known, "-"+name) {
			t.Errorf("the manual names -%s, which does not exist", name)
		}
	}
}

// section is the part of a page between a line and the next that begins with an end.
func section(t *testing.T, text, begin, end string) string {
	t.Helper()
	_, part, ok := strings.Cut(text, begin)
	if !ok {
		t.Fatalf("the manual lacks %q", begin)
	}
	part, _, _ = strings.Cut(part, "\n"+end)
	return part
}

var verbItem = `(?m)^\.It Cm ([a-z]+)`

// itemsOf returns the verbs that a list describes. Lists inside it have other items.
func itemsOf(list string) []string { return found(regexp.MustCompile(verbItem), list) }

// belowItem is what stands from a verb's item to that of the next.
func belowItem(list, verb string) string {
	items := regexp.MustCompile(verbItem).FindAllStringSubmatchIndex(list, -1)
	for i, at := range items {
		if list[at[2]:at[3]] != verb {
			continue
		}
		end := len(list)
		if i+1 < len(items) {
			end = items[i+1][0]
		}
		return list[at[0]:end]
	}
	return ""
}

// TestKeysOfAnswersInManual holds the keys of what verbs print as JSON against the manual.
func TestKeysOfAnswersInManual(t *testing.T) {
	described := section(t, paper(t, "packaging/man/ssh-gate.8"), ".Ss Verbs", ".Ss")
	key := regexp.MustCompile("`json:\"([a-z_]+)[\",]")
	report := paper(t, "internal/admin/report.go")
	ours, theirs, _ := strings.Cut(report, "// The parts of SARIF")
	_, listing, _ := strings.Cut(theirs, "\n// listKinds")
	for verb, source := range map[string]string{
		"check": ours + listing, "explain": paper(t, "internal/admin/explain.go"), "unused": paper(t, "internal/admin/unused.go"),
		"doctor": paper(t, "internal/admin/doctor.go"),
	} {
		named := regexp.MustCompile(`(?m)^(\.Ic|\.It Ic) .*`).FindAllString(belowItem(described, verb), -1)
		told := found(regexp.MustCompile(`\b([a-z_]+)\b`), strings.Join(named, "\n"))
		keys := found(key, source)
		if len(keys) < 4 {
			t.Fatalf("%s: only the keys %v were found", verb, keys)
		}
		for _, k := range keys {
			if !slices.Contains(told, k) {
				t.Errorf("the manual does not tell the key %s of %s --json", k, verb)
			}
		}
	}
}

// TestVerbsInCompletions holds the tables of the completions against the product. What shells make of them is tested beside them.
func TestVerbsInCompletions(t *testing.T) {
	verbs, options := taken(t)
	for name, tables := range map[string]func(string) ([]string, map[string][]string){
		"ssh-gate.bash": bashTables, "_ssh-gate": zshTables, "ssh-gate.fish": fishTables,
	} {
		offered, taken := tables(paper(t, "packaging/completions/"+name))
		same(t, name, offered, verbs)
		for verb := range taken {
			if verb != gateItself && !slices.Contains(verbs, verb) {
				t.Errorf("%s has options for %s, which does not exist", name, verb)
			}
		}
		for _, verb := range append(verbs, gateItself) {
			same(t, name+", of "+verb+",", without(taken[verb], everywhere...), options[verb])
		}
	}
}

func bashTables(text string) (verbs []string, options map[string][]string) {
	options = map[string][]string{}
	for _, m := range regexp.MustCompile(`(?m)^\t([a-z]+)\) options='(.*)'`).FindAllStringSubmatch(text, -1) {
		options[m[1]] = found(regexp.MustCompile(`(?:^| )(--?[a-z-]+)`), m[2])
	}
	list := regexp.MustCompile(`_ssh_gate_verbs='([a-z ]+)'`).FindStringSubmatch(text)
	if list == nil {
		return nil, options
	}
	return strings.Fields(list[1]), options
}

func zshTables(text string) (verbs []string, options map[string][]string) {
	options = map[string][]string{}
	for _, m := range regexp.MustCompile(`(?ms)^\t([a-z]+)\)\n(.*?)\n\t\t;;`).FindAllStringSubmatch(text, -1) {
		options[m[1]] = found(regexp.MustCompile(`'(?:\([^)]*\)|\*)?(--?[a-z-]+)=?\[`), m[2])
	}
	_, list, _ := strings.Cut(text, "_ssh-gate_verbs() {")
	list, _, _ = strings.Cut(list, "\n}")
	return found(regexp.MustCompile(`'([a-z]+):`), list), options
}

func fishTables(text string) (verbs []string, options map[string][]string) {
	options = map[string][]string{}
	for _, m := range regexp.MustCompile(`(?m)^complete -c ssh-gate -n '__ssh_gate_(?:is|option) ([a-z ]+)' -([ls]) ([a-z-]+)`).FindAllStringSubmatch(text, -1) {
		for verb := range strings.FieldsSeq(m[1]) {
			options[verb] = append(options[verb], map[string]string{"l": "--", "s": "-"}[m[2]]+m[3])
		}
	}
	delete(options, "none") // which has those of the gate
	return found(regexp.MustCompile(`(?m)^complete -c ssh-gate -n '__ssh_gate_is none' -a ([a-z]+)`), text), options
}

// TestVerbsInPapers holds the README and all calls that the papers show against the product.
func TestVerbsInPapers(t *testing.T) {
	verbs, options := taken(t)
	readme := paper(t, "README.md")
	for _, verb := range verbs {
		if !regexp.MustCompile(`ssh-gate ` + verb + `\b`).MatchString(readme) {
			t.Errorf("the README does not show ssh-gate %s", verb)
		}
	}
	for _, name := range []string{"README.md", "SECURITY.md", "packaging/man/ssh-gate.8", "packaging/man/ssh-gate.toml.5"} {
		call := regexp.MustCompile("(?m)(?:^ +|^\\.Dl |^\\$ |`|'|\")(?:[A-Z_]+=\\S+ )?(?:/usr/bin/)?ssh-gate( [^\n`]*)")
		for _, m := range call.FindAllStringSubmatch(paper(t, name), -1) {
			words := strings.Fields(m[1])
			verb := gateItself
			if len(words) > 0 && !strings.HasPrefix(words[0], "-") {
				if verb = words[0]; !slices.Contains(verbs, verb) {
					t.Errorf("%s shows ssh-gate%s, and there is no such verb", name, m[1])
					continue
				}
			}
			for _, word := range words {
				word, _, _ = strings.Cut(word, "=")
				if word == "--" || word == "|" || strings.HasSuffix(word, `",restrict`) {
					break
				}
				if word = strings.TrimRight(word, `"',.;:`); strings.HasPrefix(word, "-") && !slices.Contains(append(options[verb], everywhere...), word) {
					t.Errorf("%s shows ssh-gate%s, and %s does not exist", name, m[1], word)
				}
			}
		}
	}
}
