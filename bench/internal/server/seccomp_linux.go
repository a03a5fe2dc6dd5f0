package server

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/seccomp"
)

// seccompProfile is Docker's default profile, except that it allows io_uring.
const seccompProfile = "../docs/seccomp/netring.json"

// installSeccomp installs a filter with the calls of the profile in their order, as a container
// runtime does. It ignores conditions on arguments: they concern no call that a server repeats.
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
			// The profile also has calls of other architectures.
			if nr, ok := this.SyscallNames[name]; ok && s.Action == "SCMP_ACT_ALLOW" {
				rules = append(rules, seccomp.Rule{Call: uint32(nr), Action: seccomp.Allow})
			}
		}
	}
	if profile.DefaultAction != "SCMP_ACT_ERRNO" || len(rules) < 200 {
		return fmt.Errorf("%s allows %d calls of this architecture and has the default action %q; use a profile with at least 200 and SCMP_ACT_ERRNO",
			seccompProfile, len(rules), profile.DefaultAction)
	}
	return seccomp.Install(rules, seccomp.Errno(unix.EPERM))
}
