package reactor

import "time"

// PLACEHOLDER
const (
	maxBatch          = 64
	maxBatchBytes     = 1 << 20
	maxInlineRounds   = 4
	defaultSmallRead  = 512
	defaultLargeWrite = 16 << 10
	fewOps            = 4
	maxEvents         = 32
	maxUnlooked       = 3
	minLook           = 16
	maxRechecks       = 256
	maxLoneSleeps     = 16
	enoughCalls       = 7
	turnPerCall       = 5 * time.Microsecond
	policyDecay       = 8
	sysmonPeriod      = 10 * time.Millisecond
	maxAccepts        = 16
	keepBuffer        = 16 << 10
)
