/* The least that the same containment costs: what the kernel has to be asked for so that a dynamically linked program may
   start and read one file, and under every limit, without anything around it. Its first argument is a folder for the count of sessions. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#ifdef __aarch64__
#define ARCH AUDIT_ARCH_AARCH64
#define LOADER "/lib/ld-linux-aarch64.so.1"
#else
#define ARCH AUDIT_ARCH_X86_64
#define LOADER "/lib64/ld-linux-x86-64.so.2"
#endif

static int ruleset;

static void allow(const char *path, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = { rights, open(path, O_PATH | O_CLOEXEC) };

	if (rule.parent_fd >= 0 && syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0))
		_exit(11);
}

static void limit(int resource, rlim_t most)
{
	struct rlimit now;

	getrlimit(resource, &now);
	if (now.rlim_max > most)
		now.rlim_max = most;
	if (now.rlim_cur > most)
		now.rlim_cur = most;
	if (setrlimit(resource, &now))
		_exit(12);
}

static void count(const char *dir)
{
	struct flock one = { .l_type = F_WRLCK, .l_len = 1 };
	char seen[64] = "";
	int file, sessions;

	if (chdir(dir))
		_exit(13);
	file = open("floor", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	sessions = open("floor.sessions", O_RDWR | O_CREAT, 0600);
	if (fcntl(file, F_OFD_SETLK, &one) || pread(file, seen, sizeof seen, 0) < 0 || pwrite(file, seen, sizeof seen, 0) < 0)
		_exit(14);
	one.l_type = F_RDLCK;
	if (fcntl(sessions, F_OFD_SETLK, &one))
		_exit(15);
}

static void confine(void)
{
	const uint64_t file = LANDLOCK_ACCESS_FS_READ_FILE, folder = file | LANDLOCK_ACCESS_FS_READ_DIR;
	const uint64_t program = file | LANDLOCK_ACCESS_FS_EXECUTE;
	uint64_t handled = (1 << 13) - 1; /* of the first version */
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog network = { sizeof filter / sizeof *filter, filter };

	ruleset = syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0);
	if (ruleset < 0)
		_exit(16);
	allow("/usr/lib", folder);
	allow("/lib64", folder);
	allow(LOADER, program);
	allow("/bin/true", program);
	allow("/etc/ld.so.cache", file);
	allow("/etc/hostname", file);
	allow("/dev/null", file | LANDLOCK_ACCESS_FS_WRITE_FILE);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_landlock_restrict_self, ruleset, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &network))
		_exit(17);
}

int main(int argc, char **argv, char **envp)
{
	struct itimerval hour = { .it_value = { 3600, 0 } };
	char *program[] = { "/bin/true", 0 };

	if (argc != 2)
		return 10;
	count(argv[1]);
	confine();
	limit(RLIMIT_CPU, 3600);
	limit(RLIMIT_NOFILE, 512);
	limit(RLIMIT_FSIZE, 1ul << 30);
	limit(RLIMIT_NPROC, 10000);
	limit(RLIMIT_AS, 1ul << 32);
	if (setpriority(PRIO_PROCESS, 0, 1) || setitimer(ITIMER_REAL, &hour, 0))
		return 18;
	execve(program[0], program, envp);
	return 1;
}
