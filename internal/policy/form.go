package policy

import (
	"slices"
	"strconv"
)

// Form is a type laid open, for those who judge a policy and not a request.
type Form struct {
	Key           string   // that names the type in a policy, such as "int"; "list" for a list of words
	Words         []string // of a list
	Low, High     int64    // of an int; the bytes of chars and text
	Source        string   // of chars, regex and glob, as the policy has it
	Root          string   // of a path, absolute
	Itself, Links bool     // of a path: the root is a value, and links are judged
	Access        Access
}

// FormOf lays a type open.
func FormOf(t Type) Form {
	switch t := t.(type) {
	case *oneOf:
		return Form{Key: "list", Words: t.words}
	case *integer:
		return Form{Key: "int", Low: t.min, High: t.max}
	case *class:
		return Form{Key: "chars", Low: int64(t.min), High: int64(t.max), Source: t.text}
	case *expression:
		return Form{Key: "regex", Source: t.source}
	case *text:
		return Form{Key: "text", Low: int64(t.min), High: int64(t.max)}
	case *subtree:
		return Form{Key: "path", Root: t.root, Itself: t.itself, Links: t.links, Access: t.access}
	case *glob:
		return Form{Key: "glob", Source: t.pattern, Links: true}
	}
	return Form{Key: "options"}
}

// Values returns all values of a type that has at most max.
func Values(t Type, max int) ([]string, bool) {
	switch t := t.(type) {
	case *oneOf:
		return t.words, len(t.words) <= max
	case *integer:
		if n := uint64(t.max - t.min); n >= uint64(max) {
			return nil, false
		}
		var words []string
		for n := t.min; ; n++ {
			if words = append(words, strconv.FormatInt(n, 10)); n == t.max {
				return words, true
			}
		}
	}
	return nil, false
}

// maxInts is how many numbers of a range are held against another type one by one.
const maxInts = 256

// Within says whether outer surely takes, wherever in a word, each value that inner takes; false where that is not known. With files
// nil it is the text alone that is judged.
func Within(inner, outer Type, files Files) bool {
	in, isInt := inner.(*integer)
	if out, ok := outer.(*integer); ok && isInt {
		return out.min <= in.min && in.max <= out.max
	}
	most := maxList
	if isInt {
		most = maxInts
	}
	if words, ok := Values(inner, most); ok {
		return !slices.ContainsFunc(words, func(w string) bool { return !takesAnywhere(outer, w, files) })
	}
	switch in := inner.(type) {
	case *expression:
		out, ok := outer.(*expression)
		return ok && out.source == in.source
	case *class:
		switch out := outer.(type) {
		case *class:
			return out.min <= in.min && in.max <= out.max && in.hasOnly(out)
		case *text:
			return out.min <= in.min && in.max <= out.max && in.printable()
		}
	case *text:
		out, ok := outer.(*text)
		return ok && out.min <= in.min && in.max <= out.max
	case *glob:
		out, ok := outer.(*glob)
		return ok && out.pattern == in.pattern
	case *subtree:
		out, ok := outer.(*subtree)
		return ok && in.within(out, files)
	}
	return false
}

func takesAnywhere(t Type, value string, files Files) bool {
	if !t.Accepts(value) || t.Guarded() && (value == "" || value[0] == '-') {
		return false // where it could make the word begin with "-"
	}
	located, ok := t.(Located)
	if !ok || files == nil {
		return true
	}
	_, err := located.Lies(value, files)
	return err == nil
}

func (t *class) hasOnly(of *class) bool {
	if t.ascii[0]&^of.ascii[0] != 0 || t.ascii[1]&^of.ascii[1] != 0 {
		return false
	}
	for _, in := range t.ranges {
		if !slices.ContainsFunc(of.ranges, func(out [2]rune) bool { return out[0] <= in[0] && in[1] <= out[1] }) {
			return false
		}
	}
	return true
}

// printable is known of ASCII only, where control characters are refused.
func (t *class) printable() bool { return len(t.ranges) == 0 }

func (t *subtree) within(out *subtree, files Files) bool {
	itself := out.itself || t.root == out.root && !t.itself
	if t.dir != "" && t.dir != out.dir || !below(t.root, out.root, itself) {
		return false
	}
	if files == nil || !out.links || t.root == out.root && t.links {
		return true
	}
	if !t.links {
		return false
	}
	inner, _, err := files.Resolve(t.root)
	if err != nil {
		return false
	}
	outer, _, err := files.Resolve(out.root)
	return err == nil && below(inner, outer, out.itself || !t.itself)
}
