package testhost

import "encoding/binary"

// ProgramOf is the smallest ELF file that names a loader, elf(5).
func ProgramOf(loader string) []byte {
	head := make([]byte, 64+56)
	copy(head, "\x7fELF\x02\x01\x01")
	binary.LittleEndian.PutUint64(head[32:], 64) // where the program headers begin
	binary.LittleEndian.PutUint16(head[54:], 56)
	binary.LittleEndian.PutUint16(head[56:], 1)
	entry := head[64:]
	binary.LittleEndian.PutUint32(entry, 3) // PT_INTERP
	binary.LittleEndian.PutUint64(entry[8:], uint64(len(head)))
	binary.LittleEndian.PutUint64(entry[32:], uint64(len(loader)+1))
	return append(head, loader+"\x00"...)
}
