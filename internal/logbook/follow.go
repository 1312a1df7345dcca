package logbook

import (
	"iter"
	"os"
	"slices"
	"time"
)

// poll is how often a followed log is looked at.
const poll = 200 * time.Millisecond

// Follow gives what is written from where All has ended, across rotations, and ends only when its reader or wait does. Who opened the log
// before it was rotated may still write into the old file, so that one is read until the next rotation. wait is called when there
// is nothing more for now, and says whether to go on.
func (b *Book) Follow(wait func(time.Duration) bool) iter.Seq[Line] {
	return func(yield func(Line) bool) {
		b.keep(1)
		for {
			for _, v := range b.volumes {
				if !b.tail(v, yield) {
					return
				}
			}
			if !b.turn() && !wait(poll) {
				return
			}
		}
	}
}

// tail reads on in one file. One that has become shorter was truncated, which is read from its beginning.
func (b *Book) tail(v *volume, yield func(Line) bool) bool {
	if v.gz {
		return v.ended || b.read(v, yield) // nobody writes into it
	}
	if info, err := v.file.Stat(); err == nil && info.Size() < v.lines.taken() {
		if _, err := v.file.Seek(0, 0); err == nil {
			v.lines = newLines(v.file)
		}
	}
	v.live = true // what is not whole yet may become so
	return b.read(v, yield)
}

// turn goes on to the files that a rotation has made since, and says whether there are any.
func (b *Book) turn() bool {
	info, err := os.Stat(b.path)
	if err != nil || len(b.volumes) > 0 && idOf(info) == b.newest().id {
		return false
	}
	names, err := list(b.path)
	if err != nil {
		return false
	}
	next := &Book{path: b.path}
	next.open(names)
	known := -1
	if len(b.volumes) > 0 {
		known = slices.IndexFunc(next.volumes, func(v *volume) bool { return v.id == b.newest().id })
	}
	fresh := next.volumes[known+1:]
	if known < 0 && len(next.volumes) > 0 {
		fresh = next.volumes[len(next.volumes)-1:] // the old one was removed, or compressed at once
	}
	for _, v := range next.volumes {
		if !slices.Contains(fresh, v) {
			v.file.Close()
		}
	}
	if len(fresh) == 0 {
		return false
	}
	b.keep(1)
	b.volumes = append(b.volumes, fresh...)
	return true
}

func (b *Book) newest() *volume { return b.volumes[len(b.volumes)-1] }

// keep closes all but the newest n files.
func (b *Book) keep(n int) {
	for len(b.volumes) > n {
		b.volumes[0].file.Close()
		b.volumes = b.volumes[1:]
	}
}
