package suggest

import (
	"path"
	"slices"
	"strings"
)

// keepHome makes sure that a rule for an upload opens no home: files there decide who logs in, .ssh/authorized_keys, and what a shell runs.
func keepHome(k known, words []string) known {
	if len(k.lines) > 0 {
		return k
	}
	target, names, ok := written(words)
	if !ok {
		return k
	}
	what := "what the client sends"
	if names {
		what = "files under names that the client sends"
	}
	switch at := path.Clean(target); {
	case at == "..", strings.HasPrefix(at, "../"), strings.HasPrefix(at, "/") && isAccess(at):
		k.lines = []string{needsRun}
		k.notes = append(k.notes, "It writes "+what+" where that decides who logs in or what runs, as .ssh/authorized_keys does: name a program in run that writes elsewhere, or leave the rule out.")
	case base(words[0]) == "cpio":
		k.lines = []string{`cwd = "/srv/CHANGE-ME"`, `confine = { write = ["/srv/CHANGE-ME"] }`}
		k.notes = append(k.notes, "It writes "+what+", absolute ones as well, so also .ssh/authorized_keys of the login's home: cwd and confine pin it to a folder of data.")
	case at == "." || strings.HasPrefix(at, ".") && !strings.HasPrefix(at, "/"):
		k.lines = []string{`cwd = "/srv/CHANGE-ME"`}
		k.notes = append(k.notes, "It writes "+what+" in the folder that it starts in. That would be the login's home, with .ssh/authorized_keys and start-up files: cwd pins it to a folder of data.")
	default:
		return k
	}
	k.mode, k.exact = k.mode+"-home", true
	return k
}

// isAccess says whether an absolute path is a folder that decides on access, or a file that a login reads from a home.
func isAccess(at string) bool {
	parts := strings.Split(strings.TrimPrefix(at, "/"), "/")
	switch {
	case at == "/" || at == "/home" || at == "/root" || parts[0] == "etc" || slices.Contains(parts, ".ssh") || at == "/var/spool/cron" || parts[0] == "home" && len(parts) == 2:
		return true
	case parts[0] == "root" && len(parts) > 1:
		return strings.HasPrefix(parts[1], ".")
	}
	return parts[0] == "home" && len(parts) > 2 && strings.HasPrefix(parts[2], ".")
}

// written is the place where well-known programs write what the client sends, and whether it chooses the names of files there, too.
func written(words []string) (target string, names, ok bool) {
	args := words[1:]
	has := func(w string) bool { return slices.Contains(args, w) }
	if len(args) == 0 {
		return "", false, false
	}
	switch base(words[0]) {
	case "scp":
		return args[len(args)-1], true, has("-t")
	case "rsync":
		return args[len(args)-1], true, has("--server") && !has("--sender")
	case "tar", "bsdtar":
		return extracted(args)
	case "cpio":
		in := slices.ContainsFunc(args, func(w string) bool {
			return w == "--extract" || len(w) > 1 && w[0] == '-' && w[1] != '-' && strings.Contains(w, "i")
		})
		return ".", true, in
	case "tee":
		for _, w := range args {
			if at := path.Clean(w); !strings.HasPrefix(w, "-") && (at[0] == '.' || at[0] == '/' && isAccess(at)) {
				return w, false, true
			}
		}
	case "dd":
		for _, w := range args {
			if file, is := strings.CutPrefix(w, "of="); is && file != "" {
				return file, false, true
			}
		}
	}
	return "", false, false
}

// extracted is the folder into which tar unpacks, if it does: the last -C, and where there is none the folder that it starts in.
func extracted(args []string) (folder string, names, unpacks bool) {
	const valued = "bCfFgHIKLNTVX"
	folder = "."
	anywhere := false // absolute names in the archive are kept
	defer func() {
		if anywhere {
			folder = "/"
		}
	}()
	take := func(letter byte, value string) {
		if letter == 'C' {
			folder = path.Join(folder, value)
			if strings.HasPrefix(value, "/") {
				folder = value
			}
		}
	}
	rest := args
	next := func() (value string) {
		if len(rest) > 0 {
			value, rest = rest[0], rest[1:]
		}
		return value
	}
	for first := true; len(rest) > 0; first = false {
		word := next()
		letters, short := strings.CutPrefix(word, "-")
		switch name, value, attached := strings.Cut(word, "="); {
		case word == "--":
			return folder, true, unpacks
		case name == "--extract" || name == "--get":
			unpacks = true
		case name == "--absolute-names":
			anywhere = true
		case name == "--directory" || name == "--cd":
			if !attached {
				value = next()
			}
			take('C', value)
		case strings.HasPrefix(word, "--"):
		case short:
			for i := 0; i < len(letters); i++ {
				unpacks, anywhere = unpacks || letters[i] == 'x', anywhere || letters[i] == 'P'
				if !strings.Contains(valued, letters[i:i+1]) {
					continue
				}
				if value = letters[i+1:]; value == "" {
					value = next()
				}
				take(letters[i], value)
				break
			}
		case first: // letters without a dash, whose values follow in their order
			for i := range len(word) {
				unpacks, anywhere = unpacks || word[i] == 'x', anywhere || word[i] == 'P'
				if strings.Contains(valued, word[i:i+1]) {
					take(word[i], next())
				}
			}
		}
	}
	return folder, true, unpacks
}
