package server

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/seccomp"
)

// seccompProfile is the profile of the servers behind a filter: Docker's
// default with io_uring admitted.
const seccompProfile = "../docs/seccomp/netring.json"

// installSeccomp puts this process behind a filter with the calls of the profile,
// in their order, as a container runtime does. Conditions on arguments are left
// out: no call that a server makes over and over has any.
func installSeccomp() error {
	b, err := os.ReadFile(seccompProfile)
	if err != nil {
		return err
	}
	var profile struct {
		DefaultAction string
		Syscalls      []struct {
			Names  []string
			Action string
		}
	}
	if err := json.Unmarshal(b, &profile); err != nil {
		return fmt.Errorf("%s: %w", seccompProfile, err)
	}
	this, err := arch.GetInfo("")
	if err != nil {
		return err
	}
	var rules []seccomp.Rule
	for _, s := range profile.Syscalls {
		for _, name := range s.Names {
			// The profile names calls of other architectures, too.
			if nr, ok := this.SyscallNames[name]; ok && s.Action == "SCMP_ACT_ALLOW" {
				rules = append(rules, seccomp.Rule{Call: uint32(nr), Action: seccomp.Allow})
			}
		}
	}
	if profile.DefaultAction != "SCMP_ACT_ERRNO" || len(rules) < 200 {
		return fmt.Errorf("%s: the default action is %q, and %d calls of this architecture are allowed", seccompProfile, profile.DefaultAction, len(rules))
	}
	return seccomp.Install(rules, seccomp.Errno(unix.EPERM))
}
