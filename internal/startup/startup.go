// Package startup holds what has to be set before other packages initialise. A package that nothing calls initialises in the order of
// import paths (Go specification, "Program initialization"), so it comes before the TOML decoder only while the module's path sorts
// before github.com/BurntSushi; internal/house holds it to that.
package startup

import "time"

// Zone is what time.Local has become: UTC, so that no login reads /etc/localtime, for which the TOML decoder asks before main, nor,
// while a setgid binary still has its group, a file that the variable TZ names.
var Zone = setZone()

func setZone() *time.Location {
	time.Local = time.UTC
	return time.UTC
}

// Stack makes the runtime give the main goroutine one stack that suffices, where it would double it from 2 KiB four times: each
// doubling copies, and takes page faults for a pool of stacks that nobody else will use, 0.1 ms in all.
var Stack = grow(false)

// frame is in bytes; with what is in use it makes a stack of 32 KiB or more, which the runtime allots without a pool.
const frame = 24 << 10

// grow has a frame of that size, which it never touches: the check for room at its beginning is all that it is for.
//
//go:noinline
func grow(touch bool) byte {
	if !touch {
		return 0
	}
	var b [frame]byte
	return fill(&b)
}

//go:noinline
func fill(b *[frame]byte) byte {
	for i := range b {
		b[i] = byte(i)
	}
	return b[frame-1]
}
