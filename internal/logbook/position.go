package logbook

import "io"

// Position is a place in the log that outlives rotation: behind a line end of one file.
type Position struct {
	ID
	Offset int64 // bytes
}

// Position is where All has ended; ok is false where there is no live file.
func (b *Book) Position() (p Position, ok bool) {
	if len(b.volumes) == 0 || !b.newest().live {
		return Position{}, false
	}
	return Position{b.newest().id, b.newest().lines.offset}, true
}

// Skip makes All begin at a position, and says whether that is still there: its file not yet compressed or removed, and at that
// place the end of a line.
func (b *Book) Skip(to Position) bool {
	for i, v := range b.volumes {
		if v.id != to.ID {
			continue
		}
		var last [1]byte
		if to.Offset > 0 {
			if _, err := v.file.ReadAt(last[:], to.Offset-1); err != nil || last[0] != '\n' {
				return false
			}
		}
		if _, err := v.file.Seek(to.Offset, io.SeekStart); err != nil {
			return false
		}
		v.lines.offset = to.Offset
		b.keep(len(b.volumes) - i)
		return true
	}
	return false
}
