package netring

// Feature is a part of io_uring that netring uses, and what [Probe] found out about
// that part.
type Feature struct {
	Name      string `json:"name"`
	Since     string `json:"since"`   // the kernel version that introduced it
	Without   string `json:"without"` // what netring loses without the feature
	Supported bool   `json:"supported"`
	Reason    string `json:"reason,omitempty"` // why the feature is unavailable
}

// Report is what [Probe] finds. It marshals to JSON.
type Report struct {
	Kernel   string    `json:"kernel"`             // the release that uname(2) returns; outside Linux, runtime.GOOS
	Engine   Engine    `json:"engine"`             // the engine that EngineAuto stands for
	Reason   string    `json:"reason"`             // why EngineAuto stands for Engine
	Features []Feature `json:"features,omitempty"` // nil if io_uring was not probed
	Limits   Limits    `json:"limits"`             // empty outside Linux
}

// Limits are settings of the system that affect netring. A field is empty if its value
// is unknown.
type Limits struct {
	OpenFiles       string `json:"open_files"`        // RLIMIT_NOFILE: soft/hard
	LockedMemory    string `json:"locked_memory"`     // RLIMIT_MEMLOCK in bytes: soft/hard; limits rings before Linux 5.12 and since 6.14
	Seccomp         string `json:"seccomp"`           // "off", "strict" or "filter"
	IOUringDisabled string `json:"io_uring_disabled"` // sysctl kernel.io_uring_disabled: 0 never, 1 outside a group, 2 always
	IOUringGroup    string `json:"io_uring_group"`    // sysctl kernel.io_uring_group: the group that may use io_uring at 1
}
