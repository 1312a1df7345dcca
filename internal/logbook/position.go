package logbook

import (
	"bytes"
	"hash/crc32"
	"io"

	"example.org/ssh-gate/internal/record"
)

// Position is a place in the log that outlives rotation: behind a line end of one file.
type Position struct {
	ID
	Offset int64  // bytes
	Sum    uint32 // of what stands before it: a removed file's inode is soon another's
}

// Position is where All has ended; ok is false where the newest file is a compressed one. While a rotation is under way it is the
// one that was live.
func (b *Book) Position() (p Position, ok bool) {
	if len(b.volumes) == 0 || b.newest().gz {
		return Position{}, false
	}
	v := b.newest()
	sum, ok := v.sum(v.lines.offset)
	return Position{v.id, v.lines.offset, sum}, ok
}

// Skip makes All begin at a position, and says whether that is still there: its file not yet compressed or removed, and before that
// place what stood there.
func (b *Book) Skip(to Position) bool {
	for i, v := range b.volumes {
		if v.id != to.ID || v.gz {
			continue
		}
		if sum, ok := v.sum(to.Offset); !ok || sum != to.Sum {
			return false
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

// sum is that of the last record before an offset, and some more; ok is false where no line ends there.
func (v *volume) sum(offset int64) (sum uint32, ok bool) {
	if offset <= 0 {
		return 0, offset == 0
	}
	before := make([]byte, min(offset, record.MaxLine))
	if _, err := v.file.ReadAt(before, offset-int64(len(before))); err != nil {
		return 0, false
	}
	return crc32.ChecksumIEEE(before), bytes.HasSuffix(before, []byte{'\n'})
}
