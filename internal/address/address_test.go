package address

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for s, want := range map[string]string{
		"192.0.2.1":                "192.0.2.1",
		"0.0.0.0":                  "0.0.0.0",
		"255.255.255.255":          "255.255.255.255",
		"::ffff:192.0.2.1":         "192.0.2.1",
		"::FFFF:c000:201":          "192.0.2.1",
		"0:0:0:0:0:ffff:192.0.2.1": "192.0.2.1",
		"::":                       "::",
		"::1":                      "::1",
		"1::":                      "1::",
		"2001:db8::1":              "2001:db8::1",
		"2001:DB8:0:0:0:0:0:1":     "2001:db8::1",
		"2001:0db8:0000:0000:0000:0000:0000:0001": "2001:db8::1",
		"1:2:3:4:5:6:7:8":                         "1:2:3:4:5:6:7:8",
		"1:2:3:4:5:6:7::":                         "1:2:3:4:5:6:7:0",
		"::2:3:4:5:6:7:8":                         "0:2:3:4:5:6:7:8",
		"1:2:3::5:6:7:8":                          "1:2:3:0:5:6:7:8",
		"::1.2.3.4":                               "::102:304",
		"1:2:3:4:5:6:7.8.9.10":                    "1:2:3:4:5:6:708:90a",
		"1::1.2.3.4":                              "1::102:304",
	} {
		a, ok := Parse(s)
		if !ok || asNetip(a) != netip.MustParseAddr(want) {
			t.Errorf("Parse(%q) = %v, %t; want %s", s, asNetip(a), ok, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, s := range []string{
		"", " ", "localhost", "UNKNOWN", "1", "1.2.3", "1.2.3.", ".1.2.3", "1.2.3.4.", "1.2.3.4.5", "1..2.3", "256.1.1.1", "1.1.1.1000",
		"01.2.3.4", "1.2.3.04", "00.0.0.0", "+1.2.3.4", "-1.2.3.4", "1.2.3.+4", "0x1.2.3.4", "1_0.2.3.4", "1.2.3.4 ", " 1.2.3.4", "1.2.3.4\n", "a.b.c.d", "١.2.3.4",
		":", ":::", "::::", "1", "1:", ":1", "1:2", "1:::2", "1::2::3", "::1::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8:", ":1:2:3:4:5:6:7:8",
		"1:2:3:4::5:6:7:8", "::1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8::", "12345::", "g::", "0x1::", "+1::", "-1::", "1_0::", "::1 ", "[::1]", "[::1]:22",
		"1.2.3.4::", "::1.2.3.4:5", "::1.2.3", "::1.2.3.4.5", "::01.2.3.4", "::256.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "1:2:3:4:5:1.2.3.4", "1:2:3:4:5:6:7::1.2.3.4",
		"fe80::1%eth0", "fe80::1%", "::1%1", "1.2.3.4%eth0", "1.2.3.4/24", "::1/64",
	} {
		if a, ok := Parse(s); ok {
			t.Errorf("Parse(%q) = %v; want no address", s, asNetip(a))
		}
	}
}

// TestParseRefusedIsZero: a caller that overlooks the refusal still holds no address.
func TestParseRefusedIsZero(t *testing.T) {
	for _, s := range []string{"", "1.2.3", "1.2.3.256", "1:2", "1:2:3:4:5:6:7", "1:2:3:4:5:1.2.3.4", "1::2::3", "1:2:3:4:5:6:7:8:9"} {
		if a, ok := Parse(s); ok || a != (Addr{}) {
			t.Errorf("Parse(%q) = %v, %t; want the zero Addr", s, asNetip(a), ok)
		}
	}
}

func TestMapped(t *testing.T) {
	for s, want := range map[string]bool{
		"::ffff:192.0.2.1": true, "::ffff:c000:201": true, "0:0:0:0:0:FFFF:1.2.3.4": true,
		"192.0.2.1": false, "::192.0.2.1": false, "::1": false, "::ffff:0:192.0.2.1": false, "": false, "::ffff:192.0.2.1%1": false, "::ffff:192.0.2.1/128": false,
	} {
		a, ok := Parse(s)
		if got := ok && a.is4() && strings.Contains(s, ":"); got != want {
			t.Errorf("%q is IPv4 in IPv6: %t", s, got)
		}
	}
}

func TestParseNetwork(t *testing.T) {
	for s, tidy := range map[string]bool{
		"192.0.2.1": true, "2001:db8::1": true, "::ffff:192.0.2.1": true,
		"192.0.2.0/24": true, "192.0.2.1/24": false, "192.0.2.1/32": true, "0.0.0.0/0": true, "1.0.0.0/0": false,
		"192.0.2.128/25": true, "192.0.2.64/25": false, "192.0.2.1/31": false,
		"2001:db8::/32": true, "2001:db8::1/32": false, "::/0": true, "::1/128": true, "8000::/1": true, "4000::/1": false,
	} {
		if _, got, ok := ParseNetwork(s); !ok || got != tidy {
			t.Errorf("ParseNetwork(%q): tidy %t, ok %t; want tidy %t", s, got, ok, tidy)
		}
	}
	for _, s := range []string{
		"", "/", "/24", "192.0.2.0/", "192.0.2.0/33", "192.0.2.0/024", "192.0.2.0/00", "192.0.2.0/+24", "192.0.2.0/-1", "192.0.2.0/ 24", "192.0.2.0/24/24",
		"192.0.2.0/255.255.255.0", "192.0.2/24", "192.0.2.0/1a", "192.0.2.0/1000", "::/129", "::1%eth0/64", "fe80::%1", "::ffff:192.0.2.0/120", "::ffff:0:0/96",
	} {
		if n, tidy, ok := ParseNetwork(s); ok || tidy || n != (Network{}) {
			t.Errorf("ParseNetwork(%q) = %v, %t, %t; want no network", s, n, tidy, ok)
		}
	}
}

func TestContains(t *testing.T) {
	for _, c := range []struct {
		network, address string
		want             bool
	}{
		{"192.0.2.0/24", "192.0.2.255", true},
		{"192.0.2.0/24", "192.0.3.0", false},
		{"192.0.2.0/24", "192.0.1.255", false},
		{"192.0.2.0/24", "::ffff:192.0.2.7", true}, // sshd that listens on :: says so of an IPv4 client
		{"::ffff:192.0.2.7", "192.0.2.7", true},
		{"192.0.2.7", "192.0.2.7", true},
		{"192.0.2.7", "192.0.2.6", false},
		{"192.0.2.99/24", "192.0.2.1", true},
		{"0.0.0.0/0", "255.255.255.255", true},
		{"0.0.0.0/0", "::", false},
		{"::/0", "ffff::1", true},
		{"::/0", "192.0.2.1", false},
		{"::/0", "::ffff:192.0.2.1", false},
		{"::/64", "::ffff:192.0.2.1", false},
		{"2001:db8::/33", "2001:db8:7fff::1", true},
		{"2001:db8::/33", "2001:db8:8000::1", false},
		{"2001:db8::1", "2001:db8::1", true},
		{"2001:db8::1", "2001:db8::2", false},
		{"::/128", "::", true},
	} {
		n, _, ok := ParseNetwork(c.network)
		a, good := Parse(c.address)
		if !ok || !good || n.Contains(a) != c.want {
			t.Errorf("%s contains %s: %t, want %t", c.network, c.address, n.Contains(a), c.want)
		}
	}
}

// TestNoAddress: what is not known lies nowhere, not even in the network of all.
func TestNoAddress(t *testing.T) {
	for _, s := range []string{"0.0.0.0/0", "::/0", "::", "0.0.0.0"} {
		if n, _, _ := ParseNetwork(s); n.Contains(Addr{}) {
			t.Errorf("%s contains the zero Addr", s)
		}
	}
	for _, s := range []string{"0.0.0.0", "::"} {
		if a, _ := Parse(s); (Network{}).Contains(a) {
			t.Errorf("the zero Network contains %s", s)
		}
	}
	if (Network{}).Contains(Addr{}) {
		t.Error("the zero Network contains the zero Addr")
	}
}

// The tests below hold the package against net/netip, which it stands in for.

const (
	seed   = 1
	random = 200000
)

func TestParseAsNetip(t *testing.T) {
	r := rand.New(rand.NewPCG(seed, 0))
	accepted := 0
	for range random {
		s := randomAddress(r)
		if _, ok := Parse(s); ok {
			accepted++
		}
		if err := compareAddress(s); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if err := compareNetwork(s + "/" + pick(r, "0", "1", "8", "24", "31", "32", "33", "96", "127", "128", "129", "01", "", "-1", "+1", "999", "4294967296", "1/1")); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
	if accepted < random/10 {
		t.Errorf("seed %d: only %d of %d are addresses, too few to prove anything", seed, accepted, random)
	}
}

func TestContainsAsNetip(t *testing.T) {
	r := rand.New(rand.NewPCG(seed, 1))
	for range random {
		prefix := randomPrefix(r)
		near := flipped(prefix.Addr(), r)
		n, _, ok := ParseNetwork(prefix.String())
		a, good := Parse(near.String())
		if !ok || !good {
			t.Fatalf("seed %d: %s or %s is not read", seed, prefix, near)
		}
		if got, want := n.Contains(a), prefix.Contains(near); got != want {
			t.Fatalf("seed %d: %s contains %s: %t, but %t to netip", seed, prefix, near, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"1.2.3.4", "::", "::ffff:1.2.3.4", "1:2:3:4:5:6:7:8", "fe80::1%eth0", "1::1.2.3.4"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if err := compareAddress(s); err != nil {
			t.Error(err)
		}
	})
}

func FuzzParseNetwork(f *testing.F) {
	for _, s := range []string{"1.2.3.4/24", "::/0", "::ffff:1.2.3.4/96", "::1/128", "1.2.3.4/01"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if err := compareNetwork(s); err != nil {
			t.Error(err)
		}
	})
}

// TestParseZoned: an address and its zone, as netip reads them.
func TestParseZoned(t *testing.T) {
	for s, want := range map[string]string{
		"fe80::1": "", "fe80::1%eth0": "eth0", "fe80::1%2": "2", "fe80::1%a%b": "a%b", "fe80::1% \x1b": " \x1b", "192.0.2.1": "",
	} {
		a, zone, ok := ParseZoned(s)
		if n := netip.MustParseAddr(s); !ok || zone != want || zone != n.Zone() || asNetip(a) != n.WithZone("") {
			t.Errorf("%q: %v, %q, %t", s, asNetip(a), zone, ok)
		}
	}
	for _, s := range []string{"", "%", "%eth0", "fe80::1%", "fe80:%eth0::1", "eth0%fe80::1", "fe80::1 %eth0", "192.0.2.1%"} {
		if a, zone, ok := ParseZoned(s); ok || zone != "" || a != (Addr{}) {
			t.Errorf("%q: %v, %q, %t", s, asNetip(a), zone, ok)
		}
	}
}

func compareAddress(s string) error {
	got, ok := Parse(s)
	want, err := netip.ParseAddr(s)
	accepted := err == nil && want.Zone() == ""
	if ok != accepted {
		return fmt.Errorf("Parse(%q) = %t, but netip says %v, %v", s, ok, want, err)
	}
	if ok && asNetip(got) != want.Unmap() {
		return fmt.Errorf("Parse(%q) = %v, but %v to netip", s, asNetip(got), want)
	}
	if mapped := got.is4() && strings.Contains(s, ":"); ok && mapped != want.Is4In6() {
		return fmt.Errorf("%q is IPv4 in IPv6: %t", s, mapped)
	}
	return nil
}

// compareNetwork: an address alone is a network too, and an IPv4-mapped one with a number of bits is none.
func compareNetwork(s string) error {
	n, tidy, ok := ParseNetwork(s)
	if !strings.Contains(s, "/") {
		if _, alone := Parse(s); ok != alone || tidy != alone {
			return fmt.Errorf("ParseNetwork(%q): tidy %t, ok %t", s, tidy, ok)
		}
		return nil
	}
	want, err := netip.ParsePrefix(s)
	accepted := err == nil && !want.Addr().Is4In6()
	if ok != accepted {
		return fmt.Errorf("ParseNetwork(%q) = %t, but netip says %v, %v", s, ok, want, err)
	}
	if !ok {
		return nil
	}
	bits := n.bits
	if want.Addr().Is4() {
		bits -= mappedBits
	}
	if asNetip(n.addr) != want.Addr() || bits != want.Bits() || tidy != (want == want.Masked()) {
		return fmt.Errorf("ParseNetwork(%q) = %v/%d, tidy %t; but %v to netip", s, asNetip(n.addr), bits, tidy, want)
	}
	return nil
}

func asNetip(a Addr) netip.Addr {
	if !a.valid {
		return netip.Addr{}
	}
	return netip.AddrFrom16(a.bytes).Unmap()
}

// randomAddress makes texts that are addresses, or nearly so.
func randomAddress(r *rand.Rand) string {
	var b strings.Builder
	if r.IntN(3) == 0 {
		b.WriteString(randomIPv4(r))
	} else {
		for i := range 1 + r.IntN(9) {
			if i > 0 || r.IntN(6) == 0 {
				b.WriteString(pick(r, ":", ":", ":", "::"))
			}
			if r.IntN(12) == 0 {
				b.WriteString(randomIPv4(r))
			} else {
				b.WriteString(pick(r, "0", "1", "f", "ffff", "FfFf", "00", "0db8", "2001", "a", "10"))
			}
		}
		b.WriteString(pick(r, "", "", "", "", ":", "::", "::1.2.3.4", ":255.0.0.1"))
	}
	s := b.String()
	if r.IntN(8) == 0 { // one character is changed, left out or put in
		at := r.IntN(len(s) + 1)
		s = s[:at] + pick(r, ":", ".", "0", "g", "%", "+", "-", "_", " ", "x", "é", "") + s[min(at+r.IntN(2), len(s)):]
	}
	return s
}

func randomIPv4(r *rand.Rand) string {
	parts := make([]string, 4)
	for i := range parts {
		parts[i] = pick(r, "0", "1", "9", "10", "99", "127", "192", "255")
	}
	if r.IntN(8) == 0 {
		parts[r.IntN(4)] = pick(r, "256", "01", "00", "", "1000", "a", "1.1")
	}
	return strings.Join(parts, ".")
}

func randomPrefix(r *rand.Rand) netip.Prefix {
	if r.IntN(2) == 0 {
		var b [4]byte
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return netip.PrefixFrom(netip.AddrFrom4(b), r.IntN(33))
	}
	b := [16]byte{0x20}
	for i := 1; i < len(b); i++ {
		b[i] = byte(r.Uint32())
	}
	return netip.PrefixFrom(netip.AddrFrom16(b), r.IntN(129))
}

// flipped changes one bit, so that half of the addresses lie just in the network and half just outside.
func flipped(a netip.Addr, r *rand.Rand) netip.Addr {
	b := a.AsSlice()
	bit := r.IntN(8 * len(b))
	b[bit/8] ^= 0x80 >> (bit % 8)
	changed, _ := netip.AddrFromSlice(b)
	return changed
}

func pick(r *rand.Rand, choices ...string) string { return choices[r.IntN(len(choices))] }

func TestFirst(t *testing.T) {
	for text, want := range map[string]string{
		"203.0.113.0/24": "203.0.113.1", "203.0.113.7": "203.0.113.7", "0.0.0.0/0": "0.0.0.1", "192.0.2.6/31": "192.0.2.7",
		"2001:db8::/32": "2001:db8:0:0:0:0:0:1", "::1": "0:0:0:0:0:0:0:1", "::/0": "0:0:0:0:0:0:0:1",
	} {
		n, _, ok := ParseNetwork(text)
		if got := n.First(); !ok || got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
		if a, ok := Parse(n.First()); !ok || !n.Contains(a) {
			t.Errorf("%s does not contain %s", text, n.First())
		}
	}
}
