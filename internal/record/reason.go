package record

import "strings"

// Reason is the stable code of why a request was denied, could not be served, or ran. The list is closed: it is what log
// readers, fail2ban filters and alerts match on, so a code is never renamed or given another meaning.
type Reason string

// The gate's own exit statuses, sysexits(3). Never 255, which ssh(1) uses for its own failures.
const (
	ExitUsage       = 64
	ExitUnavailable = 69
	ExitSoftware    = 70
	ExitIO          = 74
	ExitTempfail    = 75
	ExitDenied      = 77
	ExitConfig      = 78
)

const (
	Matched Reason = "matched"
	Helped  Reason = "helped"

	NoCommand        Reason = "no-command"
	NeedsShell       Reason = "needs-shell"
	ControlCharacter Reason = "control-character"
	NotUTF8          Reason = "not-utf8"
	TooLong          Reason = "too-long"
	NoRule           Reason = "no-rule"
	WrongUser        Reason = "wrong-user"
	WrongAddress     Reason = "wrong-address"
	Expired          Reason = "expired"
	KeyNotProved     Reason = "key-not-proved"
	WrongKey         Reason = "wrong-key"
	NoUserPolicy     Reason = "no-user-policy"
	TooManySessions  Reason = "too-many-sessions"
	TooOften         Reason = "too-often"

	PolicyMissing      Reason = "policy-missing"
	PolicyUnsafe       Reason = "policy-unsafe"
	PolicyUnreadable   Reason = "policy-unreadable"
	PolicyInvalid      Reason = "policy-invalid"
	ConfigMissing      Reason = "config-missing"
	ConfigUnsafe       Reason = "config-unsafe"
	ConfigUnreadable   Reason = "config-unreadable"
	ConfigInvalid      Reason = "config-invalid"
	AccountUnknown     Reason = "account-unknown"
	ProgramMissing     Reason = "program-missing"
	ProgramUnsafe      Reason = "program-unsafe"
	ProgramFailed      Reason = "program-failed"
	FolderUnavailable  Reason = "folder-unavailable"
	ConfineUnsupported Reason = "confine-unsupported"
	ConfineFailed      Reason = "confine-failed"
	LimitsUnavailable  Reason = "limits-unavailable"
	RecordFailed       Reason = "record-failed"
	Misinstalled       Reason = "misinstalled"
	InternalError      Reason = "internal-error"
	Usage              Reason = "usage"
)

// Meaning is what stands behind a reason.
type Meaning struct {
	Reason Reason
	Event  Event
	Status int    // the gate's exit status; for Matched it is the program's own
	Brief  string // what the caller is told, beside the reference
	Text   string // for the manual: one sentence
	Next   string // what to do about it
}

