//go:build linux && !race

package reactor

const raceBuild = false

func raceWrite([]byte) {}

func raceRead(int, []byte) {}
