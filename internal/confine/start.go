package confine

import (
	"bytes"
	"encoding/binary"
	"runtime"

	"golang.org/x/sys/unix"
)

// elfMachine is e_machine of elf(5), of this one.
func elfMachine() uint16 {
	if runtime.GOARCH == "arm64" {
		return 183
	}
	return 62 // x86-64
}

// Start says what execve(2) would fail with for a program that may be executed, as far as the files tell, nil where nothing speaks against
// it; or what cannot be known of it. ENOEXEC is for formats that are not the kernel's own: binfmt_misc may have others. It is for explain,
// the gate asks the kernel.
func Start(path string) (unknown string, failure error) {
	for range maxInterpreters {
		var fs unix.Statfs_t
		if err := unix.Statfs(path, &fs); err != nil {
			return "", err
		} else if fs.Flags&unix.ST_NOEXEC != 0 {
			return "", unix.EACCES
		}
		head, err := headOf(path)
		switch {
		case err != nil:
			return "whether the kernel can start it: it cannot be read by you (" + err.Error() + ")", nil
		case bytes.HasPrefix(head, []byte("#!")):
			interpreter := script(head)
			if interpreter == "" {
				return "whether the kernel finds the interpreter that its first line names", nil
			}
			if err := executable(interpreter); err != nil {
				return "", err
			}
			path = interpreter
			continue
		case bytes.HasPrefix(head, []byte("\x7fELF\x01")): // of 32 bits, which this kernel may know or not
			return "", nil
		case bytes.HasPrefix(head, []byte("\x7fELF\x02\x01")) && len(head) > 20 && binary.LittleEndian.Uint16(head[18:]) == elfMachine():
			if loader := loader(head); loader != "" {
				return "", executable(loader)
			}
			return "", nil
		}
		return "", unix.ENOEXEC
	}
	return "", unix.ELOOP
}

func executable(path string) error {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Mode&0o111 == 0 {
		return unix.EACCES
	}
	return nil
}
