package argv

import "strings"

// Quote is the inverse of Split: one line which dash, bash and Split read as exactly these words, provided that they are
// valid UTF-8 without control characters. Other words come out in single quotes all the same, and Split refuses them.
func Quote(words []string) string {
	var b strings.Builder
	for i, w := range words {
		if i > 0 {
			b.WriteByte(' ')
		}
		quoteWord(&b, w)
	}
	return b.String()
}

func quoteWord(b *strings.Builder, w string) {
	if isBare(w) {
		b.WriteString(w)
		return
	}
	b.WriteByte('\'')
	b.WriteString(strings.ReplaceAll(w, "'", `'\''`))
	b.WriteByte('\'')
}

// isBare says whether a word needs no quotes in any shell.
func isBare(w string) bool {
	for i := range len(w) {
		c := w[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-_./,:=@%+", c) >= 0:
		default:
			return false
		}
	}
	return w != ""
}
