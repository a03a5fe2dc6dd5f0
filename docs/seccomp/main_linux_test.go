package main

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"testing"
)

// The profile in the repository is what this program writes.
func TestProfileIsCurrent(t *testing.T) {
	have, err := os.ReadFile("netring.json")
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if err := write(&want, ioUring); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, want.Bytes()) {
		t.Error("netring.json is not what this program writes: run it again")
	}
}

// It differs from the default profile by three calls, which that does not allow.
func TestProfileAddsThreeCalls(t *testing.T) {
	allowed := func(added []string) (calls []string) {
		var b bytes.Buffer
		if err := write(&b, added); err != nil {
			t.Fatal(err)
		}
		var profile struct {
			DefaultAction string
			Syscalls      []struct {
				Names  []string
				Action string
			}
		}
		if err := json.Unmarshal(b.Bytes(), &profile); err != nil {
			t.Fatal(err)
		}
		if profile.DefaultAction != "SCMP_ACT_ERRNO" {
			t.Errorf("the default is %s", profile.DefaultAction)
		}
		for _, s := range profile.Syscalls {
			if s.Action == "SCMP_ACT_ALLOW" {
				calls = append(calls, s.Names...)
			}
		}
		return calls
	}
	before, after := allowed(nil), allowed(ioUring)
	for _, c := range ioUring {
		if slices.Contains(before, c) || !slices.Contains(after, c) {
			t.Errorf("%s: allowed before %v, after %v", c, slices.Contains(before, c), slices.Contains(after, c))
		}
	}
	if len(after) != len(before)+len(ioUring) {
		t.Errorf("%d calls became %d", len(before), len(after))
	}
}
