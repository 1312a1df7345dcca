package suggest

import (
	"slices"
	"strings"
)

// draft is one rule in the making: rows that it is to allow, and how.
type draft struct {
	rows     []*seen
	patterns [][]word // one that describes all rows, or one for each
	label    string   // what its name is made from
	lines    []string // of TOML behind command
	notes    []string // comments before the rule
}

// word is one word of a command, or a run of them.
type word struct {
	parts  []part
	repeat string // "", "*" or "+"
}

// part is literal text, or a placeholder.
type part struct {
	text  string
	guess *guess
}

const (
	maxCommands = 32 // literal commands of one rule
	maxWords    = 40 // of a request that is guessed at: so often rows may have to be parted
	maxOptions  = 16 // options that one placeholder takes: where there are more, they are no options
)

// partition tells apart what no rule may have together: programs, and what well-known programs do.
func partition(words []string) string {
	return words[0] + "\x00" + knownAs(words).mode
}

// drafts makes rules of the requests of one part.
func drafts(rows []*seen) []*draft {
	k := knownAs(rows[0].words)
	var made []*draft
	if k.exact || slices.ContainsFunc(rows, func(s *seen) bool { return len(s.words) > maxWords }) {
		for chunk := range slices.Chunk(rows, maxCommands) {
			made = append(made, literal(chunk...))
		}
	} else {
		made = infer(rows)
	}
	for _, d := range made {
		d.label, d.lines, d.notes = k.label, append(d.lines, k.lines...), append(d.notes, k.notes...)
	}
	return made
}

// infer makes one rule of all rows, if numbers of words that differ are options or files; then of those that begin with the same word;
// and of the rest one for each shape.
func infer(rows []*seen) []*draft {
	if d := merge(rows); d != nil {
		return []*draft{d}
	}
	var made []*draft
	var rest []*seen
	for _, same := range split(rows, func(s *seen) string { return at(s.words, 1) }) {
		if d := merge(same); d != nil {
			made = append(made, d)
		} else {
			rest = append(rest, same...)
		}
	}
	for _, same := range split(rest, func(s *seen) string { return shape(s.words) }) {
		made = append(made, align(same)...)
	}
	return made
}

// split sorts rows by what key gives, in the order of its first appearance.
func split(rows []*seen, key func(*seen) string) [][]*seen {
	var parts [][]*seen
	index := make(map[string]int)
	for _, s := range rows {
		k := key(s)
		i, known := index[k]
		if !known {
			i = len(parts)
			index[k] = i
			parts = append(parts, nil)
		}
		parts[i] = append(parts[i], s)
	}
	return parts
}

func at(words []string, i int) string {
	if i < len(words) {
		return words[i]
	}
	return ""
}

// shape tells how many words there are, and which are options, absolute paths or other.
func shape(words []string) string {
	var b strings.Builder
	for _, w := range words[1:] {
		b.WriteString(kind(w) + "\x00")
	}
	return b.String()
}

func kind(w string) string {
	switch {
	case strings.HasPrefix(w, "-"):
		if name, _, valued := strings.Cut(w, "="); valued {
			return name + "="
		}
		if isOption(w) {
			return "-"
		}
		return w // -, --
	case strings.HasPrefix(w, "/"):
		return "/"
	}
	return ""
}

func isOption(w string) bool { return strings.HasPrefix(w, "-") && strings.Trim(w, "-") != "" }

// literal is a rule that has every request as it was sent.
func literal(rows ...*seen) *draft {
	d := &draft{rows: rows}
	for _, s := range rows {
		pattern := make([]word, len(s.words))
		for i, w := range s.words {
			pattern[i] = fixed(w)
		}
		d.patterns = append(d.patterns, pattern)
	}
	return d
}

func fixed(text string) word { return word{parts: []part{{text: text}}} }

// align makes rules of rows of one shape, word by word. Where words that differ go together in some ways only, such as start a and
// stop b, the rows are parted rather than that more is allowed.
func align(rows []*seen) []*draft {
	if len(rows) == 1 {
		return []*draft{literal(rows...)}
	}
	pattern, guessed := columns(rows, 0, len(rows[0].words))
	if i := parting(rows, guessed); i > 0 {
		var made []*draft
		for _, same := range split(rows, func(s *seen) string { return s.words[i] }) {
			made = append(made, align(same)...)
		}
		return made
	}
	return []*draft{{rows: rows, patterns: [][]word{pattern}}}
}

// column is a place where words differ.
type column struct {
	at     int
	values []string // different ones
	listed bool     // they are a list
}

// columns guesses what stands in the words from one place up to another.
func columns(rows []*seen, from, to int) ([]word, []column) {
	var pattern []word
	var guessed []column
	for i := from; i < to; i++ {
		values := distinct(rows, i)
		if len(values) == 1 {
			pattern = append(pattern, fixed(values[0]))
			continue
		}
		parts := guessWord(values, rows[0].words[0])
		pattern = append(pattern, word{parts: parts})
		listed := !slices.ContainsFunc(parts, func(p part) bool { return p.guess != nil && p.guess.kind != kindList })
		guessed = append(guessed, column{i, values, listed})
	}
	return pattern, guessed
}

func distinct(rows []*seen, i int) []string {
	var values []string
	known := make(map[string]bool, len(rows))
	for _, s := range rows {
		if v := s.words[i]; !known[v] {
			known[v] = true
			values = append(values, v)
		}
	}
	return values
}

