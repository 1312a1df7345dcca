package lint

import (
	"slices"
	"strconv"
	"strings"
)

// Severity says how bad a finding is.
type Severity string

const (
	Error   Severity = "error"   // surely wrong or unsafe; cannot be accepted
	Warning Severity = "warning" // most likely not what is meant
	Note    Severity = "note"    // worth knowing
)

// Kind is one thing that check can find. The ids are part of what a version promises: policies accept them, and SARIF and people's
// scripts name them.
type Kind struct {
	ID       string
	Severity Severity
	Title    string // one line
	Why      string // what it means
	Fix      string // what to write instead
}

// Kinds are all that check can find, in the order of the manual: the file, the rules, what they run, their types, what programs get, the
// policy's conditions, key lines.
var Kinds = []Kind{
	// What the verb finds.
	{"policy-missing", Error, "the policy does not exist",
		"A key whose line names this policy has every request refused.",
		"Write the policy, correct the name, or take out the key line that names it."},
	{"policy-unreadable", Error, "the policy cannot be read",
		"The gate reads a policy as the login user, and only from a regular file. One that cannot be read so allows nothing.",
		"Give the file mode 0644, and the folders above it mode 0755."},
	{"policy-unsafe", Error, "somebody else than root may write the policy",
		"Whoever may write a policy, or a folder above it, may run what he likes with the key. The gate does not use such a file.",
		"Run chown root and chmod go-w on the file or folder that is named."},
	{"policy-invalid", Error, "the policy has a fault",
		"A policy with one fault allows nothing.",
		"Correct the line that is shown."},
	{"changed-while-read", Error, "the file changed while it was read",
		"It vanished, grew or was written at that moment, so nothing can be said about it.",
		"Run check again. Write a policy to a new file and rename it, so that no login reads half of it."},
	{"stray-file", Warning, "no key can name this file",
		"A policy is a file NAME.toml, and NAME is at most 64 letters, digits and . _ - with a letter or digit first. Nothing reads this file.",
		"Rename it, or move it out of the folder of policies."},
	{"no-policies", Note, "there is no policy",
		"The folder of policies is empty, so every request is refused.",
		"Write a policy; the manual page ssh-gate.toml(5) shows how."},
	{"config-missing", Error, "the configuration does not exist",
		"A file that was named, or a link that leads nowhere, was meant to say something. The gate refuses every request.",
		"Write the file, or remove the option or the link."},
	{"config-unreadable", Error, "the configuration cannot be read",
		"The gate reads it as the login user, and only from a regular file. Without its configuration it refuses every request.",
		"Give the file mode 0644, and the folders above it mode 0755."},
	{"config-unsafe", Error, "somebody else than root may write the configuration",
		"It says where programs are looked up and what is recorded. The gate does not use such a file.",
		"Run chown root and chmod go-w on the file or folder that is named."},
	{"config-invalid", Error, "the configuration has a fault",
		"With a faulty configuration the gate refuses every request.",
		"Correct the line that is shown."},
	{"test-failed", Error, "a test of the policy fails",
		"The policy does not do with this request what its [[test]] expects.",
		"Correct the rule, or the test if it is out of date."},

	// The policy as a whole.
	{"no-rules", Note, "the policy has no rules",
		"It denies every request.",
		"Add an [[allow]], or leave it so to lock the key."},
	{"no-tests", Note, "the policy has no tests",
		"A [[test]] keeps a later change from allowing more, or less, than is meant.",
		"Add a [[test]] for a request that must be allowed, and for one that must be denied."},
	{"accept-unknown", Error, "accept names what cannot be accepted",
		"No finding has this id, or it is an error, which cannot be accepted.",
		"Write the id as check prints it, or remove it."},
	{"accept-unneeded", Note, "accept names what is not found any more",
		"The line would hide the finding if it came back.",
		"Remove the id."},
	{"users-unknown", Warning, "this host has no such account",
		"users names login users. One that does not exist is often misspelt, and the account that is meant is then refused.",
		"Write the name as getent passwd prints it, or remove it."},
	{"from-everything", Warning, "from takes a large part of the internet",
		"A network wider than /8 (IPv6: /16) restricts hardly anybody, but reads as if it did.",
		"Name the networks of the clients, or leave from out."},
	{"expired", Warning, "the policy has expired",
		"It denies every request.",
		"Set a later moment, or remove the policy and its key line."},
	{"expires-soon", Note, "the policy expires within 14 days",
		"From then on it denies every request.",
		"Set a later moment if the key is still needed."},
	{"never-expires", Note, "the policy never expires",
		"A key that nobody needs any more goes on working.",
		"Set expires to the day by which somebody should look again."},

	// Rules.
	{"never-matches", Warning, "the rule, or a part of it, can never match",
		"What stands before it takes every request that it takes, and the first that matches wins.",
		"Move it further up, or remove it."},
	{"placeholder-ambiguous", Note, "a value may hold the text that ends it",
		"The type takes the text that stands beside the placeholder, too. A program that splits there reads another value than was judged.",
		"Use a type that does not take that text."},
	{"takes-anything", Warning, "the rule takes any further arguments",
		"A placeholder that repeats, of a type that takes any word, means that nothing behind it was looked at.",
		"Name the words: a list, a narrower type, or options."},

	// Programs.
	{"program-missing", Warning, "the program does not exist",
		"The rule matches, and its request ends with status 69.",
		"Install the program, or correct its name."},
	{"program-unsafe", Error, "somebody else than root may write the program",
		"Whoever may write a program, or a folder above it, decides what it does. The gate does not start it.",
		"Run chown root and chmod go-w on the file or folder that is named."},
	{"script-unsafe", Warning, "somebody else than root may write what the program runs",
		"The gate judges the program that it starts, and no script or further program among its arguments.",
		"Run chown root and chmod go-w on the file or folder that is named."},
	{"opens-shell", Warning, "the client can run any program",
		"The program is a shell, an interpreter or a way to another user, and the client chooses what it executes.",
		"Name the one thing that is wanted in run, and let the client choose values of narrow types only."},
	{"opens-shell-confined", Note, "the client can make a confined program do anything",
		"The program is an interpreter and the client chooses what it executes. It cannot leave what confine names, but has all of it.",
		"Write a script for what is wanted and name it in run."},
	{"runs-programs", Warning, "the client can make the program run another one",
		"An argument that the client chooses makes the program start a program of the client's choice.",
		"Leave no free argument where that option can stand, or confine the rule."},
	{"writes-anywhere", Warning, "the client can make the program write any file",
		"An argument that the client chooses names a file that the program writes. ~/.ssh/authorized_keys is one.",
		"Use a path type, with an access, or confine the rule."},
	{"reads-anywhere", Warning, "the client can make the program read any file",
		"An argument that the client chooses names a file whose content the client gets, such as a private key.",
		"Use a path type, with an access, or confine the rule."},
	{"starts-pager", Note, "on a terminal the program starts a pager",
		"A pager opens a shell at the press of a key. It starts only where the key line lets the client have a terminal.",
		"Give env the variable that turns the pager off, write restrict in the key line, or confine the rule."},
	{"no-containment", Warning, "what the program works on comes by its standard input",
		"The files that it reads and writes are not among its arguments, so no rule judges them, and nothing bounds it to a folder.",
		"Pin the folder in run, or confine the rule."},

	// Types.
	{"regex-takes-anything", Warning, "the regular expression takes any text",
		"It accepts paths such as ../../x and /etc/shadow, and text of any length.",
		"Describe what is meant: its characters and how many there are."},
	{"regex-takes-dash", Warning, "the regular expression takes values that begin with -",
		"A word that begins with - is an option to most programs, and options make programs write files and run others.",
		"Let it begin with a character that is not -, such as [a-z0-9], or put -- before the placeholder where the program knows it."},
	{"regex-takes-traversal", Warning, "the regular expression takes .. as a path",
		"A value such as ../x leads a program that uses it in a path out of its folder.",
		"Leave out the slash or the dot, or use chars, which takes no component . or .., or path."},
	{"regex-takes-empty", Note, "the regular expression takes the empty text",
		"Many programs take an empty argument for the current folder, for everything, or for the default.",
		"Use + in place of *, or make the placeholder itself optional, {x?}."},
	{"regex-unescaped-dot", Note, "a dot in the regular expression takes any character",
		"An unescaped dot between literal characters, as in v1.2, most likely means itself.",
		`Write \.`},
	{"path-without-access", Note, "the kernel does not hold what a path may lead to",
		"Links are judged before the program starts. Whoever may write in the folder can put a link there in between.",
		`Add access = "read" or access = "write", so that the kernel holds it; or confine the rule.`},

	// What programs get.
	{"env-dangerous", Warning, "a variable of env runs other code",
		"Programs load or run what this variable names.",
		"Leave it out, or name only what root alone can write."},
	{"pass-env-unknown", Warning, "the client chooses a variable that is not known to be harmless",
		"Programs run, load, read or write what some variables name, and no list of those is whole; so each is told that is not known to be read " +
			"as a mere word or number.",
		"Look the variable up in the manual of the program. Leave it out, give it a fixed value in env, or accept this."},
	{"cwd-missing", Warning, "the folder of cwd does not exist",
		"The rule's requests end with status 69.",
		"Make the folder, or correct the path."},
	{"confine-path-missing", Warning, "a path of confine does not exist",
		"The rule's requests are refused until it does.",
		"Make it, or correct the path."},
	{"confine-path-link", Warning, "others than root can have made a link on the way of a path",
		"Whoever may write a folder on the way chooses what the path means: a confined program could put a link there. The gate refuses the rule's requests.",
		"Name where the link leads, or keep the folders on the way root's alone."},
	{"confine-unsupported", Warning, "this kernel cannot confine the program",
		"The rule's requests are refused here.",
		`Use a newer kernel, or write fallback = "allow" if running unconfined is acceptable.`},
	{"fallback-allow", Note, "the program runs also where it cannot be confined",
		"On a kernel that cannot hold what confine says the rule allows as much as without it.",
		"Leave fallback out where all hosts have Linux 6.2, or 6.7 for network = false."},
	{"write-where-policies-lie", Error, "a program may write what decides on access",
		"A client that may write policies, the log, authorized_keys, a permitted program, or what cron, systemd or sudo reads can give itself more rights.",
		"Name a folder that holds data only."},
	{"needs-privileges", Warning, "sudo and its like can do nothing here",
		"Without privileges = \"keep\" the kernel gives no program rights by a setuid bit, so sudo, doas, su and pkexec fail.",
		`Write privileges = "keep" into the rule, and let sudoers name this very command.`},
	{"keep-privileges", Note, "the program keeps its privileges without need",
		`privileges = "keep" is for programs such as sudo; with any other it only gives a fault in it more to work with.`,
		`Leave privileges out.`},

	// Key lines, by the verb.
	{"key-line-without-policy", Error, "a key line names a policy that does not exist",
		"Every request of the key is refused.",
		"Write the policy, or correct the name behind --key."},
	{"policy-without-key-line", Note, "no key line names the policy",
		"Nothing that was looked at uses it.",
		"Add the key line, or remove the policy."},
	{"key-line-faulty", Error, "a key line calls the gate wrongly",
		"Every request of its key is refused, or a shell stands between sshd and the gate.",
		"Write command=\"/usr/bin/ssh-gate --key NAME\", with nothing else in it."},
	{"key-line-unrestricted", Warning, "a key line names the gate without restrict",
		"The key may forward ports, agents and X11 and have a terminal, and the gate is not asked.",
		`Write restrict behind command="...".`},
	{"key-line-other-binary", Note, "a key line names another ssh-gate than this one",
		"What check found holds for this binary; the key runs the other.",
		"Name the installed binary in the key line, or run check with the other."},
	{"key-line-login-elsewhere", Warning, "a rule for a login without a command is never asked for",
		"Where the gate is the login shell of an account, /etc/ssh-gate/users/ACCOUNT.toml decides its logins without a command, also with a key line.",
		"Write the rule into the policy of the account."},
	{"key-file-unreadable", Error, "a file with an account's keys cannot be read whole",
		"It is too long, or no plain text file. sshd may read what check does not, and any key line can be in it.",
		"Make it a regular file of key lines alone, of at most 4 MiB."},
}

// Of returns the kind with an id.
func Of(id string) (*Kind, bool) {
	for i := range Kinds {
		if Kinds[i].ID == id {
			return &Kinds[i], true
		}
	}
	return nil, false
}

// verbs are the kinds that only the verb finds, from files, key lines and tests.
var verbs = []string{"policy-missing", "policy-unreadable", "policy-unsafe", "policy-invalid", "changed-while-read", "stray-file", "no-policies",
	"config-missing", "config-unreadable", "config-unsafe", "config-invalid", "test-failed", "key-line-without-policy", "policy-without-key-line",
	"key-line-faulty", "key-line-unrestricted", "key-line-other-binary", "key-line-login-elsewhere", "key-file-unreadable"}

func byVerb(id string) bool { return slices.Contains(verbs, id) }

// nearest is a hint at the id that was probably meant.
func nearest(id string) string {
	for i := range Kinds {
		if known := Kinds[i].ID; strings.HasPrefix(known, id) || strings.HasPrefix(id, known) || strings.ReplaceAll(id, "_", "-") == known {
			return "did you mean " + strconv.Quote(known) + "?"
		}
	}
	return ""
}
