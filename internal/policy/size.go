package policy

import (
	"regexp/syntax"
	"slices"
	"unicode/utf8"
)

// The size of a regular expression, told from what it is parsed to: compiling it only to count would cost every login what most
// logins never need.

// endless is the length of what a regular expression takes where nothing bounds it, and more than any request has.
const endless = 1 << 30

// sizeOf returns how many instructions an expression is compiled to, or somewhat more, and how many bytes it takes at most. Both stop
// counting at endless.
func sizeOf(re *syntax.Regexp) (states, longest int) {
	switch re.Op {
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			longest += bytesOf(r, re.Flags&syntax.FoldCase != 0)
		}
		return len(re.Rune), longest
	case syntax.OpCharClass:
		if n := len(re.Rune); n > 0 {
			longest = bytesOf(re.Rune[n-1], false)
		}
		return 1, longest
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return 1, utf8.UTFMax
	case syntax.OpCapture:
		states, longest = sizeOf(re.Sub[0])
		return plus(states, 2), longest
	case syntax.OpQuest:
		states, longest = sizeOf(re.Sub[0])
		return plus(states, 1), longest
	case syntax.OpStar, syntax.OpPlus:
		if states, longest = sizeOf(re.Sub[0]); longest > 0 {
			longest = endless
		}
		return plus(states, 2), longest
	case syntax.OpRepeat:
		return spelledOut(re)
	case syntax.OpConcat, syntax.OpAlternate:
		for _, sub := range re.Sub {
			s, l := sizeOf(sub)
			if re.Op == syntax.OpAlternate {
				states, longest = plus(states, plus(s, 1)), max(longest, l)
			} else {
				states, longest = plus(states, s), plus(longest, l)
			}
		}
		return max(states, 1), longest
	}
	return 1, 0 // the empty text and what looks at a place
}

// spelledOut is what x{min,max} is spelled out to: so many x, and each that may be left out is a choice.
func spelledOut(re *syntax.Regexp) (states, longest int) {
	states, longest = sizeOf(re.Sub[0])
	copies := re.Max
	if re.Max < 0 {
		copies = max(re.Min, 1)
		if longest > 0 {
			longest = endless
		}
	}
	return plus(times(states+1, copies), 2), times(longest, copies)
}

// bytesOf is the most bytes that a letter takes; one that stands for both cases may have a longer other, such as k and the Kelvin sign.
func bytesOf(r rune, fold bool) int {
	if n := utf8.RuneLen(r); n > 0 && !fold {
		return n
	}
	return utf8.UTFMax // or half of a surrogate pair, which a class may end at
}

func plus(a, b int) int { return min(a+b, endless) }

func times(a, b int) int {
	if b > 0 && a > endless/b {
		return endless
	}
	return a * b
}

const (
	manyRanges = 16 // of a class, in which each look is a search from here on
	dearWeight = 8  // of a state that searches, or that goes through the cases of a letter beyond ASCII, measured
)

// weightOf returns how many steps a look at a byte in one of the states may be worth.
func weightOf(re *syntax.Regexp) int {
	folds := re.Op == syntax.OpLiteral && re.Flags&syntax.FoldCase != 0 && slices.ContainsFunc(re.Rune, func(r rune) bool { return r >= utf8.RuneSelf })
	if folds || re.Op == syntax.OpCharClass && len(re.Rune) > 2*manyRanges {
		return dearWeight
	}
	weight := 1
	for _, sub := range re.Sub {
		weight = max(weight, weightOf(sub))
	}
	return weight
}
