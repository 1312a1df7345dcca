package admin

import (
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// This file lays out what people read: rows of a label and a text, folded where a terminal is narrow. What goes into a pipe is not folded.

const (
	labelWidth = 13
	narrow     = 50 // columns below which a label stands on a line of its own
	leastWidth = 20
)

// columns is how wide a terminal is; 0: no terminal, so nothing is folded.
func columns(out any) int {
	f, ok := out.(*os.File)
	if !ok {
		return 0
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Col == 0 {
		return 0
	}
	return max(int(size.Col), leastWidth)
}

// page is what a verb prints, row by row.
type page struct {
	b     strings.Builder
	width int // 0: lines are not folded
}

// row writes a label and a text; a row without a label goes on with the one before. painted is the label with its colours, if it has any.
func (p *page) row(label, text string) { p.painted(label, label, text) }

func (p *page) painted(label, painted, text string) {
	indent := labelWidth
	if n := utf8.RuneCountInString(label); p.width > 0 && p.width < narrow || n >= labelWidth {
		if indent = labelWidth; p.width > 0 && p.width < narrow {
			indent = 2
		}
		if label != "" {
			p.b.WriteString(painted + "\n")
		}
		p.b.WriteString(strings.Repeat(" ", indent))
	} else {
		p.b.WriteString(painted + strings.Repeat(" ", labelWidth-n))
	}
	p.b.WriteString(fold(text, p.width, indent) + "\n")
}

func (p *page) gap() { p.b.WriteByte('\n') }

// fold breaks a text at blanks so that it fits on the screen, behind indent columns that are taken already. What follows the first line stands
// below it, or further left where that would leave too little; a word that is too long stays whole.
func fold(text string, width, indent int) string {
	if width == 0 {
		return text
	}
	hang := indent
	if width-indent < leastWidth {
		hang = 2
	}
	var b strings.Builder
	at := indent
	for i, word := range strings.Split(text, " ") {
		n := utf8.RuneCountInString(word)
		blank := min(i, 1)
		switch {
		case at+blank+n > width && at > hang:
			b.WriteString("\n" + strings.Repeat(" ", hang))
			at = hang
		case blank > 0:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += n
	}
	return b.String()
}
