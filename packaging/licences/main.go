// Command licences collects the licences of everything that is linked into ssh-gate, from the modules as the build has them: as one
// machine-readable copyright file for Debian, and as a folder of texts. It fails where it finds none, or does not know one.
package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// program is what is linked.
const program = "example.org/ssh-gate/cmd/ssh-gate"

func main() {
	log.SetFlags(0)
	arch := flag.String("arch", runtime.GOARCH, "what the program is built for")
	debian := flag.String("debian", "", "write the copyright file to this `FILE`")
	folder := flag.String("folder", "", "write the texts into this `DIR`")
	flag.Parse()
	parts, err := collect(*arch)
	if err != nil {
		log.Fatal("licences: ", err)
	}
	if *debian != "" {
		err = os.WriteFile(*debian, []byte(copyright(parts)), 0o644)
	}
	if *folder != "" {
		err = errors.Join(err, writeTexts(*folder, parts))
	}
	if err != nil {
		log.Fatal("licences: ", err)
	}
}

// part is a module, ssh-gate itself, or Go's library.
type part struct {
	name    string // of a module, with its version
	dir     string
	files   []string // that are compiled, from which notices are taken
	licence string   // its short name, as Debian and SPDX have it
	holders []string // "Copyright ..." as the texts and files say it
	texts   []text
}

// text is a file that has to be passed on, or a notice that stands in a source file alone.
type text struct{ name, body string }

type linked struct {
	Dir              string
	Standard         bool
	GoFiles, SFiles  []string
	HFiles           []string
	Module           *struct{ Path, Version, Dir string }
	Error, DepsError *struct{ Err string }
}

// collect asks go which packages are linked for an architecture, and reads their licences.
func collect(arch string) ([]*part, error) {
	cmd := exec.Command("go", "list", "-deps", "-json=Dir,Standard,GoFiles,SFiles,HFiles,Module", program)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	parts := map[string]*part{}
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var l linked
		if err := d.Decode(&l); err != nil {
			return nil, err
		}
		p, err := owner(&l)
		if err != nil {
			return nil, err
		}
		p = cmp.Or(parts[p.name], p)
		parts[p.name] = p
		for _, name := range slices.Concat(l.GoFiles, l.SFiles, l.HFiles) {
			p.files = append(p.files, filepath.Join(l.Dir, name))
		}
	}
	var sorted []*part
	for _, p := range parts {
		if err := p.read(); err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		sorted = append(sorted, p)
	}
	slices.SortFunc(sorted, func(a, b *part) int { return cmp.Compare(a.name, b.name) })
	return sorted, nil
}

// self is how ssh-gate's own files stand in the copyright file.
const self = "*"

func owner(l *linked) (*part, error) {
	switch {
	case l.Standard:
		out, err := exec.Command("go", "env", "GOROOT", "GOVERSION").Output()
		root, version, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		return &part{name: "std@" + version, dir: root}, err
	case l.Module == nil:
		return nil, fmt.Errorf("the package in %s belongs to no module", l.Dir)
	case l.Module.Version == "":
		return &part{name: self, dir: l.Module.Dir}, nil
	}
	return &part{name: l.Module.Path + "@" + l.Module.Version, dir: l.Module.Dir}, nil
}

