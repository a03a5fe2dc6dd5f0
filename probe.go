package netring

// Feature is a part of io_uring that netring uses, and what [Probe] found out about
// it.
type Feature struct {
	Name      string `json:"name"`
	Since     string `json:"since"`   // the kernel version that introduced it
	Without   string `json:"without"` // what is lost where it is missing
	Supported bool   `json:"supported"`
	Reason    string `json:"reason,omitempty"` // why it is not supported
}

// Report is what [Probe] finds. It marshals to JSON.
type Report struct {
	Kernel   string    `json:"kernel"`             // release, as uname(2) says; outside Linux, runtime.GOOS
	Engine   Engine    `json:"engine"`             // what EngineAuto is here
	Reason   string    `json:"reason"`             // why
	Features []Feature `json:"features,omitempty"` // nil if io_uring was not probed
	Limits   Limits    `json:"limits"`             // empty outside Linux
}

// Limits are settings of the system that affect netring. A field is empty if the
// system does not tell.
type Limits struct {
	OpenFiles       string `json:"open_files"`        // RLIMIT_NOFILE: soft/hard
	LockedMemory    string `json:"locked_memory"`     // RLIMIT_MEMLOCK in bytes: soft/hard; counts for rings before Linux 5.12 and since 6.14
	Seccomp         string `json:"seccomp"`           // "off", "strict" or "filter"
	IOUringDisabled string `json:"io_uring_disabled"` // sysctl kernel.io_uring_disabled: 0 no, 1 for most, 2 for all
	IOUringGroup    string `json:"io_uring_group"`    // sysctl kernel.io_uring_group: the group spared by 1
}
