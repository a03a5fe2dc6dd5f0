//go:build !race

package reactor

const raceBuild = false

func raceWrite([]byte) {}

type raceEnd struct{}

func (*raceEnd) open() error      { return nil }
func (*raceEnd) close() error     { return nil }
func (*raceEnd) read(int, []byte) {}
