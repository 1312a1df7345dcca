package house

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// sandbox is run by `unshare -m sh`: a mount namespace in which the folders that the README changes are copies, so that its commands
// run as they stand and leave nothing behind. Only the name "server" is ours: it leads to an sshd without a port.
const sandbox = `set -eu
mount --make-rprivate /
mount -t tmpfs tmpfs "$SCRATCH"
for dir in /etc /usr/bin /var/log; do
	copy=$SCRATCH/copy$(echo $dir | tr / -)
	mkdir "$copy" "$copy.work"
	mount -t overlay overlay -o "lowerdir=$dir,upperdir=$copy,workdir=$copy.work" $dir
done
mount -t tmpfs -o mode=755 tmpfs /home
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/sshd "$SCRATCH/work"
cd "$SCRATCH/work"
cp "$BINARY" ssh-gate
cp -r "$SOURCE/examples" .
ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/readme_host_key
cat > /etc/ssh/readme_sshd_config <<-END
	HostKey /etc/ssh/readme_host_key
	UsePAM yes
	PrintMotd no
	PidFile none
END
cat > /etc/ssh/ssh_config <<-END
	Host server
	ProxyCommand /usr/sbin/sshd -i -f /etc/ssh/readme_sshd_config
	HostKeyAlias server
	UserKnownHostsFile /etc/ssh/readme_known_hosts
	IdentitiesOnly yes
	IdentityAgent none
	BatchMode yes
	LogLevel ERROR
END
echo "server $(cat /etc/ssh/readme_host_key.pub)" > /etc/ssh/readme_known_hosts
must() { # status, command
	status=0
	sh -c "$2" </dev/null || status=$?
	[ $status = "$1" ] || { echo "FAIL: status $status, not $1: $2"; exit 1; }
}
`

// TestWithoutPackage runs the README's way from an empty machine to a restricted key without a package, command by command. The way with
// one is run on a machine of its own, in packaging/packages.
func TestWithoutPackage(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("the README installs as root: run this test as root")
	}
	for _, tool := range []string{"unshare", "/usr/sbin/sshd", "ssh", "useradd", "su"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is missing: apt-get install util-linux openssh-server openssh-client passwd", tool)
			}
			t.Skipf("%s is missing: apt-get install util-linux openssh-server openssh-client passwd", tool)
		}
	}
	script := sandbox
	for _, command := range firstKey(t) {
		if command == "sshd -t && systemctl reload ssh" { // here each login starts its sshd, and the machine's own is left alone
			command = "/usr/sbin/sshd -t -f /etc/ssh/readme_sshd_config"
		}
		status := "0"
		if strings.Contains(command, "# denied") {
			status = "77"
		}
		script += "must " + status + " '" + strings.ReplaceAll(command, "'", `'\''`) + "'\n"
	}
	script += "[ \"$(grep -c denied /var/log/ssh-gate/ssh-gate.log)\" = 2 ]\necho all of it worked\n"

	binary := build(t)
	source, err := filepath.Abs(top)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "unshare", "-m", "sh")
	cmd.Stdin = strings.NewReader(script)
	cmd.Env = append(os.Environ(), "BINARY="+binary, "SOURCE="+source, "SCRATCH="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasSuffix(string(out), "all of it worked\n") {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// firstKey is what the README says to type, but for the build.
func firstKey(t *testing.T) []string {
	_, text, _ := strings.Cut(paper(t, "README.md"), "\n### Without a package\n")
	text, _, _ = strings.Cut(text, "\n## ")
	var commands []string
	for _, line := range strings.Split(text, "\n") {
		if command, ok := strings.CutPrefix(line, "    "); ok && command != "make build" {
			commands = append(commands, command)
		}
	}
	if len(commands) < 10 {
		t.Fatalf("the README has only %d commands", len(commands))
	}
	return commands
}
