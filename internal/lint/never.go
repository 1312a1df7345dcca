package lint

// neverMatches finds what stands behind rules that take all it takes.
func (l *linter) neverMatches() {}