// parting returns the place by whose words rows have to be parted; 0 if one pattern will do. A word that says what to do, as the first
// one often does, parts them always; words of lists do where not every combination was seen.
func parting(rows []*seen, guessed []column) int {
	if len(guessed) < 2 {
		return 0
	}
	if first := guessed[0]; first.at == 1 && first.listed && !slices.ContainsFunc(first.values, func(v string) bool { return !isAction(v) }) {
		return 1
	}
	product, best := 1, column{}
	combinations := make(map[string]bool)
	var lists []column
	for _, c := range guessed {
		if !c.listed {
			continue
		}
		lists = append(lists, c)
		product = min(product*len(c.values), maxRequests+1)
		if best.at == 0 || len(c.values) < len(best.values) {
			best = c
		}
	}
	for _, s := range rows {
		var b strings.Builder
		for _, c := range lists {
			b.WriteString(s.words[c.at] + "\x00")
		}
		combinations[b.String()] = true
	}
	if len(lists) < 2 || len(combinations) == product {
		return 0
	}
	return best.at
}

// isAction says whether a word looks like one that says what to do: restart, list-units.
func isAction(w string) bool {
	return w != "" && w[0] >= 'a' && w[0] <= 'z' && strings.Trim(w, "abcdefghijklmnopqrstuvwxyz-") == ""
}

// merge makes one rule of rows with different numbers of words, if they differ in files at the end, or in options in one place; nil if
// they do not.
func merge(rows []*seen) *draft {
	shortest, longest := len(rows[0].words), len(rows[0].words)
	for _, s := range rows {
		shortest, longest = min(shortest, len(s.words)), max(longest, len(s.words))
	}
	if shortest == longest {
		return nil
	}
	common := 1
	for common < shortest && !slices.ContainsFunc(rows, func(s *seen) bool { return s.words[common] != rows[0].words[common] }) {
		common++
	}
	if d := mergeFiles(rows, common); d != nil {
		return d
	}
	return mergeOptions(rows, common)
}

// mergeFiles is for `cat /a/b` and `cat /a/c /a/d`.
func mergeFiles(rows []*seen, common int) *draft {
	for i := 1; i < common; i++ {
		if strings.HasPrefix(rows[0].words[i], "/") {
			common = i
		}
	}
	var files []string
	known := make(map[string]bool)
	for _, s := range rows {
		if len(s.words) == common {
			return nil
		}
		for _, w := range s.words[common:] {
			if !strings.HasPrefix(w, "/") {
				return nil
			}
			if !known[w] {
				known[w] = true
				files = append(files, w)
			}
		}
	}
	g := guessPath(files, rows[0].words[0])
	g.hint = "files"
	pattern, _ := columns(rows, 0, common)
	return &draft{rows: rows, patterns: [][]word{append(pattern, word{[]part{{guess: g}}, "+"})}}
}

// mergeOptions is for `ls /a`, `ls -l /a` and `ls -l -a /a`: options that are there or not, in one place, and the same words behind them.
func mergeOptions(rows []*seen, common int) *draft {
	// rsync's first option holds all its flags, and never is away.
	if base(rows[0].words[0]) == "rsync" && !slices.ContainsFunc(rows, func(s *seen) bool { return len(s.words) <= common || !isOption(s.words[common]) }) {
		common++
	}
	runs := make([][]string, len(rows))
	for i, s := range rows {
		n := common
		for n < len(s.words) && isOption(s.words[n]) {
			n++
		}
		runs[i] = s.words[common:n]
	}
	// An option that ends them all stays where it is: `scp -r -t /a` and `scp -t /a` differ in -r alone.
	for same := true; same; {
		for _, run := range runs {
			same = same && len(run) > 0 && run[len(run)-1] == runs[0][len(runs[0])-1]
		}
		for i := range runs {
			if same {
				runs[i] = runs[i][:len(runs[i])-1]
			}
		}
	}
	options, repeat := collect(runs)
	tails := make([]*seen, len(rows))
	for i, s := range rows {
		tails[i] = &seen{words: append([]string{s.words[0]}, s.words[common+len(runs[i]):]...)}
		if shape(tails[i].words) != shape(tails[0].words) {
			return nil
		}
	}
	pattern, flags := columns(rows, 0, common)
	end, guessed := columns(tails, 1, len(tails[0].words))
	if len(flags) > 0 && pattern[common-1].parts[0].guess != nil {
		pattern[common-1].parts[0].guess.hint = "flags"
	}
	if len(options) == 0 || len(options) > maxOptions || parting(tails, guessed) > 0 || tied(runs, tails, guessed) {
		return nil
	}
	pattern = append(pattern, word{[]part{{guess: guessOptions(options, rows[0].words[0])}}, repeat})
	return &draft{rows: rows, patterns: [][]word{append(pattern, end...)}}
}

// collect lists the options of all runs, each as often as it stood in one, and says how the placeholder repeats.
func collect(runs [][]string) (options []string, repeat string) {
	most := make(map[string]int)
	repeat = "+"
	for _, run := range runs {
		count := make(map[string]int)
		for _, w := range run {
			count[w]++
			if count[w] > most[w] {
				most[w] = count[w]
				options = append(options, w)
			}
		}
		if len(run) == 0 {
			repeat = "*"
		}
	}
	return options, repeat
}

// tied says whether the words of a list behind the options did not all come with the same ones, as in `apt-get update` and
// `apt-get -y upgrade`.
func tied(runs [][]string, tails []*seen, guessed []column) bool {
	if !slices.ContainsFunc(guessed, func(c column) bool { return c.listed }) {
		return false
	}
	ends, starts, both := make(map[string]bool), make(map[string]bool), make(map[string]bool)
	for i, run := range runs {
		start, end := strings.Join(run, "\x00"), strings.Join(tails[i].words, "\x00")
		starts[start], ends[end], both[start+"\x00\x00"+end] = true, true, true
	}
	return len(starts)*len(ends) != len(both)
}
