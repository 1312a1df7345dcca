// Package utc makes UTC the zone of the process, as its packages initialise, so that no login reads /etc/localtime: the TOML decoder asks for the local
// offset before main, which costs a login two hundredths of what it takes, and a login has no use for a zone. A package that nothing
// calls initialises in the order of import paths (Go specification, "Program initialization"), so it works only while the module's path
// sorts before github.com/BurntSushi; internal/house holds it to that.
package utc

import "time"

// Zone is what time.Local has become. An expression, as the house has no init functions.
var Zone = set()

func set() *time.Location {
	time.Local = time.UTC
	return time.UTC
}
