//go:build !race

package netring

const raceEnabled = false