// Names of files that a licence may ask to be passed on.
var passedOn = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents|copyright)([.-].*)?$`)

func (p *part) read() error {
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() || !passedOn.MatchString(e.Name()) {
			continue
		}
		body, err := os.ReadFile(filepath.Join(p.dir, e.Name()))
		if err != nil {
			return err
		}
		p.texts = append(p.texts, text{e.Name(), string(body)})
		p.hold(string(body))
		if name := identify(string(body)); name != "" {
			p.licence = name
		}
	}
	if p.licence == "" {
		return fmt.Errorf("no file in %s is a licence that this program knows", p.dir)
	}
	return p.readNotices()
}

// marks are words that stand in one licence only, without regard to how its lines are broken.
var marks = []struct{ licence, words string }{
	{"Apache-2.0", "Apache License Version 2.0, January 2004"},
	{"BSD-3-Clause", "Neither the name of"},
	{"ISC", "Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted"},
	{"Expat", "The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software."},
}

func identify(body string) string {
	words := strings.Join(strings.Fields(body), " ")
	for _, m := range marks {
		if strings.Contains(words, m.words) {
			return m.licence
		}
	}
	return ""
}

var holder = regexp.MustCompile(`(?i)\bcopyright (?:\(c\) |© )?[0-9][^\n]*`)

// hold keeps who holds the copyright, each once.
func (p *part) hold(body string) {
	for _, line := range holder.FindAllString(body, -1) {
		line = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(line), "All rights reserved."))
		line = strings.TrimSpace(strings.TrimSuffix(line, "All Rights Reserved."))
		if !slices.Contains(p.holders, line) {
			p.holders = append(p.holders, line)
		}
	}
}

// readNotices finds what single files say of their own: code that was taken from elsewhere, under the terms that stand there.
func (p *part) readNotices() error {
	seen := map[string]bool{}
	for _, file := range p.files {
		source, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for _, n := range notices(string(source)) {
			p.hold(n)
			name, _ := filepath.Rel(p.dir, file)
			if key := strings.Join(strings.Fields(n), " "); strings.Contains(n, "\n") && !seen[key] {
				seen[key] = true
				p.texts = append(p.texts, text{name, n})
			}
		}
	}
	return nil
}

// notices gives each run of comment lines from the first that speaks of a copyright on. The usual head of Go's own files is none.
func notices(source string) []string {
	var found, notice []string
	end := func() {
		if len(notice) > 0 {
			found = append(found, strings.TrimSpace(strings.Join(notice, "\n"))+"\n")
		}
		notice = nil
	}
	block := false
	for line := range strings.Lines(source) {
		line = strings.TrimSpace(line)
		block = block || strings.HasPrefix(line, "/*")
		comment, ok := strings.CutPrefix(line, "//")
		comment = strings.TrimSpace(comment)
		if block {
			comment, ok = strings.TrimSpace(strings.Trim(line, "/*")), true
			block = !strings.HasSuffix(line, "*/")
		}
		switch {
		case !ok || strings.HasPrefix(comment, "======"): // a ruler ends the notices of FreeBSD's mathematics
			end()
		case len(notice) > 0 || holder.MatchString(comment) && !strings.Contains(comment, "The Go Authors"):
			notice = append(notice, comment)
		}
	}
	end()
	return found
}

const head = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: ssh-gate
Comment: /usr/bin/ssh-gate is linked statically from ssh-gate's own files, from these modules, and from Go's
 library, std. A paragraph names a module in place of files.
`

// commonApache is what Debian asks for in place of a text that it has once for all packages.
const commonApache = "On Debian systems the whole text is in /usr/share/common-licenses/Apache-2.0.\n"

// copyright writes Debian's copyright file, format 1.0.
func copyright(parts []*part) string {
	var b strings.Builder
	b.WriteString(head)
	for _, p := range parts {
		files := p.name
		if files != self {
			files += "/*"
		}
		fmt.Fprintf(&b, "\nFiles: %s\nCopyright: %s\nLicense: %s\n", files, strings.Join(p.holders, "\n "), p.licence)
		for _, t := range p.texts {
			body := t.body
			if p.licence == "Apache-2.0" && identify(body) == p.licence {
				body = commonApache
			}
			fmt.Fprintf(&b, " -- %s:\n .\n", t.name)
			for line := range strings.Lines(strings.TrimSpace(body) + "\n") {
				if line = strings.TrimRight(line, " \t\r\n"); line == "" {
					line = "."
				}
				fmt.Fprintf(&b, " %s\n", line)
			}
			b.WriteString(" .\n")
		}
	}
	return b.String()
}

// writeTexts writes one file for each part, named after it.
func writeTexts(folder string, parts []*part) error {
	for _, p := range parts {
		name := strings.ReplaceAll(p.name, "/", "-")
		if p.name == self {
			name = "ssh-gate"
		}
		var b strings.Builder
		for _, t := range p.texts {
			fmt.Fprintf(&b, "-- %s:\n\n%s\n", t.name, t.body)
		}
		if err := os.WriteFile(filepath.Join(folder, name+".txt"), []byte(b.String()), 0o644); err != nil {
			return err
		}
	}
	return nil
}
