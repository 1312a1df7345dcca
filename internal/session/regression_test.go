package session

import "testing"

const behindSSHD = "SSH_CONNECTION=192.0.2.7 50022 192.0.2.1 22"

// An account of a directory that shares its id with a local one was taken for the local one, and met a policy's users by its name.
func TestSharedIDRegression(t *testing.T) {
	s, err := New(Environ{behindSSHD, "LOGNAME=mallory", "HOME=/home/mallory", "SHELL=/bin/sh"}, 0)
	if err == nil {
		t.Errorf("the account is %+v, %v", s.Account, err)
	}
}

// An account that is not known made the gate take the client for an administrator, and the record had no address.
func TestUnknownAccountIsRemoteRegression(t *testing.T) {
	s, err := New(Environ{behindSSHD, "SSH_ORIGINAL_COMMAND=id", `LOGNAME=CORP\alice`}, 54321)
	if err == nil {
		t.Fatal("the account is known")
	}
	if !s.Remote() || s.ClientIP != "192.0.2.7" || s.Request != "id" {
		t.Errorf("the session is %+v", s)
	}
}