// Reasons is the whole list, in the order of the manual.
var Reasons = []Meaning{
	{Matched, Allowed, 0, "", "A rule describes the request, and its program was started.", ""},
	{Helped, Allowed, 0, "", "The request was help, and the policy has help = true: the list of what the key may run was printed.", ""},

	{NoCommand, Denied, ExitDenied, "denied", "No command was requested, and no rule has command = \"\".", "send a command, or add a rule with command = \"\""},
	{NeedsShell, Denied, ExitDenied, "denied", "The request holds a character that only a shell gives a meaning, and no raw rule has this text.", "quote the character, or send one plain command"},
	{ControlCharacter, Denied, ExitDenied, "denied", "The request holds a control character.", "leave it out"},
	{NotUTF8, Denied, ExitDenied, "denied", "The request is not valid UTF-8.", "send UTF-8"},
	{TooLong, Denied, ExitDenied, "denied", "The request is longer than 64 KiB.", "send a shorter one"},
	{NoRule, Denied, ExitDenied, "denied", "No rule describes the request.", "add a rule, if the request is one that the key is for"},
	{WrongUser, Denied, ExitDenied, "denied", "The login user is not one of the policy's users.", "log in as one of them, or add the user"},
	{WrongAddress, Denied, ExitDenied, "denied", "The client's address is in none of the policy's networks, or not known.", "connect from one of them, or add the address"},
	{Expired, Denied, ExitDenied, "denied", "The policy's expires lies in the past.", "renew the key, then set a later expires"},
	{KeyNotProved, Denied, ExitDenied, "denied", "The policy has fingerprints, or --key-from asks, and sshd did not say which key was used.", "set ExposeAuthInfo yes in sshd_config"},
	{WrongKey, Denied, ExitDenied, "denied", "The login used a key that is none of the policy's fingerprints.", "use the right key, or add the fingerprint"},
	{NoUserPolicy, Denied, ExitDenied, "denied", "The gate is the login shell, the key has no forced command or the login requests none, and the account has no policy.", "request a command; or write /etc/ssh-gate/users/NAME.toml, or a key line with command="},
	{TooManySessions, Denied, ExitTempfail, "busy", "As many run at once as limits.sessions allows.", "try again when one has ended"},
	{TooOften, Denied, ExitTempfail, "too often", "As many were started in this time as limits.rate allows.", "try again when detail says"},

	{PolicyMissing, Error, ExitConfig, "not set up", "There is no policy of that name.", "write the policy, or correct --key in the key line"},
	{PolicyUnsafe, Error, ExitConfig, "not set up", "The policy, or a folder above it, can be written by somebody else than root.", "chown root, chmod go-w what the message names"},
	{PolicyUnreadable, Error, ExitConfig, "not set up", "The policy cannot be read by the login user.", "chmod a+r the policy, a+x the folders above it"},
	{PolicyInvalid, Error, ExitConfig, "not set up", "The policy has a fault, and so allows nothing.", "mend what the message names"},
	{ConfigMissing, Error, ExitConfig, "not set up", "The file that --config names does not exist.", "write it, or correct --config"},
	{ConfigUnsafe, Error, ExitConfig, "not set up", "The configuration, or a folder above it, can be written by somebody else than root.", "chown root, chmod go-w what the message names"},
	{ConfigUnreadable, Error, ExitConfig, "not set up", "The configuration cannot be read by the login user.", "chmod a+r the file, a+x the folders above it"},
	{ConfigInvalid, Error, ExitConfig, "not set up", "The configuration has a fault.", "mend what the message names"},
	{AccountUnknown, Error, ExitConfig, "not set up", "The account of the login user cannot be found.", "see that the user is in /etc/passwd"},
	{ProgramMissing, Error, ExitUnavailable, "the program cannot be started", "The rule's program does not exist.", "install it, or correct the rule"},
	{ProgramUnsafe, Error, ExitUnavailable, "the program cannot be started", "The program, or a folder above it, can be written by somebody else than root.", "chown root, chmod go-w what the message names"},
	{ProgramFailed, Error, ExitUnavailable, "the program cannot be started", "The kernel refused to start the program.", "see detail"},
	{FolderUnavailable, Error, ExitUnavailable, "the program cannot be started", "The rule's cwd cannot be entered, or its standard input cannot be opened.", "see detail"},
	{ConfineUnsupported, Error, ExitUnavailable, "the program cannot be started", "The rule is confined, and this kernel cannot hold it.", "use a newer kernel, or write fallback = \"allow\" into confine"},
	{ConfineFailed, Error, ExitUnavailable, "the program cannot be started", "A path of confine does not exist, or changed after the request was judged, or the kernel refused to confine.", "see detail"},
	{LimitsUnavailable, Error, ExitUnavailable, "the program cannot be started", "A limit of the rule cannot be set or counted.", "see detail; sessions and rate need the folder /run/ssh-gate"},
	{RecordFailed, Error, ExitIO, "not recorded, so not started", "A record is required, and no place took it.", "mend the log; see [log] in config.toml"},
	{Misinstalled, Error, ExitConfig, "not set up", "The binary is setuid, or has a group that it cannot give back.", "chown root:ssh-gate /usr/bin/ssh-gate && chmod 2755 /usr/bin/ssh-gate"},
	{InternalError, Error, ExitSoftware, "internal error", "The gate itself failed; nothing ran.", "report the detail of the record as a fault of ssh-gate"},
	{Usage, Error, ExitUsage, "called wrongly", "The gate was given wrong options.", "correct the key line"},
}

// Told is what the caller is told of an ending with this meaning, in one line: the fixed text and the reference, and, where the policy
// wants that, or where he has to know when to try again, what stood in the way.
func (m *Meaning) Told(detail, ref string, full bool) string {
	text := m.Brief
	if m.Status == ExitTempfail || full && m.Event == Denied {
		text += ": " + detail
	}
	return "ssh-gate: " + strings.ReplaceAll(text, "\n", "; ") + " (ref " + ref + ")"
}

// Of returns the meaning of a reason. A reason that is not in the list, which is a fault of the program, means usage: nothing
// runs.
func Of(reason Reason) Meaning {
	for i := range Reasons {
		if Reasons[i].Reason == reason {
			return Reasons[i]
		}
	}
	return Of(Usage)
}
