package main

import (
	"maps"
	"strings"
	"testing"
)

func TestQuantile(t *testing.T) {
	for _, c := range []struct {
		q    float64
		want int
	}{{0, 10}, {0.25, 20}, {0.5, 30}, {0.75, 40}, {1, 50}} {
		if got := quantile([]int{10, 20, 30, 40, 50}, c.q); got != c.want {
			t.Errorf("quantile %v is %d, want %d", c.q, got, c.want)
		}
	}
	if got := quantile([]int{10, 20, 30, 40}, 0.25); got != 20 { // the nearest, not the one below
		t.Errorf("the lower quartile of four values is %d, want the second", got)
	}
	if got := quantile([]int{7}, 0.75); got != 7 {
		t.Errorf("the quantile of one value is %d, want it", got)
	}
}

// TestCountCalls holds the count to what stands between the two execve: a call that another thread interrupts counts once.
func TestCountCalls(t *testing.T) {
	const text = `100   execve("/x/ssh-gate", ["/x/ssh-gate"], 0x7ffd /* 8 vars */) = 0
100   openat(AT_FDCWD, "/etc/passwd", O_RDONLY) = 3
100   clone(child_stack=0xc0, flags=CLONE_VM <unfinished ...>
101   gettid( <unfinished ...>
100   <... clone resumed>, tls=0x1) = 101
101   <... gettid resumed>) = 101
101   openat(AT_FDCWD, "/no" <unfinished ...>
101   <... openat resumed>, O_RDONLY) = -1 ENOENT (No such file or directory)
101   --- SIGURG {si_signo=SIGURG, si_code=SI_TKILL} ---
101   openat(AT_FDCWD, "/etc (x)", O_RDONLY) = -1 ENOENT (No such file or directory)
100   execve("/bin/true", ["/bin/true"], 0xc0 /* 8 vars */ <unfinished ...>
101   +++ exited with 0 +++
100   <... execve resumed>) = 0
100   brk(NULL) = 0x55
100   +++ exited with 0 +++
`
	counts, total := countCalls(strings.NewReader(text))
	if want := map[string]float64{"openat": 3, "clone": 1, "gettid": 1}; !maps.Equal(counts, want) || total != 5 {
		t.Errorf("counted %v, %v in all, want %v", counts, total, want)
	}
}
