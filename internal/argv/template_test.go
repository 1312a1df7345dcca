package argv

import (
	"strings"
	"testing"
)

func TestSplitTemplate(t *testing.T) {
	for text, want := range map[string][]string{
		"":                             nil,
		"uptime":                       {"uptime"},
		"systemctl restart {unit}":     {"systemctl", "restart", "{unit}"},
		"a {x?} {y*} {z+}":             {"a", "{x?}", "{y*}", "{z+}"},
		"{a}{b},{c_1}":                 {"{a}{b},{c_1}"},
		"--since={when} {a}:{b}":       {"--since={when}", "{a}:{b}"},
		"a {{x}} b{{c}}d {{{x}}}":      {"a", "{{x}}", "b{{c}}d", "{{{x}}}"},
		"{{ }} }":                      {"{{", "}}", "}"},
		`'{x}' "{x}" 'a {x*} b'`:       {"{x}", "{x}", "a {x*} b"},
		`'{' "{ }" '{{' "}}"`:          {"{", "{ }", "{{", "}}"},
		`'a;b' "a|b" a\*b \~ '#' a\\b`: {"a;b", "a|b", "a*b", "~", "#", `a\b`},
		`"\{x}"`:                       {`\{x}`}, // inside double quotes a backslash before a brace stands for itself
		"{x}~ {x}#":                    {"{x}~", "{x}#"},
		"{x}={y} a={x}":                {"{x}={y}", "a={x}"},
		"{x}'{y}'\"{z}\"":              {"{x}{y}{z}"},
		"é{x}é":                        {"é{x}é"},
	} {
		if words, problem := SplitTemplate(text); problem != nil || !sameWords(words, want) {
			t.Errorf("SplitTemplate(%q) = %q, %s; want %q", text, words, show(problem), want)
		}
	}
}

func TestSplitTemplateRefuses(t *testing.T) {
	for text, want := range map[string]Problem{
		"a; b":     {Kind: NeedsShell, Char: ';', Byte: 2},
		"a {x}|b":  {Kind: NeedsShell, Char: '|', Byte: 6},
		"ls *":     {Kind: NeedsShell, Char: '*', Byte: 4},
		"ls ~":     {Kind: NeedsShell, Char: '~', Byte: 4},
		"{x}=~":    {Kind: NeedsShell, Char: '~', Byte: 5},
		"a={x}:~":  {Kind: NeedsShell, Char: '~', Byte: 7},
		"a #{x}":   {Kind: NeedsShell, Char: '#', Byte: 3},
		"{x} '{y}": {Kind: NeedsShell, Char: '\'', Byte: 5},
		`"$x"`:     {Kind: NeedsShell, Char: '$', Byte: 2},
		"${x}":     {Kind: NeedsShell, Char: '$', Byte: 1},
		`{x}\`:     {Kind: NeedsShell, Char: '\\', Byte: 4},
		"'\x01'":   {Kind: Control, Char: 1, Byte: 2},
		"{x\n}":    {Kind: Malformed, Char: '{', Byte: 1},
		"{x}\n":    {Kind: NeedsShell, Char: '\n', Byte: 4},
		"{\xff}":   {Kind: Malformed, Char: '{', Byte: 1},
		"{x}\xff":  {Kind: NotUTF8, Char: 0xff, Byte: 4},

		"{":        {Kind: Malformed, Char: '{', Byte: 1},
		"a {":      {Kind: Malformed, Char: '{', Byte: 3},
		"{}":       {Kind: Malformed, Char: '{', Byte: 1},
		"{x":       {Kind: Malformed, Char: '{', Byte: 1},
		"{x y}":    {Kind: Malformed, Char: '{', Byte: 1},
		"a {x,y}":  {Kind: Malformed, Char: '{', Byte: 3},
		"a {X}":    {Kind: Malformed, Char: '{', Byte: 3},
		"{x*y}":    {Kind: Malformed, Char: '{', Byte: 1},
		"{x**}":    {Kind: Malformed, Char: '{', Byte: 1},
		"{1..3}":   {Kind: Malformed, Char: '{', Byte: 1},
		"{é}":      {Kind: Malformed, Char: '{', Byte: 1},
		"{'x'}":    {Kind: Malformed, Char: '{', Byte: 1},
		"{a{b}}":   {Kind: Malformed, Char: '{', Byte: 1},
		"{{{":      {Kind: Malformed, Char: '{', Byte: 3},
		`a\{x}`:    {Kind: Malformed, Char: '\\', Byte: 2},
		`a{x}\}`:   {Kind: Malformed, Char: '\\', Byte: 5},
		`a \{{x}}`: {Kind: Malformed, Char: '\\', Byte: 3},

		strings.Repeat("{", MaxRequest+1): {Kind: TooLong, Byte: MaxRequest + 1},
	} {
		if words, problem := SplitTemplate(text); !sameProblem(problem, &want) {
			t.Errorf("SplitTemplate(%.20q) = %q, %s; want %s", text, words, show(problem), show(&want))
		}
	}
}

// TestTemplateIsRequest: a template without braces is read as a request is.
func TestTemplateIsRequest(t *testing.T) {
	for _, v := range readVectors(t) {
		if strings.ContainsAny(v.request, "{}") {
			continue
		}
		words, problem := SplitTemplate(v.request)
		if problem != nil {
			words = nil
		}
		if !sameWords(words, v.words) || !sameProblem(problem, v.problem) {
			t.Errorf("split.txt:%d: SplitTemplate(%q) = %q, %s; want %q, %s", v.line, v.request, words, show(problem), v.words, show(v.problem))
		}
	}
}
