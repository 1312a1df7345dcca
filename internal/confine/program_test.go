package confine

import (
	"bytes"
	"debug/elf"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.org/ssh-gate/internal/testhost"
)

func TestScript(t *testing.T) {
	for head, want := range map[string]string{
		"#!/bin/sh\necho":             "/bin/sh",
		"#!/bin/sh -e\n":              "/bin/sh",
		"#! /bin/sh\n":                "/bin/sh",
		"#!\t/usr/bin/env\tpython3\n": "/usr/bin/env",
		"#!/bin/sh":                   "/bin/sh",
		"#!sh\n":                      "",
		"#!\n/bin/sh\n":               "",
		"#!   \n":                     "",
		"#!":                          "",
		"#":                           "",
		"":                            "",
		" #!/bin/sh\n":                "",
		"\x7fELF":                     "",
	} {
		if got := script([]byte(head)); got != want {
			t.Errorf("%q: %q, want %q", head, got, want)
		}
	}
}

// TestLoader compares with what Go's own reader of ELF files finds in this system's programs.
func TestLoader(t *testing.T) {
	names, err := filepath.Glob("/usr/bin/[a-g]*")
	check(t, err)
	dynamic := 0
	for _, name := range names {
		f, err := elf.Open(name)
		if err != nil {
			continue // a script
		}
		want := ""
		for _, p := range f.Progs {
			if p.Type == elf.PT_INTERP {
				text, err := io.ReadAll(p.Open())
				check(t, err)
				want = strings.TrimRight(string(text), "\x00")
			}
		}
		wide := f.Class == elf.ELFCLASS64 && f.Data == elf.ELFDATA2LSB
		f.Close()
		head, err := os.ReadFile(name)
		check(t, err)
		if got := loader(head[:min(len(head), maxHead)]); wide && got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		if want != "" {
			dynamic++
		}
	}
	if dynamic == 0 {
		t.Error("no program has a loader")
	}
}

// TestBrokenPrograms: a program is the administrator's, but nothing in one ends the gate.
func TestBrokenPrograms(t *testing.T) {
	const want = "/lib/ld.so.1"
	good := testhost.ProgramOf(want)
	if got := loader(good); got != want {
		t.Fatalf("%q", got)
	}
	for n := range good {
		if got := loader(good[:n]); got != "" {
			t.Errorf("cut to %d bytes: %q", n, got)
		}
	}
	for at := range len(good) - len(want) {
		for _, b := range []byte{0, 1, 0x7f, 0x80, 0xff} {
			for _, size := range []int{1, 2, 4, 8} {
				broken := bytes.Clone(good)
				for i := at; i < min(at+size, len(broken)); i++ {
					broken[i] = b
				}
				if got := loader(broken); len(got) > len(broken) {
					t.Errorf("%d bytes %#x at %d: %q", size, b, at, got)
				}
			}
		}
	}
}
