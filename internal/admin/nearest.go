package admin

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/record"
)

// This file guesses what a person meant who misspelt a word. Only people who type are told: what a client sends never comes here.

const (
	maxMisspelt = 64     // bytes of a word that is guessed at
	maxKnown    = 10_000 // words that it is held against
	maxNearest  = 3      // that are told
)

// nearest are the known words that a misspelt one is close to, the closest first.
func nearest(word string, known []string) []string {
	word = strings.ToLower(word)
	if word == "" || len(word) > maxMisspelt {
		return nil
	}
	type guess struct {
		word string
		far  int
	}
	var near []guess
	for _, k := range known[:min(len(known), maxKnown)] {
		if len(k) > maxMisspelt {
			continue
		}
		far := distance(word, strings.ToLower(k))
		begun := len(word) >= 3 && strings.HasPrefix(strings.ToLower(k), word)
		if far <= max(1, min(len(word), len(k))/3) && far < min(len(word), len(k)) || begun {
			near = append(near, guess{k, far})
		}
	}
	slices.SortStableFunc(near, func(a, b guess) int { return cmp.Or(cmp.Compare(a.far, b.far), cmp.Compare(a.word, b.word)) })
	var words []string
	for _, g := range near {
		if g.far <= near[0].far+1 && len(words) < maxNearest && !slices.Contains(words, g.word) {
			words = append(words, g.word)
		}
	}
	return words
}

// distance counts the bytes to put in, take out, change, or swap with their neighbours, no byte twice, that make one word the other.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, last, row = last, row, before
		row[0] = i + 1
		for j := range len(b) {
			changed := last[j]
			if a[i] != b[j] {
				changed++
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, changed)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}

// didYouMean asks for the nearest of the known words, in a clause behind a message; empty where none is near.
func didYouMean(word string, known []string) string { return orAsk(nearest(word, known)) }

func orAsk(near []string) string {
	if question := meant(near); question != "" {
		return "; " + question
	}
	return ""
}

func meant(near []string) string {
	if len(near) == 0 {
		return ""
	}
	last := len(near) - 1
	text := near[last]
	if last > 0 {
		text = strings.Join(near[:last], ", ") + " or " + text
	}
	return "did you mean " + text + "?"
}

// knownKeys are the keys whose policies lie in a folder, as far as it may be listed: in that of the host's keys, and beside it users/NAME of
// accounts, where no option names another.
func knownKeys(dir string) []string {
	if dir != "" {
		return keysIn(dir, "")
	}
	return append(keysIn(policy.KeysDir, ""), keysIn(policy.UsersDir, accountKeys)...)
}

func keysIn(dir, prefix string) []string {
	folder, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer folder.Close()
	names, _ := folder.Readdirnames(maxKnown)
	var keys []string
	for _, file := range names {
		if key, ok := strings.CutSuffix(file, ".toml"); ok && policy.IsName(key) {
			keys = append(keys, prefix+key)
		}
	}
	return keys
}

// missed remembers the keys of records that a filter by key passed over, for one that lets nothing through.
type missed struct {
	keys  map[string]bool
	found bool
}

const maxMissed = 1000

// matches is the filter's.
func (m *missed) matches(f *filter, r *record.Record) bool {
	if f.matches(r) {
		m.found = true
		return true
	}
	if len(f.keys) > 0 && !m.found && r.Key != "" && len(m.keys) < maxMissed {
		if m.keys == nil {
			m.keys = map[string]bool{}
		}
		m.keys[r.Key] = true
	}
	return false
}

// tell asks which keys were meant, where there was no record.
func (m *missed) tell(c *call, f *filter) {
	if m.found {
		return
	}
	known := slices.AppendSeq(knownKeys(""), maps.Keys(m.keys))
	for _, key := range f.keys {
		if question := meant(nearest(key, known)); question != "" && !m.keys[key] {
			c.tell("hint", fmt.Sprintf("the log has no record of the key %+q; %s", key, question))
		}
	}
}

// Misspelt helps a person whom the gate has refused because the arguments call neither it nor a verb. Where a client's request is at hand
// nothing is said: a key line may have put it among the arguments. Nor where there is a client and no terminal, on which alone a person
// who is logged in through ssh can be told from one.
func Misspelt(status int, args, env []string, errs io.Writer) {
	vars := variables(env)
	_, requested := vars["SSH_ORIGINAL_COMMAND"]
	_, remote := vars["SSH_CONNECTION"]
	if status != record.Of(record.Usage).Status || requested || remote && !isTerminal(errs) {
		return
	}
	c := &call{errs: errs}
	if len(args) == 0 {
		c.tell("hint", "ssh-gate help shows how to call it, and the verbs")
		return
	}
	names := verbNames()
	if !strings.HasPrefix(args[0], "-") {
		near := nearest(args[0], names)
		for i := range near {
			near[i] = "ssh-gate " + near[i]
		}
		if question := meant(near); question != "" {
			c.tell("hint", question)
		} else if remote { // else the gate has said so
			c.tell("hint", "ssh-gate help lists the verbs")
		}
		return
	}
	for _, arg := range args[1:] {
		if slices.Contains(names, arg) {
			c.tell("hint", "a verb comes first, and its options behind it: ssh-gate "+arg+" --help")
			return
		}
	}
}
