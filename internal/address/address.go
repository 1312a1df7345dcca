// Package address reads IP addresses and networks, and compares them. It stands in for net/netip, which costs every login
// 0.06 ms by being linked (it fills a table of zones before main, see ARCHITECTURE.md); a test holds it against net/netip.
package address

import (
	"strconv"
	"strings"
)

// Addr is an IPv4 or IPv6 address without a zone. IPv4 is kept in its IPv4-mapped form, RFC 4291 2.5.5.2, so that ::ffff:192.0.2.1
// and 192.0.2.1 are the same. The zero Addr is no address, and in no network.
type Addr struct {
	bytes [16]byte
	valid bool
}

// Network is an address and how many of its leading bits count, out of 128.
type Network struct {
	addr Addr
	bits int
}

const mappedBits = 96 // of an IPv4-mapped address, before the IPv4 address

// Parse reads 192.0.2.1, 2001:db8::1 or ::ffff:192.0.2.1. It takes no zone, and no leading zeros in IPv4.
func Parse(s string) (Addr, bool) {
	if strings.IndexByte(s, ':') < 0 {
		v4, ok := parse4(s)
		return mapped(v4, ok)
	}
	return parse6(s)
}

// ParseZoned is Parse for an address that may have a zone, RFC 4007 11, as a link-local one has: fe80::1%eth0. No comparison looks at it.
// What the zone may be is the caller's to say; it is empty where there is none.
func ParseZoned(s string) (a Addr, zone string, ok bool) {
	text, zone, zoned := strings.Cut(s, "%")
	a, ok = Parse(text)
	if !ok || zoned && zone == "" {
		return Addr{}, "", false
	}
	return a, zone, true
}

func mapped(v4 [4]byte, ok bool) (Addr, bool) {
	if !ok {
		return Addr{}, false
	}
	a := Addr{valid: true}
	a.bytes[10], a.bytes[11] = 0xff, 0xff
	copy(a.bytes[12:], v4[:])
	return a, true
}

func (a Addr) is4() bool {
	return [12]byte(a.bytes[:12]) == [12]byte{10: 0xff, 11: 0xff}
}

func parse4(s string) (v4 [4]byte, ok bool) {
	for i := range 4 {
		part, rest, more := strings.Cut(s, ".")
		n, good := number(part, 10, 3, 255)
		if !good || more != (i < 3) || len(part) > 1 && part[0] == '0' {
			return v4, false
		}
		v4[i], s = byte(n), rest
	}
	return v4, true
}

func parse6(s string) (Addr, bool) {
	head, tail, gap := strings.Cut(s, "::")
	left, ok := groups(head, !gap)
	if !ok {
		return Addr{}, false
	}
	a := Addr{valid: true}
	copy(a.bytes[:], left)
	if !gap && len(left) == 16 {
		return a, true
	}
	if !gap {
		return Addr{}, false
	}
	right, ok := groups(tail, true)
	if !ok || len(left)+len(right) > 14 { // the gap stands for one group at least
		return Addr{}, false
	}
	copy(a.bytes[16-len(right):], right)
	return a, true
}

// groups reads groups of hexadecimal digits between colons; the last may be an IPv4 address where last is set.
func groups(s string, last bool) ([]byte, bool) {
	if s == "" {
		return nil, true
	}
	b := make([]byte, 0, 16)
	for more := true; more; {
		var part string
		part, s, more = strings.Cut(s, ":")
		if strings.IndexByte(part, '.') >= 0 {
			v4, ok := parse4(part)
			b = append(b, v4[:]...)
			return b, ok && last && !more && len(b) <= 16
		}
		n, ok := number(part, 16, 4, 0xffff)
		if !ok || len(b) > 14 {
			return nil, false
		}
		b = append(b, byte(n>>8), byte(n))
	}
	return b, true
}

func number(s string, base, digits int, limit uint64) (uint64, bool) {
	if s == "" || len(s) > digits || s[0] == '+' || s[0] == '-' {
		return 0, false
	}
	n, err := strconv.ParseUint(s, base, 32)
	return n, err == nil && n <= limit
}

// ParseNetwork reads an address, or an address and a slash and a number of bits. ok is false where the text is neither, and
// tidy where the address has bits set behind those that count.
func ParseNetwork(s string) (n Network, tidy, ok bool) {
	text, length, cut := strings.Cut(s, "/")
	a, ok := Parse(text)
	if !ok {
		return Network{}, false, false
	}
	n = Network{a, 128}
	if cut {
		v4 := strings.IndexByte(text, ':') < 0
		limit, before := uint64(128), 0
		if v4 {
			limit, before = 32, mappedBits
		}
		bits, good := number(length, 10, 3, limit)
		if !good || len(length) > 1 && length[0] == '0' || a.is4() && !v4 {
			return Network{}, false, false
		}
		n.bits = before + int(bits)
	}
	return n, n.addr == n.addr.masked(n.bits), true
}

func (a Addr) masked(bits int) Addr {
	for i := range a.bytes {
		switch left := bits - 8*i; {
		case left <= 0:
			a.bytes[i] = 0
		case left < 8:
			a.bytes[i] &= 0xff << (8 - left)
		}
	}
	return a
}

// Contains says whether an address lies in the network.
func (n Network) Contains(a Addr) bool {
	return a.valid && n.addr.valid && n.addr.is4() == a.is4() && n.addr.masked(n.bits) == a.masked(n.bits)
}

// First is an address in the network, for examples: its first that is not the network's own, where it has more than one.
func (n Network) First() string {
	a := n.addr
	if n.bits < 128 {
		a.bytes[15] |= 1
	}
	if a.is4() {
		return strconv.Itoa(int(a.bytes[12])) + "." + strconv.Itoa(int(a.bytes[13])) + "." + strconv.Itoa(int(a.bytes[14])) + "." + strconv.Itoa(int(a.bytes[15]))
	}
	groups := make([]string, 8)
	for i := range groups {
		groups[i] = strconv.FormatUint(uint64(a.bytes[2*i])<<8|uint64(a.bytes[2*i+1]), 16)
	}
	return strings.Join(groups, ":")
}

// Prefix is how many bits of the network's addresses count, out of 32 or of 128.
func (n Network) Prefix() (bits int, v4 bool) {
	if n.addr.is4() {
		return n.bits - mappedBits, true
	}
	return n.bits, false
}
