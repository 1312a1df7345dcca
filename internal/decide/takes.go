package decide

import "example.org/ssh-gate/internal/policy"

// Takes says whether a word, by its text alone, can be cut into the parts of an element: the match of one word of a request, for
// those who judge a policy.
func Takes(parts []policy.Part, word string) bool {
	var work budget
	_, ok := work.word(word, parts)
	return ok
}
